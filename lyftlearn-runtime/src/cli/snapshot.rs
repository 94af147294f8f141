//! `snapshot`: prints it, or writes it into a file.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::output;
use super::usage::{Given, UsageFault};
use crate::error::Error;
use crate::launch::snapshot::take;

pub(super) fn snapshot(given: &Given) -> Result<u8, Error> {
    let text = format!("{:#}\n", take(&given.facts())?);
    match given.value("--output").map(PathBuf::from) {
        None => output::data(text.as_bytes())?,
        Some(file) => write(&file, &text).map_err(|err| {
            let path = file.display().to_string();
            Error::from(UsageFault::Unwritable { path }).because(err.kind())
        })?,
    }
    Ok(0)
}

/// Writes all of it or nothing, for the users that can read the directory.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let parent = file.parent().filter(|parent| *parent != OsStr::new(""));
    let mut draft = tempfile::NamedTempFile::new_in(parent.unwrap_or(Path::new(".")))?;
    draft.write_all(text.as_bytes())?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    draft.as_file().set_permissions(mode)?;
    draft.persist(file).map(drop).map_err(|err| err.error)
}
