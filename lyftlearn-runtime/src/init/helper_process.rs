//! Helper processes: this binary, started again for what may wait on a network or on a mount. They
//! must not be able to hold up PID 1.

use std::ffi::OsString;
use std::io;
#[cfg(feature = "agent")]
use std::io::{Read, Write};
#[cfg(feature = "agent")]
use std::net::Shutdown;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
#[cfg(feature = "agent")]
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
#[cfg(feature = "agent")]
use rustix::process::Pid;
use rustix::process::WaitOptions;

use super::agent;
use super::signals::{self, To};
use super::{now, own_path, spawn};

/// A helper process, which ends with this value.
#[cfg(feature = "agent")]
pub(crate) struct HelperProcess {
    pid: Pid,
    stream: UnixStream,
    answered: bool,
}

#[cfg(feature = "agent")]
impl HelperProcess {
    /// Starts this binary again. A `socket` is handed to it as to the agent.
    pub(crate) fn start(
        argv: &[OsString],
        environment: &[(OsString, OsString)],
        socket: Option<OwnedFd>,
    ) -> Option<Self> {
        let own = own_path()?;
        let words = spawn::Words::new(argv, environment).ok()?;
        let (stream, theirs) = UnixStream::pair().ok()?;
        let socket = socket.map(agent::aside);
        let mut files = vec![(theirs.as_raw_fd(), 0), (theirs.as_raw_fd(), 1)];
        files.extend(
            socket
                .as_ref()
                .map(|socket| (socket.as_raw_fd(), agent::FIRST_SOCKET)),
        );
        let found = signals::block().ok()?;
        // Nothing that arrives here is for it: it ends when it is done, or with this process.
        let helper = spawn::spawn(&own, &words, &SigSet::empty(), &files, None);
        // `exec` has armed nothing, and what it becomes inherits this.
        if !signals::is_every(&found) {
            let _ = found.thread_set_mask();
        }
        Some(Self {
            pid: helper.ok()?,
            stream,
            answered: false,
        })
    }

    /// Its standard input and output.
    pub(crate) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// It has done its work: what it started and left is not ended with it.
    pub(crate) fn has_answered(&mut self) {
        self.answered = true;
    }
}

#[cfg(feature = "agent")]
impl Drop for HelperProcess {
    fn drop(&mut self) {
        if !self.answered {
            signals::send(To::Group(self.pid), Signal::SIGKILL as i32);
        }
        // Somebody else may have stopped it.
        signals::send(To::Process(self.pid), Signal::SIGKILL as i32);
        let _ = rustix::process::waitpid(Some(self.pid), WaitOptions::empty());
    }
}

/// Starts a helper process, writes `question` to its standard input and waits for its answer; `None`
/// when that does not come within `patience`.
#[cfg(feature = "agent")]
pub(crate) fn ask_helper(
    argv: &[OsString],
    environment: &[(OsString, OsString)],
    question: &[u8],
    patience: Duration,
    socket: Option<OwnedFd>,
) -> Option<Vec<u8>> {
    let mut helper = HelperProcess::start(argv, environment, socket)?;
    let exchange = || {
        let mut ours = helper.stream();
        ours.write_all(question)?;
        ours.shutdown(Shutdown::Write)?;
        let until = now() + patience;
        let mut answer = Vec::new();
        let mut part = [0; 16 << 10];
        loop {
            let left = until.saturating_sub(now());
            if left.is_zero() {
                return Err(std::io::ErrorKind::TimedOut.into());
            }
            ours.set_read_timeout(Some(left))?;
            match ours.read(&mut part) {
                Ok(0) => return Ok::<_, std::io::Error>(answer),
                Ok(length) => answer.extend_from_slice(&part[..length]),
                Err(err) if err.kind() == std::io::ErrorKind::Interrupted => {}
                Err(err) => return Err(err),
            }
        }
    };
    let answer = exchange().ok();
    if answer.is_some() {
        helper.has_answered();
    }
    answer
}

/// Starts this binary again as the helper process of the end, and waits for it, but not beyond
/// `until`. It gets `files` under their numbers, and a `socket` as the agent does.
pub(crate) fn run_last_helper(
    argv: &[OsString],
    environment: &[(OsString, OsString)],
    files: &[(BorrowedFd<'_>, i32)],
    socket: Option<OwnedFd>,
    until: Duration,
) -> io::Result<()> {
    let own = own_path().ok_or(io::ErrorKind::NotFound)?;
    let words = spawn::Words::new(argv, environment).map_err(|_| io::ErrorKind::InvalidInput)?;
    let socket = socket.map(agent::aside);
    let files = files
        .iter()
        .map(|(file, number)| (file.as_raw_fd(), *number));
    let handed = socket
        .as_ref()
        .map(|socket| (socket.as_raw_fd(), agent::FIRST_SOCKET));
    let files: Vec<_> = files.chain(handed).collect();
    let helper = spawn::spawn(&own, &words, &SigSet::empty(), &files, None)?;
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGCHLD);
    loop {
        while let Ok(Some((pid, _))) = rustix::process::wait(WaitOptions::NOHANG) {
            if pid == helper {
                return Ok(());
            }
        }
        let left = until.saturating_sub(now());
        if left.is_zero() {
            signals::send(To::Process(helper), Signal::SIGKILL as i32);
            return Ok(());
        }
        signals::next(&signals, Some(left));
    }
}
