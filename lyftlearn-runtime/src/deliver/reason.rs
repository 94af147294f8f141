//! The platform's own place for a reason: one file, a limit, and the program's word first.

use std::borrow::Cow;
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

/// Takes away what lies there at the start: an earlier run on the same volume has left it, and
/// it would be taken for this program's.
pub(crate) fn forget(path: &Path) -> io::Result<()> {
    let meta = match path.symlink_metadata() {
        Ok(meta) => meta,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(err) => return Err(err),
    };
    if !meta.is_symlink() && (!meta.is_file() || meta.len() == 0) {
        return Ok(());
    }
    match std::fs::remove_file(path) {
        // Mounted, or in a directory that is somebody else's.
        Err(_) if meta.is_file() => in_place(path, ""),
        removed => removed,
    }
}

fn in_place(path: &Path, text: &str) -> io::Result<()> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut file: File = OpenOptions::new()
        .write(true)
        .truncate(true)
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

/// Between what is kept of the beginning and of the end.
pub(super) const LEFT_OUT: char = '\u{2026}';

/// `text` in at most so many bytes, cut between characters: its beginning, where the cause
/// begins, and its end, where a long message has it.
pub(crate) fn within_bytes(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let Some(room) = limit.checked_sub(LEFT_OUT.len_utf8()) else {
        return Cow::Borrowed(&text[..text.floor_char_boundary(limit)]);
    };
    let end = text.ceil_char_boundary(text.len() - room / 2);
    let beginning = text.floor_char_boundary(room - room / 2);
    Cow::Owned(format!("{}{LEFT_OUT}{}", &text[..beginning], &text[end..]))
}

/// The same in at most so many characters.
pub(crate) fn within_characters(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit || text.chars().count() <= limit {
        return Cow::Borrowed(text);
    }
    let room = limit.saturating_sub(1);
    let at = |number| {
        text.char_indices()
            .nth(number)
            .map_or(text.len(), |(at, _)| at)
    };
    let beginning = at(room - room / 2);
    let end = at(text.chars().count() - room / 2);
    Cow::Owned(format!("{}{LEFT_OUT}{}", &text[..beginning], &text[end..]))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "what was written is read back")]
mod tests {
    use super::{Written, forget, within_bytes, within_characters, write};

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
    fn what_an_earlier_run_left_is_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("failure");
        forget(&path).unwrap();
        std::fs::write(&path, "of an earlier run").unwrap();
        forget(&path).unwrap();
        assert!(!path.exists());
        // A link is removed, and not what it leads to.
        let target = dir.path().join("target");
        std::fs::write(&target, "kept").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        forget(&path).unwrap();
        assert!(!path.is_symlink());
        assert_eq!(std::fs::read(&target).unwrap(), b"kept");
        // An empty one may be mounted, and a directory is no reason.
        std::fs::write(&path, "").unwrap();
        forget(&path).unwrap();
        assert!(path.exists());
        forget(dir.path()).unwrap();
    }

    #[test]
    fn what_does_not_fit_keeps_its_beginning_and_its_end() {
        assert_eq!(within_bytes("aéx", 4), "aéx");
        assert_eq!(within_bytes("0123456789", 9), "012…789");
        assert_eq!(within_bytes("é".repeat(9).as_str(), 10), "éé…é");
        assert_eq!(within_bytes("012345", 2), "01");
        assert_eq!(within_characters("aéx", 3), "aéx");
        assert_eq!(within_characters("ééé456789", 6), "ééé…89");
        assert_eq!(within_characters("0123456789", 1), "…");
    }

    #[test]
    fn no_limit_is_exceeded_and_no_character_divided() {
        let text = "añ…🔥b".repeat(40);
        for limit in 0..=text.len() {
            let bytes = within_bytes(&text, limit);
            assert!(bytes.len() <= limit, "{limit}: {bytes}");
            // What a character divided in two leaves free.
            assert!(bytes.len() + 6 >= limit, "{limit}: {bytes}");
            let characters = within_characters(&text, limit).chars().count();
            let expected = text.chars().count().min(limit.max(1));
            assert_eq!(characters, expected);
        }
    }
}
