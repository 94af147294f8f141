//! From the argv that the platform gave to the program that runs.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use super::usage::UsageFault;
use crate::contract::runtime;
use crate::error::{Error, ErrorKind, Fault};
use crate::facts::Facts;
use crate::settings::Commands;

/// A platform's word that nothing here answers to.
#[derive(Debug)]
struct NoCommand {
    word: &'static str,
}

impl fmt::Display for NoCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word;
        write!(
            f,
            "cannot find what {word} runs: no commands.{word} in the settings, no executable {word} on PATH"
        )
    }
}

impl Fault for NoCommand {
    fn kind(&self) -> ErrorKind {
        ErrorKind::ProgramNotFound
    }

    fn hint(&self) -> Option<String> {
        let (file, word) = (runtime::IMAGE_SETTINGS, self.word);
        Some(format!(
            "put {word} = [\"python3\", \"{word}.py\"] under [commands] in {file}"
        ))
    }
}

/// `train` and `serve` as the settings or PATH have them, nothing as the image's
/// default; any other argv is the program's own, byte for byte.
pub(super) fn resolve(
    facts: &Facts,
    commands: &Commands,
    argv: &[OsString],
) -> Result<Vec<OsString>, Error> {
    let Some(first) = argv.first() else {
        let default = commands.default.as_deref().ok_or(UsageFault::NoProgram)?;
        return Ok(default.iter().map(OsString::from).collect());
    };
    let (word, command) = match first.to_str() {
        Some("train") => ("train", &commands.train),
        Some("serve") => ("serve", &commands.serve),
        _ => return Ok(argv.to_vec()),
    };
    // What follows the word belongs to whatever it runs.
    let rest = argv[1..].iter().cloned();
    match command {
        Some(command) => Ok(command.iter().map(OsString::from).chain(rest).collect()),
        None if on_path(facts, word) => Ok(argv.to_vec()),
        None => Err(NoCommand { word }.into()),
    }
}

fn on_path(facts: &Facts, word: &str) -> bool {
    let path = facts.text("PATH").unwrap_or_default();
    path.split(':')
        .filter(|directory| !directory.is_empty())
        .any(|directory| {
            rustix::fs::access(
                PathBuf::from(directory).join(word),
                rustix::fs::Access::EXEC_OK,
            )
            .is_ok()
        })
}
