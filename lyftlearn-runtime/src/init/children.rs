//! Who is there besides the program: orphans that the kernel has handed to us.

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;

use super::signals::{self, To};

/// The children of this thread, which are the process's: it has no other
/// (`CONFIG_PROC_CHILDREN`, proc_pid_task_children(5)).
const CHILDREN: &str = "/proc/thread-self/children";

/// Sends `signal` to every child but `own`. Without `/proc`, to what is left of the
/// program's group.
pub(super) fn signal_others(signal: i32, own: &[Option<Pid>], program: Pid) {
    let told = each(|pid| {
        if !own.contains(&Some(pid)) {
            signals::send(To::Process(pid), signal);
        }
    });
    if told.is_none() {
        signals::send(To::Group(program), signal);
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

/// Calls `on` with every child; `None` when the kernel does not tell. Allocates nothing:
/// this runs when memory may have run out.
fn each(mut on: impl FnMut(Pid)) -> Option<()> {
    let file: OwnedFd =
        rustix::fs::open(CHILDREN, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let mut buffer = [0_u8; 1024];
    let mut number = 0_i32;
    loop {
        let length = match rustix::io::read(&file, &mut buffer) {
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
