//! Workload in; variables and files out. **Cannot tell where it runs.**

mod environment;
mod fault;
mod files;
#[cfg(feature = "cli")]
mod identity;
#[cfg(feature = "cli")]
pub(crate) mod outcome;
#[cfg(feature = "cli")]
mod reason;
mod run_dir;
#[cfg(feature = "cli")]
pub(crate) mod secrets;
#[cfg(feature = "cli")]
mod shutdown;
#[cfg(feature = "cli")]
mod statsd;
mod variables;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use environment::{
    Environment, Layers, SecretVariable, Source, Variable, environment, layered,
};
#[cfg(feature = "cli")]
pub(crate) use identity::{Offer, Presented, changes, write as write_identity};
#[cfg(feature = "cli")]
pub(crate) use reason::{
    Written, forget as forget_reason, within_bytes, within_characters, write as write_reason,
};
use run_dir::RunDir;
pub use run_dir::{Keeper, Recipient};
#[cfg(feature = "cli")]
pub(crate) use shutdown::announce;
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) use statsd::write as write_statsd;
#[cfg(feature = "cli")]
pub(crate) use statsd::{Pointed, Ports, point};

use crate::contract::delivered as names;
use crate::workload::{Texts, Workload};

/// What was delivered. Dropping it removes a run directory that was made for this
/// process alone.
#[derive(Debug)]
pub struct Delivery {
    /// The workload, with the places that delivery chose.
    pub workload: Workload,
    /// The variables to set, in the order of the contract.
    pub variables: Vec<(String, OsString)>,
    /// Those that are left out where there is no room for all.
    pub optional: Vec<(String, String)>,
    /// What could not be had, one sentence each.
    pub problems: Vec<String>,
    _run_dir: Option<RunDir>,
}

/// What stays of a delivery once the program has it.
#[cfg(feature = "cli")]
#[derive(Debug)]
pub(crate) struct Kept {
    _run_dir: Option<RunDir>,
}

#[cfg(feature = "cli")]
impl Delivery {
    pub(crate) fn kept(self) -> Kept {
        Kept {
            _run_dir: self._run_dir,
        }
    }
}

/// Where PID 1 delivered the container's workload, for those who come to stand beside
/// its program; `None` when it did not, or for another user.
#[must_use]
pub fn delivered_beside(owner: Option<(u32, u32)>) -> Option<PathBuf> {
    Some(RunDir::of_the_container(owner)?.join(names::WORKLOAD_FILE)).filter(|path| path.is_file())
}

/// The variables that would be delivered; nothing is made or written. With `exceptions`,
/// those that only the program itself receives, too.
#[must_use]
pub fn delivered(workload: &Workload, exceptions: bool) -> Vec<(String, OsString)> {
    let mut planned = workload.clone();
    if let (None, Some(run)) = (&planned.hyperparameters.path, &planned.paths.run) {
        planned.hyperparameters.path = Some(run.join(names::HYPERPARAMETERS_DOCUMENT));
    }
    let mut variables = variables::variables(&planned);
    let directory = planned.paths.run.map(|run| run.join(names::EXCEPTIONS));
    if let Some(directory) = directory.filter(|_| exceptions) {
        variables.push((names::EXCEPTIONS_DIR.to_owned(), directory.into()));
    }
    variables
}

/// Makes the directories, writes `workload.json`, `hyperparameters.json` and
/// `environment.json` into the run directory, and names everything in variables.
/// `optional` are variables that somebody else made of the workload.
///
/// What cannot be made or written (a read-only root without a writable `/run`, `/tmp` or
/// `/dev/shm`, a full one) is not delivered, and said; the program starts all the same.
#[must_use]
pub fn deliver(
    workload: Workload,
    values: &Texts,
    optional: Vec<(String, String)>,
    recipient: Recipient,
) -> Delivery {
    let mut workload = workload;
    let owner = recipient.owner;
    let mut problems = files::make_directories(&mut workload.paths, owner);
    let mut refused = Vec::new();
    let tmp = workload.paths.tmp.clone();
    let run_dir = RunDir::candidates(tmp.as_deref(), recipient).find(|dir| {
        if recipient.keeper == Keeper::Container {
            forget_an_end(dir.path());
        }
        workload.paths.run = Some(dir.path().to_owned());
        workload.hyperparameters.path = Some(dir.path().join(names::HYPERPARAMETERS_DOCUMENT));
        write_documents(dir.path(), &workload, values, &optional, owner)
            .inspect_err(|err| refused.push(format!("{}: {}", dir.path().display(), err.kind())))
            .is_ok()
    });
    if run_dir.is_none() {
        workload.paths.run = None;
        workload.hyperparameters.path = None;
        let reasons = if refused.is_empty() {
            "nothing can be made there".to_owned()
        } else {
            refused.join("; ")
        };
        problems.push(format!(
            "no run directory in /run, the temporary directory or /dev/shm: {reasons}"
        ));
    }
    let mut variables = variables::variables(&workload);
    if let Some(run) = workload.paths.run.as_ref().filter(|_| recipient.exceptions) {
        let exceptions = run.join(names::EXCEPTIONS);
        match files::make_private(&exceptions, owner) {
            Ok(()) => variables.push((names::EXCEPTIONS_DIR.to_owned(), exceptions.into())),
            Err(err) => problems.push(format!(
                "cannot make {}: {}",
                exceptions.display(),
                err.kind()
            )),
        }
    }
    Delivery {
        workload,
        variables,
        optional,
        problems,
        _run_dir: run_dir,
    }
}

/// Where the outcome of a start goes that failed before anything was delivered.
#[cfg(feature = "cli")]
pub(crate) fn directory_for_an_outcome(tmp: &Path) -> Option<PathBuf> {
    // Another keeper's directory does not outlive it.
    let directory = RunDir::candidates(Some(tmp), Keeper::Container.into()).next()?;
    forget_an_end(directory.path());
    Some(directory.path().to_owned())
}

/// A restarted container keeps its files: an end of then is none of now.
fn forget_an_end(run: &Path) {
    for of_an_end in [
        names::SHUTDOWN_FILE,
        names::OUTCOME_FILE,
        names::NOT_STARTED_FILE,
    ] {
        let _ = std::fs::remove_file(run.join(of_an_end));
    }
    let _ = std::fs::remove_dir_all(run.join(names::EXCEPTIONS));
}

/// Writes a file of the run directory that does not outlive it.
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) fn write_note(
    path: &Path,
    bytes: &[u8],
    owner: Option<(u32, u32)>,
) -> std::io::Result<()> {
    files::publish(path, bytes, owner)
}

/// Writes `outcome.json`.
#[cfg(feature = "cli")]
pub(crate) fn write_outcome(
    run: &Path,
    owner: Option<(u32, u32)>,
    outcome: &outcome::Outcome,
) -> std::io::Result<()> {
    let text = serde_json::to_vec_pretty(outcome)?;
    files::write(&run.join(names::OUTCOME_FILE), &text, owner)
}

fn write_documents(
    directory: &Path,
    workload: &Workload,
    values: &Texts,
    optional: &[(String, String)],
    owner: Option<(u32, u32)>,
) -> std::io::Result<()> {
    let hyperparameters = directory.join(names::HYPERPARAMETERS_DOCUMENT);
    files::write_by(&hyperparameters, owner, |file| values.write_document(file))?;
    let ours = variables::variables(workload);
    let ours = ours
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str()?)));
    let optional = optional.iter();
    let optional = optional.map(|(name, value)| (name.as_str(), value.as_str()));
    let environment: BTreeMap<&str, &str> = ours.chain(optional).collect();
    let text = serde_json::to_vec(&environment)?;
    files::write(&directory.join(names::ENVIRONMENT_DOCUMENT), &text, owner)?;
    // Last: who finds it finds the others.
    let text = serde_json::to_vec(workload)?;
    files::write(&directory.join(names::WORKLOAD_FILE), &text, owner)
}
