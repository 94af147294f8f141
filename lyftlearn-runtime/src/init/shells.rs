//! Shells on the way of a stop.
//!
//! A shell waits for its children and passes no signal on. Told first, it dies at once and
//! leaves them behind; told last, it may have started its next command. So it is stopped
//! (SIGSTOP), its children are told, and when they are gone it is told and continued.
//!
//! Deaths are seen in /proc, and not by pidfd: kernels before 5.3 have none, and a stopped
//! shell does not reap, so that no number is used again meanwhile. Nothing here allocates.

use std::time::Duration;

use nix::sys::signal::Signal;
use rustix::process::Pid;

use super::children;
use super::procfs;
use super::signals::{self, To};

/// What counts as a shell, by the name of its executable.
const SHELLS: &[&[u8]] = &[
    b"sh", b"bash", b"dash", b"ash", b"zsh", b"ksh", b"mksh", b"fish",
];

/// So many shells are followed; a further one is told like any other program.
const SHELLS_AT_MOST: usize = 16;

/// Of one pipeline.
const READERS_AT_MOST: usize = 8;

/// While a shell is held, /proc is looked at so often.
const LOOK: Duration = Duration::from_millis(20);

/// How long the readers of a pipeline have for what its first command has left in the pipe.
const READERS_TIME: Duration = Duration::from_secs(1);

/// A process stops when it next comes out of the kernel.
const STOPS_WITHIN: Duration = Duration::from_millis(50);

/// Shells that are stopped, outermost first.
pub(super) struct Shells {
    held: [Option<Held>; SHELLS_AT_MOST],
}

#[derive(Clone, Copy)]
struct Held {
    pid: Pid,
    signal: i32,
    /// Children that end by themselves when those that write to them are gone.
    readers: [Option<Pid>; READERS_AT_MOST],
    /// Until when they have time for it.
    readers_until: Option<Duration>,
}

impl Shells {
    pub(super) const fn none() -> Self {
        Self {
            held: [None; SHELLS_AT_MOST],
        }
    }

    /// Whether any shell is stopped.
    pub(super) fn any(&self) -> bool {
        self.held.iter().any(Option::is_some)
    }

    /// When to look again; `None` while no shell is stopped.
    pub(super) fn next_look(&self, now: Duration) -> Option<Duration> {
        self.any().then(|| now + LOOK)
    }

    /// Sends `signal` to `process`, or to the children for which it waits.
    pub(super) fn tell(&mut self, process: Pid, signal: i32) {
        if let Some(held) = self.held.iter().flatten().find(|held| held.pid == process) {
            // Once more: whoever is still there.
            let held = *held;
            self.tell_children(&held, signal);
            return;
        }
        let free = self.held.iter().position(Option::is_none);
        let Some(free) = free.filter(|_| is_shell(process) && has_children(process)) else {
            signals::send(To::Process(process), signal);
            return;
        };
        signals::send(To::Process(process), Signal::SIGSTOP as i32);
        wait_until_stopped(process);
        let held = Held {
            pid: process,
            signal,
            readers: readers(process),
            readers_until: None,
        };
        self.held[free] = Some(held);
        self.tell_children(&held, signal);
    }

    fn tell_children(&mut self, held: &Held, signal: i32) {
        // The list first: telling a child changes it.
        let mut told = [None; 64];
        let mut count = 0;
        children::of(held.pid, |child| {
            if held.readers.contains(&Some(child)) || !procfs::is_alive(child) {
            } else if let Some(slot) = told.get_mut(count) {
                *slot = Some(child);
                count += 1;
            } else {
                signals::send(To::Process(child), signal);
            }
        });
        for child in told.into_iter().flatten() {
            self.tell(child, signal);
        }
    }

    /// Tells and continues every shell whose children are gone.
    pub(super) fn look(&mut self, now: Duration) {
        // The innermost first: its end may be what the one around it waits for.
        for slot in self.held.iter_mut().rev() {
            if let Some(held) = slot
                && held.is_over(now)
            {
                signals::send(To::Process(held.pid), held.signal);
                signals::send(To::Process(held.pid), Signal::SIGCONT as i32);
                *slot = None;
            }
        }
    }

    /// Continues every shell: nobody waits any more.
    pub(super) fn let_go(&mut self) {
        for held in self.held.iter_mut().filter_map(Option::take) {
            signals::send(To::Process(held.pid), Signal::SIGCONT as i32);
        }
    }
}

impl Held {
    fn is_over(&mut self, now: Duration) -> bool {
        let (mut others, mut readers) = (0, 0);
        let known = children::of(self.pid, |child| {
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
                    signals::send(To::Process(reader), self.signal);
                }
            }
        }
        known.is_none() || others + readers == 0
    }
}

fn has_children(process: Pid) -> bool {
    let mut any = false;
    children::of(process, |child| any |= procfs::is_alive(child));
    any
}

/// By its executable; by its argv where that cannot be read (another user's, without
/// CAP_SYS_PTRACE) or is busybox, which is many programs.
fn is_shell(process: Pid) -> bool {
    let mut buffer = [0; 256];
    let executable = procfs::link(process, "exe", &mut buffer).map(last_part);
    match executable {
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

fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
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

fn wait_until_stopped(process: Pid) {
    let until = super::now() + STOPS_WITHIN;
    while procfs::state(process).is_some_and(|state| !b"TtZX".contains(&state))
        && super::now() < until
    {
        // A step of the wait; the state decides.
        std::thread::sleep(Duration::from_millis(1));
    }
}
