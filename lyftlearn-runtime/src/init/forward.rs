//! Which signal goes where.

use nix::sys::signal::Signal;
use nix::sys::signalfd::{SignalFd, siginfo};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;
use rustix_libc_wrappers::process::SignalExt;

use super::InitFault;
use crate::error::Error;

/// Raised by the kernel itself: at a terminal, for the whole foreground group.
const SI_KERNEL: i32 = 0x80;

/// Who receives what is forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The program and what it started in its group.
    Group,
    /// The program alone.
    Child,
}

/// How the program is placed and reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    scope: Scope,
    terminal: bool,
}

/// What arrived before there was a program.
pub(super) enum Early {
    /// A request to stop: there is nothing to start any more.
    Stop(u8),
    /// Signals for the program, in order.
    Forward(Vec<i32>),
}

impl Target {
    /// On a terminal the program stays in the foreground group, where it may read;
    /// what the terminal sends it reaches it without us.
    pub(super) fn for_terminal(scope: Scope) -> Self {
        Self {
            scope,
            terminal: rustix::termios::isatty(rustix::stdio::stdin()),
        }
    }

    pub(super) fn own_group(self) -> bool {
        !self.terminal
    }

    pub(super) fn forward(self, child: Pid, info: &siginfo) {
        let from_terminal = self.terminal && info.ssi_code == SI_KERNEL;
        if !from_terminal && for_the_program(info) {
            self.send(child, info.ssi_signo.cast_signed());
        }
    }

    /// The program may be gone already or have changed its user: neither is a reason
    /// for PID 1 to end.
    pub(super) fn send(self, child: Pid, signal: i32) {
        let Some(signal) = rustix::process::Signal::from_raw(signal) else {
            return;
        };
        let _ = if self.scope == Scope::Group && self.own_group() {
            rustix::process::kill_process_group(child, signal)
        } else {
            rustix::process::kill_process(child, signal)
        };
    }
}

/// Ended children are ours to reap; and a SIGPIPE that we caused ourselves, by a word to
/// a reader that has gone, waits in the queue although it is ignored.
fn for_the_program(info: &siginfo) -> bool {
    let signal = info.ssi_signo.cast_signed();
    let own = info.ssi_pid.cast_signed() == rustix::process::getpid().as_raw_nonzero().get();
    signal != Signal::SIGCHLD as i32 && !(signal == Signal::SIGPIPE as i32 && own)
}

/// Takes what has arrived so far, without waiting.
pub(super) fn before_start(signals: &SignalFd) -> Result<Early, Error> {
    let mut queued = Vec::new();
    loop {
        let mut ready = [PollFd::new(signals, PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        match poll(&mut ready, Some(&now)) {
            Ok(0) => return Ok(Early::Forward(queued)),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(err) => {
                let errno = nix::errno::Errno::from_raw(err.raw_os_error());
                return Err(InitFault::system("receive signals", errno));
            }
        }
        let Ok(Some(info)) = signals.read_signal() else {
            return Ok(Early::Forward(queued));
        };
        let signal = info.ssi_signo.cast_signed();
        let stop = [
            Signal::SIGTERM,
            Signal::SIGINT,
            Signal::SIGQUIT,
            Signal::SIGHUP,
        ];
        if stop.iter().any(|stop| *stop as i32 == signal) {
            return Ok(Early::Stop(u8::try_from(signal).unwrap_or(u8::MAX - 128)));
        }
        if for_the_program(&info) {
            queued.push(signal);
        }
    }
}
