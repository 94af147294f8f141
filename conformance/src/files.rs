//! Files of a volume as data, and as the tar in which they travel.

use std::path::{Path, PathBuf};

use crate::trouble::{Result, Trouble, cannot};

/// One file, directory or link, below a volume's root.
#[derive(Clone, Debug)]
pub struct Entry {
    path: PathBuf,
    mode: u32,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Directory,
    Bytes(Vec<u8>),
    Disk(PathBuf),
    Link(PathBuf),
}

impl Entry {
    /// A directory.
    #[must_use]
    pub fn directory(path: &str, mode: u32) -> Self {
        Self::new(path, mode, Content::Directory)
    }

    /// A file.
    #[must_use]
    pub fn file(path: &str, mode: u32, bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(path, mode, Content::Bytes(bytes.into()))
    }

    /// An executable.
    #[must_use]
    pub fn program(path: &str, bytes: Vec<u8>) -> Self {
        Self::new(path, 0o755, Content::Bytes(bytes))
    }

    /// A symbolic link.
    #[must_use]
    pub fn link(path: &str, target: &str) -> Self {
        Self::new(path, 0o777, Content::Link(target.into()))
    }

    fn new(path: &str, mode: u32, content: Content) -> Self {
        Self {
            path: path.into(),
            mode,
            content,
        }
    }

    /// The same, below a directory.
    #[must_use]
    pub fn below(&self, directory: &str) -> Self {
        Self {
            path: Path::new(directory).join(&self.path),
            ..self.clone()
        }
    }

    /// Everything below a directory of this machine, readable for anybody. Links and special files
    /// of the team's sample are refused: they would mean something else in the container.
    ///
    /// # Errors
    ///
    /// When something cannot be read, or is neither a file nor a directory.
    pub fn tree(source: &Path, at: &str) -> Result<Vec<Self>> {
        let mut entries = vec![Self::directory(at, 0o777)];
        let failed = |err: std::io::Error| {
            Trouble::Cannot(format!("cannot read {}: {err}", source.display()))
        };
        for entry in std::fs::read_dir(source).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            let Ok(name) = entry.file_name().into_string() else {
                return cannot(format!(
                    "{} has a file name that is not UTF-8",
                    source.display()
                ));
            };
            let path = format!("{at}/{name}");
            if kind.is_dir() {
                entries.extend(Self::tree(&entry.path(), &path)?);
            } else if kind.is_file() {
                entries.push(Self::new(&path, 0o666, Content::Disk(entry.path())));
            } else {
                return cannot(format!(
                    "{} is neither a file nor a directory",
                    entry.path().display()
                ));
            }
        }
        Ok(entries)
    }
}

/// The entries as a tar. Directories above an entry come with it.
///
/// # Errors
///
/// When a file cannot be read.
pub fn tarred(entries: &[Entry]) -> Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        let failed = |err: std::io::Error| {
            Trouble::Cannot(format!("cannot pack {}: {err}", entry.path.display()))
        };
        let mut header = tar::Header::new_gnu();
        header.set_mode(entry.mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_767_225_600);
        match &entry.content {
            Content::Directory => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_size(0);
                builder.append_data(&mut header, &entry.path, std::io::empty())
            }
            Content::Bytes(bytes) => {
                header.set_size(bytes.len() as u64);
                builder.append_data(&mut header, &entry.path, bytes.as_slice())
            }
            Content::Disk(path) => {
                let bytes = std::fs::read(path).map_err(failed)?;
                header.set_size(bytes.len() as u64);
                builder.append_data(&mut header, &entry.path, bytes.as_slice())
            }
            Content::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                builder.append_link(&mut header, &entry.path, target)
            }
        }
        .map_err(failed)?;
    }
    builder
        .into_inner()
        .map_err(|err| Trouble::Cannot(format!("cannot pack files: {err}")))
}
