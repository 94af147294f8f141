//! The stop that somebody asks for: StopTrainingJob, a spot interruption, an eviction, a
//! scale-down. One flag and one deadline for all of them.
//!
//! PID 1 writes `shutdown.json` into the run directory before it forwards the stop signal, so every
//! process of the container can see the stop, even if another one handles SIGTERM. **Starts no
//! thread, and handles no signal unless asked to.**
//!
//! ```
//! use lyftlearn_runtime::{Facts, shutdown::Shutdown};
//!
//! let shutdown = Shutdown::of(&Facts::capture(Vec::new()));
//! for step in 0..3 {
//!     if let Some(request) = shutdown.requested()? {
//!         println!("saving, with {:?} seconds left", request.seconds_left());
//!         break;
//!     }
//!     println!("training step {step}");
//! }
//! # Ok::<(), lyftlearn_runtime::Error>(())
//! ```

mod fault;
mod round;
mod wait;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::fs::{Access, access};
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;
use signal_hook::SigId;
use signal_hook::consts::SIGTERM;

use crate::contract::{delivered, limits};
use crate::error::Error;
use crate::facts::Facts;

use fault::ShutdownFault;
pub use round::Round;

/// A stop that was asked for. Times are seconds of the kernel's monotonic clock
/// (`CLOCK_MONOTONIC`), which all processes of a container share.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Request {
    /// What it is for.
    #[serde(skip)]
    pub reason: Reason,
    /// The signal that asked, by its name: `SIGTERM`.
    pub signal: String,
    /// When it was asked for; of a signal that came without PID 1, when it was noticed.
    pub requested: f64,
    /// When processes that still run are killed, in seconds since 1970; `None` if it is unknown.
    pub deadline: Option<f64>,
}

/// What a process is asked to end for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reason {
    /// The container ends.
    #[default]
    Stop,
    /// A launcher ends its workers and starts them anew, because nodes came or went or one of
    /// them failed: the container goes on.
    Resize,
}

impl Reason {
    /// As Python's `rt.shutdown.reason` has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Resize => "resize",
        }
    }
}

impl Request {
    /// How many seconds there are until the deadline, never less than 0; `None` without one.
    #[must_use]
    pub fn seconds_left(&self) -> Option<f64> {
        self.deadline.map(|deadline| (deadline - now()).max(0.0))
    }
}

/// Whether a stop was requested. Clones share their state.
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// The file that PID 1 writes; none where no PID 1 of ours tells us anything.
    file: Option<PathBuf>,
    listener: Option<Arc<Listener>>,
    round: Option<Round>,
    request: Arc<OnceLock<Request>>,
    signalled: Arc<OnceLock<Request>>,
}

impl Shutdown {
    /// What PID 1 tells in the run directory that `facts` name. Without one, or where this
    /// user may not look into it (after `sudo`), a stop never is asked for: see
    /// [`listen`](Self::listen).
    ///
    /// The directory is this process's own, whatever root the other facts are read below:
    /// a stop is not a fact to read but an event to wait for.
    ///
    /// ```
    /// use lyftlearn_runtime::{Facts, shutdown::Shutdown};
    ///
    /// let directory = tempfile::tempdir()?;
    /// let facts = Facts::empty().with_var("LYFTLEARN_RUN_DIR", directory.path());
    /// let shutdown = Shutdown::of(&facts);
    /// assert_eq!(shutdown.requested()?, None);
    ///
    /// std::fs::write(
    ///     directory.path().join("shutdown.json"),
    ///     r#"{"signal": "SIGTERM", "requested": 1234.5, "deadline": 1344.5}"#,
    /// )?;
    /// assert_eq!(shutdown.requested()?.unwrap().deadline, Some(1344.5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        let file = facts
            .run_dir()
            // What inotify wants to watch it, and open(2) to read in it.
            .filter(|directory| access(directory, Access::READ_OK | Access::EXEC_OK).is_ok())
            .map(|directory| directory.join(delivered::SHUTDOWN_FILE));
        Self {
            round: round::here(facts, file.is_some()),
            file,
            listener: None,
            request: Arc::default(),
            signalled: Arc::default(),
        }
    }

    /// The component that begins new rounds, if this process is a worker of an elastic job.
    #[must_use]
    pub fn round(&self) -> Option<Round> {
        self.round
    }

    /// Counts SIGTERM as a stop as well, for a program that also runs without
    /// `lyftlearn-runtime run`. From now on SIGTERM does not end this process any more,
    /// even when this is dropped: the program ends itself. Other handlers that were
    /// registered through the crate `signal-hook` (tokio's too) go on working.
    ///
    /// # Errors
    ///
    /// When the kernel has no descriptor left.
    pub fn listen(mut self) -> Result<Self, Error> {
        let cannot = |err| ShutdownFault::system("listen for SIGTERM", &err);
        let (signalled, write) = UnixStream::pair().map_err(cannot)?;
        let mut listener = Listener {
            signalled,
            ids: Vec::new(),
            stopped: Arc::default(),
        };
        // The state that the byte announces is written before it.
        let stopped = Arc::clone(&listener.stopped);
        let id = signal_hook::flag::register(SIGTERM, stopped).map_err(cannot)?;
        listener.ids.push(id);
        let signals = match self.round {
            Some(Round { signal, .. }) if signal != SIGTERM => vec![SIGTERM, signal],
            _ => vec![SIGTERM],
        };
        for signal in signals {
            let write = write.try_clone().map_err(cannot)?;
            let id = signal_hook::low_level::pipe::register(signal, write).map_err(cannot)?;
            listener.ids.push(id);
        }
        self.listener = Some(Arc::new(listener));
        Ok(self)
    }

    /// Whether a PID 1 of ours tells this process of stops.
    #[must_use]
    pub fn supervised(&self) -> bool {
        self.file.is_some()
    }

    /// The stop, once it was asked for. Costs one failing `open(2)` until then, and nothing
    /// afterwards.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be read or understood.
    pub fn requested(&self) -> Result<Option<Request>, Error> {
        if let Some(request) = self.request.get() {
            return Ok(Some(request.clone()));
        }
        if let Some(file) = &self.file
            && let Some(request) = read(file)?
        {
            return Ok(Some(self.request.get_or_init(|| request).clone()));
        }
        // PID 1 writes before it passes the signal on: this one came from somewhere else,
        // or there is no PID 1.
        let signalled = self.signalled.get().is_some()
            || (self.listener.as_ref()).is_some_and(|listener| listener.has_come());
        Ok(signalled.then(|| {
            self.signalled
                .get_or_init(|| self.without_pid_one())
                .clone()
        }))
    }

    /// What a signal asks for that PID 1 has not told of.
    fn without_pid_one(&self) -> Request {
        let stopped = (self.listener.as_ref())
            .is_some_and(|listener| listener.stopped.load(Ordering::Acquire));
        let round = self
            .round
            .filter(|round| (round.signal == SIGTERM) == stopped);
        let requested = now();
        Request {
            reason: round.map_or(Reason::Stop, |_| Reason::Resize),
            signal: if stopped { "SIGTERM" } else { "SIGUSR1" }.to_owned(),
            requested,
            deadline: round.and_then(|round| Some(requested + round.seconds?)),
        }
    }

    /// Seconds until processes that still run are killed, never below 0; `None` if no stop was
    /// requested or the deadline is unknown.
    ///
    /// # Errors
    ///
    /// As [`requested`](Self::requested).
    pub fn seconds_left(&self) -> Result<Option<f64>, Error> {
        Ok(self.requested()?.and_then(|request| request.seconds_left()))
    }

    /// A descriptor that becomes readable when PID 1 may have told of a stop, for an event
    /// loop of one's own; `None` where no PID 1 of ours does. After it, and whenever it has
    /// become readable and was emptied, ask [`requested`](Self::requested).
    ///
    /// ```
    /// use lyftlearn_runtime::{Facts, shutdown::Shutdown};
    ///
    /// assert!(Shutdown::of(&Facts::empty()).watch()?.is_none());
    /// # Ok::<(), lyftlearn_runtime::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the kernel has no descriptor or no inotify instance left.
    pub fn watch(&self) -> Result<Option<OwnedFd>, Error> {
        (self.file.as_deref())
            .map(|file| wait::watch(file.parent().unwrap_or(file)))
            .transpose()
            .map_err(|err| ShutdownFault::system("watch the run directory", &err.into()))
    }
}

impl Shutdown {
    /// A descriptor that becomes readable, for good, when SIGTERM has come, for an event loop
    /// of one's own; `None` without [`listen`](Self::listen). It lives as long as this.
    ///
    /// ```
    /// use lyftlearn_runtime::{Facts, shutdown::Shutdown};
    ///
    /// let shutdown = Shutdown::of(&Facts::empty());
    /// assert!(shutdown.signalled().is_none());
    /// assert!(shutdown.listen()?.signalled().is_some());
    /// # Ok::<(), lyftlearn_runtime::Error>(())
    /// ```
    #[must_use]
    pub fn signalled(&self) -> Option<BorrowedFd<'_>> {
        let listener = self.listener.as_ref()?;
        Some(listener.signalled.as_fd())
    }
}

/// The receiving end for SIGTERM: the first signal writes a byte, which stays there so that every
/// waiting thread sees it.
#[derive(Debug)]
struct Listener {
    signalled: UnixStream,
    ids: Vec<SigId>,
    /// It was SIGTERM.
    stopped: Arc<AtomicBool>,
}

impl Listener {
    fn has_come(&self) -> bool {
        wait::readable(&self.signalled)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // The handlers' bytes have no reader any more.
        for id in self.ids.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}

fn read(file: &Path) -> Result<Option<Request>, Error> {
    // Facts read any type of file without blocking.
    let here = Facts::empty().with_root("/");
    let Some(bytes) = here.file(file, limits::DOCUMENT_BYTES)? else {
        return Ok(None);
    };
    let request = serde_json::from_slice(&bytes).map_err(|err| ShutdownFault::Malformed {
        path: file.to_owned(),
        line: err.line(),
        column: err.column(),
    })?;
    Ok(Some(request))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a 64-bit float holds a century of nanoseconds to the microsecond"
)]
fn now() -> f64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use std::path::Path;

    use super::{Facts, Reason, Request, Shutdown};

    const TOLD: &str = r#"{"signal":"SIGTERM","requested":1234.567890,"deadline":1344.567890}"#;

    pub(super) fn example() -> Request {
        Request {
            reason: Reason::Stop,
            signal: "SIGTERM".to_owned(),
            requested: 1_234.567_89,
            deadline: Some(1_344.567_89),
        }
    }

    /// A run directory, and PID 1's hand in it.
    pub(super) struct Stop(tempfile::TempDir);

    impl Stop {
        pub(super) fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        pub(super) fn shutdown(&self) -> Shutdown {
            Shutdown::of(&Facts::empty().with_var("LYFTLEARN_RUN_DIR", self.0.path()))
        }

        /// By a temporary name, as PID 1 does.
        pub(super) fn ask(&self) {
            self.write("shutdown.json", TOLD);
        }

        fn write(&self, name: &str, text: &str) {
            let temporary = self.0.path().join(".temporary");
            std::fs::write(&temporary, text).unwrap();
            std::fs::rename(temporary, self.0.path().join(name)).unwrap();
        }
    }

    #[test]
    fn without_a_run_directory_there_is_no_stop_to_read() {
        let directory = tempfile::tempdir().unwrap();
        for facts in [
            Facts::empty(),
            Facts::empty().with_var("LYFTLEARN_RUN_DIR", ""),
            Facts::empty().with_var("LYFTLEARN_RUN_DIR", directory.path().join("absent")),
        ] {
            let shutdown = Shutdown::of(&facts);
            assert!(!shutdown.supervised());
            assert_eq!(shutdown.requested().unwrap(), None);
            assert_eq!(shutdown.seconds_left().unwrap(), None);
        }
    }

    #[test]
    fn a_stop_is_seen_by_every_clone() {
        let stop = Stop::new();
        let (shutdown, clone) = (stop.shutdown(), stop.shutdown().clone());
        let shared = shutdown.clone();
        stop.ask();
        assert_eq!(shutdown.requested().unwrap(), Some(example()));
        drop(stop);
        assert_eq!(shutdown.requested().unwrap(), Some(example()));
        assert_eq!(shared.requested().unwrap(), Some(example()));
        assert_eq!(clone.requested().unwrap(), None);
    }

    #[test]
    fn a_passed_deadline_leaves_no_time_and_an_unknown_one_is_none() {
        let left = |deadline| {
            Request {
                deadline,
                ..example()
            }
            .seconds_left()
        };
        assert_eq!(left(Some(0.0)), Some(0.0));
        assert_eq!(left(None), None);
        let left = left(Some(super::now() + 100.0)).unwrap();
        assert!((90.0..=100.0).contains(&left), "{left}");
    }

    #[track_caller]
    fn check(make: impl FnOnce(&Path), report: Expect) {
        let stop = Stop::new();
        make(&stop.0.path().join("shutdown.json"));
        let shown = stop.shutdown().requested().unwrap_err().report();
        let directory = stop.0.path().to_str().unwrap();
        report.assert_eq(&shown.replace(directory, "/run/lyftlearn"));
    }

    #[test]
    fn a_malformed_file_is_reported_without_its_content() {
        check(
            |path| std::fs::write(path, r#"{"signal": "SIGTERM", "requested": "canary"}"#).unwrap(),
            expect![[r#"
                lyftlearn-runtime: cannot parse /run/lyftlearn/shutdown.json at line 1, column 43
                  hint: lyftlearn-runtime run writes this file; check that nothing else does
            "#]],
        );
    }

    #[test]
    fn a_directory_in_the_files_place_is_an_error() {
        check(
            |path| std::fs::create_dir(path).unwrap(),
            expect![[r#"
            lyftlearn-runtime: cannot read /run/lyftlearn/shutdown.json: it is a directory, not a file
              hint: check what the image or a mount puts there
        "#]],
        );
    }
}
