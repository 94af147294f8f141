//! What PID 1 tells its agent of what it does: words of eight bytes, low byte first, in memory
//! that both hold. An agent that is started again reads the same.

use nix::sys::signal::Signal;

/// Wakes the agent: something is here that does not wait until it is asked for.
pub(crate) const WAKE: Signal = Signal::SIGUSR1;

/// How often each signal was passed on to the program, by its number.
pub(crate) const SIGNALS: usize = 65;
/// Here and below, after those: the signal that asked for a stop, or 0.
pub(crate) const STOP: usize = SIGNALS;
/// 1 once the program was killed because its time was over.
pub(crate) const KILLED: usize = STOP + 1;
/// The program's process number.
pub(crate) const PROGRAM: usize = KILLED + 1;
/// Its exit code, or the signal that ended it.
pub(crate) const BY: usize = PROGRAM + 1;
/// When it ended, in milliseconds on the monotonic clock.
pub(crate) const AT: usize = BY + 1;
/// How the program ended; 0 while it has not. It is written last.
pub(crate) const ENDED: usize = AT + 1;
pub(crate) const EXITED: u64 = 1;
pub(crate) const SIGNALLED: u64 = 2;
/// The second stage could not become the program.
pub(crate) const NOT_STARTED: u64 = 3;
/// How often the agent was started.
pub(crate) const STARTS: usize = ENDED + 1;
/// When the program was started, in milliseconds on the monotonic clock.
pub(crate) const STARTED: usize = STARTS + 1;
/// When a stop was asked for, likewise; 0 before. It is written before the signal.
pub(crate) const STOPPED: usize = STARTED + 1;
/// All of them.
#[cfg(feature = "agent")]
pub(crate) const WORDS: usize = STOPPED + 1;
