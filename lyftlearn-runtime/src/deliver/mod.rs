//! Workload in; variables and files out. **Cannot tell where it runs.**

mod environment;
mod fault;
mod files;
mod run_dir;
mod variables;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use environment::environment;
pub use run_dir::Keeper;
use run_dir::RunDir;

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
    /// What could not be had, one sentence each.
    pub problems: Vec<String>,
    _run_dir: Option<RunDir>,
}

/// Where PID 1 delivered the container's workload, for those who come to stand beside
/// its program; `None` when it did not, or for another user.
#[must_use]
pub fn delivered_beside() -> Option<PathBuf> {
    Some(RunDir::of_the_container()?.join(names::WORKLOAD_FILE)).filter(|path| path.is_file())
}

/// The variables that would be delivered; nothing is made or written.
#[must_use]
pub fn delivered(workload: &Workload) -> Vec<(String, OsString)> {
    let mut planned = workload.clone();
    if let (None, Some(run)) = (&planned.hyperparameters.path, &planned.paths.run) {
        planned.hyperparameters.path = Some(run.join(names::HYPERPARAMETERS_DOCUMENT));
    }
    variables::variables(&planned)
}

/// Makes the directories, writes `workload.json` and `hyperparameters.json` into the
/// run directory, and names everything in variables.
///
/// What cannot be made or written (a read-only root without a writable `/run`, `/tmp` or
/// `/dev/shm`, a full one) is not delivered, and said; the program starts all the same.
#[must_use]
pub fn deliver(workload: Workload, values: &Texts, keeper: Keeper) -> Delivery {
    let mut workload = workload;
    let mut problems = files::make_directories(&mut workload.paths);
    let document = values.to_document();
    let mut refused = Vec::new();
    let tmp = workload.paths.tmp.clone();
    let run_dir = RunDir::candidates(tmp.as_deref(), keeper).find(|dir| {
        workload.paths.run = Some(dir.path().to_owned());
        workload.hyperparameters.path = Some(dir.path().join(names::HYPERPARAMETERS_DOCUMENT));
        write_documents(dir.path(), &workload, &document)
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
    let variables = variables::variables(&workload);
    Delivery {
        workload,
        variables,
        problems,
        _run_dir: run_dir,
    }
}

fn write_documents(
    directory: &Path,
    workload: &Workload,
    hyperparameters: &[u8],
) -> std::io::Result<()> {
    files::write(
        &directory.join(names::HYPERPARAMETERS_DOCUMENT),
        hyperparameters,
    )?;
    let text = serde_json::to_vec(workload)?;
    files::write(&directory.join(names::WORKLOAD_FILE), &text)
}
