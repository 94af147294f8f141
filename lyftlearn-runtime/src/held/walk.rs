//! The way to a directory: a component at a time where a link is on it, because a link that
//! somebody else can have put there leads wherever they want.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path};

use rustix::fs::{self, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Uid};
use rustix::io::Errno;

#[cfg(feature = "cli")]
use super::Directory;
use super::Owner;

/// As many links as the kernel follows.
const LINKS: usize = 40;

const ON_THE_WAY: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens the directory at `path`.
pub(super) fn open(path: &Path) -> io::Result<OwnedFd> {
    if !path.is_absolute() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // One call if no link is on the way, which is the usual case.
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match fs::openat2(CWD, path, super::DIRECTORY, Mode::empty(), resolve) {
        Ok(file) => Ok(file),
        // A link, or a kernel or a sandbox without this call.
        Err(Errno::LOOP | Errno::NOTDIR | Errno::NOSYS | Errno::PERM | Errno::INVAL) => {
            walk(path, None)
        }
        Err(errno) => Err(errno.into()),
    }
}

/// Creates the missing directories of `path`, with mode 0755 and the owner `owner`, and opens the
/// last.
#[cfg(feature = "cli")]
pub(crate) fn make_missing(path: &Path, owner: Owner) -> io::Result<Directory> {
    Ok(Directory::of(walk(path, Some(owner))?, path, Some(owner)))
}

/// The same, and gives the last one to that user even if it was there.
#[cfg(feature = "cli")]
pub(crate) fn make(path: &Path, owner: Owner) -> io::Result<Directory> {
    let directory = make_missing(path, owner)?;
    directory.give(&directory)?;
    Ok(directory)
}

fn walk(path: &Path, missing: Option<Owner>) -> io::Result<OwnedFd> {
    let mut at = fs::openat(CWD, "/", ON_THE_WAY | OFlags::DIRECTORY, Mode::empty())?;
    let mut left: Vec<OsString> = reversed(path);
    let mut links = 0;
    while let Some(name) = left.pop() {
        let found = match fs::openat(&at, &name, ON_THE_WAY, Mode::empty()) {
            Err(Errno::NOENT) => {
                let owner = missing.ok_or(Errno::NOENT)?;
                fs::mkdirat(&at, &name, Mode::from_raw_mode(0o755))?;
                let flags = super::DIRECTORY;
                let made = fs::openat(&at, &name, flags, Mode::empty())?;
                give(&made, owner)?;
                made
            }
            found => found?,
        };
        let stat = fs::fstat(&found)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => at = found,
            FileType::Symlink => {
                links += 1;
                if links > LINKS {
                    return Err(Errno::LOOP.into());
                }
                // A user that can change a directory can put a link into it.
                if !ours(&stat) || !is_safe(&fs::fstat(&at)?) {
                    return Err(Errno::ACCESS.into());
                }
                let target = fs::readlinkat(&at, &name, Vec::new())?;
                let target = OsString::from_vec(target.into_bytes());
                let target = Path::new(&target);
                if target.is_absolute() {
                    at = fs::openat(CWD, "/", ON_THE_WAY | OFlags::DIRECTORY, Mode::empty())?;
                }
                left.extend(reversed(target));
            }
            _ => return Err(Errno::NOTDIR.into()),
        }
    }
    Ok(fs::openat(&at, ".", super::DIRECTORY, Mode::empty())?)
}

fn reversed(path: &Path) -> Vec<OsString> {
    let named = path.components().filter_map(|component| match component {
        Component::Normal(_) | Component::ParentDir => Some(component.as_os_str().to_owned()),
        _ => None,
    });
    let mut named: Vec<_> = named.collect();
    named.reverse();
    named
}

fn ours(stat: &Stat) -> bool {
    stat.st_uid == 0 || stat.st_uid == rustix::process::geteuid().as_raw()
}

/// Whether only root and this user can put a link into this directory or replace one.
fn is_safe(directory: &Stat) -> bool {
    let open_to_others = directory.st_mode & 0o022 != 0;
    let sticky = directory.st_mode & 0o1000 != 0;
    ours(directory) && (!open_to_others || sticky)
}

fn give(file: &OwnedFd, Owner { uid, gid }: Owner) -> io::Result<()> {
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(gid));
    Ok(fs::fchown(file, Some(user), Some(group))?)
}
