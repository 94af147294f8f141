//! Directories and files, each whole or not at all.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::fault::DeliveryFault;
use crate::error::Error;
use crate::workload::Paths;

/// Makes what does not exist yet. What cannot be made is taken out of the model,
/// and said.
pub(super) fn make_directories(paths: &mut Paths) -> Vec<String> {
    let mut problems = Vec::new();
    for directory in [
        &mut paths.model,
        &mut paths.output,
        &mut paths.output_data,
        &mut paths.checkpoints,
        &mut paths.cache,
    ] {
        let Some(path) = directory else { continue };
        if let Err(err) = make(path) {
            problems.push(format!("cannot make {}: {}", path.display(), err.kind()));
            *directory = None;
        }
    }
    problems
}

/// Writes a file that only its owner may read: a new file, flushed, then renamed
/// into place.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let fault = |err: std::io::Error| {
        Error::from(DeliveryFault::Unwritable {
            path: path.to_owned(),
        })
        .because(err.kind())
    };
    let draft = draft_of(path);
    // A draft that an earlier, killed start left behind.
    match std::fs::remove_file(&draft) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => return Err(fault(err)),
        _ => {}
    }
    let write = || -> std::io::Result<()> {
        let mut file: File = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&draft, path)
    };
    write().map_err(|err| {
        // The error that matters is the first; a draft that stays is overwritten next time.
        drop(std::fs::remove_file(&draft));
        fault(err)
    })
}

fn make(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o755).create(path)
}

fn draft_of(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".draft");
    path.with_file_name(name)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "what was written is read back")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{make_directories, write};
    use crate::workload::Paths;

    #[test]
    fn a_file_is_written_whole_and_for_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("workload.json");
        write(&path, b"{}").unwrap();
        write(&path, b"{\"a\":1}").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"{\"a\":1}");
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        assert_eq!(
            write("/proc/workload.json".as_ref(), b"canary")
                .unwrap_err()
                .report(),
            "lyftlearn-runtime: cannot write /proc/workload.json\n  \
             because: entity not found\n  \
             hint: give the container a writable /run or /tmp with room in it\n"
        );
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_taken_out_and_said() {
        let mut paths = Paths {
            output: Some("/proc/output".into()),
            ..Paths::default()
        };
        let problems = make_directories(&mut paths);
        assert_eq!(paths.output, None);
        assert_eq!(problems, ["cannot make /proc/output: entity not found"]);
    }
}
