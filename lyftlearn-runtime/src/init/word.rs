//! The second stage's word: why it could not become the program. Its exit code alone is one that a
//! program, too, may leave with.
//!
//! It is said through a pipe that PID 1 holds. The stage opens it before it becomes another user,
//! and exec closes it: no program can say anything there, nor have anybody read a file.

use std::path::PathBuf;

use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;
use serde::{Deserialize, Serialize};

/// A pipe takes no less, and a report is shorter.
const BYTES: usize = 4096;

/// PID 1's end.
pub(super) struct Word(OwnedFd);

/// How the stage finds it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Way {
    path: PathBuf,
    inode: u64,
}

impl Word {
    /// Without one, the exit code is all there is.
    pub(super) fn new() -> Option<Self> {
        let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
        let (reading, _) = rustix::pipe::pipe_with(flags).ok()?;
        Some(Self(reading))
    }

    pub(super) fn way(&self) -> Option<Way> {
        Some(Way {
            path: format!("/proc/{}/fd/{}", std::process::id(), self.number()).into(),
            inode: rustix::fs::fstat(&self.0).ok()?.st_ino,
        })
    }

    pub(super) fn number(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Whether anything has been said.
    pub(super) fn is_there(&self) -> bool {
        rustix::io::ioctl_fionread(&self.0).is_ok_and(|bytes| bytes > 0)
    }

    /// What has been said.
    pub(super) fn heard(&self) -> Option<String> {
        let mut bytes = [0; BYTES];
        let length = rustix::io::read(&self.0, &mut bytes).ok()?;
        (length > 0).then(|| String::from_utf8_lossy(&bytes[..length]).into_owned())
    }
}

/// The stage's end; the kernel closes it when the stage becomes the program.
#[derive(Debug)]
pub(crate) struct Mouth(OwnedFd);

impl Way {
    pub(crate) fn open(&self) -> Option<Mouth> {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = rustix::fs::open(&self.path, flags, Mode::empty()).ok()?;
        // A /proc of another PID namespace has somebody else there.
        let inode = rustix::fs::fstat(&file).ok()?.st_ino;
        (inode == self.inode).then_some(Mouth(file))
    }
}

impl Mouth {
    pub(crate) fn say(&self, report: &str) {
        let bytes = &report.as_bytes()[..report.floor_char_boundary(BYTES)];
        let _ = rustix::io::write(&self.0, bytes);
    }
}
