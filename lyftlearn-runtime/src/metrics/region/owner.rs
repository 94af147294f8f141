//! The process that owns a gauge's cell. Its pid and start time distinguish it from all others
//! during the life of the region.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::memory;
use crate::facts::Facts;

/// PIDs are smaller than 2^22 (PID_MAX_LIMIT). The other bits have room for start times of seven
/// centuries after boot, in hundredths of a second.
const START_BITS: u32 = 41;
/// The process has not set its value yet.
const UNSET: u64 = 1 << 63;
/// A process whose pid a reader cannot check: it is in another PID namespace, or there is no /proc.
/// All such processes share a cell, which never expires.
const FOREIGN: u64 = 1;

/// A process, and whether it has set its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner(pub(super) u64);

impl Owner {
    fn of(pid: u32, started: u64) -> Self {
        Self((u64::from(pid) << START_BITS | started & ((1 << START_BITS) - 1)) & !UNSET)
    }

    pub(super) fn unset(self) -> Self {
        Self(self.0 | UNSET)
    }

    pub(super) fn set(self) -> Self {
        Self(self.0 & !UNSET)
    }

    pub(super) fn is_unset(self) -> bool {
        self != self.set()
    }

    /// Its process number, as far as it is one that a reader knows.
    fn pid(self) -> Option<u32> {
        let owner = self.set();
        (owner.0 != FOREIGN).then_some((owner.0 >> START_BITS) as u32)
    }

    pub(super) fn is_alive(self, facts: &Facts) -> bool {
        let owner = self.set();
        if owner.0 == FOREIGN {
            return true;
        }
        let pid = (owner.0 >> START_BITS) as u32;
        !facts.has_ended(pid, owner.0 & ((1 << START_BITS) - 1))
    }
}

/// The owners that are alive, each checked once. Programs write owners, so their number is not
/// bounded and they may not exist.
pub(super) struct Living<'a> {
    facts: &'a Facts,
    known: HashMap<u64, bool>,
    /// Every process that there is, once many have been asked for.
    all: Option<HashSet<u32>>,
}

/// A container's gauges have fewer processes, mostly.
const ASKED_ONE_BY_ONE: usize = 256;
/// Owners that claim one process with different start times; only one of them can be right.
const ASKED_AT_ALL: usize = 65_536;

impl<'a> Living<'a> {
    pub(super) fn of(facts: &'a Facts) -> Self {
        Self {
            facts,
            known: HashMap::new(),
            all: None,
        }
    }

    pub(super) fn has(&mut self, owner: Owner) -> bool {
        if let Some(lives) = self.known.get(&owner.0) {
            return *lives;
        }
        if self.known.len() >= ASKED_AT_ALL {
            return false;
        }
        if self.known.len() == ASKED_ONE_BY_ONE {
            self.all = self.facts.processes();
        }
        let known = |pid| self.all.as_ref().is_none_or(|all| all.contains(&pid));
        let lives = owner.pid().is_none_or(known) && owner.is_alive(self.facts);
        self.known.insert(owner.0, lives);
        lives
    }
}

/// This process, found once and again after each fork.
#[derive(Debug)]
pub(super) struct Me {
    /// Itself, or 0 where a fork has made another process of it.
    known: Option<&'static AtomicU64>,
    /// Without that: itself, and the pid that it was found for.
    fallback: [AtomicU64; 2],
    /// The region's.
    namespace: u64,
}

impl Me {
    pub(super) fn within(namespace: u64) -> Self {
        Self {
            known: memory::forgotten_by_forks(),
            fallback: Default::default(),
            namespace,
        }
    }

    pub(super) fn get(&self) -> Owner {
        match self.known {
            Some(known) => {
                let owner = known.load(Relaxed);
                if owner != 0 {
                    return Owner(owner);
                }
                let owner = self.find();
                known.store(owner.0, Relaxed);
                owner
            }
            None => self.without_help(),
        }
    }

    #[cold]
    fn without_help(&self) -> Owner {
        let [known, of] = &self.fallback;
        let pid = u64::from(std::process::id());
        if of.load(Relaxed) != pid {
            known.store(self.find().0, Relaxed);
            of.store(pid, Relaxed);
        }
        Owner(known.load(Relaxed))
    }

    #[cold]
    fn find(&self) -> Owner {
        let here = Facts::empty().with_root("/");
        match here.own_process() {
            Some((pid, started)) if here.pid_namespace() == Some(self.namespace) => {
                Owner::of(pid, started)
            }
            _ => Owner(FOREIGN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FOREIGN, Me, Owner};
    use crate::facts::Facts;

    #[test]
    fn this_process_is_alive_and_another_with_its_pid_is_not() {
        let here = Facts::empty().with_root("/");
        let me = Me::within(here.pid_namespace().unwrap()).get();
        assert!(me.is_alive(&here) && me.unset().is_alive(&here));
        assert!(!Owner(me.0 ^ 1).is_alive(&here));
        assert_eq!(me.unset().set(), me);
        assert!(me.unset().is_unset() && !me.is_unset());
    }

    #[test]
    fn without_the_kernels_help_a_process_is_the_same() {
        let here = Facts::empty().with_root("/");
        let helped = Me::within(here.pid_namespace().unwrap());
        let alone = Me {
            known: None,
            ..Me::within(here.pid_namespace().unwrap())
        };
        for _ in 0..2 {
            assert_eq!(alone.get(), helped.get());
        }
        // As in a child: the pid that it was found for is another's.
        alone.fallback[0].store(7, super::Relaxed);
        alone.fallback[1].store(7, super::Relaxed);
        assert_eq!(alone.get(), helped.get());
    }

    #[test]
    fn processes_of_other_namespaces_share_one_owner() {
        assert_eq!(Me::within(1).get(), Owner(FOREIGN));
        assert!(Owner(FOREIGN).is_alive(&Facts::empty()));
    }
}
