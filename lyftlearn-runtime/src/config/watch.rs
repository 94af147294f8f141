//! Waits for a change by inotify, on the directories and their parents. The kubelet swaps a link
//! there, so no event names a key.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::fault::ConfigFault;
use super::{Config, Snapshot, Source};
use crate::error::Error;

/// How often to look beside inotify: some file systems (network, FUSE, gVisor) tell nothing
/// of what others do. controller-runtime's watcher does the same.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// The same where the kernel has no inotify instance left.
const LOOK_OFTEN: Duration = Duration::from_secs(1);

/// A watch on live configuration: a descriptor that becomes readable when something may have
/// changed, for an event loop of one's own. Then call [`look`](Self::look).
#[derive(Debug)]
pub struct Watch {
    config: Config,
    inotify: OwnedFd,
    pub(super) watched: Mutex<BTreeSet<i32>>,
}

impl Watch {
    pub(super) fn new(config: Config) -> Result<Self, Error> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
            .map_err(|err| ConfigFault::system("watch the live configuration", err))?;
        let watch = Self {
            config,
            inotify,
            watched: Mutex::default(),
        };
        watch.arm();
        Ok(watch)
    }

    /// What holds now; from here on the descriptor is readable when that may have changed.
    ///
    /// # Errors
    ///
    /// As [`Config::snapshot`].
    pub fn look(&self) -> Result<Snapshot, Error> {
        // The watch first, then the files: a change in between wakes the thread.
        let mut events = [0; 4096];
        while rustix::io::read(&self.inotify, &mut events).is_ok_and(|length| length > 0) {}
        self.arm();
        let snapshot = self.config.snapshot_anew();
        // Directories that only this look has found.
        self.arm();
        snapshot
    }

    /// Watches the current directories, which may change with every event.
    fn arm(&self) {
        let mut found = BTreeSet::new();
        for source in self.config.sources() {
            self.arm_for(source, &mut found);
        }
        for directory in self.config.directories() {
            self.add(&directory, &mut found);
        }
        let mut watched = self
            .watched
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        for gone in watched.difference(&found) {
            // One that does not exist any more takes its watch along.
            let _ = inotify::remove_watch(&self.inotify, *gone);
        }
        *watched = found;
    }

    fn arm_for(&self, Source { path, .. }: &Source, found: &mut BTreeSet<i32>) {
        // A directory that is made between two of these calls is seen in the next round.
        for _ in path.ancestors() {
            let parents = path.ancestors().skip(1);
            let nearest = parents.take_while(|parent| *parent != Path::new(""));
            let mut next = path.as_path();
            for parent in nearest {
                if self.add(parent, found) {
                    break;
                }
                next = parent;
            }
            if self.add(path, found) || rustix::fs::stat(next).is_err() {
                return;
            }
        }
    }

    fn add(&self, directory: &Path, found: &mut BTreeSet<i32>) -> bool {
        let flags = WatchFlags::CREATE
            | WatchFlags::MOVE
            | WatchFlags::DELETE
            | WatchFlags::CLOSE_WRITE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        match inotify::add_watch(&self.inotify, directory, flags) {
            Ok(watch) => {
                found.insert(watch);
                true
            }
            Err(_) => false,
        }
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

impl Config {
    /// A watch, for an event loop of one's own.
    ///
    /// # Errors
    ///
    /// When the kernel has no descriptor or no inotify instance left.
    pub fn watch(&self) -> Result<Watch, Error> {
        Watch::new(self.clone())
    }

    /// Waits until what holds differs from `since`, or until `timeout` has passed; `None` in
    /// that case. Blocks this thread, which wakes up when something changes, and every ten
    /// seconds for file systems that do not tell.
    ///
    /// ```
    /// use lyftlearn_runtime::{Facts, config::Config};
    /// use std::time::Duration;
    ///
    /// let config = Config::of(&Facts::empty())?;
    /// let since = config.snapshot()?;
    /// assert!(config.changed(&since, Some(Duration::from_millis(10)))?.is_none());
    /// # Ok::<(), lyftlearn_runtime::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`snapshot`](Self::snapshot).
    pub fn changed(
        &self,
        since: &Snapshot,
        timeout: Option<Duration>,
    ) -> Result<Option<Snapshot>, Error> {
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let watch = self.watch().ok();
        loop {
            let now = match &watch {
                Some(watch) => watch.look()?,
                None => self.snapshot_anew()?,
            };
            if now != *since {
                return Ok(Some(now));
            }
            let left = end.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(None);
            }
            let again = if watch.is_some() {
                LOOK_AGAIN
            } else {
                LOOK_OFTEN
            };
            let left = left.map_or(again, |left| left.min(again));
            let left = Timespec::try_from(left).ok();
            let mut ready: Vec<PollFd<'_>> = (watch.iter())
                .map(|watch| PollFd::new(watch, PollFlags::IN))
                .collect();
            match poll(&mut ready, left.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(err) => {
                    return Err(ConfigFault::system("wait for live configuration", err));
                }
            }
        }
    }
}
