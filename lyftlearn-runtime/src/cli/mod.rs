//! The command line: the only voice. Data goes to stdout, words to stderr.

#[cfg(feature = "agent")]
mod credentials;
mod diff;
mod doctor;
mod dotenv;
mod env;
mod exec;
mod explain;
mod help;
mod inspect;
#[cfg(feature = "agent")]
mod metrics;
mod output;
mod page;
mod progress;
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
use usage::Asked;

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
            "lyftlearn-runtime: internal error{place}; please report it\n"
        ));
    }));
    // This binary's own words to itself; nothing else may stand before them.
    if let Some(ended) = launch::helper(&arguments) {
        return code_of(ended, None);
    }
    // Other codes of run and exec are the program's.
    let tool = (!launch::becomes_a_program(&arguments)).then_some(TROUBLE);
    code_of(command(arguments, armed), tool)
}

/// The exit code of a tool that cannot do its work, as with most commands: 1 is a finding of `doctor`,
/// `diff` or `spark`.
const TROUBLE: u8 = 2;

/// The exit code, after the report: that of a tool, or the one of the error's kind.
fn code_of(ended: Result<u8, Error>, tool: Option<u8>) -> u8 {
    ended.unwrap_or_else(|error| {
        stderr::say(&error.report());
        tool.unwrap_or_else(|| error.kind().exit_code())
    })
}

fn command(
    arguments: Vec<OsString>,
    armed: Option<Result<init::Armed, Error>>,
) -> Result<u8, Error> {
    let given = match usage::parse(arguments)? {
        Asked::Help(path) => return help::show(&path),
        Asked::NoCommand(path) => {
            help::show_instead(&path);
            return Ok(TROUBLE);
        }
        Asked::Version => {
            let text = concat!("lyftlearn-runtime ", env!("CARGO_PKG_VERSION"), "\n");
            output::data(text.as_bytes())?;
            return Ok(0);
        }
        Asked::Command(given) => given,
    };
    match given.names().as_slice() {
        ["run"] => run::run(given, armed.expect("main arms for run")?),
        ["exec"] => exec::exec(given),
        ["inspect"] => inspect::inspect(&given),
        ["env"] => env::env(&given),
        ["snapshot"] => snapshot::snapshot(&given),
        ["diff"] => diff::diff(&given),
        ["doctor"] => doctor::doctor(&given),
        ["explain"] => explain::explain(&given),
        #[cfg(feature = "agent")]
        ["credentials"] => credentials::credentials(),
        #[cfg(feature = "agent")]
        ["metrics"] => metrics::metrics(),
        ["spark", "listen"] => spark::listen(&given),
        ["spark", "reach"] => spark::reach(&given),
        ["help"] => help::show(&usage::named(given.words())?),
        _ => unreachable!("the register has no other command"),
    }
}
