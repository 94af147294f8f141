//! Shells.
//!
//! A shell waits for its children and forwards no signal. If it gets the stop first, it exits at
//! once and leaves them behind; if it gets it last, it may have started its next command. So it is
//! stopped (SIGSTOP), its children get the stop, and when they are gone the shell gets it and is
//! continued.
//!
//! Deaths are seen in /proc, and not by pidfd: kernels before 5.3 have none, and a stopped
//! shell does not reap, so that no number is used again meanwhile.

use std::time::Duration;

use nix::sys::signal::Signal;
use rustix::process::Pid;

use super::{executable, last_part};
use crate::init::children;
use crate::init::procfs;
use crate::init::signals::{self, To};

/// What counts as a shell, by the name of its executable.
const SHELLS: &[&[u8]] = &[
    b"sh", b"bash", b"dash", b"ash", b"zsh", b"ksh", b"mksh", b"fish",
];

/// Of one pipeline.
const READERS_AT_MOST: usize = 8;

/// While a shell is held, /proc is looked at so often.
pub(super) const LOOK: Duration = Duration::from_millis(20);

/// How long the readers of a pipeline have for what its first command has left in the pipe.
const READERS_TIME: Duration = Duration::from_secs(1);

/// A process stops when it next comes out of the kernel.
const STOPS_WITHIN: Duration = Duration::from_millis(50);

/// A command that a shell has forked reaches its exec within this time.
const EXECS_WITHIN: Duration = Duration::from_millis(200);

/// A shell that is stopped.
#[derive(Clone, Copy)]
pub(super) struct Shell {
    /// Children that end by themselves when those that write to them are gone.
    readers: [Option<Pid>; READERS_AT_MOST],
    /// Until when they have time for it.
    readers_until: Option<Duration>,
}

impl Shell {
    /// Stops it, so that `signal` can be sent to its children.
    pub(super) fn hold(process: Pid, signal: i32) -> Self {
        signals::send(To::Process(process), Signal::SIGSTOP as i32);
        wait_until(STOPS_WITHIN, || {
            procfs::state(process).is_none_or(|state| b"TtZX".contains(&state))
        });
        wait_until(EXECS_WITHIN, || !has_forked_copy(process, signal));
        Self {
            readers: readers(process),
            readers_until: None,
        }
    }

    /// Whether a child reads what another one writes.
    pub(super) fn is_reader(&self, child: Pid) -> bool {
        self.readers.contains(&Some(child))
    }

    /// Whether all of its children are gone.
    pub(super) fn is_alone(&mut self, pid: Pid, signal: i32, now: Duration) -> bool {
        let (mut others, mut readers) = (0, 0);
        let known = children::of(pid, |child| {
            if !procfs::is_alive(child) {
            } else if self.readers.contains(&Some(child)) {
                readers += 1;
            } else {
                others += 1;
            }
        });
        if known.is_some() && others == 0 && readers > 0 {
            let until = *self.readers_until.get_or_insert(now + READERS_TIME);
            if now >= until {
                for reader in self.readers.iter_mut().filter_map(Option::take) {
                    signals::send(To::Process(reader), signal);
                }
            }
        }
        known.is_none() || others + readers == 0
    }
}

/// By its executable; by its argv where that cannot be read or is busybox, which is many
/// programs.
pub(super) fn is_shell(process: Pid) -> bool {
    let mut buffer = [0; 256];
    match executable(process, &mut buffer) {
        Some(name) if name != b"busybox" => SHELLS.contains(&name),
        _ => {
            let mut buffer = [0; 256];
            let argv = procfs::read(process, "cmdline", &mut buffer).unwrap_or_default();
            let mut words = argv.split(|byte| *byte == 0);
            let first = last_part(words.next().unwrap_or_default());
            // A login shell's begins with a dash.
            let first = first.strip_prefix(b"-").unwrap_or(first);
            let name = match first {
                b"busybox" => words.next().unwrap_or_default(),
                name => name,
            };
            SHELLS.contains(&name)
        }
    }
}

/// Those children of a shell that read what another child writes (`train | tee log`) and do
/// not handle SIGTERM: told with the others, they would take the pipe away from a program
/// that still has to save.
fn readers(shell: Pid) -> [Option<Pid>; READERS_AT_MOST] {
    let mut found = [None; READERS_AT_MOST];
    let mut count = 0;
    children::of(shell, |child| {
        let mut buffer = [0; 64];
        let Some(input) = procfs::link(child, "fd/0", &mut buffer) else {
            return;
        };
        if !input.starts_with(b"pipe:") || procfs::catches(child, Signal::SIGTERM as i32) {
            return;
        }
        let mut written = false;
        children::of(shell, |sibling| {
            let writes = |stream: &str| {
                let mut buffer = [0; 64];
                procfs::link(sibling, stream, &mut buffer) == Some(input)
            };
            written |= sibling != child && (writes("fd/1") || writes("fd/2"));
        });
        if written && let Some(slot) = found.get_mut(count) {
            *slot = Some(child);
            count += 1;
        }
    });
    found
}

/// Whether a child is still a copy of the shell, between fork and exec. A copy has the shell's
/// handlers, which only note a signal: one that it gets now is lost with the exec. A subshell
/// resets them, and looks like a copy only if it has set the same traps again.
fn has_forked_copy(shell: Pid, signal: i32) -> bool {
    let of_shell = procfs::caught(shell).filter(|caught| caught & (1 << (signal - 1)) != 0);
    let Some(of_shell) = of_shell else {
        return false;
    };
    let mut found = false;
    children::of(shell, |child| {
        found |=
            procfs::caught(child) == Some(of_shell) && procfs::is_alive(child) && is_shell(child);
    });
    found
}

/// Until `condition` is true, and no longer than `span`.
fn wait_until(span: Duration, condition: impl Fn() -> bool) {
    let until = crate::init::now() + span;
    while !condition() && crate::init::now() < until {
        // A step of the wait; the condition decides.
        std::thread::sleep(Duration::from_millis(1));
    }
}
