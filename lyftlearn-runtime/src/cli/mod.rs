//! The command line: the only voice. Data goes to stdout, words to stderr.

#[cfg(feature = "agent")]
mod credentials;
mod env;
mod inspect;
mod output;
mod program;
mod run;
mod usage;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::error::Error;
use crate::facts::Facts;
use crate::init;

/// Runs the command line and returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Facts::own_arguments();
    // PID 1's first act, before a word of it is understood: a signal that comes now waits.
    let armed = match arguments.first() {
        Some(word) if word == "run" => match init::arm() {
            Ok(armed) => Some(armed),
            Err(error) => return failed(&error),
        },
        _ => None,
    };
    match command(arguments, armed) {
        Ok(code) => ExitCode::from(code),
        Err(error) => failed(&error),
    }
}

fn command(arguments: Vec<OsString>, armed: Option<init::Armed>) -> Result<u8, Error> {
    let mut words = lexopt::Parser::from_args(arguments);
    match usage::subcommand(&mut words)? {
        usage::Subcommand::Run => run::run(words, armed.expect("main arms for run")),
        usage::Subcommand::Exec => run::exec(words),
        usage::Subcommand::Inspect => inspect::inspect(words),
        usage::Subcommand::Env => env::env(words),
        #[cfg(feature = "agent")]
        usage::Subcommand::Credentials => credentials::credentials(words),
        usage::Subcommand::Help => {
            usage::nothing_more(&mut words)?;
            output::data(usage::HELP.as_bytes())?;
            Ok(0)
        }
        usage::Subcommand::Version => {
            usage::nothing_more(&mut words)?;
            output::data(
                concat!("lyftlearn-runtime ", env!("CARGO_PKG_VERSION"), "\n").as_bytes(),
            )?;
            Ok(0)
        }
    }
}

fn failed(error: &Error) -> ExitCode {
    output::say(&error.report());
    ExitCode::from(error.kind().exit_code())
}
