//! The second stage: a process between PID 1 and the program, which it becomes.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::usage::UsageFault;
use crate::error::Error;
use crate::facts::Facts;
use crate::init::{self, Stage};

pub(super) fn stage(words: &[OsString]) -> Result<u8, Error> {
    let Some((stage, file, argv)) = read(words) else {
        return Err(UsageFault::NotForPeople { word: init::STAGE }.into());
    };
    if stage.terminal {
        init::take_terminal();
    }
    init::let_stops_come(&stage.held);
    let environment = Facts::capture(Vec::new());
    let become_it = || match &stage.user {
        Some(user) => init::become_user(user).map_or_else(
            |error| error,
            |()| init::become_program(&file, argv, environment.vars()),
        ),
        None => init::become_program(&file, argv, environment.vars()),
    };
    let error = become_it();
    if let Some(path) = &stage.not_started {
        leave_word(path, &error.report());
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

/// For PID 1, which cannot tell this exit code from the program's own.
fn leave_word(path: &Path, report: &str) {
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    if let Ok(mut file) = file {
        let _ = file.write_all(report.as_bytes());
    }
}
