//! What a program counts with. Each is a reference into the region.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, AtomicUsize};

use rustix::time::{ClockId, clock_gettime};

use super::layout::{self, counter, gauge, header, histogram};
use super::owner::Owner;
use super::words::{Words, add_float, change_float};
use super::{Key, NOWHERE, Region, buckets};

/// From here on a float has no room for every whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A number that only grows.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    cell: &'static [AtomicU64],
}

impl Counter {
    pub(super) fn new(cell: &'static [AtomicU64]) -> Self {
        Self { cell }
    }

    /// Adds a whole number, in one instruction that nothing can interrupt.
    pub fn add(&self, amount: u64) {
        self.cell[counter::WHOLE].fetch_add(amount, Relaxed);
    }

    /// Adds any number that is finite and not negative, and says whether it is.
    #[must_use]
    pub fn add_float(&self, amount: f64) -> bool {
        if !(0.0..f64::INFINITY).contains(&amount) {
            return false;
        }
        if amount < EXACT && amount.fract() == 0.0 {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it was looked at"
            )]
            self.add(amount as u64);
        } else {
            add_float(&self.cell[counter::PART], amount);
        }
        true
    }

    /// Adds a number of either sign; only one process may use it at a time. The exported total is
    /// monotonic. A decrement is stored as debt and subtracted from later increments.
    #[cfg(all(feature = "agent", feature = "cli"))]
    pub(crate) fn add_net(&self, amount: f64) {
        let word = &self.cell[counter::OWED];
        let owed = f64::from_bits(word.load(Relaxed));
        let net = amount - owed;
        if owed != 0.0 || net < 0.0 {
            word.store((-net).max(0.0).to_bits(), Relaxed);
        }
        // Values that are not finite were rejected before.
        let _ = self.add_float(net.max(0.0));
    }

    /// Adds by how much a sender's running total has grown since it was told last; all of it
    /// where it has become less, because then the sender has begun anew.
    #[cfg(all(feature = "agent", feature = "cli"))]
    pub(crate) fn add_up_to(&self, total: f64) {
        let word = &self.cell[counter::TOLD];
        let last = f64::from_bits(word.load(Relaxed));
        word.store(total.to_bits(), Relaxed);
        // Negative values and values that are not finite were rejected before.
        let _ = self.add_float(if total < last { total } else { total - last });
    }

    /// Raises it to a total that somebody else keeps, unless it is there already.
    pub fn raise_to(&self, total: u64) {
        self.cell[counter::WHOLE].fetch_max(total, Relaxed);
    }
}

/// A number that goes up and down, this process's own.
#[derive(Debug)]
pub struct Gauge {
    region: Region,
    key: Key,
    kind: u8,
    /// The process that found the cell: after a fork it is not this one.
    bound_to: AtomicU64,
    cell: AtomicUsize,
}

impl Gauge {
    pub(super) fn new(region: Region, key: Key, kind: u8) -> Self {
        Self {
            region,
            key,
            kind,
            bound_to: AtomicU64::new(0),
            cell: AtomicUsize::new(NOWHERE),
        }
    }

    /// Replaces the value.
    pub fn set(&self, value: f64) {
        self.with(|word| word.store(value.to_bits(), Relaxed));
    }

    /// Adds to the value, or takes from it.
    pub fn add(&self, amount: f64) {
        self.with(|word| add_float(word, amount));
    }

    fn with(&self, change: impl Fn(&AtomicU64)) {
        let me = self.region.0.me.get();
        if self.bound_to.load(Acquire) != me.0 {
            self.bind(me);
        }
        let cell = self.region.at(self.cell.load(Relaxed), layout::LINE);
        change(&cell[gauge::VALUE]);
        cell[gauge::STAMP].store(now(), Relaxed);
        cell[gauge::OWNER].store(me.0, Release);
    }

    #[cold]
    fn bind(&self, me: Owner) {
        let cell = self.region.own_cell(&self.key, self.kind, me);
        self.cell.store(cell.unwrap_or(NOWHERE), Relaxed);
        self.bound_to.store(me.0, Release);
    }
}

/// How often which values came.
#[derive(Clone, Copy, Debug)]
pub struct Histogram {
    words: &'static [AtomicU64],
    cell: &'static [AtomicU64],
}

impl Histogram {
    pub(super) fn new(words: &'static [AtomicU64], cell: &'static [AtomicU64]) -> Self {
        Self { words, cell }
    }

    /// Counts a value. A value that is not finite is counted as rejected, because it would spoil
    /// the sum for ever.
    pub fn observe(&self, value: f64) {
        self.observe_many(value, 1);
    }

    /// Counts the same value several times.
    pub fn observe_many(&self, value: f64, times: u64) {
        let at = if value > 0.0 && value < f64::INFINITY {
            histogram::BUCKETS + buckets::place(value)
        } else if value == 0.0 {
            histogram::ZERO
        } else if value.is_finite() {
            histogram::NEGATIVE
        } else {
            self.words.add(header::REFUSED_VALUES, times);
            return;
        };
        self.cell[at].fetch_add(times, Relaxed);
        #[expect(clippy::cast_precision_loss, reason = "a sum is a float")]
        change_float(&self.cell[histogram::SUM], |sum| sum + value * times as f64);
    }
}

#[cfg(all(feature = "agent", feature = "cli"))]
impl Histogram {
    /// Counts a value with `weight`; only one process may use it at a time. Buckets have whole
    /// numbers: the remainder counts with the next value. The sum has all of it at once.
    pub(crate) fn observe_weighted(&self, value: f64, weight: f64) {
        let carried = f64::from_bits(self.cell[histogram::CARRIED].load(Relaxed));
        if weight == 1.0 && carried == 0.0 {
            return self.observe(value);
        }
        let all = carried + weight;
        let times = (all + 0.5).floor();
        self.cell[histogram::CARRIED].store((all - times).to_bits(), Relaxed);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a weight is limited, and what is carried is half of one at most"
        )]
        self.observe_many(value, times as u64);
        change_float(&self.cell[histogram::SUM], |sum| {
            sum + value * (weight - times)
        });
    }
}

/// For the order of what several processes set.
fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
