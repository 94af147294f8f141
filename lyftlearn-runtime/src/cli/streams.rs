//! Standard streams that were closed before we came.

use rustix::fs::{Mode, OFlags};

/// Puts something into the place of a closed standard stream, so that no file of ours
/// opens under its number and is taken for it. It closes by itself at exec: the program
/// finds what was found.
pub(super) fn hold_closed() {
    for stream in [
        rustix::stdio::stdin(),
        rustix::stdio::stdout(),
        rustix::stdio::stderr(),
    ] {
        if rustix::io::fcntl_getfd(stream) != Err(rustix::io::Errno::BADF) {
            continue;
        }
        // The lowest number that is free is this stream's: those before it are taken.
        let held = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .or_else(|_| rustix::fs::open("/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()));
        if let Ok(held) = held {
            // For as long as this process lives.
            std::mem::forget(held);
        }
    }
}
