//! How many different members came, since the last look by a clock. Members are kept by
//! their hashes, exactly up to a limit; more of them are counted as refused.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use super::super::region::Gauge;
use super::super::statsd::Refusal;

/// Of one set.
const MEMBERS: usize = 4_096;
/// Of all sets together: 4 MiB, as they are kept.
const ALL_MEMBERS: usize = 1 << 18;

#[derive(Default)]
pub(super) struct Sets {
    windows: Vec<Window>,
    by_key: HashMap<u64, usize>,
    members: usize,
    hasher: RandomState,
}

struct Window {
    gauge: Gauge,
    members: HashSet<u64>,
    /// What is shown is not 0.
    shown: bool,
}

impl Sets {
    /// The set of a series.
    pub(super) fn open(&mut self, key: u64, gauge: impl FnOnce() -> Gauge) -> usize {
        let next = self.windows.len();
        let at = *self.by_key.entry(key).or_insert(next);
        if at == next {
            self.windows.push(Window {
                gauge: gauge(),
                members: HashSet::new(),
                shown: true,
            });
        }
        at
    }

    pub(super) fn add(&mut self, set: usize, member: &[u8]) -> Result<(), Refusal> {
        let hash = self.hasher.hash_one(member);
        let window = self.windows.get_mut(set).ok_or(Refusal::Members)?;
        if window.members.contains(&hash) {
            return Ok(());
        }
        if window.members.len() >= MEMBERS || self.members >= ALL_MEMBERS {
            return Err(Refusal::Members);
        }
        window.members.insert(hash);
        self.members += 1;
        Ok(())
    }

    /// Shows what came, and begins anew.
    pub(super) fn turn(&mut self) {
        self.members = 0;
        for window in &mut self.windows {
            let members = window.members.len();
            if members > 0 || window.shown {
                #[expect(clippy::cast_precision_loss, reason = "there are 4,096 at most")]
                window.gauge.set(members as f64);
                window.shown = members > 0;
                // What a large one took is given back.
                window.members = HashSet::new();
            }
        }
    }
}
