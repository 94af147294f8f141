//! All 64 signals, those included that the C library keeps to itself: musl's own calls
//! leave 32 to 34 out of every set, and 34 is glibc's `SIGRTMIN`, which programs use.
//!
//! Four calls that have no safe form.
//! `sigtimedwait` and not a signalfd, which old sandboxes answer with ENOSYS: one system
//! call for a signal, none while nothing happens, and no file.
#![expect(
    unsafe_code,
    reason = "the whole signal set, waiting for it and sending from it have no safe form"
)]

use std::mem::MaybeUninit;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::SigSet;
use rustix::process::Pid;

/// A signal that has arrived.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrived {
    pub(super) number: i32,
    /// The sender's process ID in this namespace; 0 for the kernel and for senders outside of it.
    pub(super) sender: i32,
}

/// Every signal; the kernel takes KILL and STOP out by itself.
pub(super) fn every() -> SigSet {
    let mut bits = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: a sigset_t is an array of integers (musl and glibc alike), for which every
    // pattern of bits is a value; all of it is written before it is read.
    unsafe {
        bits.as_mut_ptr().write_bytes(0xff, 1);
        SigSet::from_sigset_t_unchecked(bits.assume_init())
    }
}

/// Blocks every signal, and returns the previous mask. musl's own call omits 32 to 34 from the mask
/// that it returns, so its `posix_spawn` leaves them unblocked; its `sigaction` and
/// `pthread_create` unblock 33 and 34 at their first use. After each of the three, everything must
/// be blocked again.
pub(super) fn block() -> nix::Result<SigSet> {
    /// The kernel's own set: a bit for each signal.
    const BYTES: usize = 8;
    let every = every();
    let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: both sets are at least as long as the length passed to the kernel, and outlive the
    // call. Bytes of `before` that the kernel does not write are zero, and every bit pattern is
    // valid.
    unsafe {
        let every: *const libc::sigset_t = every.as_ref();
        Errno::result(libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            every,
            before.as_mut_ptr(),
            BYTES,
        ))?;
        Ok(SigSet::from_sigset_t_unchecked(before.assume_init()))
    }
}

/// Whether a mask equals that of [`block`]. The two signals that cannot be blocked are in no mask.
#[cfg(feature = "agent")]
pub(super) fn is_every(mask: &SigSet) -> bool {
    use nix::sys::signal::Signal;

    Signal::iterator()
        .filter(|signal| !matches!(signal, Signal::SIGKILL | Signal::SIGSTOP))
        .all(|signal| mask.contains(signal))
}

/// Takes the next signal that waits; `None` when none came within `timeout`.
pub(super) fn next(all: &SigSet, timeout: Option<Duration>) -> Option<Arrived> {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(i64::from(i32::MAX)),
        tv_nsec: timeout.subsec_nanos().into(),
    });
    let timeout = timeout
        .as_ref()
        .map_or(std::ptr::null(), std::ptr::from_ref);
    let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
    // SAFETY: the set and the timeout outlive the call; the kernel fills `info` whenever
    // it returns a signal's number, and only then is it read. Every signal that is sent
    // has a sender's field; for the kernel's own it reads as some number and is not used.
    unsafe {
        let number = libc::sigtimedwait(all.as_ref(), info.as_mut_ptr(), timeout);
        (number > 0).then(|| {
            let info = info.assume_init();
            Arrived {
                number,
                sender: info.si_pid(),
            }
        })
    }
}

/// The receiver of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    Process(Pid),
    Group(Pid),
}

/// Whether there was somebody to send it to.
pub(super) fn send(to: To, number: i32) -> bool {
    let target = match to {
        To::Process(pid) => pid.as_raw_nonzero().get(),
        To::Group(pid) => -pid.as_raw_nonzero().get(),
    };
    // SAFETY: kill(2) takes two numbers and touches no memory of ours.
    unsafe { libc::kill(target, number) == 0 }
}
