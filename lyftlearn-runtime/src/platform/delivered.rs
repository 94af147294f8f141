//! Reads back what a shim delivered, in processes that start later.

#[cfg(feature = "cli")]
use std::collections::BTreeMap;
use std::path::Path;

use super::documents;
use super::fault::ContractFault;
use super::hyperparameters::merged;
#[cfg(feature = "cli")]
use crate::contract::limits;
use crate::error::Error;
use crate::facts::Facts;
use crate::problems::Problems;
use crate::settings::Encoding;
use crate::workload::{Texts, Workload};

/// The workload.
pub(crate) fn workload(facts: &Facts, path: &Path) -> Result<Workload, Error> {
    documents::json(facts, &path.to_string_lossy())?.ok_or_else(|| gone(path))
}

/// The variables.
#[cfg(feature = "cli")]
pub(crate) fn variables(
    facts: &Facts,
    path: &Path,
) -> Result<Option<BTreeMap<String, String>>, Error> {
    let Some(bytes) = facts.file(path, limits::DOCUMENT_BYTES)? else {
        return Ok(None);
    };
    // Not `json`: a variable that holds JSON may well spell a NUL byte.
    documents::parse(&path.to_string_lossy(), &bytes).map(Some)
}

/// The hyperparameters.
pub(crate) fn hyperparameters(facts: &Facts, path: &Path) -> Result<Texts, Error> {
    if !facts.exists(path) {
        return Err(gone(path));
    }
    let path = path.to_string_lossy();
    let (_, values, _) = merged(
        facts,
        std::iter::once(path.as_ref()),
        Encoding::Text,
        &mut Problems::default(),
    )?;
    Ok(values)
}

fn gone(path: &Path) -> Error {
    ContractFault::Gone {
        path: path.to_owned(),
    }
    .into()
}
