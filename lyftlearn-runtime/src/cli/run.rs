//! `run`: its options, and the start.

use super::usage::Given;
use crate::error::Error;
use crate::init::Armed;
use crate::launch;

pub(super) fn run(given: Given, armed: Armed) -> Result<u8, Error> {
    let scope = given.choice("--signal-scope").map(str::to_owned);
    let scope = scope.map(|scope| ("lifecycle.signal_scope", scope));
    let settings: Vec<_> = scope.into_iter().collect();
    launch::run(given.into_words(), &settings, armed)
}
