//! PID 1: blocks, spawns, forwards, reaps. It is given a program and a policy, and
//! knows no platform. **Single-threaded once the program runs; without tokio.**

mod agent;
mod children;
mod fault;
mod memory;
mod own;
mod signals;
mod spawn;
mod stage;
mod stopping;
mod supervise;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) use agent::Helper;
pub(crate) use own::path as own_path;
pub(crate) use stage::{
    Stage, User, WORD as STAGE, become_program, become_user, let_stops_come, take_terminal,
};
pub(crate) use stopping::Budget;
pub(crate) use supervise::{Ending, Policy, Program, Scope, Status, now, supervise};

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
    signal_hook::flag::register(Signal::SIGCHLD as i32, Arc::new(AtomicBool::new(false))).map_err(
        |err| {
            let errno = err.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw);
            InitFault::system("receive signals", errno)
        },
    )?;
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
        self.waiting = waiting;
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
fn is_stop(signal: i32) -> bool {
    [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGHUP,
    ]
    .iter()
    .any(|stop| *stop as i32 == signal)
}

/// Whether this process is the container's first.
pub(crate) fn is_pid_one() -> bool {
    rustix::process::getpid().is_init()
}

/// Starts this binary once more for what must not be able to hold PID 1 up, and waits for
/// it, but not beyond `until`.
pub(crate) fn last_errand(
    argv: &[std::ffi::OsString],
    environment: &[(std::ffi::OsString, std::ffi::OsString)],
    until: Duration,
) {
    let Some(own) = own_path() else { return };
    let Ok(words) = spawn::Words::new(argv, environment) else {
        return;
    };
    let Ok(errand) = spawn::spawn(&own, &words, &SigSet::empty(), &[]) else {
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
