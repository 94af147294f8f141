//! PID 1: blocks, spawns, forwards, reaps. It is given a program and a policy, and
//! knows no platform. **Single-threaded once the program runs; without tokio.**

mod agent;
mod children;
mod executable;
mod fault;
mod helper_process;
mod memory;
mod parents;
mod procfs;
mod signals;
mod spawn;
mod stage;
mod stage_report;
mod start;
mod stopping;
mod supervise;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[cfg(feature = "agent")]
pub(crate) use agent::Helper;
pub(crate) use children::LeftBehind;
pub(crate) use executable::path as own_path;
pub(crate) use helper_process::run_last_helper;
#[cfg(feature = "agent")]
pub(crate) use helper_process::{HelperProcess, ask_helper};
pub(crate) use stage::{
    STAGE_ARGUMENT as STAGE, Stage, User, become_program, become_user, let_stops_come,
    take_terminal,
};
pub(crate) use stage_report::ReportPath;
pub(crate) use start::Program;
pub(crate) use stopping::{Budget, agents_time};
pub(crate) use supervise::{Ending, MakeHelper, Policy, Scope, Status, now, supervise};

use fault::InitFault;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
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

/// Makes a stop signal end this process even if it is the container's PID 1, for which the kernel
/// ignores signals without a handler. A program that this process becomes by exec does not inherit
/// it.
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

#[cfg(test)]
mod tests;
