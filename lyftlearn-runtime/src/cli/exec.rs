//! `exec`: the program's argv, and the start.

use super::usage::Given;
use crate::error::Error;
use crate::launch;

pub(super) fn exec(given: Given) -> Result<u8, Error> {
    launch::exec(given.into_words())
}
