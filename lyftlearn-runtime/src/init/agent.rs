//! A process of this runtime's own beside the program: kept alive, and never in its way.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use rustix::process::Pid;

use super::signals::{self, To};
use super::spawn::{self, Words};
use crate::error::Error;

/// Its sockets come to it under these numbers, from the first on (sd_listen_fds(3)).
const FIRST_SOCKET: i32 = 3;

/// More sockets than this are never handed over.
const ASIDE: i32 = FIRST_SOCKET + 16;

/// The wait after the first failure, doubled at each one that follows at once.
const SOON: Duration = Duration::from_millis(50);
const LATEST: Duration = Duration::from_secs(5);
/// One that has lived so long has not failed at its start.
const SETTLED: Duration = Duration::from_secs(10);

/// How it is started; its sockets are bound already, so that nobody is refused while it
/// is not there.
pub(crate) struct Helper {
    pub(crate) file: PathBuf,
    pub(crate) argv: Vec<std::ffi::OsString>,
    pub(crate) environment: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    pub(crate) sockets: Vec<OwnedFd>,
    /// It has something to do at the end, even where the program's was before its own start:
    /// what was counted waits in the sockets.
    pub(crate) finishes: bool,
}

pub(super) struct Agent {
    file: PathBuf,
    words: Words,
    sockets: Vec<OwnedFd>,
    mask: SigSet,
    finishes: bool,
    pid: Option<Pid>,
    started: Duration,
    wait: Duration,
    again: Option<Duration>,
    /// It has been told to end.
    ending: bool,
}

impl Agent {
    pub(super) fn new(helper: Helper, mut mask: SigSet) -> Result<Self, Error> {
        // Told to end while it starts, it does so once it can: nothing counted is lost.
        mask.add(Signal::SIGTERM);
        let sockets = helper.sockets.into_iter().map(aside);
        Ok(Self {
            words: Words::new(&helper.argv, &helper.environment)?,
            file: helper.file,
            sockets: sockets.collect(),
            mask,
            finishes: helper.finishes,
            pid: None,
            started: Duration::ZERO,
            wait: Duration::ZERO,
            again: Some(Duration::ZERO),
            ending: false,
        })
    }

    /// A start that fails is one that is tried again later.
    pub(super) fn start(&mut self, now: Duration) {
        let files: Vec<_> = (FIRST_SOCKET..)
            .zip(&self.sockets)
            .map(|(number, socket)| (socket.as_raw_fd(), number))
            .collect();
        self.again = None;
        self.started = now;
        match spawn::spawn(&self.file, &self.words, &self.mask, &files) {
            Ok(pid) => self.pid = Some(pid),
            Err(_) => self.ended(now),
        }
    }

    pub(super) fn pid(&self) -> Option<Pid> {
        self.pid
    }

    pub(super) fn sockets(&self) -> impl Iterator<Item = i32> + '_ {
        self.sockets.iter().map(AsRawFd::as_raw_fd)
    }

    /// When it is to be started; the first time at once.
    pub(super) fn again(&self) -> Option<Duration> {
        self.again
    }

    pub(super) fn ended(&mut self, now: Duration) {
        self.pid = None;
        if self.ending {
            return;
        }
        self.wait = if now.saturating_sub(self.started) >= SETTLED {
            SOON
        } else {
            (self.wait * 2).clamp(SOON, LATEST)
        };
        self.again = Some(now + self.wait);
    }

    /// It is to end, and not to come back.
    pub(super) fn signal(&mut self, signal: Signal, now: Duration) {
        if self.finishes && self.pid.is_none() && !self.ending && signal == Signal::SIGTERM {
            self.start(now);
        }
        self.ending = true;
        self.again = None;
        if let Some(pid) = self.pid {
            signals::send(To::Process(pid), signal as i32);
        }
    }
}

/// Above every number under which a socket is handed over: those are copied one after
/// another, and one must not be written over before its turn. Where there is no such number,
/// the limit on open files is so low that nothing else would run either.
fn aside(socket: OwnedFd) -> OwnedFd {
    rustix::io::fcntl_dupfd_cloexec(&socket, ASIDE).unwrap_or(socket)
}
