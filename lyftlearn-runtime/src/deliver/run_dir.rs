//! The runtime's own directory: one owner, mode 0700, locked for as long as it is in use.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::contract::{linux, runtime};
use crate::held::{Directory, Owner};

/// The process for which the directory is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeper {
    /// PID 1: the container's one directory. It is kept after the end, for tools that read the
    /// outcome.
    Container,
    /// A program next to others: the container's directory if it is free, else one of its own.
    Process,
    /// A program that this process becomes: shares the container's directory.
    Successor,
}

/// The receiver of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Recipient {
    /// The process for which the run directory is kept.
    pub(crate) keeper: Keeper,
    /// The program's user and group, when they are not this process's own.
    pub(crate) owner: Option<Owner>,
    /// Whether uncaught exceptions are recorded.
    pub(crate) exceptions: bool,
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

/// So many containers of a pod may share the place of a run directory.
const SHARING: usize = 16;

/// Retries of the lock: a process that only checks whether a directory is in use holds it for a
/// moment.
const LOOKS: usize = 4;
const LOOK: Duration = Duration::from_millis(2);

#[derive(Debug)]
pub(super) struct RunDir {
    directory: Directory,
    /// Made for this process, and removed with it.
    private: bool,
    /// The usual one, and why this process does not have it.
    instead_of: Option<(PathBuf, Refused)>,
}

/// Why a directory is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// Another runtime lives on it.
    InUse,
    /// Something else has the name: another user may have made it.
    Taken(&'static str),
    /// Nothing can be made there.
    Unusable,
}

impl RunDir {
    /// What can be had, best first: `/run/lyftlearn`, a directory under the temporary
    /// one, one under `/dev/shm`. Each is made only when the one before it failed.
    pub(super) fn candidates(
        tmp: Option<&Path>,
        recipient: Recipient,
    ) -> impl Iterator<Item = Self> {
        let usual = Path::new(runtime::RUN_DIR);
        let usual = std::iter::once_with(move || {
            let (parent, name) = (usual.parent()?, usual.file_name()?.to_str()?);
            Self::in_directory(parent, name, recipient).ok()
        });
        let parents = [tmp.map(Path::to_owned), Some(PathBuf::from(linux::SHM))];
        let others = parents.into_iter().flatten().map(move |parent| {
            if recipient.keeper == Keeper::Process {
                return Self::of_this_process(&parent, recipient.owner);
            }
            // One for all of this user's: `exec` is called again and again.
            let name = format!("{}-{}", runtime::RUN_NAME, user(recipient.owner));
            Self::in_shared_directory(&parent, &name, recipient)
        });
        usual.chain(others).flatten()
    }

    /// `name` in `parent`. It gets the next number if another container of the pod uses it, or if
    /// another user has made it. A directory whose owner has ended is free.
    fn in_directory(parent: &Path, name: &str, recipient: Recipient) -> Result<Self, Refused> {
        let parent = Directory::open(parent, recipient.owner).map_err(|_| Refused::Unusable)?;
        let mut first = None;
        for number in 1..=SHARING {
            let numbered = match number {
                1 => name.to_owned(),
                _ => format!("{name}-{number}"),
            };
            match take(&parent, &numbered, recipient) {
                Ok((directory, made)) => {
                    return Ok(Self {
                        directory,
                        private: made && recipient.keeper == Keeper::Process,
                        instead_of: first.map(|why| (parent.path().join(name), why)),
                    });
                }
                Err(Refused::Unusable) => return Err(Refused::Unusable),
                Err(why) => first = first.or(Some(why)),
            }
            // It runs next to processes that have their own.
            if recipient.keeper == Keeper::Process {
                break;
            }
        }
        Err(first.unwrap_or(Refused::Unusable))
    }

    /// The same where every user can make names. It ends with a random one, which nobody can have
    /// made.
    fn in_shared_directory(parent: &Path, name: &str, recipient: Recipient) -> Option<Self> {
        let why = match Self::in_directory(parent, name, recipient) {
            Ok(found) => return Some(found),
            Err(Refused::Unusable) => return None,
            Err(why) => why,
        };
        let mut unique = Self::of_this_process(parent, recipient.owner)?;
        if recipient.keeper == Keeper::Successor {
            let _ = unique.directory.leave_behind();
        }
        unique.private = false;
        unique.instead_of = Some((parent.join(name), why));
        Some(unique)
    }

    fn of_this_process(parent: &Path, owner: Option<Owner>) -> Option<Self> {
        let parent = Directory::open(parent, owner).ok()?;
        let prefix = format!("{}-run-", runtime::RUN_NAME);
        Some(Self {
            directory: parent.make_shared(&prefix).ok()?,
            private: true,
            instead_of: None,
        })
    }

    pub(super) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The problem to report.
    pub(super) fn problem(&self) -> Option<String> {
        let (usual, why) = self.instead_of.as_ref()?;
        let (usual, path) = (usual.display(), self.path().display());
        Some(match why {
            Refused::Taken(why) => {
                format!("cannot use {usual}: {why}; the run directory is {path}")
            }
            _ => format!("another lyftlearn-runtime uses {usual}; the run directory is {path}"),
        })
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        if !self.private {
            return;
        }
        // Files that cannot be deleted are in a private directory, so they do no harm.
        let _ = self.directory.clear();
        let path = self.directory.path();
        if let (Some(parent), Some(name)) = (path.parent(), path.file_name())
            && let Ok(parent) = Directory::open(parent, None)
        {
            let _ = parent.remove_all(name);
        }
    }
}

/// Opens or makes the directory; the result says whether it was made. An existing one is used only
/// if no other user can have prepared it.
fn take(
    parent: &Directory,
    name: &str,
    recipient: Recipient,
) -> Result<(Directory, bool), Refused> {
    let unusable = |_| Refused::Unusable;
    let made = match rustix::fs::mkdirat(parent, name, rustix::fs::Mode::RWXU) {
        Ok(()) => true,
        Err(Errno::EXIST) if recipient.keeper != Keeper::Process => false,
        Err(_) => return Err(Refused::Unusable),
    };
    let taken = |_| Refused::Taken("it is not a directory of this user's");
    let directory = parent.below(name).map_err(taken)?;
    let stat = directory.stat().map_err(unusable)?;
    if !made && ![user(recipient.owner), user(None)].contains(&stat.st_uid) {
        return Err(Refused::Taken("it is another user's"));
    }
    lock(&directory, recipient.keeper)?;
    // The previous owner may have deleted it before this process got the lock.
    if directory.stat().map_err(unusable)?.st_nlink == 0 {
        return Err(Refused::InUse);
    }
    // A restarted container keeps its files, but files of an earlier start do not belong to this one.
    let left = io::ErrorKind::DirectoryNotEmpty;
    if !made
        && recipient.keeper == Keeper::Container
        && directory.clear().is_err_and(|err| err.kind() == left)
    {
        return Err(Refused::Taken("it has too many files of an earlier start"));
    }
    directory.make_private().map_err(unusable)?;
    Ok((directory, made))
}

/// Holds it for as long as this process, or one that has inherited it, has it open. The kernel
/// gives it back, however they end.
fn lock(directory: &Directory, keeper: Keeper) -> Result<(), Refused> {
    // A process that becomes the program holds the lock until its exec, and shares it with others
    // of its kind.
    let how = match keeper {
        Keeper::Successor => FlockOperation::NonBlockingLockShared,
        _ => FlockOperation::NonBlockingLockExclusive,
    };
    for _ in 0..LOOKS {
        match rustix::fs::flock(directory, how) {
            Err(Errno::WOULDBLOCK) => std::thread::sleep(LOOK),
            // Containers of a pod do not share a file system without locks.
            _ => return Ok(()),
        }
    }
    Err(Refused::InUse)
}

fn user(owner: Option<Owner>) -> u32 {
    owner.map_or_else(|| rustix::process::geteuid().as_raw(), |owner| owner.uid)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "what was made is looked at")]
mod tests {
    use super::{Keeper, Owner, Recipient, RunDir};

    fn had(parent: &std::path::Path, keeper: Keeper) -> Option<RunDir> {
        RunDir::in_directory(parent, "lyftlearn", keeper.into()).ok()
    }

    #[test]
    fn a_second_runtime_takes_another_directory_and_reuses_an_ended_ones() {
        let place = tempfile::tempdir().unwrap();
        let first = had(place.path(), Keeper::Container).unwrap();
        assert_eq!(first.path(), place.path().join("lyftlearn"));
        assert_eq!(first.problem(), None);
        first.directory().write("outcome.json", b"{}").unwrap();
        let second = had(place.path(), Keeper::Container).unwrap();
        assert_eq!(second.path(), place.path().join("lyftlearn-2"));
        let usual = first.path().display();
        assert_eq!(
            second.problem(),
            Some(format!(
                "another lyftlearn-runtime uses {usual}; the run directory is {usual}-2"
            ))
        );
        drop(first);
        let third = had(place.path(), Keeper::Container).unwrap();
        assert_eq!(third.path(), place.path().join("lyftlearn"));
        assert!(third.directory().names().unwrap().is_empty());
    }

    #[test]
    fn a_directory_of_a_process_goes_with_it() {
        let place = tempfile::tempdir().unwrap();
        let first = had(place.path(), Keeper::Process).unwrap();
        first.directory().make("exceptions").unwrap();
        assert!(had(place.path(), Keeper::Process).is_none());
        let own = RunDir::of_this_process(place.path(), None).unwrap();
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 2);
        drop((first, own));
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_somebody_else_has_prepared_is_left_out() {
        let place = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let usual = place.path().join("lyftlearn");
        std::os::unix::fs::symlink(elsewhere.path(), &usual).unwrap();
        std::fs::write(place.path().join("lyftlearn-2"), "").unwrap();
        let found = had(place.path(), Keeper::Container).unwrap();
        let third = place.path().join("lyftlearn-3");
        assert_eq!(found.path(), third);
        let (usual, third) = (usual.display(), third.display());
        assert_eq!(
            found.problem(),
            Some(format!(
                "cannot use {usual}: it is not a directory of this user's; the run directory is {third}"
            ))
        );
    }

    #[test]
    fn another_user_cannot_prevent_a_run_directory() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let place = tempfile::tempdir().unwrap();
        let of_another = |name: &str| {
            let path = place.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::os::unix::fs::lchown(path, Some(2000), None).unwrap();
        };
        of_another("own");
        let owner = Some(Owner {
            uid: 1000,
            gid: 1000,
        });
        let recipient = |keeper: Keeper| Recipient {
            owner,
            ..keeper.into()
        };
        let container = recipient(Keeper::Container);
        let second = RunDir::in_shared_directory(place.path(), "own", container).unwrap();
        assert_eq!(second.path(), place.path().join("own-2"));
        let (usual, path) = (place.path().join("own"), second.path().display());
        let usual = usual.display();
        assert_eq!(
            second.problem(),
            Some(format!(
                "cannot use {usual}: it is another user's; the run directory is {path}"
            ))
        );
        for number in 3..=super::SHARING {
            of_another(&format!("own-{number}"));
        }
        let unique = |keeper| {
            let found =
                RunDir::in_shared_directory(place.path(), "own", recipient(keeper)).unwrap();
            let path = found.path().to_owned();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(name.starts_with("lyftlearn-run-"), "{name}");
            path
        };
        // What a container leaves is for tools, and goes with the next start. A program that a process
        // has become still uses its directory.
        let ended = unique(Keeper::Container);
        assert!(ended.exists());
        let used = unique(Keeper::Successor);
        assert!(!ended.exists());
        assert!(unique(Keeper::Container).exists() && used.exists());
    }

    #[test]
    fn a_directory_with_too_many_files_is_emptied_later() {
        let place = tempfile::tempdir().unwrap();
        let first = had(place.path(), Keeper::Container).unwrap();
        let usual = first.path().to_owned();
        for number in 0..=(1 << 14) {
            std::fs::write(usual.join(number.to_string()), "").unwrap();
        }
        drop(first);
        let second = had(place.path(), Keeper::Container).unwrap();
        let (usual_path, path) = (usual.display(), second.path().display());
        assert_eq!(
            second.problem(),
            Some(format!(
                "cannot use {usual_path}: it has too many files of an earlier start; the run directory is {path}"
            ))
        );
        assert_eq!(had(place.path(), Keeper::Container).unwrap().path(), usual);
    }
}
