//! Waiting for a set to be replaced: a link is swapped in one directory, which stays.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::fault::SecretsFault;
use super::{Secrets, Snapshot};
use crate::error::Error;

/// A watch on secrets: a descriptor that becomes readable when something may have changed, for
/// an event loop of one's own. Then call [`look`](Self::look).
#[derive(Debug)]
pub struct Watch {
    secrets: Secrets,
    inotify: OwnedFd,
}

impl Secrets {
    /// A watch, for an event loop of one's own. Where no start delivered anything its descriptor
    /// never becomes readable.
    ///
    /// # Errors
    ///
    /// When the kernel has no descriptor or no inotify instance left.
    pub fn watch(&self) -> Result<Watch, Error> {
        let refused = |_| SecretsFault::Unwatched;
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        let inotify = inotify.map_err(refused)?;
        if let Some(directory) = self.directory() {
            let flags = WatchFlags::MOVE | WatchFlags::ONLYDIR;
            inotify::add_watch(&inotify, directory, flags).map_err(refused)?;
        }
        Ok(Watch {
            secrets: self.clone(),
            inotify,
        })
    }
}

impl Watch {
    /// What holds now; from here on the descriptor is readable when that may have changed.
    ///
    /// # Errors
    ///
    /// As [`Secrets::snapshot`].
    pub fn look(&self) -> Result<Snapshot, Error> {
        // A change after this read wakes the thread again.
        let mut events = [0; 4096];
        while rustix::io::read(&self.inotify, &mut events).is_ok_and(|length| length > 0) {}
        self.secrets.snapshot()
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}
