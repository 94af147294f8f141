//! One directory, read as one set although somebody replaces it meanwhile.
//!
//! Facts read by path; here every file must come from the same directory, whatever its path
//! leads to by then: one descriptor, and everything relative to it.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::fs::{fstat, openat, readlinkat, stat, statat};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};

use super::fault::{ConfigFault, Wrong};
use crate::contract::{kubernetes, limits};
use crate::error::Error;
use crate::facts::one_value;

/// How long to try to read what changes meanwhile; the kubelet changes a volume about once a
/// minute, and a look takes less than a millisecond.
const PATIENCE: Duration = Duration::from_secs(10);
/// How far below the directory a key may lie.
const DEPTH: usize = 16;
/// The kernel's clock for files ticks every 10 ms at its slowest: a file that is younger may change
/// again with the same time.
const TICK_NANOSECONDS: i128 = 20_000_000;

/// What one look found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) texts: BTreeMap<String, String>,
    pub(super) wrong: Vec<Wrong>,
    pub(super) stamp: Stamp,
}

/// By what one sees that nothing has changed, without reading.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Stamp {
    /// There is no such directory.
    #[default]
    Absent,
    /// A volume of the kubelet's: the directory, and what `..data` says. The kubelet makes
    /// a new name for each change.
    Volume { directory: Id, data: CString },
    /// Any other directory: all files of it.
    Plain { directory: Id, files: Vec<Entry> },
}

type Id = (u64, u64);

/// A file below a directory, and what changes with its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    path: PathBuf,
    id: Id,
    size: i64,
    changed: i128,
    directory: bool,
}

/// Why a read was abandoned.
enum Stop {
    /// A file has disappeared since the last look.
    Again,
    Fault(Error),
}

impl Stamp {
    /// Whether everything still is as it was when this was taken. Costs two calls for a
    /// volume, and one for each file elsewhere.
    pub(super) fn holds(&self, path: &Path) -> bool {
        match self {
            Self::Absent => matches!(stat(path), Err(err) if absent(err)),
            Self::Volume { directory, data } => {
                stat(path).is_ok_and(|stat| id(&stat) == *directory)
                    && readlinkat(CWD, path.join(kubernetes::VOLUME_DATA), Vec::new())
                        .is_ok_and(|now| now == *data)
            }
            Self::Plain { directory, files } => {
                let now = clock_gettime(ClockId::Realtime);
                let now = nanoseconds(now.tv_sec, now.tv_nsec);
                let settled = files
                    .iter()
                    .all(|file| now - file.changed > TICK_NANOSECONDS);
                settled
                    && open(CWD, path).is_ok_and(|top| {
                        id_of(&top).is_ok_and(|id| id == *directory)
                            && readlinkat(&top, kubernetes::VOLUME_DATA, Vec::new()).is_err()
                            && listing(&top, path).is_ok_and(|found| found == *files)
                    })
            }
        }
    }

    /// The directories below, where each is written to for itself.
    pub(super) fn directories(&self) -> impl Iterator<Item = &Path> {
        let files: &[Entry] = match self {
            Self::Plain { files, .. } => files,
            Self::Absent | Self::Volume { .. } => &[],
        };
        (files.iter())
            .filter(|entry| entry.directory)
            .map(|entry| entry.path.as_path())
    }
}

/// All keys of the directory at `path`, from one and the same moment. `named` is what
/// reports call it.
pub(super) fn read(path: &Path, named: &Path) -> Result<Found, Error> {
    let end = Instant::now() + PATIENCE;
    loop {
        match look(path, named) {
            Ok(found) => return Ok(found),
            Err(Stop::Fault(error)) => return Err(error),
            Err(Stop::Again) if Instant::now() < end => {}
            Err(Stop::Again) => {
                let path = named.to_owned();
                return Err(ConfigFault::Restless { path }.into());
            }
        }
    }
}

fn look(path: &Path, named: &Path) -> Result<Found, Stop> {
    let fault = |err| Stop::Fault(ConfigFault::unreadable(named, err));
    let top = match open(CWD, path) {
        Ok(top) => top,
        Err(err) if absent(err) => return Ok(Found::default()),
        Err(err) => return Err(fault(err)),
    };
    let directory = id_of(&top).map_err(fault)?;
    match readlinkat(&top, kubernetes::VOLUME_DATA, Vec::new()) {
        Ok(data) => {
            let own =
                open(&top, OsStr::from_bytes(data.as_bytes())).map_err(|err| again(err, named))?;
            let entries = listing(&own, named)?;
            // The kubelet removes the old directory after the link has changed, so while the link
            // leads here, the directory is complete. A file that is removed from now on fails to
            // open, and no file in it is written twice.
            if readlinkat(&top, kubernetes::VOLUME_DATA, Vec::new()) != Ok(data.clone())
                || leads_elsewhere(path, directory)
            {
                return Err(Stop::Again);
            }
            let mut found = texts(&own, &entries, named)?;
            found.stamp = Stamp::Volume { directory, data };
            Ok(found)
        }
        Err(Errno::NOENT | Errno::INVAL) => {
            let entries = listing(&top, named)?;
            if leads_elsewhere(path, directory) {
                return Err(Stop::Again);
            }
            let mut found = texts(&top, &entries, named)?;
            // An ordinary directory gives no guarantee, so the files must be the same before and
            // after.
            if listing(&top, named)? != entries {
                return Err(Stop::Again);
            }
            found.stamp = Stamp::Plain {
                directory,
                files: entries,
            };
            Ok(found)
        }
        Err(err) => Err(fault(err)),
    }
}

/// Whether the path is another directory by now: one that it led to may lose its files.
fn leads_elsewhere(path: &Path, directory: Id) -> bool {
    !stat(path).is_ok_and(|stat| id(&stat) == directory)
}

/// Everything below a directory except hidden files, ordered by path.
fn listing(top: &OwnedFd, named: &Path) -> Result<Vec<Entry>, Stop> {
    let mut entries = Vec::new();
    list(top.as_fd(), Path::new(""), DEPTH, &mut entries).map_err(|err| again(err, named))?;
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn list(
    directory: BorrowedFd<'_>,
    below: &Path,
    depth: usize,
    entries: &mut Vec<Entry>,
) -> rustix::io::Result<()> {
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_bytes().starts_with(b".") {
            continue;
        }
        let path = below.join(OsStr::from_bytes(name.to_bytes()));
        let is_link = entry.file_type() == FileType::Symlink;
        let stat = match statat(directory, name, AtFlags::empty()) {
            Ok(stat) => stat,
            // A link to nothing is no key; the kubelet leaves some for a moment.
            Err(err) if is_link && absent(err) => continue,
            Err(err) => return Err(err),
        };
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        // A directory behind a link may lead back here.
        if is_directory && is_link {
            continue;
        }
        if is_directory && depth > 0 {
            list(open(directory, name)?.as_fd(), &path, depth - 1, entries)?;
        }
        entries.push(Entry {
            path,
            id: id(&stat),
            size: stat.st_size,
            changed: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
            directory: is_directory,
        });
    }
    Ok(())
}

fn texts(top: &OwnedFd, entries: &[Entry], named: &Path) -> Result<Found, Stop> {
    let mut found = Found::default();
    let mut bytes = Vec::new();
    for entry in entries.iter().filter(|entry| !entry.directory) {
        let parts: Vec<_> = (entry.path.iter())
            .map(|part| part.to_string_lossy())
            .collect();
        let key = parts.join(".");
        let mut wrong = |expected| {
            found.wrong.push(Wrong {
                key: key.clone(),
                directory: named.to_owned(),
                expected,
            });
        };
        if entry.path.to_str().is_none() {
            wrong("a name in UTF-8");
            continue;
        }
        bytes.clear();
        if let Err(expected) = content(top, entry, &mut bytes, named)? {
            wrong(expected);
            continue;
        }
        let Ok(text) = std::str::from_utf8(one_value(&bytes)) else {
            wrong("UTF-8");
            continue;
        };
        if found.texts.contains_key(&key) {
            wrong("one file of this name");
        }
        found.texts.insert(key, text.to_owned());
    }
    Ok(found)
}

/// The bytes of a file, or what was expected of it.
fn content(
    top: &OwnedFd,
    entry: &Entry,
    bytes: &mut Vec<u8>,
    named: &Path,
) -> Result<Result<(), &'static str>, Stop> {
    // Without NONBLOCK, opening a FIFO waits for a writer that may never come.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let path = || named.join(&entry.path);
    let file = match openat(top, &entry.path, flags, Mode::empty()) {
        Ok(file) => file,
        // How a socket refuses.
        Err(Errno::NXIO) => return Ok(Err("a file")),
        Err(err) => return Err(again(err, &path())),
    };
    let stat = fstat(&file).map_err(|err| again(err, &path()))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Ok(Err("a file"));
    }
    File::from(file)
        .take(limits::LIVE_VALUE_BYTES + 1)
        .read_to_end(bytes)
        .map_err(|err| again(Errno::from_io_error(&err).unwrap_or(Errno::IO), &path()))?;
    if bytes.len() as u64 > limits::LIVE_VALUE_BYTES {
        return Ok(Err("at most 1 MiB"));
    }
    Ok(Ok(()))
}

fn open(at: impl AsFd, path: impl rustix::path::Arg) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(at, path, flags, Mode::empty())
}

fn again(err: Errno, path: &Path) -> Stop {
    if absent(err) {
        Stop::Again
    } else {
        Stop::Fault(ConfigFault::unreadable(path, err))
    }
}

fn absent(err: Errno) -> bool {
    matches!(err, Errno::NOENT | Errno::NOTDIR | Errno::STALE)
}

fn id(stat: &Stat) -> Id {
    (stat.st_dev, stat.st_ino)
}

fn id_of(file: &OwnedFd) -> rustix::io::Result<Id> {
    fstat(file).map(|stat| id(&stat))
}

fn nanoseconds(seconds: impl Into<i128>, nanoseconds: impl Into<i128>) -> i128 {
    seconds.into() * 1_000_000_000 + nanoseconds.into()
}
