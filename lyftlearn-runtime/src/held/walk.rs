//! The way to a directory or a file: a component at a time where a link is on it, because a link
//! that somebody else can have put there leads wherever they want.

use std::ffi::OsString;
use std::fs::File;
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

/// Without O_NONBLOCK, opening a FIFO waits for a writer that may never come.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Opens the directory at `path`.
pub(super) fn open(path: &Path) -> io::Result<OwnedFd> {
    reach(path, super::DIRECTORY).map_err(|err| {
        if is_refused_link(&err) {
            io::ErrorKind::PermissionDenied.into()
        } else {
            err
        }
    })
}

/// Whether a link that is not followed is why `open_to_read` or `open_to_list` has failed.
pub(crate) fn is_refused_link(err: &io::Error) -> bool {
    err.raw_os_error() == Some(Errno::LOOP.raw_os_error())
}

/// The same for a caller that tells a refused link from other failures.
pub(super) fn open_to_list(path: &Path) -> io::Result<OwnedFd> {
    reach(path, super::DIRECTORY)
}

/// Opens the absolute `path` to read it. It follows the same links as `Directory::open`, also at the
/// end of the path.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
    Ok(reach(path, FILE)?.into())
}

fn reach(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    if !path.is_absolute() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // One call if no link is on the way, which is the usual case.
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match fs::openat2(CWD, path, flags, Mode::empty(), resolve) {
        Ok(file) => Ok(file),
        // A link, or a kernel or a sandbox without this call.
        Err(Errno::LOOP | Errno::NOTDIR | Errno::NOSYS | Errno::PERM | Errno::INVAL) => {
            walk(path, flags, None)
        }
        Err(errno) => Err(errno.into()),
    }
}

/// Whether only root can change `path`: another user can write to no directory on the way and not to
/// the file. Nobody can write to a read-only mount.
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) fn only_root_changes(path: &Path) -> bool {
    path.is_absolute() && closed(path).unwrap_or(false)
}

#[cfg(all(feature = "agent", feature = "cli"))]
fn closed(path: &Path) -> io::Result<bool> {
    let is_closed = |file: &OwnedFd| {
        let stat = fs::fstat(file)?;
        let roots = stat.st_uid == 0 && stat.st_mode & 0o022 == 0;
        let mount = || Ok::<_, Errno>(fs::fstatvfs(file)?.f_flag);
        io::Result::Ok(roots || mount()?.contains(fs::StatVfsMountFlags::RDONLY))
    };
    let root = || fs::openat(CWD, "/", ON_THE_WAY | OFlags::DIRECTORY, Mode::empty());
    let mut at = root()?;
    let mut left = reversed(path);
    let mut links = 0;
    while let Some(name) = left.pop() {
        if !is_closed(&at)? {
            return Ok(false);
        }
        let found = match fs::openat(&at, &name, ON_THE_WAY, Mode::empty()) {
            // Root alone can put something there.
            Err(Errno::NOENT) => return Ok(true),
            found => found?,
        };
        if FileType::from_raw_mode(fs::fstat(&found)?.st_mode) != FileType::Symlink {
            at = found;
            continue;
        }
        links += 1;
        if links > LINKS {
            return Err(Errno::LOOP.into());
        }
        if follow(&at, &name, &mut left)? {
            at = root()?;
        }
    }
    is_closed(&at)
}

/// Adds the components of a link's target to `left`. Returns whether the target is absolute.
fn follow(at: &OwnedFd, name: &OsString, left: &mut Vec<OsString>) -> io::Result<bool> {
    let target = fs::readlinkat(at, name, Vec::new())?;
    let target = OsString::from_vec(target.into_bytes());
    let target = Path::new(&target);
    left.extend(reversed(target));
    Ok(target.is_absolute())
}

/// Creates the missing directories of `path`, with mode 0755 and the owner `owner`, and opens the
/// last.
#[cfg(feature = "cli")]
pub(crate) fn make_missing(path: &Path, owner: Owner) -> io::Result<Directory> {
    let made = walk(path, super::DIRECTORY, Some(owner))?;
    Ok(Directory::of(made, path, Some(owner)))
}

/// The same, and gives the last one to that user even if it was there.
#[cfg(feature = "cli")]
pub(crate) fn make(path: &Path, owner: Owner) -> io::Result<Directory> {
    let directory = make_missing(path, owner)?;
    directory.give(&directory)?;
    Ok(directory)
}

fn walk(path: &Path, flags: OFlags, missing: Option<Owner>) -> io::Result<OwnedFd> {
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
                    return Err(Errno::LOOP.into());
                }
                if follow(&at, &name, &mut left)? {
                    at = fs::openat(CWD, "/", ON_THE_WAY | OFlags::DIRECTORY, Mode::empty())?;
                }
            }
            // If a link has been put in its place, this fails.
            _ if left.is_empty() && !flags.contains(OFlags::DIRECTORY) => {
                return Ok(fs::openat(&at, &name, flags, Mode::empty())?);
            }
            _ => return Err(Errno::NOTDIR.into()),
        }
    }
    let flags = flags.difference(OFlags::NOFOLLOW) | OFlags::DIRECTORY;
    Ok(fs::openat(&at, ".", flags, Mode::empty())?)
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
