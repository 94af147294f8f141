//! Secrets as files: a directory laid out and replaced as a kubelet does it with a volume, so
//! that a whole set changes at once, kept in memory where that can be had.
//!
//! It is the program's user's, and PID 1 may be root: everything is done by descriptors, no link
//! is followed, and only names of the form that is given here are believed.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::Mode;

use crate::contract::{limits, linux, secrets as words};
use crate::held::{Directory, is_unique};

/// A file's name, and what it holds.
pub(crate) type Files<'a> = [(&'a str, &'a [u8])];

/// The magic numbers of statfs(2) for tmpfs and ramfs.
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];

/// The directory while the program runs. Dropping it removes everything.
#[derive(Debug)]
pub(crate) struct Kept {
    run: Directory,
    /// The one in `/dev/shm`, if it is there. It is locked while it is open.
    place: Option<Directory>,
}

impl Kept {
    /// The descriptor that has to stay open while the program runs.
    pub(crate) fn lock(&self) -> Option<Arc<OwnedFd>> {
        self.place.as_ref().map(Directory::file)
    }

    /// Leaves everything to the program that this process becomes.
    pub(crate) fn leave(self) {
        // Without the mark, a start of another container takes it for one of a killed process.
        let _ = self.place.as_ref().map(Directory::leave_behind);
        std::mem::forget(self);
    }
}

/// Writes a set into `run`; with a problem where it can only lie on a disk.
pub(crate) fn keep(run: &Directory, files: &Files<'_>) -> io::Result<(Kept, Option<String>)> {
    // An earlier start's, which no PID 1 has taken away.
    run.remove_all(words::DIRECTORY)?;
    let mut kept = Kept {
        run: run.clone(),
        place: None,
    };
    let mut problem = None;
    let mut elsewhere = None;
    if !in_memory(run)? {
        match in_shared_memory(run) {
            Some(directory) => {
                kept.place = Some(directory.clone());
                elsewhere = Some(directory);
            }
            None => {
                problem = Some(format!(
                    "secrets are on a disk, in {}: neither it nor {} is in memory",
                    run.path().display(),
                    linux::SHM
                ));
            }
        }
    }
    let directory = match elsewhere {
        Some(directory) => {
            run.link(directory.path(), words::DIRECTORY)?;
            directory
        }
        None => run.make(words::DIRECTORY)?,
    };
    write_set(&directory, files)?;
    Ok((kept, problem))
}

/// A directory of our own in `/dev/shm`, where that is in memory.
fn in_shared_memory(run: &Directory) -> Option<Directory> {
    let shm = Directory::open(Path::new(linux::SHM), run.owner()).ok()?;
    let in_memory = in_memory(&shm).unwrap_or(false);
    in_memory.then(|| shm.make_shared(words::ELSEWHERE).ok())?
}

/// The directory of secrets in `run`: there, or where our link leads.
fn opened(run: &Directory) -> io::Result<Directory> {
    let Some(target) = run.link_target(words::DIRECTORY) else {
        return run.below(words::DIRECTORY);
    };
    let name = target.strip_prefix(linux::SHM).ok().map(Path::as_os_str);
    let ours = name.filter(|name| is_unique(name, words::ELSEWHERE));
    let name = ours.ok_or(io::ErrorKind::PermissionDenied)?;
    Directory::open(Path::new(linux::SHM), run.owner())?.below(name)
}

/// A directory that another user has put there is not used.
fn of_the_program(directory: Directory) -> io::Result<Directory> {
    let user = directory.stat()?.st_uid;
    match directory.owner() {
        Some(owner) if owner.uid != user => Err(io::ErrorKind::PermissionDenied.into()),
        _ => Ok(directory),
    }
}

/// The document of the set that counts; `None` when there is no set.
pub(crate) fn read(run: &Directory) -> io::Result<Option<zeroize::Zeroizing<Vec<u8>>>> {
    let directory = match opened(run) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let Some(set) = current(&directory) else {
        return Ok(None);
    };
    let document = directory.read(Path::new(&set).join(words::ALL), limits::DOCUMENT_BYTES)?;
    Ok(document.map(zeroize::Zeroizing::new))
}

/// Replaces the set in `run` as a whole.
#[cfg(feature = "agent")]
pub(crate) fn replace(run: &Directory, files: &Files<'_>) -> io::Result<()> {
    write_set(&of_the_program(opened(run)?)?, files)
}

impl Drop for Kept {
    fn drop(&mut self) {
        // Whatever stays is below a private directory.
        let _ = self.run.remove_all(words::DIRECTORY);
        if let Some(place) = &self.place
            && let Some(name) = place.path().file_name()
            && let Ok(shm) = Directory::open(Path::new(linux::SHM), None)
        {
            let _ = place.clear();
            let _ = shm.remove_all(name);
        }
    }
}

fn in_memory(directory: &Directory) -> io::Result<bool> {
    Ok(IN_MEMORY.contains(&rustix::fs::fstatfs(directory)?.f_type))
}

fn write_set(directory: &Directory, files: &Files<'_>) -> io::Result<()> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let set = format!("..{}.{:09}", now.tv_sec, now.tv_nsec);
    let within = directory.make(&set)?;
    for (name, bytes) in files {
        within.new_file_once(name, Mode::RUSR)?.write_all(bytes)?;
    }
    let before = current(directory);
    let draft = format!("{}_tmp", words::CURRENT);
    let _ = directory.remove(&draft);
    directory.link(Path::new(&set), &draft)?;
    directory.rename(&draft, words::CURRENT)?;
    for (name, _) in files.iter().filter(|(name, _)| !name.starts_with('.')) {
        let target = PathBuf::from(format!("{}/{name}", words::CURRENT));
        match directory.link(&target, name) {
            Err(err) if err.kind() != io::ErrorKind::AlreadyExists => return Err(err),
            _ => {}
        }
    }
    if let Some(before) = before
        && directory.below(&before).and_then(of_the_program).is_ok()
    {
        let _ = directory.remove_all(&before);
    }
    Ok(())
}

/// The set that counts, where the link names one as it is named here: what it says may be the
/// program's word.
fn current(directory: &Directory) -> Option<String> {
    let target = directory.link_target(words::CURRENT)?;
    let target = target.to_str()?;
    is_set(target).then(|| target.to_owned())
}

/// Seconds and nanoseconds, as `write_set` writes them.
fn is_set(name: &str) -> bool {
    let numbers = name
        .strip_prefix("..")
        .and_then(|name| name.split_once('.'));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(seconds, nanoseconds)| {
        digits(seconds) && digits(nanoseconds) && nanoseconds.len() == 9
    })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "what was written is read back")]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{is_set, keep, opened, read, write_set};
    use crate::held::Directory;

    fn held(path: &std::path::Path) -> Directory {
        Directory::open(path, None).unwrap()
    }

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
        let (kept, _) = keep(&held(run.path()), &[(".all.json", b"{}"), ("db", b"one")]).unwrap();
        assert_eq!(std::fs::read(directory.join("db")).unwrap(), b"one");
        let mode = std::fs::metadata(directory.join("db"))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o400);
        assert_eq!(names(&directory), ["..data", "db"]);

        let real = directory.canonicalize().unwrap();
        let opened = opened(&held(run.path())).unwrap();
        write_set(&opened, &[(".all.json", b"[]"), ("db", b"two")]).unwrap();
        let document = read(&held(run.path())).unwrap().unwrap();
        assert_eq!(document.as_slice(), b"[]");
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
        drop(keep(&held(run.path()), &[("db", b"one")]).unwrap());
        assert_eq!(names(elsewhere.path()), ["mine"]);
    }

    #[test]
    fn only_a_set_of_ours_is_believed() {
        assert!(is_set("..12.000000345"));
        for name in [
            "..",
            "..data",
            "../etc",
            "..1.2",
            "..1.0000000000",
            "..1/2.000000000",
            "",
        ] {
            assert!(!is_set(name), "{name}");
        }
        let run = tempfile::tempdir().unwrap();
        let (_kept, _) = keep(&held(run.path()), &[(".all.json", b"{}")]).unwrap();
        let directory = opened(&held(run.path())).unwrap();
        let neighbour = directory.path().parent().unwrap().join("neighbour");
        std::fs::write(&neighbour, "").unwrap();
        directory.remove("..data").unwrap();
        directory.link("..".as_ref(), "..data").unwrap();
        write_set(&directory, &[(".all.json", b"[]")]).unwrap();
        assert!(neighbour.exists());
        std::fs::remove_file(neighbour).unwrap();
        // A link to anywhere but our own place in /dev/shm.
        let run = held(run.path());
        run.remove_all("secrets").unwrap();
        run.link("/dev/shm".as_ref(), "secrets").unwrap();
        assert!(read(&run).is_err() && opened(&run).is_err());
    }
}
