//! Starts a container: what `run` and `exec` do once the command line is understood. The
//! workload is delivered, the program is started and supervised, and its end is written down.

mod agent;
mod announcement;
pub(crate) mod credentials;
pub(crate) mod environment;
mod events;
mod exec;
mod fault;
#[cfg(feature = "agent")]
mod helper_process;
pub(crate) mod listeners;
mod nodes;
mod outcome;
mod prepare;
mod profile;
mod program;
mod required;
mod run;
mod second_stage;
pub(crate) mod secrets;
mod skew;
pub(crate) mod snapshot;
mod statsd;

use std::ffi::OsString;

pub(crate) use exec::exec;
pub(crate) use run::run;

use crate::error::Error;
use crate::init;

/// Runs the helper process that these arguments ask for: this binary starts itself with them.
/// `None` for any other command line.
pub(crate) fn helper(arguments: &[OsString]) -> Option<Result<u8, Error>> {
    let (word, rest) = arguments.split_first()?;
    Some(match word.to_str()? {
        init::STAGE => second_stage::stage(rest),
        outcome::ARGUMENT => outcome::outcome(),
        #[cfg(feature = "agent")]
        secrets::ARGUMENT => secrets::helper(rest),
        #[cfg(feature = "agent")]
        required::ARGUMENT => required::helper(rest),
        #[cfg(feature = "agent")]
        crate::credentials::PROFILE_ARGUMENT => profile::helper(rest),
        #[cfg(feature = "agent")]
        agent::ARGUMENT => agent::agent(rest),
        _ => return None,
    })
}

/// Whether this process, or a child that it forks without exec, becomes the program. The program
/// must find the signal dispositions that this process was started with.
pub(crate) fn becomes_a_program(arguments: &[OsString]) -> bool {
    let first = arguments.first().and_then(|word| word.to_str());
    first.is_some_and(|word| ["run", "exec", init::STAGE].contains(&word))
}
