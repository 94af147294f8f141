//! Files below the root: absent, broken and readable are three different things.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::Facts;
use crate::error::{Error, ErrorKind, Fault};
use crate::held::{Directory as Held, is_refused_link, open_to_read};

/// Something is there and cannot be read.
#[derive(Debug)]
pub(crate) enum ReadFault {
    Unreadable {
        path: PathBuf,
        denied: bool,
    },
    NotAFile {
        path: PathBuf,
        is: &'static str,
    },
    TooLarge {
        path: PathBuf,
        limit: u64,
    },
    /// A link that root does not follow.
    Link {
        path: PathBuf,
    },
}

impl fmt::Display for ReadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, .. } => write!(f, "cannot read {}", path.display()),
            Self::NotAFile { path, is } => {
                write!(f, "cannot read {}: it is {is}, not a file", path.display())
            }
            Self::TooLarge { path, limit } => {
                write!(
                    f,
                    "cannot read {}: it is larger than {limit} bytes",
                    path.display()
                )
            }
            Self::Link { path } => write!(
                f,
                "cannot read {}: a symbolic link on its way can be changed by another user than root",
                path.display()
            ),
        }
    }
}

impl Fault for ReadFault {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Unreadable
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { denied: false, .. } => {
                "check the file system, and the container's limits".to_owned()
            }
            // Only a platform's own files decide which platform it is.
            Self::Unreadable { denied: true, path } if path.starts_with("/opt/ml") => {
                "run as a user that can read it, or set LYFTLEARN_RUNTIME_PLATFORM if the file belongs to another platform".to_owned()
            }
            Self::Unreadable { denied: true, .. } => {
                "run as a user that can read it, or make it readable (a ConfigMap's defaultMode, chmod in the image)".to_owned()
            }
            Self::NotAFile { .. } => "check what the image or a mount puts there".to_owned(),
            Self::TooLarge { .. } => "deliver data as a channel or a volume, not as configuration".to_owned(),
            Self::Link { .. } => "with the setting user, root follows only links of root's own, in directories that only root can change: name the file itself".to_owned(),
        })
    }
}

impl ReadFault {
    fn unreadable(path: &Path, err: &io::Error) -> Self {
        Self::Unreadable {
            path: path.to_owned(),
            denied: err.kind() == io::ErrorKind::PermissionDenied,
        }
    }
}

/// What a directory is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Directory {
    /// It exists and takes files.
    Writable,
    /// It exists and does not.
    ReadOnly,
    /// It does not exist, and this user may make it.
    Creatable,
    /// The path has another type of file, or this user cannot create it.
    Unusable,
}

impl Facts {
    /// A file's bytes; `Ok(None)` when it is absent: absence is a fact, not an error.
    ///
    /// A FIFO or a device in the file's place is an error and never a hang.
    pub(crate) fn file(
        &self,
        path: impl AsRef<Path>,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, Error> {
        let path = path.as_ref();
        if let Some((held, below)) = self.in_held(path) {
            return held.read(below, limit).map_err(|err| {
                Error::from(ReadFault::unreadable(path, &err)).because(plain(&err))
            });
        }
        let Some(place) = self.below_root(path) else {
            return Ok(None);
        };
        match read(&place, path, limit, self.wary) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Failure::Io(err)) if absent(&err) => match std::fs::symlink_metadata(&place) {
                // The path exists, as a link whose target does not.
                Ok(meta) if meta.is_symlink() => {
                    let is = "a link to a file that does not exist";
                    Err(ReadFault::NotAFile {
                        path: path.to_owned(),
                        is,
                    }
                    .into())
                }
                _ => Ok(None),
            },
            Err(Failure::Io(err)) => {
                Err(Error::from(ReadFault::unreadable(path, &err)).because(plain(&err)))
            }
            Err(Failure::Fault(fault)) => Err(fault.into()),
        }
    }

    /// Whether `path` exists. A path that this user cannot access counts as existing: the next open
    /// reports the reason.
    pub(crate) fn exists(&self, path: impl AsRef<Path>) -> bool {
        if let Some((held, below)) = self.in_held(path.as_ref()) {
            return held.open_file(below).is_ok();
        }
        self.below_root(path.as_ref())
            .is_some_and(|place| match std::fs::symlink_metadata(place) {
                Ok(_) => true,
                Err(err) => !absent(&err),
            })
    }

    /// Whether this user can read the file at `path`.
    pub(crate) fn may_read(&self, path: impl AsRef<Path>) -> bool {
        self.below_root(path.as_ref())
            .is_some_and(|place| rustix::fs::access(place, rustix::fs::Access::READ_OK).is_ok())
    }

    /// Size of the file at `path` in bytes; 0 if it does not exist.
    #[cfg(feature = "cli")]
    pub(crate) fn size(&self, path: impl AsRef<Path>) -> u64 {
        self.below_root(path.as_ref())
            .and_then(|place| std::fs::metadata(place).ok())
            .map_or(0, |meta| meta.len())
    }

    /// Whether this user can write to the file at `path`.
    #[cfg(feature = "cli")]
    pub(crate) fn may_write(&self, path: impl AsRef<Path>) -> bool {
        self.below_root(path.as_ref())
            .is_some_and(|place| rustix::fs::access(place, rustix::fs::Access::WRITE_OK).is_ok())
    }

    /// Whether a directory is at `path`, links followed.
    pub(crate) fn is_directory(&self, path: impl AsRef<Path>) -> bool {
        self.below_root(path.as_ref())
            .and_then(|place| std::fs::metadata(place).ok())
            .is_some_and(|meta| meta.is_dir())
    }

    /// Whether a directory is there, could be made, and takes files.
    pub(crate) fn directory(&self, path: impl AsRef<Path>) -> Directory {
        use rustix::fs::Access;

        let path = path.as_ref();
        let writable = |path: &Path| {
            self.below_root(path).is_some_and(|place| {
                rustix::fs::access(&place, Access::WRITE_OK | Access::EXEC_OK).is_ok()
            })
        };
        if self.is_directory(path) {
            return if writable(path) {
                Directory::Writable
            } else {
                Directory::ReadOnly
            };
        }
        // Something that is no directory may stand in its place.
        let nearest = path.ancestors().find(|ancestor| self.exists(ancestor));
        match nearest {
            Some(nearest) if self.is_directory(nearest) && writable(nearest) => {
                Directory::Creatable
            }
            _ => Directory::Unusable,
        }
    }

    /// Mode, user and group of the file at `path`, with links followed.
    #[cfg(feature = "cli")]
    pub(crate) fn ownership(&self, path: impl AsRef<Path>) -> Option<(u32, u32, u32)> {
        use std::os::unix::fs::MetadataExt;

        let meta = std::fs::metadata(self.below_root(path.as_ref())?).ok()?;
        Some((meta.mode() & 0o7777, meta.uid(), meta.gid()))
    }

    /// Where all links at `path` lead, as this container names it.
    pub(crate) fn real_path(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        let root = std::fs::canonicalize(self.root.as_ref()?).ok()?;
        let real = std::fs::canonicalize(self.below_root(path.as_ref())?).ok()?;
        Some(Path::new("/").join(real.strip_prefix(root).ok()?))
    }

    /// The names in a directory, sorted; none when it is absent.
    pub(crate) fn entries(&self, path: impl AsRef<Path>) -> Result<Vec<OsString>, Error> {
        let path = path.as_ref();
        let Some(place) = self.below_root(path) else {
            return Ok(Vec::new());
        };
        let unreadable =
            |err: &io::Error| Error::from(ReadFault::unreadable(path, err)).because(plain(err));
        if self.wary {
            return match Held::open_to_list(&place).and_then(|directory| directory.names()) {
                Err(err) if absent(&err) => Ok(Vec::new()),
                Err(err) if is_refused_link(&err) => {
                    Err(ReadFault::Link { path: path.into() }.into())
                }
                names => names.map_err(|err| unreadable(&err)),
            };
        }
        let listing = match std::fs::read_dir(place) {
            Ok(listing) => listing,
            Err(err) if absent(&err) => return Ok(Vec::new()),
            Err(err) => return Err(unreadable(&err)),
        };
        let mut names = listing
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|err| unreadable(&err))?;
        names.sort();
        Ok(names)
    }

    /// The size of the file system that holds `path`, in bytes.
    pub(crate) fn file_system_bytes(&self, path: &str) -> Option<u64> {
        let stat = rustix::fs::statvfs(self.below_root(Path::new(path))?).ok()?;
        Some(stat.f_blocks.saturating_mul(stat.f_frsize))
    }

    /// The held directory that contains `path`, and the name in it.
    fn in_held<'a>(&'a self, path: &'a Path) -> Option<(&'a Held, &'a Path)> {
        let held = self.held.as_ref()?;
        let below = path.strip_prefix(held.path()).ok()?;
        (!below.as_os_str().is_empty()).then_some((held, below))
    }

    /// `path` in this process's own file system; `None` without a root.
    pub(crate) fn below_root(&self, path: &Path) -> Option<PathBuf> {
        let root = self.root.as_ref()?;
        Some(root.join(path.strip_prefix("/").unwrap_or(path)))
    }
}

enum Failure {
    Io(io::Error),
    Fault(ReadFault),
}

fn read(place: &Path, path: &Path, limit: u64, wary: bool) -> Result<Vec<u8>, Failure> {
    let opened = if wary {
        open_to_read(place)
    } else {
        // Without O_NONBLOCK, opening a FIFO waits for a writer that may never come.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = rustix::fs::open(place, flags, Mode::empty());
        file.map(File::from).map_err(io::Error::from)
    };
    let file = opened.map_err(|err| match err {
        err if wary && is_refused_link(&err) => {
            Failure::Fault(ReadFault::Link { path: path.into() })
        }
        err => Failure::Io(err),
    })?;
    let meta = file.metadata().map_err(Failure::Io)?;
    let kind = meta.file_type();
    let is = match () {
        () if kind.is_file() => None,
        () if kind.is_dir() => Some("a directory"),
        () if kind.is_fifo() => Some("a named pipe"),
        () if kind.is_socket() => Some("a socket"),
        () => Some("a device"),
    };
    let path = path.to_owned();
    if let Some(is) = is {
        return Err(Failure::Fault(ReadFault::NotAFile { path, is }));
    }
    // The kernel's own files have no size to tell: a page takes most of them in one read.
    let size = usize::try_from(meta.len().min(limit)).unwrap_or(0);
    let mut bytes = Vec::with_capacity(size.max(4096) + 64);
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(Failure::Io)?;
    if bytes.len() as u64 > limit {
        return Err(Failure::Fault(ReadFault::TooLarge { path, limit }));
    }
    Ok(bytes)
}

fn absent(err: &io::Error) -> bool {
    matches!(
        err.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

/// The kernel's sentence without Rust's `(os error 13)`.
fn plain(err: &io::Error) -> String {
    let text = err.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_lowercase()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::Facts;
    use super::{Directory, ReadFault};
    use crate::error::reports;

    #[test]
    fn every_fault_has_its_report() {
        let path = || "/etc/lyftlearn/runtime.toml".into();
        expect![[r#"
            Unreadable: cannot read /etc/lyftlearn/runtime.toml
              hint: check the file system, and the container's limits
            Unreadable: cannot read /etc/lyftlearn/runtime.toml
              hint: run as a user that can read it, or make it readable (a ConfigMap's defaultMode, chmod in the image)
            Unreadable: cannot read /opt/ml/input/config/resourceconfig.json
              hint: run as a user that can read it, or set LYFTLEARN_RUNTIME_PLATFORM if the file belongs to another platform
            Unreadable: cannot read /etc/lyftlearn/runtime.toml: it is a directory, not a file
              hint: check what the image or a mount puts there
            Unreadable: cannot read /etc/lyftlearn/runtime.toml: it is larger than 4 bytes
              hint: deliver data as a channel or a volume, not as configuration
            Unreadable: cannot read /etc/lyftlearn/runtime.toml: a symbolic link on its way can be changed by another user than root
              hint: with the setting user, root follows only links of root's own, in directories that only root can change: name the file itself
        "#]].assert_eq(&reports([
            ReadFault::Unreadable {
                path: path(),
                denied: false,
            },
            ReadFault::Unreadable {
                path: path(),
                denied: true,
            },
            ReadFault::Unreadable {
                path: "/opt/ml/input/config/resourceconfig.json".into(),
                denied: true,
            },
            ReadFault::NotAFile {
                path: path(),
                is: "a directory",
            },
            ReadFault::TooLarge {
                path: path(),
                limit: 4,
            },
            ReadFault::Link { path: path() },
        ]));
    }

    #[track_caller]
    fn check(make: impl FnOnce(&std::path::Path), report: Expect) {
        let root = tempfile::tempdir().unwrap();
        make(&root.path().join("file"));
        let facts = Facts::empty().with_root(root.path());
        report.assert_eq(&facts.file("/file", 4).unwrap_err().report());
    }

    #[test]
    fn a_named_pipe_is_an_error_and_not_a_hang() {
        check(
            |path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRUSR).unwrap(),
            expect![[r#"
                lyftlearn-runtime: cannot read /file: it is a named pipe, not a file
                  hint: check what the image or a mount puts there
            "#]],
        );
    }

    #[test]
    fn a_directory_in_a_files_place_is_an_error() {
        check(
            |path| std::fs::create_dir(path).unwrap(),
            expect![[r#"
            lyftlearn-runtime: cannot read /file: it is a directory, not a file
              hint: check what the image or a mount puts there
        "#]],
        );
    }

    #[test]
    fn a_file_over_its_limit_is_refused() {
        check(
            |path| std::fs::write(path, "12345").unwrap(),
            expect![[r#"
            lyftlearn-runtime: cannot read /file: it is larger than 4 bytes
              hint: deliver data as a channel or a volume, not as configuration
        "#]],
        );
    }

    #[test]
    fn a_loop_of_links_is_an_error_with_the_kernels_reason() {
        check(
            |path| std::os::unix::fs::symlink(path, path).unwrap(),
            expect![[r#"
                lyftlearn-runtime: cannot read /file
                  because: too many levels of symbolic links
                  hint: check the file system, and the container's limits
            "#]],
        );
    }

    #[test]
    fn a_link_that_another_user_can_create_is_named_where_root_is_wary() {
        use std::os::unix::fs::{PermissionsExt, symlink};

        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("shared")).unwrap();
        std::fs::create_dir(root.path().join("volume")).unwrap();
        std::fs::write(root.path().join("volume/key"), "1").unwrap();
        symlink("../volume/key", root.path().join("shared/key")).unwrap();
        symlink("../volume", root.path().join("shared/all")).unwrap();
        let everybody = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(root.path().join("shared"), everybody).unwrap();
        let facts = Facts::empty().with_root(root.path());
        assert_eq!(facts.file("/shared/key", 4).unwrap().unwrap(), b"1");
        let wary = facts.wary_of_links(true);
        assert_eq!(wary.file("/volume/key", 4).unwrap().unwrap(), b"1");
        assert_eq!(wary.file("/volume/none", 4).unwrap(), None);
        assert_eq!(wary.entries("/volume").unwrap(), ["key"]);
        let reports = [
            wary.file("/shared/key", 4).unwrap_err().report(),
            wary.file("/shared/all/key", 4).unwrap_err().report(),
            wary.entries("/shared/all").unwrap_err().report(),
        ];
        expect![[r#"
            lyftlearn-runtime: cannot read /shared/key: a symbolic link on its way can be changed by another user than root
              hint: with the setting user, root follows only links of root's own, in directories that only root can change: name the file itself
            lyftlearn-runtime: cannot read /shared/all/key: a symbolic link on its way can be changed by another user than root
              hint: with the setting user, root follows only links of root's own, in directories that only root can change: name the file itself
            lyftlearn-runtime: cannot read /shared/all: a symbolic link on its way can be changed by another user than root
              hint: with the setting user, root follows only links of root's own, in directories that only root can change: name the file itself
        "#]]
        .assert_eq(&reports.concat());
    }

    #[test]
    fn an_absent_file_is_a_fact() {
        let root = tempfile::tempdir().unwrap();
        let facts = Facts::empty().with_root(root.path());
        assert_eq!(facts.file("/no/such/file", 4).unwrap(), None);
        assert!(!facts.exists("/no"));
    }

    #[test]
    fn a_directory_below_a_file_cannot_be_made() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("file"), "").unwrap();
        let facts = Facts::empty().with_root(root.path());
        assert_eq!(facts.directory("/file/below"), Directory::Unusable);
        assert_eq!(facts.directory("/file"), Directory::Unusable);
        assert_eq!(facts.directory("/new/below"), Directory::Creatable);
        assert_eq!(facts.directory("/"), Directory::Writable);
    }
}
