//! Notes for the helper process of the end. They are in memory that has no path, where the program
//! removes nothing, and have no limit as a command line has one.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{FileType, MemfdFlags};

use crate::outcome::End;

/// The first descriptor that no program expects anything of.
const ASIDE: i32 = 3;

/// Memory that PID 1 hands over as its helper's standard output, which says nothing there.
#[derive(Debug)]
pub(crate) struct Notes(File);

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

    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    pub(crate) fn set_end(&self, end: &End) -> io::Result<()> {
        (&self.0).write_all(&serde_json::to_vec(end)?)
    }

    /// How the program ended; `None` if nobody has noted that.
    pub(crate) fn end(&self) -> Option<End> {
        let mut notes = Vec::new();
        let mut file = &self.0;
        file.seek(SeekFrom::Start(0)).ok()?;
        file.read_to_end(&mut notes).ok()?;
        serde_json::from_slice(&notes).ok()
    }
}
