//! A process that may have a run directory, looked at through one descriptor: another process may
//! get its number meanwhile.

use std::os::fd::OwnedFd;
#[cfg(feature = "cli")]
use std::path::Path;

use rustix::fs::{self, AtFlags, CWD, Dir, Mode, OFlags};

#[cfg(feature = "cli")]
use crate::contract::limits;
use crate::held::Directory;

pub(super) struct Holder {
    process: OwnedFd,
    pid: u32,
}

impl Holder {
    pub(super) fn of(pid: u32) -> Option<Self> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let process = fs::openat(CWD, format!("/proc/{pid}"), flags, Mode::empty()).ok()?;
        Some(Self { process, pid })
    }

    /// Its user; root for a process that other processes of its user may not look into.
    pub(super) fn user(&self) -> Option<u32> {
        Some(fs::fstat(&self.process).ok()?.st_uid)
    }

    /// Whether the process has this directory open, and is PID 1 or root's: another user may write
    /// any note.
    pub(super) fn has(&self, directory: &Directory) -> bool {
        let Ok(stat) = directory.stat() else {
            return false;
        };
        let Some(files) = self.open("fd", OFlags::DIRECTORY) else {
            return false;
        };
        let Ok(numbers) = Dir::read_from(&files) else {
            return false;
        };
        let is_it = |number: &std::ffi::CStr| {
            fs::statat(&files, number, AtFlags::empty())
                .is_ok_and(|file| (file.st_dev, file.st_ino) == (stat.st_dev, stat.st_ino))
        };
        (self.pid == 1 || self.user() == Some(0))
            && numbers.flatten().any(|number| is_it(number.file_name()))
    }

    /// Whether it is a `run` of this product, and not one of its helper processes, which have that
    /// directory open as well.
    #[cfg(feature = "cli")]
    pub(super) fn is_run(&self) -> bool {
        use std::os::unix::ffi::OsStrExt;

        let Ok(link) = fs::readlinkat(&self.process, "exe", Vec::new()) else {
            return false;
        };
        let named = Path::new(std::ffi::OsStr::from_bytes(link.to_bytes())).file_name();
        let identity = |directory: &OwnedFd, link: &str| {
            let stat = fs::statat(directory, link, AtFlags::empty()).ok()?;
            Some((stat.st_dev, stat.st_ino))
        };
        let own = Self::of(std::process::id());
        let own = own.and_then(|own| identity(&own.process, "exe"));
        let is_ours = named.is_some_and(|name| name == "lyftlearn-runtime")
            || own.is_some() && own == identity(&self.process, "exe");
        let line = self.read("cmdline", limits::KERNEL_FILE_BYTES);
        let line = line.unwrap_or_default();
        is_ours && line.split(|byte| *byte == 0).nth(1) == Some(b"run")
    }

    /// A file of it that the kernel writes.
    #[cfg(feature = "cli")]
    pub(super) fn read(&self, name: &str, limit: u64) -> Option<Vec<u8>> {
        use std::io::Read;

        let mut bytes = Vec::new();
        let file = std::fs::File::from(self.open(name, OFlags::empty())?);
        file.take(limit).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Its children, if it has one thread, as PID 1 has.
    #[cfg(feature = "cli")]
    pub(super) fn children(&self) -> Vec<Self> {
        let name = format!("task/{}/children", self.pid);
        let children = self.read(&name, limits::KERNEL_FILE_BYTES);
        let children = String::from_utf8(children.unwrap_or_default()).unwrap_or_default();
        let numbers = children.split_ascii_whitespace();
        numbers
            .filter_map(|number| Self::of(number.parse().ok()?))
            .collect()
    }

    fn open(&self, name: &str, flags: OFlags) -> Option<OwnedFd> {
        let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC;
        fs::openat(&self.process, name, flags, Mode::empty()).ok()
    }
}
