//! Writes lines for people to standard error. A reader that is gone or does not read cannot block
//! the process: lines that do not fit in time are dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::{Errno, write};

use crate::visible::{visible, visible_line};

/// How long a line may wait for its reader; all lines of a process together not much longer,
/// because after the first one that was dropped none waits any more.
const PATIENCE: Duration = Duration::from_millis(500);

/// A pipe that is ready to be written to takes at least this without blocking.
const PART: usize = 4096;

static NOBODY_READS: AtomicBool = AtomicBool::new(false);

/// Words for people, whatever bytes they hold, or as much of them as their reader takes.
pub(crate) fn say(text: &str) {
    write_all(&visible(text));
}

/// Text whose control characters are the caller's own: colours, or a line that is replaced.
pub(crate) fn painted(text: &str) {
    write_all(text);
}

/// One line, whatever the names in it hold.
pub(crate) fn line(text: &str) {
    write_all(&format!("{}\n", visible_line(text)));
}

fn write_all(text: &str) {
    let stderr = rustix::stdio::stderr();
    let own = own_end(stderr);
    let file = own.as_ref().map_or(stderr, AsFd::as_fd);
    let until = if NOBODY_READS.load(Ordering::Relaxed) {
        Instant::now()
    } else {
        Instant::now() + PATIENCE
    };
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        if !writable(file, until) {
            NOBODY_READS.store(true, Ordering::Relaxed);
            return;
        }
        match write(file, &rest[..rest.len().min(PART)]) {
            Ok(length) => rest = &rest[length..],
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return,
        }
    }
}

/// A descriptor of the pipe that does not block. Other processes write to the same pipe and may
/// fill it between poll and write. Not for a file, whose offset they share.
fn own_end(stderr: BorrowedFd<'_>) -> Option<OwnedFd> {
    let kind = FileType::from_raw_mode(fstat(stderr).ok()?.st_mode);
    if kind != FileType::Fifo {
        return None;
    }
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    open("/proc/self/fd/2", flags, Mode::empty()).ok()
}

fn writable(file: BorrowedFd<'_>, until: Instant) -> bool {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let mut files = [PollFd::from_borrowed_fd(file, PollFlags::OUT)];
        match poll(&mut files, Timespec::try_from(left).ok().as_ref()) {
            Ok(0) => return false,
            // An error is what the write reports.
            Ok(_) => return true,
            Err(Errno::INTR) => {}
            Err(_) => return true,
        }
    }
}
