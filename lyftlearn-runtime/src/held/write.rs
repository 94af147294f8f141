//! What PID 1 and its helpers make and write in a directory; a library only reads.

use std::fs::File;
use std::io::{self, Write};
#[cfg(feature = "agent")]
use std::os::fd::AsRawFd;
#[cfg(feature = "agent")]
use std::path::{Path, PathBuf};

use rustix::fs::{self, Mode};
#[cfg(feature = "agent")]
use rustix::fs::{AtFlags, FileType, OFlags};
use rustix::io::Errno;

use super::{Directory, Owner, unique};

impl Directory {
    /// Makes a directory in this one that only the program's user can access.
    pub(crate) fn make(&self, name: &str) -> io::Result<Self> {
        fs::mkdirat(&self.file, super::name(name.as_ref())?, Mode::RWXU)?;
        self.given(name)
    }

    /// A directory that was made just now, for the program's user.
    fn given(&self, name: &str) -> io::Result<Self> {
        let made = self.below(name)?;
        // Another one has been put in its place.
        if self.owner.is_some() && made.stat()?.st_uid != rustix::process::geteuid().as_raw() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        made.give(&made.file)?;
        Ok(made)
    }

    /// The same where it may be there already, and for everybody to look into.
    pub(crate) fn below_or_made(&self, name: &str) -> io::Result<Self> {
        match fs::mkdirat(
            &self.file,
            super::name(name.as_ref())?,
            Mode::from_raw_mode(0o755),
        ) {
            Err(Errno::EXIST) => self.below(name),
            made => {
                made?;
                self.given(name)
            }
        }
    }

    /// Gives it to the program's user, without access for others.
    pub(crate) fn make_private(&self) -> io::Result<()> {
        let stat = self.stat()?;
        if stat.st_mode & 0o777 != 0o700 {
            fs::fchmod(&self.file, Mode::RWXU)?;
        }
        match self.owner {
            Some(Owner { uid, .. }) if stat.st_uid != uid => self.give(&self.file),
            _ => Ok(()),
        }
    }

    /// Writes a file that only its owner can read: a new file, renamed into place, so that readers
    /// see all of it or nothing. It is not needed after a crash, so there is no fsync.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.write_by(name, Mode::RUSR | Mode::WUSR, |file| file.write_all(bytes))
    }

    /// The same for content that is written in parts, or with another mode.
    pub(crate) fn write_by(
        &self,
        name: &str,
        mode: Mode,
        content: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        let (mut file, draft) = self.draft(name, mode)?;
        let written = content(&mut file)
            .and_then(|()| Ok(fs::renameat(&self.file, &draft, &self.file, name)?));
        if written.is_err() {
            let _ = self.remove(&draft);
        }
        written
    }

    /// A new file for the program's user, which becomes `name` when it is complete, and its present
    /// name. Several processes may write the same file, and the program may have prepared any name that
    /// can be guessed.
    pub(crate) fn draft(&self, name: &str, mode: Mode) -> io::Result<(File, String)> {
        let draft = unique(&format!(".{name}."))?;
        Ok((self.new_file_once(&draft, mode)?, draft))
    }

    /// Appends to a plain file of the program's user's, which is made if it is not there, and which
    /// only that user may read. What finds no room is not there in part.
    #[cfg(feature = "agent")]
    pub(crate) fn append(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        // A FIFO without a reader opens for both, and is then refused because it is not a regular
        // file.
        let flags = OFlags::RDWR | OFlags::APPEND;
        let mut file = match self.open_with(Path::new(name), flags) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                match self.new_file_once(name, Mode::RUSR | Mode::WUSR) {
                    // Another one has been quicker.
                    Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {}
                    made => drop(made?),
                }
                self.open_with(Path::new(name), flags)?
            }
            found => found?,
        };
        let length = file.metadata()?.len();
        file.write_all(bytes).inspect_err(|_| {
            let _ = file.set_len(length);
        })
    }

    /// A name passes to what another one names.
    pub(crate) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(fs::renameat(&self.file, from, &self.file, to)?)
    }

    /// A path to `name` for what takes nothing else, which is bind(2). Where somebody else could
    /// change the path of the directory, it leads by the descriptor.
    #[cfg(feature = "agent")]
    pub(crate) fn path_to_bind(&self, name: &str) -> PathBuf {
        let own_files = Path::new("/proc/self/fd");
        match self.owner {
            Some(_) if fs::access(own_files, fs::Access::EXISTS).is_ok() => {
                let number = self.file.as_raw_fd().to_string();
                own_files.join(number).join(name)
            }
            _ => self.path.join(name),
        }
    }

    /// Gives a socket that was just bound here to the program's user.
    #[cfg(feature = "agent")]
    pub(crate) fn give_socket(&self, name: &str) -> io::Result<()> {
        if self.owner.is_none() {
            return Ok(());
        }
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let socket = fs::openat(&self.file, name, flags, Mode::empty())?;
        let stat = fs::fstat(&socket)?;
        // Anything else has been put in its place.
        if FileType::from_raw_mode(stat.st_mode) != FileType::Socket
            || stat.st_uid != rustix::process::geteuid().as_raw()
        {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let (user, group) = self.ids();
        fs::chownat(&socket, "", user, group, AtFlags::EMPTY_PATH)?;
        Ok(())
    }
}
