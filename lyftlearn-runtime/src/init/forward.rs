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
        // A hang-up reaches the session's leader alone, which may be us.
        let hang_up = info.ssi_signo.cast_signed() == Signal::SIGHUP as i32;
        let from_terminal = self.terminal && info.ssi_code == SI_KERNEL && !hang_up;
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
        let group = self.scope == Scope::Group && self.own_group();
        // A program that has moved to another group has left its own empty.
        let sent = group && rustix::process::kill_process_group(child, signal).is_ok();
        if !sent {
            let _ = rustix::process::kill_process(child, signal);
        }
    }
}

/// Ended children are ours to reap; and a SIGPIPE that we caused ourselves, by a word to
/// a reader that has gone, waits in the queue although it is ignored.
fn for_the_program(info: &siginfo) -> bool {
    let signal = info.ssi_signo.cast_signed();
    let own = info.ssi_pid.cast_signed() == rustix::process::getpid().as_raw_nonzero().get();
    signal != Signal::SIGCHLD as i32 && !(signal == Signal::SIGPIPE as i32 && own)
}

/// What asks a program to stop that is not there yet: there is nothing to start any more.
pub(super) fn is_stop(signal: i32) -> bool {
    [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGHUP,
    ]
    .iter()
    .any(|stop| *stop as i32 == signal)
}

/// Takes the next signal that has arrived for the program, without waiting.
pub(super) fn arrived(signals: &SignalFd) -> Result<Option<i32>, Error> {
    loop {
        let mut ready = [PollFd::new(signals, PollFlags::IN)];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        match poll(&mut ready, Some(&now)) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(err) => {
                let errno = nix::errno::Errno::from_raw(err.raw_os_error());
                return Err(InitFault::system("receive signals", errno));
            }
        }
        match signals.read_signal() {
            Ok(Some(info)) if for_the_program(&info) => {
                return Ok(Some(info.ssi_signo.cast_signed()));
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return Ok(None),
        }
    }
}
