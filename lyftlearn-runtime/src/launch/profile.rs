//! A profile for children that lose the environment (sudo, ssh, mpirun, cron): it has SDKs
//! ask `lyftlearn-runtime credentials` (AWS SDKs and Tools reference guide, "Process
//! credential provider").

use std::io::Write;
use std::path::Path;

use rustix::fs::Mode;

use crate::contract::{aws, limits};
#[cfg(feature = "agent")]
use crate::credentials;
#[cfg(feature = "agent")]
use crate::error::Error;
use crate::held::{self, Directory, Owner};

/// Runs in the process that reads a profile as the program's user.
#[cfg(feature = "agent")]
pub(super) fn helper(arguments: &[std::ffi::OsString]) -> Result<u8, Error> {
    super::helper_process::run(
        credentials::PROFILE_ARGUMENT,
        arguments,
        credentials::answer,
    )
}

/// Writes each file that does not exist yet; a sentence for each that cannot be.
pub(super) fn write(files: &[String], owner: Option<Owner>) -> Vec<String> {
    if files.is_empty() {
        return Vec::new();
    }
    // Without /proc, the caller's PATH must find it.
    let own = std::env::current_exe().unwrap_or_else(|_| "lyftlearn-runtime".into());
    // Go's first SDK keeps nothing but what the quotes hold.
    let own = own.display().to_string();
    let own = if own.contains(char::is_whitespace) {
        format!("\"{own}\"")
    } else {
        own
    };
    let text = format!(
        "{}\n[default]\ncredential_process = {own} credentials\n",
        aws::OWN_PROFILE,
    );
    files
        .iter()
        .filter_map(|file| write_one(Path::new(file), &text, owner))
        .collect()
}

fn write_one(path: &Path, text: &str, owner: Option<Owner>) -> Option<String> {
    let exists = || {
        Some(format!(
            "the profile file {} exists and is left alone",
            path.display()
        ))
    };
    let cannot = |err: std::io::Error| {
        Some(format!(
            "cannot write the profile file {}: {}",
            path.display(),
            err.kind()
        ))
    };
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return cannot(std::io::ErrorKind::InvalidInput.into());
    };
    let name = name.to_string_lossy();
    let directory = match directory(parent, owner) {
        Ok(directory) => directory,
        Err(err) => return cannot(err),
    };
    // An earlier start of this container may have written it.
    let found = directory.read(&*name, limits::DOCUMENT_BYTES);
    match found {
        Ok(Some(bytes)) if bytes.starts_with(aws::OWN_PROFILE.as_bytes()) => return None,
        Ok(None) => {}
        _ => return exists(),
    }
    let written = directory.write_by(&name, Mode::from_raw_mode(0o644), |file| {
        file.write_all(text.as_bytes())
    });
    written.err().and_then(cannot)
}

/// The program's home, in which it may have put links, or another place.
fn directory(path: &Path, owner: Option<Owner>) -> std::io::Result<Directory> {
    match owner {
        Some(owner) => held::make_missing(path, owner),
        None => {
            std::fs::create_dir_all(path)?;
            Directory::of_a_program(path, None)
        }
    }
}
