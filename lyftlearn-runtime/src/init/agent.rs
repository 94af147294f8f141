//! A process of this runtime's own beside the program: kept alive, and never in its way.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use rustix::process::Pid;

use super::signals::{self, To};
use super::spawn::{self, Words};
use super::supervise::Status;
use crate::contract::ledger;
use crate::error::Error;

/// Its sockets come to it under these numbers, from the first on (sd_listen_fds(3)).
pub(super) const FIRST_SOCKET: i32 = 3;

/// More sockets than this are never handed over.
const ASIDE: i32 = FIRST_SOCKET + 16;

/// The wait after the first failure, doubled at each one that follows at once.
const SOON: Duration = Duration::from_millis(50);
const LATEST: Duration = Duration::from_secs(5);
/// One that has lived so long has not failed at its start.
const SETTLED: Duration = Duration::from_secs(10);

/// How it is started. Its sockets are bound already, so clients are not refused while it restarts.
pub(crate) struct Helper {
    pub(crate) file: PathBuf,
    pub(crate) argv: Vec<std::ffi::OsString>,
    pub(crate) environment: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    pub(crate) sockets: Vec<OwnedFd>,
    /// Its standard input.
    pub(crate) directory: Option<Arc<OwnedFd>>,
    /// Index in `sockets` of the ledger: not a socket but a memfd, in which PID 1 records forwarded
    /// signals and the exit status.
    pub(crate) ledger: Option<usize>,
    /// Whether it has something to do at the end, even where it was not there before.
    pub(crate) last_words: bool,
}

pub(super) struct Agent {
    file: PathBuf,
    words: Words,
    sockets: Vec<OwnedFd>,
    directory: Option<Arc<OwnedFd>>,
    mask: SigSet,
    pid: Option<Pid>,
    started: Duration,
    wait: Duration,
    again: Option<Duration>,
    /// It has been told to end.
    ending: bool,
    ledger: Option<usize>,
    last_words: bool,
    starts: u64,
    /// How often each signal was passed on to the program.
    forwarded: [u64; ledger::SIGNALS],
}

impl Agent {
    pub(super) fn new(helper: Helper, mut mask: SigSet) -> Result<Self, Error> {
        // A program may be over before its agent has come so far as to listen: then its end
        // waits, and is not the agent's.
        mask.add(Signal::SIGTERM);
        // It would end one that has no handler yet.
        mask.add(ledger::WAKE);
        let sockets = helper.sockets.into_iter().map(aside);
        Ok(Self {
            words: Words::new(&helper.argv, &helper.environment)?,
            file: helper.file,
            sockets: sockets.collect(),
            directory: helper.directory,
            mask,
            pid: None,
            started: Duration::ZERO,
            wait: Duration::ZERO,
            again: Some(Duration::ZERO),
            ending: false,
            ledger: helper.ledger,
            last_words: helper.last_words,
            starts: 0,
            forwarded: [0; ledger::SIGNALS],
        })
    }

    /// A start that fails is one that is tried again later.
    pub(super) fn start(&mut self, now: Duration) {
        let sockets = (FIRST_SOCKET..)
            .zip(&self.sockets)
            .map(|(number, socket)| (socket.as_raw_fd(), number));
        let directory = self.directory.iter().map(|file| (file.as_raw_fd(), 0));
        let files: Vec<_> = directory.chain(sockets).collect();
        self.again = None;
        self.started = now;
        self.starts += 1;
        // Before it is there: it shows the number.
        self.record(ledger::STARTS, self.starts);
        match spawn::spawn(&self.file, &self.words, &self.mask, &files, None) {
            Ok(pid) => self.pid = Some(pid),
            Err(_) => {
                self.ended(true, now);
            }
        }
    }

    pub(super) fn pid(&self) -> Option<Pid> {
        self.pid
    }

    /// Every descriptor that it is handed.
    pub(super) fn files(&self) -> impl Iterator<Item = i32> + '_ {
        let directory = self.directory.iter().map(AsRawFd::as_raw_fd);
        self.sockets.iter().map(AsRawFd::as_raw_fd).chain(directory)
    }

    /// The program was sent a signal.
    pub(super) fn forwarded(&mut self, signal: i32) {
        let word = usize::try_from(signal).unwrap_or(ledger::SIGNALS);
        if let Some(count) = self.forwarded.get_mut(word) {
            *count += 1;
            let count = *count;
            self.record(word, count);
        }
    }

    /// The program has ended.
    pub(super) fn program_ended(
        &self,
        program: Pid,
        status: Status,
        not_started: bool,
        at: Duration,
    ) {
        let (ended, by) = match status {
            Status::Exited(code) if not_started => (ledger::NOT_STARTED, code),
            Status::Exited(code) => (ledger::EXITED, code),
            Status::Signalled(signal) => (ledger::SIGNALLED, signal),
            Status::Unkillable => return,
        };
        let number = |number: i32| u64::try_from(number).unwrap_or_default();
        self.record(ledger::PROGRAM, number(program.as_raw_nonzero().get()));
        self.record(ledger::BY, number(by));
        self.record(ledger::AT, milliseconds(at));
        self.record(ledger::ENDED, ended);
    }

    /// A stop was asked for, which it may have to tell somebody at once.
    pub(super) fn stopped(&self, signal: i32, at: Duration) {
        self.record(ledger::STOPPED, milliseconds(at));
        self.record(ledger::STOP, signal.unsigned_abs().into());
        if let Some(pid) = self.pid {
            signals::send(To::Process(pid), ledger::WAKE as i32);
        }
    }

    /// The program was started.
    pub(super) fn program_started(&self, at: Duration) {
        self.record(ledger::STARTED, milliseconds(at));
    }

    /// Allocates nothing and does not block.
    pub(super) fn record(&self, word: usize, value: u64) {
        if let Some(memory) = self.ledger.and_then(|place| self.sockets.get(place)) {
            // If the write fails, the value is not exported.
            let _ = rustix::io::pwrite(memory, &value.to_le_bytes(), word as u64 * 8);
        }
    }

    /// When it is to be started; the first time at once.
    pub(super) fn again(&self) -> Option<Duration> {
        self.again
    }

    /// Whether it stays ended; `by_itself` if it was not killed.
    pub(super) fn ended(&mut self, by_itself: bool, now: Duration) -> bool {
        self.pid = None;
        if self.ending {
            // A program that took everything with it, or the kernel, was faster than its last
            // words: another one says them, once.
            if !by_itself && std::mem::take(&mut self.last_words) {
                self.start(now);
                self.signal(Signal::SIGTERM as i32);
            }
            return self.pid.is_none();
        }
        self.wait = if now.saturating_sub(self.started) >= SETTLED {
            SOON
        } else {
            (self.wait * 2).clamp(SOON, LATEST)
        };
        self.again = Some(now + self.wait);
        false
    }

    /// It is to say its last words. A program may be over before its agent was started, or
    /// while it waits to be started again.
    pub(super) fn finish(&mut self, now: Duration) {
        if self.pid.is_none() && !self.ending && self.last_words {
            self.start(now);
        }
        self.signal(Signal::SIGTERM as i32);
    }

    /// It is to end, and not to come back.
    pub(super) fn signal(&mut self, signal: i32) {
        self.ending = true;
        self.again = None;
        self.last_words &= signal != Signal::SIGKILL as i32;
        if let Some(pid) = self.pid {
            signals::send(To::Process(pid), signal);
        }
    }
}

fn milliseconds(at: Duration) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or_default()
}

/// Above every number under which a socket is handed over: those are copied one after
/// another, and one must not be written over before its turn. Where there is no such number,
/// the limit on open files is so low that nothing else would run either.
pub(super) fn aside(socket: OwnedFd) -> OwnedFd {
    rustix::io::fcntl_dupfd_cloexec(&socket, ASIDE).unwrap_or(socket)
}
