//! Directories and files, each whole or not at all.

use std::fs::{DirBuilder, File};
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::workload::Paths;

/// Makes what does not exist yet, for the program's user. What cannot be made is taken
/// out of the model, and said. An existing one is given to that user, too: not what lies in
/// it, which may be much, and somebody's.
pub(super) fn make_directories(paths: &mut Paths, owner: Option<(u32, u32)>) -> Vec<String> {
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
        } else if let Some((user, group)) = owner
            && let Err(err) = std::os::unix::fs::chown(&*path, Some(user), Some(group))
        {
            problems.push(format!(
                "cannot give {} to the program's user: {}",
                path.display(),
                err.kind()
            ));
        }
    }
    problems
}

/// Writes a file that only its owner may read: a new one (mode 0600, a name of its own),
/// flushed, then renamed into place.
pub(super) fn write(path: &Path, bytes: &[u8], owner: Option<(u32, u32)>) -> std::io::Result<()> {
    write_by(path, owner, |file| file.write_all(bytes))
}

/// The same for what is written piece by piece.
pub(super) fn write_by(
    path: &Path,
    owner: Option<(u32, u32)>,
    content: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let draft = draft(path, owner, content)?;
    draft.as_file().sync_all()?;
    draft.persist(path).map(drop).map_err(|err| err.error)
}

/// The same for what its owner, too, only reads.
#[cfg(feature = "cli")]
pub(super) fn write_for_reading(
    path: &Path,
    bytes: &[u8],
    owner: Option<(u32, u32)>,
) -> std::io::Result<()> {
    let draft = draft(path, owner, |file| file.write_all(bytes))?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o400);
    draft.as_file().set_permissions(mode)?;
    draft.persist(path).map(drop).map_err(|err| err.error)
}

/// The same for what nobody needs after a crash: a disk need not be waited for.
#[cfg(feature = "cli")]
pub(super) fn publish(path: &Path, bytes: &[u8], owner: Option<(u32, u32)>) -> std::io::Result<()> {
    let draft = draft(path, owner, |file| file.write_all(bytes))?;
    draft.persist(path).map(drop).map_err(|err| err.error)
}

fn draft(
    path: &Path,
    owner: Option<(u32, u32)>,
    content: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> std::io::Result<tempfile::NamedTempFile> {
    let mut draft = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new("/")))?;
    if let Some((user, group)) = owner {
        std::os::unix::fs::fchown(draft.as_file(), Some(user), Some(group))?;
    }
    content(draft.as_file_mut())?;
    Ok(draft)
}

/// An empty directory that nobody but the program's user may look into.
pub(super) fn make_private(path: &Path, owner: Option<(u32, u32)>) -> std::io::Result<()> {
    // What an earlier run left there would be taken for this one's.
    match std::fs::remove_dir_all(path) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => return Err(err),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(path)?;
    match owner {
        Some((user, group)) => std::os::unix::fs::lchown(path, Some(user), Some(group)),
        None => Ok(()),
    }
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
        write(&path, b"{}", None).unwrap();
        write(&path, b"{\"a\":1}", None).unwrap();
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
        let problems = make_directories(&mut paths, None);
        assert_eq!(paths.output, None);
        assert_eq!(problems, ["cannot make /proc/output: entity not found"]);
    }
}
