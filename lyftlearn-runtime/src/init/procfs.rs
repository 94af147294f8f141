//! What /proc says of other processes, read without allocating: this runs while the program
//! does, and when memory may have run out.

use std::io::Write;
use std::time::Duration;

use rustix::fd::OwnedFd;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::Pid;

/// Room for `/proc/<pid>/task/<pid>/children`.
const PATH_BYTES: usize = 64;

/// Opens a file of a process.
pub(super) fn open(process: Pid, file: &str) -> Option<OwnedFd> {
    let mut path = [0; PATH_BYTES];
    let path = path_of(process, file, &mut path)?;
    rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()
}

/// The beginning of a file, as much as `buffer` holds.
pub(super) fn read<'a>(process: Pid, file: &str, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let file = open(process, file)?;
    let mut length = 0;
    while length < buffer.len() {
        match rustix::io::read(&file, &mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    Some(&buffer[..length])
}

/// What a link says, such as `exe` or `fd/1`.
pub(super) fn link<'a>(process: Pid, link: &str, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut path = [0; PATH_BYTES];
    let path = path_of(process, link, &mut path)?;
    let length = rustix::fs::readlinkat_raw(CWD, path, &mut *buffer).ok()?;
    Some(&buffer[..length])
}

/// The letter of proc_pid_stat(5); `None` when it is gone.
pub(super) fn state(process: Pid) -> Option<u8> {
    let mut buffer = [0; 256];
    after_name(read(process, "stat", &mut buffer)?)?
        .first()
        .copied()
}

/// From the state on. The name may hold anything; it ends at the last parenthesis.
fn after_name(stat: &[u8]) -> Option<&[u8]> {
    let name_ends = stat.iter().rposition(|byte| *byte == b')')?;
    stat.get(name_ends + 2..)
}

/// Whether it still runs: one that waits to be reaped does not, nor one that SIGKILL has reached. On
/// a busy machine the kernel may need a while to end that.
pub(super) fn is_alive(process: Pid) -> bool {
    let mut buffer = [0; 1024];
    read(process, "stat", &mut buffer).is_some_and(runs)
}

/// The flag of a process that is ending (PF_EXITING).
const ENDING: u64 = 4;
const KILLED: u64 = 1 << (nix::sys::signal::Signal::SIGKILL as i32 - 1);

/// The kernel's unit for other processes (USER_HZ).
const TICK_MILLISECONDS: u64 = 10;

/// When it was started, on the clock that runs from the boot on, in whole ticks of the kernel.
pub(super) fn started(process: Pid) -> Option<Duration> {
    let mut buffer = [0; 1024];
    let fields = after_name(read(process, "stat", &mut buffer)?)?;
    // The first field here is the third.
    let ticks = fields.split(|byte| *byte == b' ').nth(22 - 3)?;
    let ticks: u64 = std::str::from_utf8(ticks).ok()?.parse().ok()?;
    Some(Duration::from_millis(
        ticks.saturating_mul(TICK_MILLISECONDS),
    ))
}

/// Whether proc_pid_stat(5) describes a process that runs.
fn runs(stat: &[u8]) -> bool {
    let Some(fields) = after_name(stat) else {
        return false;
    };
    // The first field here is the third.
    let field = |at: usize| fields.split(|byte| *byte == b' ').nth(at - 3);
    let has = |at, bit| {
        let number = field(at).and_then(|field| std::str::from_utf8(field).ok()?.parse().ok());
        number.is_some_and(|number: u64| number & bit != 0)
    };
    !matches!(field(3), None | Some(b"Z" | b"X")) && !has(9, ENDING) && !has(31, KILLED)
}

/// Whether it has a handler for a signal.
pub(super) fn catches(process: Pid, signal: i32) -> bool {
    caught(process).is_some_and(|caught| caught & (1 << (signal - 1)) != 0)
}

/// The signals for which it has a handler, one bit for each.
pub(super) fn caught(process: Pid) -> Option<u64> {
    let mut buffer = [0; 4096];
    let status = read(process, "status", &mut buffer)?;
    let mut lines = status.split(|byte| *byte == b'\n');
    let line = lines.find_map(|line| line.strip_prefix(b"SigCgt:\t"))?;
    u64::from_str_radix(std::str::from_utf8(line).ok()?, 16).ok()
}

fn path_of<'a>(process: Pid, file: &str, buffer: &'a mut [u8; PATH_BYTES]) -> Option<&'a str> {
    let mut rest = &mut buffer[..];
    write!(rest, "/proc/{}/{file}", process.as_raw_nonzero()).ok()?;
    let length = PATH_BYTES - rest.len();
    std::str::from_utf8(&buffer[..length]).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::process::{Pid, getpid};
    use rustix::time::{ClockId, clock_gettime};

    use super::{catches, is_alive, link, read, runs, started, state};

    #[test]
    fn a_process_that_sigkill_has_reached_does_not_run() {
        let stat = |state, flags, pending| {
            format!(
                "7 (a) b) {state} 1 7 7 0 -1 {flags} 101 0 0 0 0 0 0 0 20 0 1 0 710302 3133440 388 \
                 18446744073709551615 1 1 1 0 0 {pending} 0 0 0 0 0 0 17 1 0 0 0 0 0\n"
            )
        };
        let runs = |state, flags, pending| runs(stat(state, flags, pending).as_bytes());
        assert!(runs("S", 4_194_304, 0) && runs("T", 4_194_304, 1 << 14));
        assert!(!runs("Z", 4_194_304, 0) && !runs("X", 4_194_304, 0));
        assert!(!runs("R", 4_194_304 | 4, 0));
        assert!(!runs("S", 4_194_304, 1 << 8));
    }

    #[test]
    fn a_process_is_described() {
        let itself = getpid();
        let mut buffer = [0; 256];
        assert!(link(itself, "exe", &mut buffer).is_some_and(|path| path.starts_with(b"/")));
        let mut buffer = [0; 16];
        assert!(read(itself, "comm", &mut buffer).is_some_and(|name| name.ends_with(b"\n")));
        assert!(state(itself).is_some_and(|state| b"RS".contains(&state)));
        assert!(is_alive(itself));
        let now = Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap();
        assert!(started(itself).is_some_and(|started| !started.is_zero() && started <= now));
        // The test harness handles it, for a stack that overflows.
        assert!(catches(itself, 11));
        assert!(!catches(itself, 64));
        assert!(state(Pid::from_raw(i32::MAX).unwrap()).is_none());
    }
}
