//! Workload in; variables and files out. **Cannot tell where it runs.**

mod environment;
mod fault;
mod files;
mod run_dir;
mod variables;

use std::ffi::OsString;

pub use environment::environment;
use fault::DeliveryFault;
pub use run_dir::Keeper;
use run_dir::RunDir;

use crate::contract::delivered as names;
use crate::error::Error;
use crate::workload::{Texts, Workload};

/// What was delivered.
#[derive(Debug)]
pub struct Delivery {
    /// The workload, with the places that delivery chose.
    pub workload: Workload,
    /// The variables to set, in the order of the contract.
    pub variables: Vec<(String, OsString)>,
    /// What could not be had, one sentence each.
    pub problems: Vec<String>,
    run_dir: Option<RunDir>,
}

impl Delivery {
    /// Removes the run directory if it was made for this process alone.
    pub fn clean_up(self) {
        if let Some(run_dir) = self.run_dir {
            run_dir.clean_up();
        }
    }
}

/// The variables that would be delivered; nothing is made or written.
#[must_use]
pub fn delivered(workload: &Workload) -> Vec<(String, OsString)> {
    variables::variables(workload)
}

/// Makes the directories, writes `workload.json` and `hyperparameters.json` into the
/// run directory, and names everything in variables.
///
/// A place that cannot be made (a read-only root without a writable `/run`, `/tmp`
/// or `/dev/shm`) is not delivered, and said; the program starts all the same.
///
/// # Errors
///
/// When the run directory can be made and a file in it cannot be written.
pub fn deliver(workload: Workload, values: &Texts, keeper: Keeper) -> Result<Delivery, Error> {
    let mut workload = workload;
    let mut problems = files::make_directories(&mut workload.paths);
    let run_dir = RunDir::open(workload.paths.tmp.as_deref(), keeper);
    workload.paths.run = run_dir.as_ref().map(|dir| dir.path().to_owned());
    if let Some(dir) = &run_dir {
        let document = dir.path().join(names::HYPERPARAMETERS_DOCUMENT);
        files::write(&document, &values.to_document())?;
        workload.hyperparameters.path = Some(document);
        let text = serde_json::to_vec(&workload).map_err(|err| {
            Error::from(DeliveryFault::Unwritable {
                path: dir.path().join(names::WORKLOAD_FILE),
            })
            .because(err)
        })?;
        files::write(&dir.path().join(names::WORKLOAD_FILE), &text)?;
    } else {
        problems.push(
            "no run directory: /run, the temporary directory and /dev/shm refuse writing"
                .to_owned(),
        );
    }
    let variables = variables::variables(&workload);
    Ok(Delivery {
        workload,
        variables,
        problems,
        run_dir,
    })
}
