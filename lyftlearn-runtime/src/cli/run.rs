//! `run`: its options, and the start.

use lexopt::Parser;

use super::usage::{self, UsageFault};
use crate::error::Error;
use crate::init::Armed;
use crate::launch;

pub(super) fn run(mut words: Parser, armed: Armed) -> Result<u8, Error> {
    let mut arguments = Vec::new();
    let argv = usage::options(&mut words, |option, words| match option {
        "--signal-scope" => {
            let scope = usage::value(words, "--signal-scope")?;
            let scope = scope
                .to_str()
                .filter(|scope| ["auto", "group", "child"].contains(scope))
                .ok_or(UsageFault::BadValue {
                    option: "--signal-scope",
                    expected: "auto, group or child",
                })?;
            arguments.push(("lifecycle.signal_scope", scope.to_owned()));
            Ok(true)
        }
        _ => Ok(false),
    })?;
    launch::run(argv, &arguments, armed)
}
