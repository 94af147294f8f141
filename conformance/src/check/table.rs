//! Every check, once: what `list`, `explain` and the report say of it, and what runs it. Each part of the table
//! has the checks of one subject.

mod figures;
mod image;
mod platform;
mod restricted;
mod serve;
mod start;
mod train;
mod view;

use super::Check;

/// The parts, in the order in which they are reported.
const PARTS: &[&[Check]] = &[
    image::CHECKS,
    start::CHECKS,
    view::CHECKS,
    train::CHECKS,
    serve::CHECKS,
    platform::CHECKS,
    restricted::CHECKS,
    figures::CHECKS,
];

const COUNT: usize = {
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        count += PARTS[part].len();
        part += 1;
    }
    count
};

static ALL: [Check; COUNT] = {
    let mut all = [PARTS[0][0]; COUNT];
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut row = 0;
        while row < PARTS[part].len() {
            all[count] = PARTS[part][row];
            count += 1;
            row += 1;
        }
        part += 1;
    }
    all
};

/// All checks, in the order in which they are reported.
pub static CHECKS: &[Check] = &ALL;
