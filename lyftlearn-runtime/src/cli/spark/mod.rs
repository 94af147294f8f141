//! `spark`: proves the way from executors to a driver of this container, without Spark.

mod fault;
mod listen;
mod reach;

use super::usage::Given;
use crate::error::Error;

pub(super) fn listen(given: &Given) -> Result<u8, Error> {
    let seconds = given.words().first().map(|word| word.to_string_lossy());
    listen::listen(seconds.as_deref())
}

pub(super) fn reach(given: &Given) -> Result<u8, Error> {
    reach::reach(&given.word(0)?.to_string_lossy())
}
