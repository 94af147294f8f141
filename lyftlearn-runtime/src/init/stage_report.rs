//! The second stage's report: why it could not become the program. A program may leave with the
//! same exit code, so the code alone does not tell.
//!
//! The report goes through a pipe that PID 1 holds. The stage opens it before it becomes another
//! user, and exec closes it: no program can write there.

use std::path::PathBuf;

use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::PipeFlags;
use serde::{Deserialize, Serialize};

/// A pipe takes no less, and a report is shorter.
const BYTES: usize = 4096;

/// PID 1's end.
pub(super) struct ReportPipe(OwnedFd);

/// Where the stage opens it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportPath {
    path: PathBuf,
    inode: u64,
}

impl ReportPipe {
    /// Without one, the exit code is all there is.
    pub(super) fn new() -> Option<Self> {
        let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
        let (reading, _) = rustix::pipe::pipe_with(flags).ok()?;
        Some(Self(reading))
    }

    pub(super) fn path(&self) -> Option<ReportPath> {
        Some(ReportPath {
            path: format!("/proc/{}/fd/{}", std::process::id(), self.number()).into(),
            inode: rustix::fs::fstat(&self.0).ok()?.st_ino,
        })
    }

    pub(super) fn number(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// Whether the stage has reported anything.
    pub(super) fn is_there(&self) -> bool {
        rustix::io::ioctl_fionread(&self.0).is_ok_and(|bytes| bytes > 0)
    }

    /// What the stage has reported.
    pub(super) fn read(&self) -> Option<String> {
        let mut bytes = [0; BYTES];
        let length = rustix::io::read(&self.0, &mut bytes).ok()?;
        (length > 0).then(|| String::from_utf8_lossy(&bytes[..length]).into_owned())
    }
}

/// The stage's end; the kernel closes it when the stage becomes the program.
#[derive(Debug)]
pub(crate) struct ReportWriter(OwnedFd);

impl ReportPath {
    pub(crate) fn open(&self) -> Option<ReportWriter> {
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = rustix::fs::open(&self.path, flags, Mode::empty()).ok()?;
        // A /proc of another PID namespace has somebody else there.
        let inode = rustix::fs::fstat(&file).ok()?.st_ino;
        (inode == self.inode).then_some(ReportWriter(file))
    }
}

impl ReportWriter {
    pub(crate) fn write(&self, report: &str) {
        let bytes = &report.as_bytes()[..report.floor_char_boundary(BYTES)];
        let _ = rustix::io::write(&self.0, bytes);
    }
}
