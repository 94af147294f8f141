//! Processes that receive a stop before their parent.
//!
//! A stop goes to the program, which manages its own children. Two kinds of programs only wait for
//! their children, so the children get it first. A shell gets it when its children are gone, a
//! launcher when the first of its ranks is gone. Nothing here allocates, because it runs while the
//! program does.

mod launchers;
mod shells;

use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use rustix::process::Pid;

use self::launchers::{Launcher, Ranks};
use self::shells::Shell;
use super::children;
use super::procfs;
use super::signals::{self, Arrived, To};

/// Limit of parents that are followed; a further one gets the stop like any other program.
const PARENTS_AT_MOST: usize = 16;

/// Limit for each parent; a further child gets the stop, but is neither treated as a parent nor
/// watched.
const CHILDREN_AT_MOST: usize = 64;

/// Parents that are not told yet, outermost first.
pub(super) struct Parents {
    held: [Option<Held>; PARENTS_AT_MOST],
    ranks: Ranks,
    /// Until when the program has to end.
    until: Option<Duration>,
}

#[derive(Clone, Copy)]
struct Held {
    pid: Pid,
    signal: i32,
    waits: Waits,
}

#[derive(Clone, Copy)]
enum Waits {
    Shell(Shell),
    Launcher(Launcher),
}

impl Parents {
    pub(super) const fn none() -> Self {
        Self {
            held: [None; PARENTS_AT_MOST],
            ranks: Ranks::none(),
            until: None,
        }
    }

    /// Notes until when the program has to end.
    pub(super) fn has_until(&mut self, until: Duration) {
        self.until = Some(until);
    }

    /// Whether a process of the program's is stopped here.
    pub(super) fn stopped_any(&self) -> bool {
        let mut held = self.held.iter().flatten();
        held.any(|held| matches!(held.waits, Waits::Shell(_)))
    }

    /// When to look again; `None` if no parent waits.
    pub(super) fn next_look(&self, now: Duration) -> Option<Duration> {
        let next = self.held.iter().flatten().map(|held| match &held.waits {
            Waits::Shell(_) => now + shells::LOOK,
            Waits::Launcher(launcher) if self.ranks.are_watched() => launcher.latest.max(now),
            Waits::Launcher(launcher) => launcher.latest.min(now + launchers::LOOK),
        });
        next.min()
    }

    /// Takes the next signal that waits; `None` when none came within `timeout`, or before a
    /// launcher's rank has ended.
    pub(super) fn next_signal(&self, all: &SigSet, timeout: Option<Duration>) -> Option<Arrived> {
        let waited = self.ranks.wait(timeout);
        signals::next(
            all,
            if waited {
                Some(Duration::ZERO)
            } else {
                timeout
            },
        )
    }

    /// Sends `signal` to `process`, or to the children for which it waits.
    pub(super) fn send(&mut self, process: Pid, signal: i32) {
        let known = self.held.iter().flatten().find(|held| held.pid == process);
        match known.copied() {
            // A second stop: send it to the children that are left.
            Some(held) if matches!(held.waits, Waits::Shell(_)) => self.send_to_children(&held),
            // It passes the signal on itself.
            Some(held) => self.release(held.pid),
            None => self.send_to_new(process, signal),
        }
    }

    fn send_to_new(&mut self, process: Pid, signal: i32) {
        let free = self.held.iter().position(Option::is_none);
        let waits = free.filter(|_| has_children(process)).and_then(|_| {
            if shells::is_shell(process) {
                Some(Waits::Shell(Shell::hold(process, signal)))
            } else {
                let until = self.until?;
                Launcher::of(process, super::now(), until).map(Waits::Launcher)
            }
        });
        let (Some(free), Some(waits)) = (free, waits) else {
            signals::send(To::Process(process), signal);
            return;
        };
        let held = Held {
            pid: process,
            signal,
            waits,
        };
        self.held[free] = Some(held);
        self.send_to_children(&held);
    }

    fn send_to_children(&mut self, held: &Held) {
        // The list first: telling a child changes it.
        let mut children = [None; CHILDREN_AT_MOST];
        let mut count = 0;
        children::of(held.pid, |child| {
            if held.leaves_alone(child) || !procfs::is_alive(child) {
            } else if let Some(slot) = children.get_mut(count) {
                *slot = Some(child);
                count += 1;
            } else {
                signals::send(To::Process(child), held.signal);
            }
        });
        let children = children.into_iter().flatten();
        if let Waits::Launcher(_) = held.waits {
            // All children are watched before the first gets the stop.
            for child in children.clone() {
                self.ranks.watch(held.pid, child);
            }
            for child in children {
                signals::send(To::Process(child), held.signal);
            }
        } else {
            for child in children {
                self.send(child, held.signal);
            }
        }
    }

    /// Sends the stop to every parent whose condition is met.
    pub(super) fn look(&mut self, now: Duration) {
        // The innermost first: its end may be what the one around it waits for.
        for place in (0..PARENTS_AT_MOST).rev() {
            let Some(held) = &mut self.held[place] else {
                continue;
            };
            let pid = held.pid;
            let is_due = match &mut held.waits {
                Waits::Shell(shell) => shell.is_alone(pid, held.signal, now),
                Waits::Launcher(launcher) => now >= launcher.latest || self.ranks.any_gone(pid),
            };
            if is_due {
                self.release(pid);
            }
        }
    }

    /// Tells a parent that was held.
    fn release(&mut self, parent: Pid) {
        let of_parent = |held: &&mut Option<Held>| held.is_some_and(|held| held.pid == parent);
        let Some(held) = self.held.iter_mut().find(of_parent).and_then(Option::take) else {
            return;
        };
        signals::send(To::Process(held.pid), held.signal);
        match held.waits {
            Waits::Shell(_) => _ = signals::send(To::Process(held.pid), Signal::SIGCONT as i32),
            Waits::Launcher(_) => self.ranks.forget(held.pid),
        }
    }

    /// Releases every parent: the children do not matter any more.
    pub(super) fn let_go(&mut self) {
        for held in self.held.iter_mut().filter_map(Option::take) {
            match held.waits {
                Waits::Shell(_) => _ = signals::send(To::Process(held.pid), Signal::SIGCONT as i32),
                Waits::Launcher(_) => self.ranks.forget(held.pid),
            }
        }
    }
}

impl Held {
    /// Whether a child is not told with the others.
    fn leaves_alone(&self, child: Pid) -> bool {
        match &self.waits {
            Waits::Shell(shell) => shell.is_reader(child),
            Waits::Launcher(_) => false,
        }
    }
}

fn has_children(process: Pid) -> bool {
    let mut any = false;
    children::of(process, |child| any |= procfs::is_alive(child));
    any
}

/// What a process runs: the name of its executable. By its words where that cannot be read
/// (another user's, without CAP_SYS_PTRACE).
fn executable(process: Pid, buffer: &mut [u8]) -> Option<&[u8]> {
    procfs::link(process, "exe", buffer).map(last_part)
}

fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}
