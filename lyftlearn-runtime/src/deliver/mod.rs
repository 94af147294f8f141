//! Workload in; variables and files out. **Cannot tell where it runs.**

mod credentials;
mod environment;
#[cfg(feature = "agent")]
pub(crate) mod events;
mod fault;
mod files;
mod launchers;
mod notes;
mod parts;
mod reason;
mod run_dir;
pub(crate) mod secrets;
mod shutdown;
mod spark;
mod statsd;
mod variables;

use std::collections::BTreeMap;
use std::ffi::OsString;

pub(crate) use credentials::{Offer, Presented, changes, write as write_credentials};
pub(crate) use environment::{Environment, Layers, SecretVariable, Source, environment, layered};
pub(crate) use launchers::launchers;
pub(crate) use notes::Notes;
pub(crate) use parts::add_in_parts;
#[cfg(feature = "agent")]
pub(crate) use parts::of_parts;
pub(crate) use reason::{Written, forget as forget_reason, write as write_reason};
use run_dir::RunDir;
pub(crate) use run_dir::{Keeper, Recipient};
pub(crate) use shutdown::announce;
pub(crate) use spark::spark;
#[cfg(feature = "agent")]
pub(crate) use statsd::write as write_statsd;
pub(crate) use statsd::{Pointed, Ports, point};

use crate::contract::delivered as names;
use crate::held::Directory;
use crate::outcome::Outcome;
use crate::problems::Problems;
use crate::workload::{Texts, Workload};

/// The result of a delivery. Dropping it removes a run directory that was made for this process
/// alone.
#[derive(Debug)]
pub(crate) struct Delivery {
    /// The workload, with the places that delivery chose.
    pub(crate) workload: Workload,
    /// The variables to set, in the order of the contract.
    pub(crate) variables: Vec<(String, OsString)>,
    /// Those that are left out where there is no room for all.
    pub(crate) optional: Vec<(String, String)>,
    /// What could not be had, one sentence each.
    pub(crate) problems: Problems,
    run_dir: Option<RunDir>,
}

/// What stays of a delivery once the program has it.
#[derive(Debug)]
pub(crate) struct Kept {
    run_dir: Option<RunDir>,
}

impl Kept {
    /// The run directory, which stays open: it is locked.
    pub(crate) fn run(&self) -> Option<&Directory> {
        Some(self.run_dir.as_ref()?.directory())
    }
}

impl Delivery {
    pub(crate) fn kept(self) -> Kept {
        Kept {
            run_dir: self.run_dir,
        }
    }

    /// The run directory, where there is one.
    pub(crate) fn run(&self) -> Option<&Directory> {
        Some(self.run_dir.as_ref()?.directory())
    }
}

/// The variables that would be delivered; nothing is made or written. With `exceptions`,
/// those that only the program itself receives, too.
#[must_use]
pub(crate) fn delivered(workload: &Workload, exceptions: bool) -> Vec<(String, OsString)> {
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
/// Delivers the view. A file that cannot be written (a read-only root without a writable `/run`,
/// `/tmp` or `/dev/shm`, or a full disk) is left out with a problem, and the program starts.
#[must_use]
pub(crate) fn deliver(
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
        workload.paths.run = Some(dir.path().to_owned());
        workload.hyperparameters.path = Some(dir.path().join(names::HYPERPARAMETERS_DOCUMENT));
        write_documents(dir.directory(), &workload, values, &optional)
            .inspect_err(|err| refused.push(format!("{}: {}", dir.path().display(), err.kind())))
            .is_ok()
    });
    problems.extend(run_dir.as_ref().and_then(RunDir::problem));
    if run_dir.is_none() {
        workload.paths.run = None;
        workload.hyperparameters.path = None;
        let reasons = if refused.is_empty() {
            "it is not writable".to_owned()
        } else {
            refused.join("; ")
        };
        problems.push(format!(
            "no run directory in /run, the temporary directory or /dev/shm: {reasons}"
        ));
    }
    let mut variables = variables::variables(&workload);
    if let Some(run) = run_dir.as_ref().filter(|_| recipient.exceptions) {
        match run.directory().make(names::EXCEPTIONS) {
            Ok(made) => variables.push((names::EXCEPTIONS_DIR.to_owned(), made.path().into())),
            Err(err) => problems.push(format!(
                "cannot make {}: {}",
                run.path().join(names::EXCEPTIONS).display(),
                err.kind()
            )),
        }
    }
    Delivery {
        workload,
        variables,
        optional,
        problems,
        run_dir,
    }
}

/// Where the outcome of a start goes that failed before anything was delivered.
pub(crate) fn directory_for_an_outcome(tmp: &std::path::Path) -> Option<Directory> {
    // Another keeper's directory does not outlive it.
    let taken = RunDir::candidates(Some(tmp), Keeper::Container.into()).next()?;
    Some(taken.directory().clone())
}

/// Writes `outcome.json`.
pub(crate) fn write_outcome(run: &Directory, outcome: &Outcome) -> std::io::Result<()> {
    let text = serde_json::to_vec_pretty(outcome)?;
    run.write(names::OUTCOME_FILE, &text)
}

fn write_documents(
    directory: &Directory,
    workload: &Workload,
    values: &Texts,
    optional: &[(String, String)],
) -> std::io::Result<()> {
    let private = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    directory.write_by(names::HYPERPARAMETERS_DOCUMENT, private, |file| {
        values.write_document(file)
    })?;
    let ours = variables::variables(workload);
    let ours = ours
        .iter()
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str()?)));
    let optional = optional.iter();
    let optional = optional.map(|(name, value)| (name.as_str(), value.as_str()));
    let environment: BTreeMap<&str, &str> = ours.chain(optional).collect();
    let text = serde_json::to_vec(&environment)?;
    directory.write(names::ENVIRONMENT_DOCUMENT, &text)?;
    // Last: a reader that finds this file finds the others.
    let text = serde_json::to_vec(workload)?;
    directory.write(names::WORKLOAD_FILE, &text)
}
