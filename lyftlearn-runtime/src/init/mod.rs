//! PID 1: blocks, spawns, forwards, reaps. It is given a program and a policy, and
//! knows no platform. **Single-threaded, without `unsafe`, without tokio.**

mod fault;
mod forward;

use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use fault::InitFault;
pub(crate) use forward::Scope;
use forward::Target;
use nix::errno::Errno;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::process::{WaitOptions, WaitStatus};

use crate::error::Error;

/// A program to become or to start.
pub(crate) struct Program {
    /// The file to execute: a path, found where a shell would have found it.
    pub(crate) file: PathBuf,
    pub(crate) argv: Vec<OsString>,
    pub(crate) environment: Vec<(OsString, OsString)>,
}

/// Every signal is blocked and waits here from now on.
pub(crate) struct Armed {
    signals: SignalFd,
    before: SigSet,
    /// Arrived for the program before it was there, in order.
    waiting: Vec<i32>,
}

/// Blocks every signal, before anything else is done: what arrives from now on is
/// queued by the kernel and not lost.
pub(crate) fn arm() -> Result<Armed, Error> {
    let all = SigSet::all();
    let before = all
        .thread_swap_mask(SigmaskHow::SIG_SETMASK)
        .map_err(|errno| InitFault::system("block signals", errno))?;
    // A parent that ignored SIGCHLD would have the kernel reap in our place, and the
    // program's exit code would be lost. A handler of any kind ends that; blocked, it
    // never runs, and exec takes it away.
    signal_hook::flag::register(Signal::SIGCHLD as i32, Arc::new(AtomicBool::new(false)))
        .map_err(|err| InitFault::system("receive signals", errno_of(&err)))?;
    let signals = SignalFd::with_flags(&all, SfdFlags::SFD_CLOEXEC)
        .map_err(|errno| InitFault::system("receive signals", errno))?;
    Ok(Armed {
        signals,
        before,
        waiting: Vec::new(),
    })
}

impl Armed {
    /// 128+n when signal n has asked for a stop meanwhile; everything else waits for the
    /// program.
    pub(crate) fn stopped(&mut self) -> Result<Option<u8>, Error> {
        while let Some(signal) = forward::arrived(&self.signals)? {
            if forward::is_stop(signal) {
                return Ok(u8::try_from(128 + signal).ok());
            }
            self.waiting.push(signal);
        }
        Ok(None)
    }

    /// The signal mask as it was found.
    pub(crate) fn disarm(self) -> Result<(), Error> {
        self.before
            .thread_set_mask()
            .map_err(|errno| InitFault::system("unblock signals", errno))
    }
}

/// Whether this process is the container's first.
pub(crate) fn is_pid_one() -> bool {
    rustix::process::getpid().is_init()
}

/// Starts `program`, forwards signals to it and reaps until it ends. Returns the
/// exit code to leave with: the program's own, or 128+n when signal n ended it.
pub(crate) fn supervise(armed: &mut Armed, program: Program, scope: Scope) -> Result<u8, Error> {
    if !is_pid_one() {
        // Orphans come to us only if we ask for them; a kernel that refuses leaves
        // them to whoever is PID 1.
        let _ = nix::sys::prctl::set_child_subreaper(true);
    }
    if let Some(code) = armed.stopped()? {
        return Ok(code);
    }
    let target = Target::for_terminal(scope);
    let child = spawn(armed, &program, target)?;
    // From here on nothing may end this process but the program's own end: if PID 1
    // leaves, the kernel kills everything in the container.
    drop(program);
    for signal in std::mem::take(&mut armed.waiting) {
        target.send(child, signal);
    }
    loop {
        if let Some(status) = reap(child) {
            return Ok(exit_code(status));
        }
        // Interrupted, or an error that asking again either mends or repeats: ending
        // the container would be worse.
        if let Ok(Some(info)) = armed.signals.read_signal() {
            target.forward(child, &info);
        }
    }
}

/// Becomes `program`; returns only on failure. Without an environment it keeps this
/// process's own, as it was found.
pub(crate) fn become_program(
    file: &Path,
    argv: &[OsString],
    environment: Option<Vec<(OsString, OsString)>>,
) -> Error {
    use std::os::unix::process::CommandExt;

    let (name, arguments) = argv.split_first().expect("the caller gives a program");
    let mut command = std::process::Command::new(file);
    command.arg0(name).args(arguments);
    if let Some(environment) = environment {
        command.env_clear().envs(environment);
    }
    not_started(file, errno_of(&command.exec()))
}

fn errno_of(err: &std::io::Error) -> Errno {
    err.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw)
}

/// The whole of `posix_spawn` is one call: the group exists and the mask is as it was
/// found when it returns, and exec's failure comes back as its result.
fn spawn(armed: &Armed, program: &Program, target: Target) -> Result<rustix::process::Pid, Error> {
    let attributes = || -> nix::Result<PosixSpawnAttr> {
        let mut attributes = PosixSpawnAttr::init()?;
        let mut flags =
            PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF;
        attributes.set_sigmask(&armed.before)?;
        // Rust's own start-up ignores SIGPIPE, and exec would pass that on.
        attributes.set_sigdefault(&SigSet::from(Signal::SIGPIPE))?;
        if target.own_group() {
            attributes.set_pgroup(nix::unistd::Pid::from_raw(0))?;
            flags |= PosixSpawnFlags::POSIX_SPAWN_SETPGROUP;
        }
        attributes.set_flags(flags)?;
        Ok(attributes)
    };
    let attributes =
        attributes().map_err(|errno| InitFault::system("prepare the program's start", errno))?;
    let actions = PosixSpawnFileActions::init()
        .map_err(|errno| InitFault::system("prepare the program's start", errno))?;
    let argv = program
        .argv
        .iter()
        .map(|word| c_string(word.as_bytes()))
        .collect::<Result<Vec<_>, _>>()?;
    let environment = program
        .environment
        .iter()
        .map(|(name, value)| c_string(&[name.as_bytes(), b"=", value.as_bytes()].concat()))
        .collect::<Result<Vec<_>, _>>()?;
    let pid = posix_spawn(
        program.file.as_path(),
        &actions,
        &attributes,
        &argv,
        &environment,
    )
    .map_err(|errno| not_started(&program.file, errno))?;
    rustix::process::Pid::from_raw(pid.as_raw())
        .ok_or_else(|| InitFault::system("start the program", Errno::ESRCH))
}

/// Reaps everything that has ended; the program's status when it is among them.
fn reap(child: rustix::process::Pid) -> Option<WaitStatus> {
    let mut end = None;
    // SIGCHLD does not queue: one signal may stand for many ends.
    while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
        if pid == child {
            end = Some(status);
        }
    }
    end
}

fn exit_code(status: WaitStatus) -> u8 {
    let code = status
        .exit_status()
        .or_else(|| status.terminating_signal().map(|signal| 128 + signal))
        .unwrap_or(255);
    u8::try_from(code).unwrap_or(255)
}

/// What exec's errno means to a person. Only the two that POSIX's shells tell apart
/// have codes of their own; being out of processes or memory is no fault of the program.
fn not_started(file: &Path, errno: Errno) -> Error {
    let program = file.display().to_string();
    match errno {
        Errno::ENOENT if file.exists() => InitFault::InterpreterNotFound { program }.into(),
        Errno::ENOENT => InitFault::NotFound { program }.into(),
        Errno::E2BIG => InitFault::TooLarge { program }.into(),
        Errno::EAGAIN | Errno::ENOMEM | Errno::ENFILE | Errno::EMFILE => {
            InitFault::system("start the program", errno)
        }
        errno => {
            Error::from(InitFault::NotExecutable { program }).because(errno.desc().to_lowercase())
        }
    }
}

fn c_string(bytes: &[u8]) -> Result<CString, Error> {
    // The kernel ends argv and environment at the NUL, settings and documents refuse it:
    // a last look, where a panic would end the container.
    CString::new(bytes).map_err(|err| {
        let word = OsString::from_vec(err.into_vec());
        InitFault::NulByte { length: word.len() }.into()
    })
}
