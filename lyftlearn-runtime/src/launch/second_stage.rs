//! The second stage: a process between PID 1 and the program, which it becomes.

use std::ffi::OsString;
use std::path::PathBuf;

use super::fault::not_for_people;
use crate::error::Error;
use crate::facts::Facts;
use crate::init::{self, ReportPath, Stage};

pub(super) fn stage(words: &[OsString]) -> Result<u8, Error> {
    let Some((stage, file, argv)) = read(words) else {
        return Err(not_for_people(init::STAGE));
    };
    if stage.terminal {
        init::take_terminal();
    }
    init::let_stops_come(&stage.held);
    // While this process may still open it.
    let report = stage.report.as_ref().and_then(ReportPath::open);
    let environment = Facts::capture(Vec::new());
    let become_it = || match &stage.user {
        Some(user) => init::become_user(user).map_or_else(
            |error| error,
            |()| init::become_program(&file, argv, environment.vars()),
        ),
        None => init::become_program(&file, argv, environment.vars()),
    };
    let error = become_it();
    // For PID 1, which cannot tell this exit code from the program's own.
    if let Some(report) = report {
        report.write(&error.report());
    }
    Err(error)
}

fn read(words: &[OsString]) -> Option<(Stage, PathBuf, &[OsString])> {
    let [stage, file, argv @ ..] = words else {
        return None;
    };
    let stage = serde_json::from_str(stage.to_str()?).ok()?;
    (!argv.is_empty()).then(|| (stage, PathBuf::from(file), argv))
}
