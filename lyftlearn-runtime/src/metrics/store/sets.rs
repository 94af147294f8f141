//! How many different members came, since the last look by a clock. Members are kept by
//! their hashes, exactly up to a limit; a set of more is an estimate. **Memory is bounded
//! however many members and sets there are:** what neither has room for is counted as refused.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use hyperloglockless::HyperLogLog;

use super::super::region::Gauge;
use super::super::statsd::Refusal;

/// Of one set.
const MEMBERS: usize = 4_096;
/// Of all sets together: 4 MiB, as they are kept.
const ALL_MEMBERS: usize = 1 << 18;
/// An estimate has 2^14 registers of a byte each: its standard error is 1.04 / 2^7, 0.8 %.
const PRECISION: u8 = 14;
/// Of all sets together: 4 MiB.
const ESTIMATES: usize = 256;

#[derive(Default)]
pub(super) struct Sets {
    windows: Vec<Window>,
    by_key: HashMap<u64, usize>,
    /// How many are kept exactly.
    members: usize,
    estimates: usize,
    hasher: RandomState,
}

struct Window {
    gauge: Gauge,
    members: Members,
    /// The exported value is not 0.
    shown: bool,
}

enum Members {
    Exact(HashSet<u64>),
    Estimate(HyperLogLog<RandomState>),
}

impl Sets {
    /// The set of a series.
    pub(super) fn open(&mut self, key: u64, gauge: Gauge) -> usize {
        let next = self.windows.len();
        let at = *self.by_key.entry(key).or_insert(next);
        if at == next {
            self.windows.push(Window {
                gauge,
                members: Members::default(),
                shown: true,
            });
        }
        at
    }

    pub(super) fn add(&mut self, set: usize, member: &[u8]) -> Result<(), Refusal> {
        let hash = self.hasher.hash_one(member);
        let window = self.windows.get_mut(set).ok_or(Refusal::Members)?;
        let members = match &mut window.members {
            Members::Estimate(estimate) => {
                estimate.insert_hash(hash);
                return Ok(());
            }
            Members::Exact(members) => members,
        };
        if members.contains(&hash) {
            return Ok(());
        }
        if members.len() < MEMBERS && self.members < ALL_MEMBERS {
            members.insert(hash);
            self.members += 1;
            return Ok(());
        }
        if self.estimates >= ESTIMATES {
            return Err(Refusal::Members);
        }
        self.estimates += 1;
        self.members -= members.len();
        let mut estimate = HyperLogLog::with_hasher(PRECISION, RandomState::default());
        for hash in members.drain().chain([hash]) {
            estimate.insert_hash(hash);
        }
        window.members = Members::Estimate(estimate);
        Ok(())
    }

    /// Exports the current members, and starts a new interval.
    pub(super) fn turn(&mut self) {
        self.members = 0;
        self.estimates = 0;
        for window in &mut self.windows {
            let count = window.members.count();
            if count > 0.0 || window.shown {
                window.gauge.set(count);
                window.shown = count > 0.0;
                // What a large one took is given back.
                window.members = Members::default();
            }
        }
    }
}

#[cfg(test)]
impl Sets {
    /// How many sets there are.
    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }
}

impl Default for Members {
    fn default() -> Self {
        Self::Exact(HashSet::new())
    }
}

impl Members {
    /// A whole number.
    #[expect(clippy::cast_precision_loss, reason = "there are 4,096 at most")]
    fn count(&self) -> f64 {
        match self {
            Self::Exact(members) => members.len() as f64,
            Self::Estimate(estimate) => estimate.raw_count().round(),
        }
    }
}
