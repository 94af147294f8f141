//! `exec`: the program's argv, and the start.

use lexopt::Parser;

use super::usage;
use crate::error::Error;
use crate::launch;

pub(super) fn exec(mut words: Parser) -> Result<u8, Error> {
    let argv = usage::options(&mut words, |_, _| Ok(false))?;
    launch::exec(argv)
}
