//! The platform's own place for a reason: one file, a limit, and the program's word first.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// What became of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    Written,
    /// The program has written there itself.
    Kept,
}

/// Writes `text` to `path`, unless the program has. A file that exists is written in
/// place: one that is mounted can be neither replaced nor removed.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<Written> {
    match path.symlink_metadata() {
        // A link, a directory, a FIFO: whatever it is, the program made it.
        Ok(meta) if !meta.is_file() || meta.len() > 0 => Ok(Written::Kept),
        Ok(_) => in_place(path, text).map(|()| Written::Written),
        Err(err) if err.kind() == io::ErrorKind::NotFound => match anew(path, text) {
            // It came meanwhile.
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => Ok(Written::Kept),
            made => made.map(|()| Written::Written),
        },
        Err(err) => Err(err),
    }
}

fn in_place(path: &Path, text: &str) -> io::Result<()> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut file: File = OpenOptions::new()
        .write(true)
        .custom_flags(no_follow)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Whole or not at all: the platform may look at any time.
fn anew(path: &Path, text: &str) -> io::Result<()> {
    let mut draft = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new("/")))?;
    draft.write_all(text.as_bytes())?;
    // For the platform's agent, whoever that is.
    draft
        .as_file()
        .set_permissions(std::fs::Permissions::from_mode(0o644))?;
    draft.as_file().sync_all()?;
    draft
        .persist_noclobber(path)
        .map(drop)
        .map_err(|err| err.error)
}

/// The beginning of `text`, of at most so many bytes, cut between characters.
pub(crate) fn first_bytes(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// The beginning of `text`, of at most so many characters.
pub(crate) fn first_characters(text: &str, characters: usize) -> &str {
    text.char_indices()
        .nth(characters)
        .map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "what was written is read back")]
mod tests {
    use super::{Written, first_bytes, first_characters, write};

    #[test]
    fn a_reason_is_written_once_and_never_over_the_programs() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("failure");
        assert_eq!(write(&path, "first").unwrap(), Written::Written);
        assert_eq!(write(&path, "second").unwrap(), Written::Kept);
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
        assert_eq!(write(&path, "why").unwrap(), Written::Written);
        assert_eq!(std::fs::metadata(&path).unwrap().ino(), before);
        assert_eq!(std::fs::read(&path).unwrap(), b"why");
    }

    #[test]
    fn a_link_that_the_program_made_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, target) = (dir.path().join("failure"), dir.path().join("target"));
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert_eq!(write(&path, "why").unwrap(), Written::Kept);
        assert!(!target.exists());
    }

    #[test]
    fn limits_cut_between_characters() {
        assert_eq!(first_bytes("aé", 2), "a");
        assert_eq!(first_bytes("aé", 3), "aé");
        assert_eq!(first_characters("aéx", 2), "aé");
        assert_eq!(first_characters("aéx", 9), "aéx");
    }
}
