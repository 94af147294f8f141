//! A profile for children that lose the environment (sudo, ssh, mpirun, cron): it has SDKs
//! ask `lyftlearn-runtime credentials` (AWS SDKs and Tools reference guide, "Process
//! credential provider").

use std::io::Write;
use std::path::Path;

use crate::contract::aws;

/// Writes each file that does not exist yet; a sentence for each that cannot be.
pub(super) fn write(files: &[String]) -> Vec<String> {
    if files.is_empty() {
        return Vec::new();
    }
    // Without /proc, the PATH of whoever asks has to do.
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
        .filter_map(|file| write_one(Path::new(file), &text))
        .collect()
}

fn write_one(path: &Path, text: &str) -> Option<String> {
    let made = path
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| {
            std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(path)
        })
        .and_then(|mut file| file.write_all(text.as_bytes()));
    match made {
        Ok(()) => None,
        Err(err) if err.kind() == std::io::ErrorKind::AlreadyExists && is_own(path) => None,
        Err(err) if err.kind() == std::io::ErrorKind::AlreadyExists => Some(format!(
            "the profile file {} exists and is left alone",
            path.display()
        )),
        Err(err) => Some(format!(
            "cannot write the profile file {}: {}",
            path.display(),
            err.kind()
        )),
    }
}

/// Whether an earlier start of this container wrote it.
#[expect(
    clippy::disallowed_methods,
    reason = "a file of its own, and not one that tells it anything"
)]
fn is_own(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(aws::OWN_PROFILE.as_bytes()))
}
