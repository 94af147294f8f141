//! Starts the program, by way of the second stage where a terminal or another user needs one.

use std::ffi::OsString;
use std::path::PathBuf;

use nix::errno::Errno;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use rustix::process::Pid;

use super::agent::Agent;
use super::fault::InitFault;
use super::spawn::{self, Words};
use super::stage::{self, Stage, User};
use super::stage_report::ReportPipe;
use super::{Armed, is_pid_one, own_path};
use crate::error::Error;

/// A program to become or to start.
pub(crate) struct Program {
    /// The file to execute: a path, found where a shell would have found it.
    pub(crate) file: PathBuf,
    pub(crate) argv: Vec<OsString>,
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// The account under which it runs, if it is not the account of this process.
    pub(crate) user: Option<User>,
}

/// Whether this process may hand the terminal over: only the foreground process group may.
fn foreground() -> bool {
    stage::terminal().is_some_and(|terminal| {
        match rustix::termios::tcgetpgrp(terminal) {
            Ok(group) => group == rustix::process::getpgrp(),
            // The foreground group is outside this PID namespace, as is any process in it.
            Err(_) => is_pid_one(),
        }
    })
}

/// The program's process, and where its second stage reports, if there is one.
pub(super) fn start(armed: &Armed, program: &Program) -> Result<(Pid, Option<ReportPipe>), Error> {
    let terminal = foreground();
    let needed = terminal || program.user.is_some();
    let mut mask = armed.before;
    let mut report = None;
    let (file, words) = match own_path().filter(|_| needed) {
        Some(own) => {
            report = ReportPipe::new();
            let stage = Stage {
                terminal,
                held: stage::hold_stops(&mut mask),
                user: program.user.clone(),
                report: report.as_ref().and_then(ReportPipe::path),
            };
            let argv = stage.words(&program.file, &program.argv);
            (own, Words::new(&argv, &program.environment)?)
        }
        None if program.user.is_some() => return Err(InitFault::NotAgain.into()),
        None => (
            program.file.clone(),
            Words::new(&program.argv, &program.environment)?,
        ),
    };
    // The program's from its first moment on: it may unmount it, or move it away.
    let directory = WorkingDirectory::leave();
    let mut child = spawn::spawn(&file, &words, &mask, &[], directory.fd());
    if child.is_err() {
        directory.enter();
    }
    if child == Err(Errno::EMFILE) {
        // Without a descriptor for it, it is left once the program is there.
        child = spawn::spawn(&file, &words, &mask, &[], None);
    }
    let child = child.map_err(|errno| spawn::not_started(&program.file, errno))?;
    Ok((child, report))
}

/// The directory that this process was started in.
struct WorkingDirectory(Option<OwnedFd>);

impl WorkingDirectory {
    /// Goes to the root, unless the way back is not to be had.
    fn leave() -> Self {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(".", flags, Mode::empty()).ok();
        Self(directory.filter(|_| rustix::process::chdir("/").is_ok()))
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(AsFd::as_fd)
    }

    fn enter(self) {
        if let Some(directory) = self.0 {
            let _ = rustix::process::fchdir(directory);
        }
    }
}

/// Gives up what belongs to the program now: files whose last reader waits for the last writer to
/// close them, and a working directory that could not be left before.
pub(super) fn let_go(agent: Option<&Agent>, kept: &[i32], report: Option<i32>) {
    let _ = rustix::process::chdir("/");
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::DIRECTORY;
    let Ok(directory) = rustix::fs::open("/proc/self/fd", flags, Mode::empty()) else {
        return;
    };
    let mut open = Vec::new();
    let mut buffer = Vec::with_capacity(2048);
    let mut entries = rustix::fs::RawDir::new(&directory, buffer.spare_capacity_mut());
    while let Some(Ok(entry)) = entries.next() {
        let number = entry
            .file_name()
            .to_str()
            .ok()
            .and_then(|name| name.parse::<i32>().ok());
        open.extend(number);
    }
    let own = directory.as_raw_fd();
    let ours = |number: i32| {
        number <= 2
            || number == own
            || kept.contains(&number)
            || report == Some(number)
            || agent.is_some_and(|agent| agent.files().any(|file| file == number))
    };
    for number in open {
        if !ours(number) {
            let _ = nix::unistd::close(number);
        }
    }
}
