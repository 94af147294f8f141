//! The platform's own place for a reason: one file, a limit, and the program's word first.

use std::io::{self, Write};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::held::{Directory, Owner};

/// What became of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Written,
    /// The program has written there itself.
    Kept,
}

/// Writes `text` to `path`, unless the program has. A file that exists is written in
/// place: one that is mounted can be neither replaced nor removed. With an `owner`, links on the
/// way count only where the program cannot have put them there.
pub(crate) fn write(path: &Path, text: &str, owner: Option<Owner>) -> io::Result<Written> {
    let (Some(parent), Some(name)) = (
        path.parent(),
        path.file_name().and_then(|name| name.to_str()),
    ) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // Only the platform reads it, so this process keeps the file.
    let parent = Directory::of_a_program(parent, owner)?.for_owner(None);
    match rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        // A link, a directory, a FIFO: whatever it is, the program made it.
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => {
            Ok(Written::Kept)
        }
        // So it is with another name of a file that lies elsewhere.
        Ok(stat) if stat.st_size > 0 || stat.st_nlink > 1 => Ok(Written::Kept),
        Ok(_) => in_place(&parent, name, text).map(|()| Written::Written),
        Err(Errno::NOENT) => match anew(&parent, name, text) {
            // It came meanwhile.
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Ok(Written::Kept),
            made => made.map(|()| Written::Written),
        },
        Err(err) => Err(err.into()),
    }
}

/// Removes the file at the start: it is left from an earlier run on the same volume, and would look
/// like this program's.
pub(crate) fn forget(path: &Path, owner: Option<Owner>) -> io::Result<()> {
    let (Some(parent), Some(name)) = (
        path.parent(),
        path.file_name().and_then(|name| name.to_str()),
    ) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let parent = match Directory::of_a_program(parent, owner) {
        Ok(parent) => parent.for_owner(None),
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(err) => return Err(err),
    };
    let stat = match rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(()),
        Err(err) => return Err(err.into()),
    };
    let kind = FileType::from_raw_mode(stat.st_mode);
    let file = kind == FileType::RegularFile;
    if kind != FileType::Symlink && (!file || stat.st_size == 0) {
        return Ok(());
    }
    match parent.remove(name) {
        // Mounted, or in a directory that is somebody else's.
        Err(_) if file => in_place(&parent, name, ""),
        removed => removed,
    }
}

fn in_place(parent: &Directory, name: &str, text: &str) -> io::Result<()> {
    let mut file = parent.open_with(Path::new(name), OFlags::WRONLY)?;
    if rustix::fs::fstat(&file)?.st_nlink > 1 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    file.set_len(0)?;
    file.write_all(text.as_bytes())?;
    // It outlives the container, and its platform may read it from the disk.
    file.sync_all()
}

/// Whole or not at all: the platform may look at any time.
fn anew(parent: &Directory, name: &str, text: &str) -> io::Result<()> {
    // For the platform's agent, whose user is unknown.
    let (mut file, draft) = parent.draft(name, Mode::from_raw_mode(0o644))?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| in_its_place(parent, &draft, name));
    if written.is_err() {
        let _ = parent.remove(&draft);
    }
    written
}

fn in_its_place(parent: &Directory, draft: &str, name: &str) -> io::Result<()> {
    match rustix::fs::renameat_with(parent, draft, parent, name, RenameFlags::NOREPLACE) {
        // File systems of volumes may know no such rename.
        Err(Errno::INVAL | Errno::NOSYS) => {
            rustix::fs::linkat(parent, draft, parent, name, AtFlags::empty())?;
            parent.remove(draft)
        }
        renamed => Ok(renamed?),
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "what was written is read back")]
mod tests {
    use super::{Written, forget, write};

    #[test]
    fn a_reason_is_written_once_and_never_overwrites_the_programs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("failure");
        assert_eq!(write(&path, "first", None).unwrap(), Written::Written);
        assert_eq!(write(&path, "second", None).unwrap(), Written::Kept);
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_empty_file_is_written_in_place() {
        use std::os::unix::fs::MetadataExt;

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("termination-log");
        std::fs::write(&path, b"").unwrap();
        let before = std::fs::metadata(&path).unwrap().ino();
        assert_eq!(write(&path, "why", None).unwrap(), Written::Written);
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), before);
        assert_eq!(std::fs::read(&path).unwrap(), b"why");
    }

    #[test]
    fn a_link_that_the_program_made_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join("failure"), dir.path().join("target"));
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert_eq!(write(&path, "why", None).unwrap(), Written::Kept);
        assert!(!target.exists());
    }

    #[test]
    fn what_an_earlier_run_left_is_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("failure");
        forget(&path, None).unwrap();
        std::fs::write(&path, "of an earlier run").unwrap();
        forget(&path, None).unwrap();
        assert!(!path.exists());
        // A link is removed, and not what it leads to.
        let target = dir.path().join("target");
        std::fs::write(&target, "kept").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        forget(&path, None).unwrap();
        assert!(!path.is_symlink());
        assert_eq!(std::fs::read(&target).unwrap(), b"kept");
        // An empty one may be mounted, and a directory is no reason.
        std::fs::write(&path, "").unwrap();
        forget(&path, None).unwrap();
        assert!(path.exists());
        forget(dir.path(), None).unwrap();
    }
}
