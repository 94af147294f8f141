//! Starting processes in one call: `posix_spawn` makes the group and restores the mask,
//! and exec's failure is its result.
#![expect(
    unsafe_code,
    reason = "a working directory for the new process: nix has no form of it, and changing our own \
              back afterwards would let the program see PID 1 in its directory"
)]

use std::ffi::{CString, OsString};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn};
use nix::sys::signal::SigSet;
use rustix::process::Pid;

use super::fault::InitFault;
use super::signals;
use crate::error::Error;

/// What exec takes, in the kernel's own form.
pub(super) struct Words {
    pub(super) argv: Vec<CString>,
    pub(super) environment: Vec<CString>,
}

impl Words {
    pub(super) fn new(
        argv: &[OsString],
        environment: &[(OsString, OsString)],
    ) -> Result<Self, Error> {
        Ok(Self {
            argv: argv
                .iter()
                .map(|word| c_string(word.as_bytes()))
                .collect::<Result<_, _>>()?,
            environment: environment
                .iter()
                .map(|(name, value)| c_string(&[name.as_bytes(), b"=", value.as_bytes()].concat()))
                .collect::<Result<_, _>>()?,
        })
    }
}

/// Starts a process in a group of its own, with `mask`, in `directory` or in this process's own.
/// `files` names descriptors that it gets under another number; all others are closed on exec.
pub(super) fn spawn(
    file: &Path,
    words: &Words,
    mask: &SigSet,
    files: &[(RawFd, RawFd)],
    directory: Option<BorrowedFd<'_>>,
) -> nix::Result<Pid> {
    let mut attributes = PosixSpawnAttr::init()?;
    attributes.set_sigmask(mask)?;
    attributes.set_pgroup(nix::unistd::Pid::from_raw(0))?;
    attributes.set_flags(
        PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK | PosixSpawnFlags::POSIX_SPAWN_SETPGROUP,
    )?;
    let mut actions = PosixSpawnFileActions::init()?;
    for (ours, theirs) in files {
        actions.add_dup2(*ours, *theirs)?;
    }
    if let Some(directory) = directory {
        add_fchdir(&mut actions, directory)?;
    }
    let spawned = posix_spawn(file, &actions, &attributes, &words.argv, &words.environment);
    // It leaves 32 to 34 unblocked; those that arrived since the spawn began are lost.
    let _ = signals::block();
    Pid::from_raw(spawned?.as_raw()).ok_or(Errno::ESRCH)
}

/// The new process begins in `directory`.
fn add_fchdir(actions: &mut PosixSpawnFileActions, directory: BorrowedFd<'_>) -> nix::Result<()> {
    let actions: *mut PosixSpawnFileActions = actions;
    // SAFETY: nix declares its type `repr(transparent)` over the C library's own, which was
    // initialised by the library and is borrowed mutably for this call; the descriptor
    // outlives it, and the spawn.
    let errno = unsafe {
        libc::posix_spawn_file_actions_addfchdir_np(
            actions.cast::<libc::posix_spawn_file_actions_t>(),
            directory.as_raw_fd(),
        )
    };
    // It returns an errno, and sets none.
    if errno == 0 {
        Ok(())
    } else {
        Err(Errno::from_raw(errno))
    }
}

/// What exec's errno means to a person. Only the two that POSIX's shells tell apart
/// have codes of their own; being out of processes or memory is no fault of the program.
pub(super) fn not_started(file: &Path, errno: Errno) -> Error {
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
