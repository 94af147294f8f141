//! PID 1: blocks, spawns, forwards, reaps. It is given a program and a policy, and
//! knows no platform. **Single-threaded once the program runs; without tokio.**

mod agent;
mod children;
mod fault;
mod memory;
mod own;
mod procfs;
mod shells;
mod signals;
mod spawn;
mod stage;
mod stopping;
mod supervise;
mod word;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) use agent::Helper;
pub(crate) use children::LeftBehind;
pub(crate) use own::path as own_path;
pub(crate) use stage::{
    Stage, User, WORD as STAGE, become_program, become_user, let_stops_come, take_terminal,
};
pub(crate) use stopping::{Budget, agents_time};
pub(crate) use supervise::{Ending, Policy, Program, Scope, Status, now, supervise};
pub(crate) use word::Way;

use fault::InitFault;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use rustix::process::WaitOptions;
use signals::{Arrived, To};

use crate::error::Error;

/// The watcher of a start needs room for a system call and a report.
const WATCHER_STACK: usize = 256 << 10;

/// Every signal is blocked and waits here from now on.
pub(crate) struct Armed {
    all: SigSet,
    before: SigSet,
    /// Arrived for the program before it was there, in order.
    waiting: Vec<Arrived>,
}

/// Blocks every signal, before anything else is done: what arrives from now on is
/// queued by the kernel and not lost.
pub(crate) fn arm() -> Result<Armed, Error> {
    let block = || signals::block().map_err(|errno| InitFault::system("block signals", errno));
    let before = block()?;
    // A parent that ignored SIGCHLD would have the kernel reap in our place, and the
    // program's exit code would be lost. A handler of any kind ends that; blocked, it
    // never runs, and exec takes it away.
    signal_hook::flag::register(Signal::SIGCHLD as i32, Arc::new(AtomicBool::new(false)))
        .map_err(cannot_receive)?;
    block()?;
    Ok(Armed {
        all: signals::every(),
        before,
        waiting: Vec::new(),
    })
}

impl Armed {
    /// Prepares a start. A stop that is asked for meanwhile is answered with `stopped`, which
    /// is called with the signal and ends the process: at once where preparing takes
    /// `long`, by a thread that is gone when it is done, and else when it is done.
    /// Everything else that arrives waits for the program.
    pub(crate) fn while_starting<T>(
        &mut self,
        long: bool,
        stopped: impl Fn(i32) + Send + Sync,
        prepare: impl FnOnce() -> T,
    ) -> T {
        let ready = AtomicBool::new(false);
        let all = self.all;
        let watch = || {
            let _ = signals::block();
            let mut waiting = Vec::new();
            while let Some(arrived) = signals::next(&all, None) {
                if arrived.number == Signal::SIGCHLD as i32 {
                    if ready.load(Ordering::Acquire) {
                        break;
                    }
                } else if is_stop(arrived.number) {
                    stopped(arrived.number);
                } else {
                    waiting.push(arrived);
                }
            }
            waiting
        };
        let (prepared, waiting) = std::thread::scope(|scope| {
            let watcher = long.then(|| {
                let watcher = std::thread::Builder::new()
                    .stack_size(WATCHER_STACK)
                    .spawn_scoped(scope, watch);
                let _ = signals::block();
                watcher
            });
            let prepared = prepare();
            ready.store(true, Ordering::Release);
            // Without a thread, what arrived is looked at now.
            let Some(Ok(watcher)) = watcher else {
                return (prepared, Vec::new());
            };
            signals::send(
                To::Process(rustix::process::getpid()),
                Signal::SIGCHLD as i32,
            );
            (prepared, watcher.join().unwrap_or_default())
        });
        self.waiting.extend(waiting);
        while let Some(arrived) = signals::next(&all, Some(Duration::ZERO)) {
            if is_stop(arrived.number) {
                stopped(arrived.number);
            } else if arrived.number != Signal::SIGCHLD as i32 {
                self.waiting.push(arrived);
            }
        }
        prepared
    }

    /// The signal mask as it was found.
    pub(crate) fn disarm(self) -> Result<(), Error> {
        self.before
            .thread_set_mask()
            .map_err(|errno| InitFault::system("unblock signals", errno))
    }
}

/// What asks a program to stop that is not there yet: there is nothing to start any more.
const STOPS: [Signal; 4] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGHUP,
];

fn is_stop(signal: i32) -> bool {
    STOPS.iter().any(|stop| *stop as i32 == signal)
}

#[expect(clippy::needless_pass_by_value, reason = "map_err hands it over")]
fn cannot_receive(err: std::io::Error) -> Error {
    let errno = err.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw);
    InitFault::system("receive signals", errno)
}

/// Has a stop end this process, even where it is the container's first, which the kernel sends
/// none that it has no handler for. Whatever this process becomes finds none of it.
pub(crate) fn end_by_a_stop() -> Result<(), Error> {
    for stop in STOPS {
        let always = Arc::new(AtomicBool::new(true));
        let number = stop as i32;
        signal_hook::flag::register_conditional_shutdown(number, 128 + number, always)
            .map_err(cannot_receive)?;
    }
    Ok(())
}

/// Whether this process is the container's first.
pub(crate) fn is_pid_one() -> bool {
    rustix::process::getpid().is_init()
}

/// Ends this process with the one that started it; `None` when that was not `parent`.
#[cfg(feature = "agent")]
pub(crate) fn belongs_to(parent: u32) -> Option<()> {
    // Before the check: a parent that ends in between is noticed by one of them.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).ok()?;
    (std::os::unix::process::parent_id() == parent).then_some(())
}

/// Starts this binary once more for what waits on others, asks it `question` on its standard
/// input and waits for what it says; `None` when it comes to no end within `patience`. A
/// `socket` is handed to it as to the agent.
#[cfg(feature = "agent")]
pub(crate) fn errand(
    argv: &[std::ffi::OsString],
    environment: &[(std::ffi::OsString, std::ffi::OsString)],
    question: &[u8],
    patience: Duration,
    socket: Option<std::os::fd::OwnedFd>,
) -> Option<Vec<u8>> {
    use std::io::{Read, Write};
    use std::net::Shutdown;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    let own = own_path()?;
    let words = spawn::Words::new(argv, environment).ok()?;
    let (mut ours, theirs) = UnixStream::pair().ok()?;
    let socket = socket.map(agent::aside);
    let mut files = vec![(theirs.as_raw_fd(), 0), (theirs.as_raw_fd(), 1)];
    files.extend(
        socket
            .as_ref()
            .map(|socket| (socket.as_raw_fd(), agent::FIRST_SOCKET)),
    );
    let found = signals::block().ok()?;
    // Nothing that arrives here is for it: it ends when it is done, or with this process.
    let errand = spawn::spawn(&own, &words, &SigSet::empty(), &files, None);
    // `exec` has armed nothing, and what it becomes inherits this.
    if !signals::is_every(&found) {
        let _ = found.thread_set_mask();
    }
    let errand = errand.ok()?;
    drop(theirs);
    let mut exchange = || {
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
    if answer.is_none() {
        signals::send(To::Process(errand), Signal::SIGKILL as i32);
    }
    let _ = rustix::process::waitpid(Some(errand), WaitOptions::empty());
    answer
}

/// Starts this binary once more for what must not be able to hold PID 1 up, and waits for
/// it, but not beyond `until`. A `directory` is its standard input.
pub(crate) fn last_errand(
    argv: &[std::ffi::OsString],
    environment: &[(std::ffi::OsString, std::ffi::OsString)],
    directory: Option<&std::os::fd::OwnedFd>,
    until: Duration,
) {
    use std::os::fd::AsRawFd;

    let Some(own) = own_path() else { return };
    let Ok(words) = spawn::Words::new(argv, environment) else {
        return;
    };
    let files: Vec<_> = directory
        .map(|directory| (directory.as_raw_fd(), 0))
        .into_iter()
        .collect();
    let Ok(errand) = spawn::spawn(&own, &words, &SigSet::empty(), &files, None) else {
        return;
    };
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGCHLD);
    loop {
        while let Ok(Some((pid, _))) = rustix::process::wait(WaitOptions::NOHANG) {
            if pid == errand {
                return;
            }
        }
        let left = until.saturating_sub(now());
        if left.is_zero() {
            signals::send(To::Process(errand), Signal::SIGKILL as i32);
            return;
        }
        signals::next(&signals, Some(left));
    }
}

#[cfg(test)]
mod tests;
