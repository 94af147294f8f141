//! Directories that somebody else may change, touched by a descriptor and never by a path.
//!
//! Root delivers to a program that may run as another user, and that user owns the run directory:
//! a path into it leads wherever the program wants. So the directory is opened once, before there
//! is a program, and everything in it is read, written, renamed, listed and removed relative to
//! that descriptor. **No link beneath it is followed.**

mod removal;
#[cfg(feature = "cli")]
mod rights;
mod shared;
mod walk;
#[cfg(feature = "cli")]
mod write;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{self, Dir, FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

#[cfg(feature = "cli")]
pub(crate) use rights::with_rights_of;
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) use walk::only_root_changes;
pub(crate) use walk::{is_refused_link, open_to_read};
#[cfg(feature = "cli")]
pub(crate) use walk::{make, make_missing};

/// User and group of a program that runs as another user than this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// More names are not listed: a program that makes so many has another problem.
const NAMES: usize = 1 << 16;

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// An open directory. Clones share the descriptor.
#[derive(Clone, Debug)]
pub(crate) struct Directory {
    file: Arc<OwnedFd>,
    /// For messages, and for the program: nothing is done by it here.
    path: PathBuf,
    owner: Option<Owner>,
}

impl Directory {
    /// Opens `path`, which is absolute. A symbolic link on the way is followed only if it is in a
    /// directory that only root and this user can change.
    pub(crate) fn open(path: &Path, owner: Option<Owner>) -> io::Result<Self> {
        Ok(Self::of(walk::open(path)?, path, owner))
    }

    /// The same to list its names, for a caller that tells a refused link from other failures.
    pub(crate) fn open_to_list(path: &Path) -> io::Result<Self> {
        Ok(Self::of(walk::open_to_list(path)?, path, None))
    }

    /// Opens `path` in a directory that a program writes. Without an `owner` the program runs as
    /// this process's user, and its links may lead anywhere.
    #[cfg(feature = "cli")]
    pub(crate) fn of_a_program(path: &Path, owner: Option<Owner>) -> io::Result<Self> {
        match owner {
            Some(_) => Self::open(path, owner),
            None => Self::open(&path.canonicalize()?, None),
        }
    }

    /// The directory that a parent process has handed over as standard input. There it needs no
    /// /proc to become a descriptor again.
    #[cfg(feature = "cli")]
    pub(crate) fn handed_over(path: &Path, owner: Option<Owner>) -> io::Result<Self> {
        let file = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
        let directory = Self::of(file, path, owner);
        if FileType::from_raw_mode(directory.stat()?.st_mode) != FileType::Directory {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(directory)
    }

    fn of(file: OwnedFd, path: &Path, owner: Option<Owner>) -> Self {
        Self {
            file: Arc::new(file),
            path: path.to_owned(),
            owner,
        }
    }

    /// Its path when it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn owner(&self) -> Option<Owner> {
        self.owner
    }

    /// The same directory; files that are created in it get the owner `owner`.
    pub(crate) fn for_owner(self, owner: Option<Owner>) -> Self {
        Self { owner, ..self }
    }

    /// The descriptor, to be handed over or kept open.
    #[cfg(feature = "cli")]
    pub(crate) fn file(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.file)
    }

    pub(crate) fn stat(&self) -> io::Result<Stat> {
        Ok(fs::fstat(&self.file)?)
    }

    /// A directory in this one.
    pub(crate) fn below(&self, name: impl AsRef<OsStr>) -> io::Result<Self> {
        let name = self::name(name.as_ref())?;
        let file = fs::openat(&self.file, name, DIRECTORY, Mode::empty())?;
        Ok(Self::of(file, &self.path.join(name), self.owner))
    }

    /// The bytes of a file; `None` if it does not exist. It must be a regular file that the
    /// program's user owns: what root reads here may be published, and the program must not be able
    /// to publish another user's file.
    pub(crate) fn read(&self, path: impl AsRef<Path>, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = absent(self.open_file(path.as_ref()))? else {
            return Ok(None);
        };
        let size = file.metadata()?.len().min(limit);
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
        file.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Some(bytes))
    }

    /// A file to read from, under the same conditions.
    pub(crate) fn open_file(&self, path: &Path) -> io::Result<File> {
        self.open_with(path, OFlags::RDONLY)
    }

    pub(crate) fn open_with(&self, path: &Path, access: OFlags) -> io::Result<File> {
        let mut components = path.components();
        let last = components.next_back().ok_or(io::ErrorKind::InvalidInput)?;
        let mut directory = self.clone();
        for component in components {
            directory = directory.below(component)?;
        }
        // Without O_NONBLOCK, opening a FIFO waits for a writer that may never come.
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let last = name(last.as_os_str())?;
        let file = fs::openat(&directory.file, last, flags, Mode::empty())?;
        let stat = fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Err(Errno::ISDIR.into());
        }
        let theirs = self.owner.is_none_or(|owner| stat.st_uid == owner.uid);
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || !theirs {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        Ok(File::from(file))
    }

    /// A file that was not there; an error where there is one.
    pub(crate) fn new_file_once(&self, name: &str, mode: Mode) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = fs::openat(&self.file, self::name(name.as_ref())?, flags, mode)?;
        // The mask of this process is for what the program makes.
        if mode.intersects(Mode::RWXG | Mode::RWXO) {
            fs::fchmod(&file, mode)?;
        }
        self.give(&file)?;
        Ok(File::from(file))
    }

    /// A link in this directory.
    pub(crate) fn link(&self, target: &Path, name: &str) -> io::Result<()> {
        fs::symlinkat(target, &self.file, self::name(name.as_ref())?)?;
        Ok(())
    }

    /// The target of a symbolic link in this directory; `None` if `name` is not a link.
    pub(crate) fn link_target(&self, name: &str) -> Option<PathBuf> {
        let target = fs::readlinkat(&self.file, name, Vec::new()).ok()?;
        Some(OsString::from_vec(target.into_bytes()).into())
    }

    /// The names in it, sorted.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        self.some_names(NAMES)
    }

    fn some_names(&self, most: usize) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.file)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if ![&b"."[..], b".."].contains(&name) {
                names.push(OsString::from_vec(name.to_vec()));
            }
            if names.len() == most {
                break;
            }
        }
        names.sort();
        Ok(names)
    }

    fn give(&self, file: impl AsFd) -> io::Result<()> {
        if self.owner.is_some() {
            let (user, group) = self.ids();
            fs::fchown(file, user, group)?;
        }
        Ok(())
    }

    fn ids(&self) -> (Option<Uid>, Option<Gid>) {
        let user = self.owner.map(|owner| Uid::from_raw(owner.uid));
        (user, self.owner.map(|owner| Gid::from_raw(owner.gid)))
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// One name, and no way to anywhere else.
fn name(name: &OsStr) -> io::Result<&OsStr> {
    let mut components = Path::new(name).components();
    match (components.next(), components.next()) {
        (Some(Component::Normal(only)), None) if only == name => Ok(name),
        _ => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Number of random letters that make a name unguessable.
const LETTERS: usize = 12;

fn unique(prefix: &str) -> io::Result<String> {
    let mut bytes = [0; LETTERS];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    let letters = bytes.map(|byte| char::from(b'a' + byte % 26));
    Ok(prefix.chars().chain(letters).collect())
}

/// Whether `unique` may have made the name.
pub(crate) fn is_unique(name: &OsStr, prefix: &str) -> bool {
    let letters = name.as_bytes().strip_prefix(prefix.as_bytes());
    letters.is_some_and(|letters| {
        letters.len() == LETTERS && letters.iter().all(u8::is_ascii_lowercase)
    })
}

/// `None` if the file does not exist.
fn absent<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

#[cfg(test)]
mod tests;
