//! Files and directories in `/dev/shm`, which containers of a pod share and which outlives them. Each
//! is locked (flock(2)) for as long as its process lives, so a later start can tell which of them a
//! process has left behind that was killed.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use rustix::fs::{self, AtFlags, FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::{Directory, is_unique, unique};

/// Names that one start looks at. Other users may make any number.
const LOOKS: usize = 1024;

/// Retries with another name, each time that a start of another container takes a new file for one
/// that was left behind.
const TRIES: usize = 8;

/// In a directory that a process has left to the program that it has become: a lock cannot be left.
const LEFT_ON_PURPOSE: &str = "..kept";

impl Directory {
    /// A new file under an unguessable name with this prefix, which only its owner may read, and its
    /// name. It is locked while it is open. Others with this prefix that were left behind are removed.
    pub(crate) fn new_shared_file(&self, prefix: &str) -> io::Result<(File, String)> {
        self.remove_left_behind(prefix);
        let make = || {
            let name = unique(prefix)?;
            let file = self.new_file_once(&name, Mode::RUSR | Mode::WUSR)?;
            Ok((file, name))
        };
        locked(make, |(file, _)| file)
    }

    /// The same with a directory.
    #[cfg(feature = "cli")]
    pub(crate) fn make_shared(&self, prefix: &str) -> io::Result<Self> {
        self.remove_left_behind(prefix);
        locked(|| self.make(&unique(prefix)?), |directory| directory)
    }

    /// Makes such a directory stay when nothing has it open any more.
    #[cfg(feature = "cli")]
    pub(crate) fn leave_behind(&self) -> io::Result<()> {
        self.new_file_once(LEFT_ON_PURPOSE, Mode::RUSR).map(drop)
    }

    /// Removes those of the program's user, or of this process's, that no process has open.
    fn remove_left_behind(&self, prefix: &str) {
        let names = self.names().unwrap_or_default().into_iter();
        let names = names.filter(|name| is_unique(name, prefix));
        for name in names.take(LOOKS) {
            // If it cannot be removed, the next start tries again.
            let _ = self.remove_if_left_behind(&name);
        }
    }

    fn remove_if_left_behind(&self, name: &OsStr) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = fs::openat(self, name, flags, Mode::empty())?;
        let stat = fs::fstat(&file)?;
        let own = rustix::process::geteuid().as_raw();
        if stat.st_uid != own && self.owner.is_none_or(|owner| owner.uid != stat.st_uid) {
            return Ok(());
        }
        // One error is that a process holds the lock, another that this file system has no locks.
        fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => self.remove(name),
            FileType::Directory if !is_left_on_purpose(&file) => {
                let directory = Self::of(file, &self.path.join(name), self.owner);
                directory.clear()?;
                Ok(fs::unlinkat(self, name, AtFlags::REMOVEDIR)?)
            }
            _ => Ok(()),
        }
    }
}

fn is_left_on_purpose(directory: impl AsFd) -> bool {
    fs::statat(directory, LEFT_ON_PURPOSE, AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

/// Makes a file or a directory, and locks it. Between both steps it looks left behind.
fn locked<T, F: AsFd>(
    mut make: impl FnMut() -> io::Result<T>,
    file: impl Fn(&T) -> &F,
) -> io::Result<T> {
    for _ in 0..TRIES {
        let made = make()?;
        let locked = fs::flock(file(&made), FlockOperation::NonBlockingLockExclusive);
        // A start that has found it holds the lock, or has removed it already. Without locks nothing
        // is removed.
        if locked != Err(Errno::WOULDBLOCK) && fs::fstat(file(&made))?.st_nlink > 0 {
            return Ok(made);
        }
    }
    Err(io::ErrorKind::WouldBlock.into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::lchown;
    use std::path::Path;

    use super::Directory;

    const PREFIX: &str = "lyftlearn-secrets-";

    fn opened(place: &Path) -> Directory {
        Directory::open(place, None).unwrap()
    }

    /// What the start of another container leaves.
    #[track_caller]
    fn check_left(place: &Path, expected: &[&Directory]) {
        let another = opened(place).make_shared(PREFIX).unwrap();
        let name = another.path().file_name().unwrap();
        opened(place).remove_all(name).unwrap();
        let mut expected: Vec<_> = expected.iter().map(|one| one.path().file_name()).collect();
        expected.sort_unstable();
        let left = opened(place).names().unwrap();
        let left: Vec<_> = left.iter().map(|name| Some(name.as_os_str())).collect();
        assert_eq!(left, expected);
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_in_use_stays() {
        let place = tempfile::tempdir().unwrap();
        let shared = opened(place.path());
        let first = shared.make_shared(PREFIX).unwrap();
        let (file, _) = shared.new_shared_file(PREFIX).unwrap();
        let second = shared.make_shared(PREFIX).unwrap();
        for directory in [&first, &second] {
            directory
                .make("..1.000000000")
                .unwrap()
                .write("db", b"pw")
                .unwrap();
        }
        assert_eq!(shared.names().unwrap().len(), 3);
        drop((file, first));
        check_left(place.path(), &[&second]);
        second.leave_behind().unwrap();
        let name = second.path().to_owned();
        drop(second);
        check_left(place.path(), &[&opened(&name)]);
    }

    #[test]
    fn only_names_of_this_product_are_removed_and_only_those_of_the_users() {
        let place = tempfile::tempdir().unwrap();
        let names = [
            "lyftlearn-secrets-mine",
            "lyftlearn-secrets-",
            "of-another-product",
        ];
        let mut left: Vec<_> = names.map(|name| place.path().join(name)).into();
        if rustix::process::geteuid().is_root() {
            left.push(place.path().join("lyftlearn-secrets-abcdefghijkl"));
        }
        for path in &left {
            fs::create_dir(path).unwrap();
            let _ = lchown(path, Some(2000), None);
        }
        std::os::unix::fs::symlink("/", place.path().join("lyftlearn-secrets-lllllllllllm"))
            .unwrap();
        left.push(place.path().join("lyftlearn-secrets-lllllllllllm"));
        drop(opened(place.path()).make_shared(PREFIX).unwrap());
        for path in left {
            assert!(path.symlink_metadata().is_ok(), "{}", path.display());
        }
    }
}
