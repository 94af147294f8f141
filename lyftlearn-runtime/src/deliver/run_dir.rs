//! The runtime's own directory: one owner, mode 0700.

use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::contract::{linux, runtime};

/// For whom the directory is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// PID 1: the container's one directory, left behind for whoever looks after the end.
    Container,
    /// A program beside others: the container's directory if nobody has it, else one
    /// of its own.
    Process,
    /// A program that this process becomes: shares the container's directory.
    Successor,
}

#[derive(Debug)]
pub(super) struct RunDir {
    path: PathBuf,
    /// Made for this process, and removed with it.
    private: bool,
}

impl RunDir {
    /// What can be had, best first: `/run/lyftlearn`, a directory under the temporary
    /// one, one under `/dev/shm`. Each is made only when the one before it failed.
    pub(super) fn candidates(tmp: Option<&Path>, keeper: Keeper) -> impl Iterator<Item = Self> {
        let usual =
            std::iter::once_with(move || Self::at(Path::new(runtime::RUN_DIR), keeper)).flatten();
        let parents = [tmp.map(Path::to_owned), Some(PathBuf::from(linux::SHM))];
        usual.chain(
            parents
                .into_iter()
                .flatten()
                .filter_map(move |parent| match keeper {
                    Keeper::Process => {
                        let path = nix::unistd::mkdtemp(&parent.join("lyftlearn-XXXXXX")).ok()?;
                        Some(Self {
                            path,
                            private: true,
                        })
                    }
                    // One for all of this user's: `exec` is called again and again.
                    Keeper::Container | Keeper::Successor => {
                        let user = rustix::process::geteuid().as_raw();
                        Self::at(&parent.join(format!("lyftlearn-{user}")), keeper)
                    }
                }),
        )
    }

    fn at(path: &Path, keeper: Keeper) -> Option<Self> {
        let made = DirBuilder::new().mode(0o700).create(path).is_ok();
        let usable = made || (keeper != Keeper::Process && ours(path));
        usable.then(|| Self {
            path: path.to_owned(),
            private: made && keeper == Keeper::Process,
        })
    }

    /// The container's own directory, when it is there and nobody else's.
    pub(super) fn of_the_container() -> Option<&'static Path> {
        Some(Path::new(runtime::RUN_DIR)).filter(|path| ours(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        if self.private {
            // Whatever stays is below a private directory and harms nobody.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// A directory that exists counts only if nobody else can have prepared it.
fn ours(path: &Path) -> bool {
    let Ok(meta) = path.symlink_metadata() else {
        return false;
    };
    let owner = rustix::process::geteuid().as_raw();
    if !meta.is_dir() || meta.uid() != owner {
        return false;
    }
    let writable = rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    let private = meta.mode() & 0o077 == 0;
    writable
        && (private
            || std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).is_ok())
}
