//! The command line: the only voice. Data goes to stdout, words to stderr.

#[cfg(feature = "agent")]
mod credentials;
mod diff;
mod doctor;
mod env;
mod exec;
mod explain;
mod inspect;
#[cfg(feature = "agent")]
mod metrics;
mod output;
mod run;
mod snapshot;
mod spark;
mod streams;
mod usage;

use std::ffi::OsString;

use crate::error::Error;
use crate::init;
use crate::launch;
use crate::signal;
use crate::stderr;

/// Runs the command line, without the binary's name, and returns the exit code.
#[must_use]
pub fn main(arguments: Vec<OsString>) -> u8 {
    // PID 1's first act, before a word of it is understood: a signal that comes now waits.
    let armed = match arguments.first() {
        Some(word) if word == "run" => Some(init::arm()),
        _ => None,
    };
    streams::hold_closed();
    if !launch::becomes_a_program(&arguments) {
        // Where the kernel refuses it, a peer that leaves can end this process, as before.
        let _ = signal::survive_peers_that_leave();
    }
    // The usual one shows the panic's text, which may hold anything.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |place| {
            format!(" at {}:{}", place.file(), place.line())
        });
        stderr::say(&format!(
            "lyftlearn-runtime: a bug of its own{place}; please report it\n"
        ));
    }));
    match command(arguments, armed) {
        Ok(code) => code,
        Err(error) => {
            stderr::say(&error.report());
            error.kind().exit_code()
        }
    }
}

fn command(
    arguments: Vec<OsString>,
    armed: Option<Result<init::Armed, Error>>,
) -> Result<u8, Error> {
    // This binary's own words to itself; nothing else may stand before them.
    if let Some(ended) = launch::helper(&arguments) {
        return ended;
    }
    let mut words = lexopt::Parser::from_args(arguments);
    match usage::subcommand(&mut words)? {
        usage::Subcommand::Run => run::run(words, armed.expect("main arms for run")?),
        usage::Subcommand::Exec => exec::exec(words),
        usage::Subcommand::Inspect => inspect::inspect(words),
        usage::Subcommand::Env => env::env(words),
        usage::Subcommand::Snapshot => snapshot::snapshot(words),
        usage::Subcommand::Diff => diff::diff(words),
        usage::Subcommand::Doctor => doctor::doctor(words),
        usage::Subcommand::Explain => explain::explain(words),
        #[cfg(feature = "agent")]
        usage::Subcommand::Credentials => credentials::credentials(words),
        #[cfg(feature = "agent")]
        usage::Subcommand::Metrics => metrics::metrics(words),
        usage::Subcommand::Spark => spark::spark(words),
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
