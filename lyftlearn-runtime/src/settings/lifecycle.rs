//! The settings of how the program ends.

use figment::value::Value;

use crate::layers::{Parsed, list};

const REMAP: &str = "a list of exit codes, such as [\"143:0\"]";

/// `["143:0"]`: what the program leaves with, and what to leave with instead.
pub(super) fn exit_remap(value: &Value) -> Parsed<Vec<(u8, u8)>> {
    let pair = |word: &String| {
        let (from, to) = word.split_once(':')?;
        Some((from.parse().ok()?, to.parse().ok()?))
    };
    let pairs: Option<Vec<(u8, u8)>> = list(value, REMAP)?.iter().map(pair).collect();
    pairs.ok_or(REMAP)
}
