//! The second stage: work between the spawn and the program, in a process that then becomes the
//! program. It is needed only for a terminal or another user.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use nix::unistd::{Gid, Uid, execve, getresgid, getresuid, setgroups, setresgid, setresuid};
use rustix::fd::{BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::fault::InitFault;
use super::spawn::{self, Words};
use super::stage_report::ReportPath;
use crate::error::Error;

/// The word by which this binary knows that it is the second stage.
pub(crate) const STAGE_ARGUMENT: &str = "--second-stage";

/// What the second stage has to do.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stage {
    /// Take the terminal.
    pub(crate) terminal: bool,
    /// Blocked until this stage is there, and to be unblocked by it.
    pub(crate) held: Vec<i32>,
    /// Become this user.
    pub(crate) user: Option<User>,
    /// Where to say why it did not work.
    pub(crate) report: Option<ReportPath>,
}

impl Stage {
    /// Its argv: itself, then the program's file and argv. Not in the environment, which
    /// is the program's.
    pub(super) fn words(&self, file: &Path, argv: &[OsString]) -> Vec<OsString> {
        let itself = serde_json::to_string(self).expect("plain data has no failure to report");
        let ours = [
            "lyftlearn-runtime".into(),
            STAGE_ARGUMENT.into(),
            itself.into(),
        ];
        ours.into_iter()
            .chain([file.as_os_str().to_owned()])
            .chain(argv.iter().cloned())
            .collect()
    }
}

/// What a terminal stops processes with.
const STOPS: [Signal; 3] = [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU];

/// Blocks the terminal's stop signals in a process on its way to this stage, if `mask` does not.
/// Until the process has a group of its own, Ctrl-Z reaches it as well, and its parent waits for
/// its exec and could neither notice the stop nor continue it.
pub(super) fn hold_stops(mask: &mut SigSet) -> Vec<i32> {
    let held = STOPS.into_iter().filter(|stop| !mask.contains(*stop));
    let held: Vec<Signal> = held.collect();
    mask.extend(held.iter().copied());
    held.into_iter().map(|stop| stop as i32).collect()
}

/// One that came meanwhile stops this process here, where it can be continued.
pub(crate) fn let_stops_come(held: &[i32]) {
    let held: SigSet = held
        .iter()
        .filter_map(|stop| Signal::try_from(*stop).ok())
        .collect();
    let _ = held.thread_unblock();
}

/// The account under which the program runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Supplementary groups.
    pub(crate) groups: Vec<u32>,
}

/// The terminal among the standard streams, input first.
pub(super) fn terminal() -> Option<BorrowedFd<'static>> {
    [
        rustix::stdio::stdin(),
        rustix::stdio::stdout(),
        rustix::stdio::stderr(),
    ]
    .into_iter()
    .find(|stream| rustix::termios::isatty(stream))
}

/// The terminal of this session, whether or not a standard stream is one.
pub(super) fn controlling() -> Option<OwnedFd> {
    let stream = terminal().filter(|stream| rustix::termios::tcgetpgrp(stream).is_ok());
    let stream = stream.and_then(|stream| rustix::io::fcntl_dupfd_cloexec(stream, 3).ok());
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    stream.or_else(|| rustix::fs::open("/dev/tty", flags, Mode::empty()).ok())
}

/// Makes this process's group the terminal's foreground group. A terminal that is not
/// ours to control stays as it is: that is no reason not to start.
pub(crate) fn take_terminal() {
    let Some(terminal) = terminal() else { return };
    // From the background the kernel answers with SIGTTOU, unless that is blocked.
    let Ok(before) = SigSet::from(Signal::SIGTTOU).thread_swap_mask(SigmaskHow::SIG_BLOCK) else {
        return;
    };
    let _ = rustix::termios::tcsetpgrp(terminal, rustix::process::getpgrp());
    let _ = before.thread_set_mask();
}

/// Becomes `user`, for good.
pub(crate) fn become_user(user: &User) -> Result<(), Error> {
    give_streams(user);
    let groups: Vec<Gid> = user.groups.iter().copied().map(Gid::from_raw).collect();
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    setgroups(&groups)
        .and_then(|()| setresgid(gid, gid, gid))
        .and_then(|()| setresuid(uid, uid, uid))
        .and_then(|()| is_only(uid, gid))
        .map_err(|errno| {
            Error::from(InitFault::User {
                uid: user.uid,
                gid: user.gid,
            })
            .because(errno.desc().to_lowercase())
        })
}

/// The kernel reads one number as "unchanged", and a sandbox may read any number differently, so
/// the result is checked. This user does not keep capabilities that an engine made inheritable.
fn is_only(uid: Uid, gid: Gid) -> nix::Result<()> {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

    let (users, groups) = (getresuid()?, getresgid()?);
    let become_it = [users.real, users.effective, users.saved] == [uid; 3]
        && [groups.real, groups.effective, groups.saved] == [gid; 3];
    if !become_it {
        return Err(Errno::EPERM);
    }
    let none = CapabilitySet::empty();
    // Root of this container's own stays root.
    if !uid.is_root() {
        let none = CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        };
        // A sandbox that refuses even to give them up has none to give.
        let _ = set_capabilities(None, none);
    }
    Ok(())
}

/// A pipe or a terminal that an engine made for root could be written to and not opened
/// again, as `/dev/stdout` is by many. Engines do the same for the user that they start.
fn give_streams(user: &User) {
    for stream in [
        rustix::stdio::stdin(),
        rustix::stdio::stdout(),
        rustix::stdio::stderr(),
    ] {
        let Ok(meta) = rustix::fs::fstat(stream) else {
            continue;
        };
        let kind = rustix::fs::FileType::from_raw_mode(meta.st_mode);
        let made_for_us = matches!(
            kind,
            rustix::fs::FileType::Fifo | rustix::fs::FileType::Socket
        ) || rustix::termios::isatty(stream);
        if made_for_us {
            let owner = rustix::fs::Uid::from_raw(user.uid);
            let _ = rustix::fs::fchown(stream, Some(owner), None);
        }
    }
}

/// Becomes `program`; returns only on failure. Order of the environment, descriptors,
/// mask and dispositions are as they were found.
pub(crate) fn become_program(
    file: &Path,
    argv: &[OsString],
    environment: &[(OsString, OsString)],
) -> Error {
    let words = match Words::new(argv, environment) {
        Ok(words) => words,
        Err(error) => return error,
    };
    let Ok(path) = CString::new(file.as_os_str().as_bytes()) else {
        return spawn::not_started(file, Errno::ENOENT);
    };
    let Err(errno) = execve(&path, &words.argv, &words.environment);
    spawn::not_started(file, errno)
}
