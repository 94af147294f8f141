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

/// Who receives a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// For whom the run directory is kept.
    pub keeper: Keeper,
    /// The program's user and group, when they are not this process's own.
    pub owner: Option<(u32, u32)>,
    /// Whether exceptions that nobody caught are to be noted.
    pub exceptions: bool,
}

impl From<Keeper> for Recipient {
    fn from(keeper: Keeper) -> Self {
        Self {
            keeper,
            owner: None,
            exceptions: false,
        }
    }
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
    pub(super) fn candidates(
        tmp: Option<&Path>,
        recipient: Recipient,
    ) -> impl Iterator<Item = Self> {
        let keeper = recipient.keeper;
        let usual = std::iter::once_with(move || Self::at(Path::new(runtime::RUN_DIR), recipient))
            .flatten();
        let parents = [tmp.map(Path::to_owned), Some(PathBuf::from(linux::SHM))];
        usual.chain(
            parents
                .into_iter()
                .flatten()
                .filter_map(move |parent| match keeper {
                    Keeper::Process => {
                        let path = nix::unistd::mkdtemp(&parent.join("lyftlearn-XXXXXX")).ok()?;
                        give(&path, recipient.owner)?;
                        Some(Self {
                            path,
                            private: true,
                        })
                    }
                    // One for all of this user's: `exec` is called again and again.
                    Keeper::Container | Keeper::Successor => {
                        let (user, _) = recipient.owner.unwrap_or_else(itself);
                        Self::at(&parent.join(format!("lyftlearn-{user}")), recipient)
                    }
                }),
        )
    }

    fn at(path: &Path, recipient: Recipient) -> Option<Self> {
        let Recipient { keeper, owner, .. } = recipient;
        let made = DirBuilder::new().mode(0o700).create(path).is_ok();
        if made {
            give(path, owner)?;
        }
        let usable = made || (keeper != Keeper::Process && private_to(path, owner));
        usable.then(|| Self {
            path: path.to_owned(),
            private: made && keeper == Keeper::Process,
        })
    }

    /// The container's own directory, when it is there and `owner`'s alone.
    pub(super) fn of_the_container(owner: Option<(u32, u32)>) -> Option<&'static Path> {
        Some(Path::new(runtime::RUN_DIR)).filter(|path| private_to(path, owner))
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

fn itself() -> (u32, u32) {
    (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    )
}

/// Makes it the program's user's, if that is another one.
fn give(path: &Path, owner: Option<(u32, u32)>) -> Option<()> {
    let Some((user, group)) = owner else {
        return Some(());
    };
    std::os::unix::fs::lchown(path, Some(user), Some(group)).ok()
}

/// A directory that exists counts only if nobody else can have prepared it.
fn private_to(path: &Path, owner: Option<(u32, u32)>) -> bool {
    let Ok(meta) = path.symlink_metadata() else {
        return false;
    };
    let (user, _) = owner.unwrap_or_else(itself);
    if !meta.is_dir() || meta.uid() != user {
        return false;
    }
    let writable = rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    let private = meta.mode() & 0o077 == 0;
    writable
        && (private
            || std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).is_ok())
}
