//! Secrets as files: a directory laid out and replaced as a kubelet does it with a volume, so
//! that a whole set changes at once, kept in memory where that can be had.
//!
//! It may be the program's user's, and PID 1 may be root: everything is done by descriptors,
//! and no link is followed.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, CWD, Dir, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use crate::contract::{linux, secrets as words};

/// A file's name, and what it holds.
pub(crate) type Files<'a> = [(&'a str, &'a [u8])];

/// The magic numbers of statfs(2) for tmpfs and ramfs.
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];

/// The directory while the program runs. Dropping it removes everything.
#[derive(Debug)]
pub(crate) struct Kept {
    /// In the run directory.
    link: PathBuf,
    /// Where that leads, when it is a link.
    place: Option<PathBuf>,
}

/// Writes a set below `run`; with a problem where it can only lie on a disk.
pub(crate) fn keep(
    run: &Path,
    files: &Files<'_>,
    owner: Option<(u32, u32)>,
) -> io::Result<(Kept, Option<String>)> {
    let link = run.join(words::DIRECTORY);
    forget(&link)?;
    let mut kept = Kept {
        link: link.clone(),
        place: None,
    };
    let mut problem = None;
    if !in_memory(run)? {
        let place = in_memory(Path::new(linux::SHM))
            .unwrap_or(false)
            .then(|| nix::unistd::mkdtemp(&Path::new(linux::SHM).join("lyftlearn-secrets-XXXXXX")));
        match place {
            Some(Ok(place)) => kept.place = Some(place),
            _ => {
                problem = Some(format!(
                    "secrets lie on a disk, in {}: neither it nor {} is in memory",
                    run.display(),
                    linux::SHM
                ));
            }
        }
    }
    let directory = match &kept.place {
        Some(place) => {
            std::os::unix::fs::symlink(place, &link)?;
            place
        }
        None => {
            fs::mkdirat(CWD, &link, Mode::RWXU)?;
            &link
        }
    };
    let directory = open(CWD, directory)?;
    give(&directory, owner)?;
    write_set(&directory, files, owner)?;
    Ok((kept, problem))
}

/// Replaces the set below `run` as a whole.
#[cfg(feature = "agent")]
pub(crate) fn replace(run: &Path, files: &Files<'_>, owner: (u32, u32)) -> io::Result<()> {
    let link = run.join(words::DIRECTORY);
    let place = std::fs::read_link(&link).unwrap_or(link);
    let directory = open(CWD, &place)?;
    // What somebody else has put in its place is none of ours.
    if fs::fstat(&directory)?.st_uid != owner.0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    write_set(&directory, files, Some(owner))
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Whatever stays is below a private directory.
        let _ = forget(&self.link);
        if let Some(place) = &self.place {
            let _ = std::fs::remove_dir_all(place);
        }
    }
}

/// Removes what an earlier start has left, or this one leaves.
fn forget(link: &Path) -> io::Result<()> {
    match link.symlink_metadata() {
        Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(link),
        Ok(_) => std::fs::remove_file(link),
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(err) => Err(err),
    }
}

fn in_memory(path: &Path) -> io::Result<bool> {
    Ok(IN_MEMORY.contains(&fs::statfs(path)?.f_type))
}

fn write_set(directory: &OwnedFd, files: &Files<'_>, owner: Option<(u32, u32)>) -> io::Result<()> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let set = format!("..{}.{:09}", now.tv_sec, now.tv_nsec);
    fs::mkdirat(directory, &set, Mode::RWXU)?;
    let within = open(directory, Path::new(&set))?;
    for (name, bytes) in files {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let file = fs::openat(&within, *name, flags | OFlags::CLOEXEC, Mode::RUSR)?;
        give(&file, owner)?;
        File::from(file).write_all(bytes)?;
    }
    give(&within, owner)?;
    let before = fs::readlinkat(directory, words::CURRENT, Vec::new()).ok();
    let draft = format!("{}_tmp", words::CURRENT);
    let _ = fs::unlinkat(directory, &draft, AtFlags::empty());
    fs::symlinkat(&set, directory, &draft)?;
    fs::renameat(directory, &draft, directory, words::CURRENT)?;
    for (name, _) in files.iter().filter(|(name, _)| !name.starts_with('.')) {
        let target = format!("{}/{name}", words::CURRENT);
        match fs::symlinkat(target, directory, *name) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(err) => return Err(err.into()),
        }
    }
    // What is not ours to name by `..` is not ours to remove.
    let before = before.as_deref().and_then(|before| before.to_str().ok());
    if let Some(before) = before.filter(|before| before.starts_with("..") && !before.contains('/'))
    {
        remove_set(directory, before)?;
    }
    Ok(())
}

fn remove_set(directory: &OwnedFd, set: &str) -> io::Result<()> {
    let within = open(directory, Path::new(set))?;
    for entry in Dir::read_from(&within)? {
        let entry = entry?;
        if ![c".", c".."].contains(&entry.file_name()) {
            fs::unlinkat(&within, entry.file_name(), AtFlags::empty())?;
        }
    }
    fs::unlinkat(directory, set, AtFlags::REMOVEDIR)?;
    Ok(())
}

fn open(at: impl AsFd, path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(fs::openat(at, path, flags, Mode::empty())?)
}

fn give(file: &OwnedFd, owner: Option<(u32, u32)>) -> io::Result<()> {
    let Some((user, group)) = owner else {
        return Ok(());
    };
    fs::fchown(file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))?;
    Ok(())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "what was written is read back")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{keep, open, write_set};

    fn names(directory: &std::path::Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with("..") || name == "..data")
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_set_is_replaced_as_a_whole_and_nothing_is_left_of_it() {
        let run = tempfile::tempdir().unwrap();
        let directory = run.path().join("secrets");
        let (kept, _) = keep(run.path(), &[(".all.json", b"{}"), ("db", b"one")], None).unwrap();
        assert_eq!(std::fs::read(directory.join("db")).unwrap(), b"one");
        let mode = std::fs::metadata(directory.join("db"))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o400);
        assert_eq!(names(&directory), ["..data", "db"]);

        let real = directory.canonicalize().unwrap();
        let opened = open(rustix::fs::CWD, &real).unwrap();
        write_set(&opened, &[(".all.json", b"{}"), ("db", b"two")], None).unwrap();
        assert_eq!(std::fs::read(directory.join("db")).unwrap(), b"two");
        // The link, the name and the one set that counts.
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 3);
        drop(kept);
        assert!(!real.exists() && std::fs::read_dir(run.path()).unwrap().count() == 0);
    }

    #[test]
    fn a_link_that_is_in_the_way_is_removed_and_not_followed() {
        let run = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::fs::write(elsewhere.path().join("mine"), "").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), run.path().join("secrets")).unwrap();
        drop(keep(run.path(), &[("db", b"one")], None).unwrap());
        assert_eq!(names(elsewhere.path()), ["mine"]);
    }
}
