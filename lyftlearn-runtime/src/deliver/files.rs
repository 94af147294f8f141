//! Directories and files, each whole or not at all.

use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

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

/// Writes a file that only its owner may read: a new one (mode 0600, a name of its own),
/// flushed, then renamed into place.
pub(super) fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut draft = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new("/")))?;
    draft.write_all(bytes)?;
    draft.as_file().sync_all()?;
    draft.persist(path).map(drop).map_err(|err| err.error)
}

fn make(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o755).create(path)
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
