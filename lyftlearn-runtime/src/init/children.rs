//! Processes besides the program: orphans that the kernel has reparented to this process.

use std::io::Write;
use std::time::Duration;

use nix::sys::signal::Signal;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;
use rustix::time::{ClockId, clock_gettime};

use super::procfs;
use super::signals::{self, To};

/// The children of this thread, which are the process's: it has no other
/// (`CONFIG_PROC_CHILDREN`, proc_pid_task_children(5)).
const CHILDREN: &str = "/proc/thread-self/children";

/// So many of the processes that a program leaves behind are named.
const NAMED: usize = 8;

/// Processes that outlived the program and were ended here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeftBehind {
    /// How many were asked to end or killed.
    pub(crate) count: u32,
    /// How many were killed, because they did not end: their own children among them.
    pub(crate) killed: u32,
    /// The names of the first ones, as the kernel has them: zeros follow.
    pub(crate) names: [[u8; 16]; NAMED],
}

impl LeftBehind {
    fn add(&mut self, pid: Pid) {
        if let Some(name) = self.names.get_mut(self.count as usize) {
            let length = procfs::read(pid, "comm", name).map_or(0, <[u8]>::len);
            // The newline at its end.
            name[length.saturating_sub(1)..].fill(0);
        }
        self.count += 1;
    }
}

/// Processes that have been sent a signal: so many are known, and a further one may get it
/// twice.
struct Signalled([Option<Pid>; 64]);

impl Signalled {
    const fn none() -> Self {
        Self([None; 64])
    }

    /// Whether it was not among them.
    fn add(&mut self, pid: Pid) -> bool {
        let known = self.0.contains(&Some(pid));
        if let Some(free) = self.0.iter_mut().find(|slot| slot.is_none())
            && !known
        {
            *free = Some(pid);
        }
        !known
    }

    fn is_full(&self) -> bool {
        self.0.iter().all(Option::is_some)
    }
}

/// The processes that outlive the program, which the kernel hands over as their parents end.
pub(super) struct Orphans {
    asked: Signalled,
    /// When the program's group was sent SIGTERM, on the clock that runs from the boot on.
    group_asked: Option<Duration>,
    killed: Signalled,
    left: LeftBehind,
}

impl Orphans {
    pub(super) const fn none() -> Self {
        Self {
            asked: Signalled::none(),
            group_asked: None,
            killed: Signalled::none(),
            left: LeftBehind {
                count: 0,
                killed: 0,
                names: [[0; 16]; NAMED],
            },
        }
    }

    pub(super) fn left(&self) -> LeftBehind {
        LeftBehind {
            killed: self.left.killed.min(self.left.count),
            ..self.left
        }
    }

    /// Notes that the program's group has been sent SIGTERM.
    pub(super) fn group_is_asked(&mut self) {
        self.group_asked = Duration::try_from(clock_gettime(ClockId::Boottime)).ok();
    }

    /// Whether it has SIGTERM already. A second one may make it give up what it saves.
    fn is_asked(&self, pid: Pid, program: Pid) -> bool {
        self.group_asked.is_some_and(|at| {
            rustix::process::getpgid(Some(pid)) == Ok(program)
                && procfs::started(pid).is_some_and(|started| started <= at)
        })
    }

    /// Sends SIGTERM to every child but `own` that has not received it yet. Without `/proc` the
    /// signal goes to the rest of the program's process group, and no child is known. Returns
    /// whether one of them has a handler for it.
    pub(super) fn term(&mut self, own: &[Option<Pid>], program: Pid) -> bool {
        let mut handle = false;
        let slot = each(|pid| {
            if own.contains(&Some(pid)) || !procfs::is_alive(pid) {
                return;
            }
            handle |= procfs::catches(pid, Signal::SIGTERM as i32);
            if !self.asked.add(pid) {
                return;
            }
            self.left.add(pid);
            if !self.is_asked(pid, program) {
                signals::send(To::Process(pid), Signal::SIGTERM as i32);
            }
        });
        if slot.is_none() && self.group_asked.is_none() {
            signals::send(To::Group(program), Signal::SIGTERM as i32);
        }
        handle
    }

    /// Kills every child but `own`.
    pub(super) fn kill(&mut self, own: &[Option<Pid>], program: Pid) {
        let killed = each(|pid| {
            if !own.contains(&Some(pid)) && procfs::is_alive(pid) {
                self.left.killed += u32::from(self.killed.add(pid));
                // Another one may have started it after SIGTERM.
                if !self.asked.is_full() && self.asked.add(pid) {
                    self.left.add(pid);
                }
                signals::send(To::Process(pid), Signal::SIGKILL as i32);
            }
        });
        if killed.is_none() {
            signals::send(To::Group(program), Signal::SIGKILL as i32);
        }
    }
}

/// Whether a child besides `own` is left. Without `/proc` the program's group answers.
pub(super) fn others_left(own: &[Option<Pid>], program: Pid) -> bool {
    let mut left = false;
    match each(|pid| left |= !own.contains(&Some(pid))) {
        Some(()) => left,
        None => signals::send(To::Group(program), 0),
    }
}

/// Calls `on` with every child of a process that has one thread, as shells have; `None` when
/// the kernel does not tell.
pub(super) fn of(process: Pid, on: impl FnMut(Pid)) -> Option<()> {
    let number = process.as_raw_nonzero();
    let mut file = [0; 32];
    let mut rest = &mut file[..];
    write!(rest, "task/{number}/children").ok()?;
    let length = 32 - rest.len();
    let file = std::str::from_utf8(&file[..length]).ok()?;
    listed(&procfs::open(process, file)?, on)
}

/// Calls `on` with every child; `None` when the kernel does not tell.
fn each(on: impl FnMut(Pid)) -> Option<()> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(CHILDREN, flags, Mode::empty()).ok()?;
    listed(&file, on)
}

/// Allocates nothing: this runs when memory may have run out.
fn listed(file: &OwnedFd, mut on: impl FnMut(Pid)) -> Option<()> {
    let mut buffer = [0_u8; 1024];
    let mut number = 0_i32;
    loop {
        let length = match rustix::io::read(file, &mut buffer) {
            Ok(0) => return Some(()),
            Ok(length) => length,
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return None,
        };
        for byte in &buffer[..length] {
            match byte {
                b'0'..=b'9' => {
                    number = number
                        .saturating_mul(10)
                        .saturating_add(i32::from(byte - b'0'));
                }
                _ => {
                    Pid::from_raw(std::mem::take(&mut number)).map(&mut on);
                }
            }
        }
    }
}
