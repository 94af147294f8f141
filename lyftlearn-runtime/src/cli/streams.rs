//! Standard streams that were closed before we came.

use rustix::fs::{Mode, OFlags};

/// Opens a file in place of a closed standard stream, so that no other file gets its number and is
/// used as the stream. It is closed at exec, so the program finds the stream closed.
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
