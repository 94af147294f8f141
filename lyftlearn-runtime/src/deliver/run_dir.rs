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
    /// Made for this process, and to be removed with it.
    private: bool,
}

impl RunDir {
    /// `/run/lyftlearn`, else a private directory under the temporary one, else under
    /// `/dev/shm`; `None` when nothing can be written.
    pub(super) fn open(tmp: Option<&Path>, keeper: Keeper) -> Option<Self> {
        let usual = Path::new(runtime::RUN_DIR);
        let made = DirBuilder::new().mode(0o700).create(usual).is_ok();
        if made || (keeper != Keeper::Process && ours(usual)) {
            let private = made && keeper == Keeper::Process;
            return Some(Self {
                path: usual.to_owned(),
                private,
            });
        }
        [tmp, Some(Path::new(linux::SHM))]
            .into_iter()
            .flatten()
            .find_map(|parent| {
                let path = nix::unistd::mkdtemp(&parent.join("lyftlearn-XXXXXX")).ok()?;
                Some(Self {
                    path,
                    private: keeper == Keeper::Process,
                })
            })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn clean_up(self) {
        if self.private {
            // Whatever stays is below a private directory and harms nobody.
            drop(std::fs::remove_dir_all(self.path));
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
