//! Notes for the helper process of the end. They are in memory that has no path, where the program
//! removes nothing, and have no limit as a command line has one.
//!
//! A note is a line: a letter for its kind, and JSON. PID 1 notes the secrets of the start and, at
//! last, how the program ended; the agent notes secrets that it replaces.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{FileType, MemfdFlags};
use zeroize::Zeroizing;

use crate::outcome::End;

/// The first descriptor that no program expects anything of.
const ASIDE: i32 = 3;

const SECRETS: u8 = b'S';
const END: u8 = b'E';

/// Memory that PID 1 hands over as its helper's standard output, which says nothing there.
#[derive(Debug)]
pub(crate) struct Notes(File);

/// Every note, and the line end before each.
type Lines = Zeroizing<Vec<u8>>;

impl Notes {
    pub(crate) fn new() -> io::Result<Self> {
        let memory = rustix::fs::memfd_create("lyftlearn-notes", MemfdFlags::CLOEXEC)?;
        Ok(Self(memory.into()))
    }

    /// What PID 1 has handed over to this process. It needs no /proc to become a file again.
    pub(crate) fn handed_over() -> io::Result<Self> {
        let file = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), ASIDE)?;
        let mode = rustix::fs::fstat(&file)?.st_mode;
        if FileType::from_raw_mode(mode) != FileType::RegularFile {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(Self(file.into()))
    }

    #[cfg(feature = "agent")]
    pub(crate) fn of(file: File) -> Self {
        Self(file)
    }

    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Adds the document of a set of secrets.
    pub(crate) fn add_secrets(&self, document: &[u8]) -> io::Result<()> {
        self.add(SECRETS, document)
    }

    /// Forgets all secrets but those of the start if they take more than `limit`; whether it does.
    #[cfg(feature = "agent")]
    pub(crate) fn forget_replaced(&self, limit: usize) -> io::Result<bool> {
        let lines = self.lines()?;
        let first = lines.split(|byte| *byte == b'\n').take(2);
        let first = first.map(<[u8]>::len).sum::<usize>() + 1;
        let is_full = lines.len().saturating_sub(first) > limit;
        if is_full {
            self.0.set_len(first as u64)?;
        }
        Ok(is_full)
    }

    pub(crate) fn set_end(&self, end: &End) -> io::Result<()> {
        self.add(END, &serde_json::to_vec(end)?)
    }

    /// The documents of all sets, in the order in which they were delivered.
    pub(crate) fn secrets(&self) -> Vec<Zeroizing<Vec<u8>>> {
        let lines = self.lines().unwrap_or_default();
        let documents = of_kind(&lines, SECRETS);
        documents.map(|document| document.to_vec().into()).collect()
    }

    /// How the program ended. `None` if there is no note.
    pub(crate) fn end(&self) -> Option<End> {
        let lines = self.lines().ok()?;
        serde_json::from_slice(of_kind(&lines, END).last()?).ok()
    }

    fn add(&self, kind: u8, json: &[u8]) -> io::Result<()> {
        // The line end first: an agent that was killed may have left a part of a line.
        let mut line = Zeroizing::new(Vec::with_capacity(json.len() + 2));
        line.extend([b'\n', kind]);
        line.extend(json);
        let mut file = &self.0;
        file.seek(SeekFrom::End(0))?;
        file.write_all(&line)
    }

    fn lines(&self) -> io::Result<Lines> {
        let mut lines = Lines::default();
        let mut file = &self.0;
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut lines)?;
        Ok(lines)
    }
}

fn of_kind(lines: &[u8], kind: u8) -> impl Iterator<Item = &[u8]> {
    let lines = lines.split(|byte| *byte == b'\n');
    lines.filter_map(move |line| line.strip_prefix(&[kind]))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::Notes;
    use crate::outcome::End;

    fn secrets(notes: &Notes) -> Vec<String> {
        let documents = notes.secrets().into_iter();
        documents
            .map(|document| String::from_utf8(document.to_vec()).unwrap())
            .collect()
    }

    #[test]
    fn notes_are_read_back_behind_one_that_was_not_finished() {
        let notes = Notes::new().unwrap();
        assert_eq!(notes.end(), None);
        notes.add_secrets(b"{\"a\":1}").unwrap();
        (&notes.0).write_all(b"\nS{\"b\"").unwrap();
        let end = End {
            exit_code: 7,
            ..End::default()
        };
        notes.set_end(&end).unwrap();
        assert_eq!(secrets(&notes), ["{\"a\":1}", "{\"b\""]);
        assert_eq!(notes.end(), Some(end));
    }

    #[cfg(feature = "agent")]
    #[test]
    fn replaced_secrets_without_end_take_no_memory_without_end() {
        let notes = Notes::new().unwrap();
        notes.add_secrets(b"{\"start\":1}").unwrap();
        for number in 0..5 {
            assert!(!notes.forget_replaced(20).unwrap());
            notes.add_secrets(format!("{number}").as_bytes()).unwrap();
        }
        assert!(!notes.forget_replaced(15).unwrap());
        assert!(notes.forget_replaced(14).unwrap());
        notes.add_secrets(b"5").unwrap();
        assert_eq!(secrets(&notes), ["{\"start\":1}", "5"]);
    }
}
