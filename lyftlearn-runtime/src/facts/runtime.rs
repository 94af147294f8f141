//! Finds the runtime of this container for processes that start later: by the variable that it
//! sets, or by its files if the environment was lost (cron, sudo, ssh, `kubectl exec`).
//!
//! Its run directory has a note of the PID namespace that it lives in, and is locked while it
//! lives: containers of a pod may share the place, and an ended one leaves its own behind.

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::Facts;
use super::holder::Holder;
use crate::contract::{delivered, limits, linux, runtime};
use crate::held::{Directory, Owner};

/// Which runtime has a run directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    /// This boot's identifier.
    boot: Option<String>,
    /// The number of its PID namespace.
    pid_namespace: Option<u64>,
    /// Its own there.
    pub(super) pid: u32,
}

/// Whose run directory is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// This user's only, because its content becomes part of a program.
    User(u32),
    /// Any whose runtime is PID 1 or belongs to root, because it is only shown.
    Anybody,
}

impl Facts {
    /// What a runtime notes of itself.
    #[cfg(feature = "cli")]
    pub(crate) fn note(&self) -> Note {
        Note {
            pid: std::process::id(),
            ..self.here()
        }
    }

    fn here(&self) -> Note {
        Note {
            boot: self.boot().map(|boot| format!("{boot:032x}")),
            pid_namespace: self.pid_namespace(),
            pid: 0,
        }
    }

    /// The run directory of the runtime that this process stands under or beside, if this user
    /// owns it.
    pub(crate) fn run_dir(&self) -> Option<PathBuf> {
        if let Some(configured) = self.path(delivered::RUN_DIR) {
            return Some(configured);
        }
        let user = rustix::process::geteuid().as_raw();
        let found = self.runtime_beside(Whose::User(user))?;
        Some(found.path().to_owned())
    }

    /// The same, opened, if its owner is trusted. If the directory in the variable does not exist,
    /// it is searched for.
    #[cfg(feature = "cli")]
    pub(crate) fn run_directory(&self, whose: Whose) -> Option<Directory> {
        self.configured_directory(whose)
            .or_else(|| self.runtime_beside(whose))
    }

    /// The run directory that the environment names.
    pub(crate) fn configured_directory(&self, whose: Whose) -> Option<Directory> {
        if !self.is_here() {
            return None;
        }
        let configured = self.path(delivered::RUN_DIR)?;
        of(Directory::open(&configured, None).ok()?, whose)
    }

    /// Locks, namespaces and descriptors are this machine's, wherever files are read.
    pub(crate) fn is_here(&self) -> bool {
        self.root.as_deref() == Some(Path::new("/"))
    }

    /// The run directory of a runtime in this PID namespace. Of several, the one in the
    /// environment: a program may have started a runtime itself.
    pub(crate) fn runtime_beside(&self, whose: Whose) -> Option<Directory> {
        if !self.is_here() {
            return None;
        }
        let here = self.here();
        let configured = self.configured_directory(whose);
        if let Some(configured) = configured.filter(|configured| lives(configured, &here, whose)) {
            return Some(configured);
        }
        let usual = Path::new(runtime::RUN_DIR).parent()?;
        let configured = self.path(linux::TMPDIR);
        let configured = configured.as_deref();
        let mut parents = vec![usual, Path::new(linux::TMP), Path::new(linux::SHM)];
        parents.extend(configured.filter(|configured| !parents.contains(configured)));
        parents.into_iter().find_map(|parent| {
            let parent = Directory::open(parent, None).ok()?;
            let names = parent.names().ok()?.into_iter();
            let named = names.filter(|name| {
                name.to_str()
                    .is_some_and(|name| name.starts_with(runtime::RUN_NAME))
            });
            named
                .filter_map(|name| of(parent.below(name).ok()?, whose))
                .find(|directory| lives(directory, &here, whose))
        })
    }
}

/// The directory with its owner, if the owner is trusted.
fn of(directory: Directory, whose: Whose) -> Option<Directory> {
    let stat = directory.stat().ok()?;
    match whose {
        Whose::User(user) if user != stat.st_uid => return None,
        _ => {}
    }
    let own = stat.st_uid == rustix::process::geteuid().as_raw();
    Some(directory.for_owner((!own).then_some(Owner {
        uid: stat.st_uid,
        gid: stat.st_gid,
    })))
}

/// Which runtime says that it has a directory.
pub(super) fn note_of(directory: &Directory) -> Option<Note> {
    let note = directory.read(delivered::RUNTIME_NOTE, limits::KERNEL_FILE_BYTES);
    serde_json::from_slice(&note.ok()??).ok()
}

/// Whether a runtime in this PID namespace has it.
fn lives(directory: &Directory, here: &Note, whose: Whose) -> bool {
    let Some(note) = note_of(directory) else {
        return false;
    };
    let of_here = Note {
        pid: 0,
        ..note.clone()
    };
    of_here == *here
        && is_locked(directory)
        && (whose != Whose::Anybody
            || directory.owner().is_none()
            || Holder::of(note.pid).is_some_and(|process| process.has(directory)))
}

/// Takes the lock for a moment; a runtime that starts meanwhile waits for it.
fn is_locked(directory: &Directory) -> bool {
    let file = directory.as_fd();
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockShared) {
        Err(errno) => errno == Errno::WOULDBLOCK,
        Ok(()) => {
            let _ = rustix::fs::flock(file, FlockOperation::Unlock);
            false
        }
    }
}
