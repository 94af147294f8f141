//! One region of memory that every process of a container counts in.
//!
//! PID 1 makes it before the program starts. Counters and histograms are cells that all
//! processes add to, gauges are cells of one process each. So nothing has to be flushed,
//! merged or handed over, and no ending of a process loses what it has counted. **Starts no
//! thread, takes no lock, and fails no caller:** what there is no room for is counted as
//! dropped.
//!
//! ```
//! use lyftlearn_runtime::Facts;
//! use lyftlearn_runtime::metrics::region::{Key, Region, Value};
//!
//! let region = Region::of(&Facts::capture(Vec::new()));
//! let rows = region.counter(&Key::new("rows", [("split", "train")])?);
//! rows.add(512);
//! rows.add(512);
//! assert_eq!(region.snapshot().series[0].value, Value::Counter(1_024.0));
//! # Ok::<(), lyftlearn_runtime::Error>(())
//! ```
//!
//! Exporters read the file with [`Reader`].

mod buckets;
mod create;
mod directory;
mod fault;
mod handles;
mod image;
mod key;
mod layout;
mod memory;
mod open;
mod owner;
mod snapshot;
#[cfg(test)]
pub(in crate::metrics) mod tests;
#[cfg(feature = "cli")]
mod usage;
mod words;

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

#[cfg(feature = "cli")]
pub(crate) use create::create_in;
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) use create::create_sparse;
pub use create::{Place, create};
use directory::Wanted;
pub use handles::{Counter, Gauge, Histogram};
pub use key::Key;
use layout::Layout;
pub use open::Degraded;
use owner::{Me, Owner};
pub use snapshot::{Buckets, Kind, Reader, Series, Snapshot, Value};
#[cfg(feature = "cli")]
pub(crate) use usage::Usage;
use words::Words;

use crate::error::Error;
use crate::facts::Facts;

/// What of several processes' values a gauge shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// The one that was set last by a process that lives; when none does, by any.
    #[default]
    Last,
    /// Of those that live.
    Sum,
    /// Of those that live.
    Max,
    /// Of those that live.
    Min,
}

/// Where no cell is.
const NOWHERE: usize = usize::MAX;

/// What kind of series a slot holds.
mod kind {
    use super::Aggregate;

    pub(super) const COUNTER: u8 = 1;
    pub(super) const HISTOGRAM: u8 = 2;
    /// No series: a metric's unit and what it is about.
    pub(super) const ABOUT: u8 = 3;
    const GAUGES: [(u8, Aggregate); 4] = [
        (4, Aggregate::Last),
        (5, Aggregate::Sum),
        (6, Aggregate::Max),
        (7, Aggregate::Min),
    ];

    pub(super) fn of_gauge(aggregate: Aggregate) -> u8 {
        let of = GAUGES.iter().find(|(_, known)| *known == aggregate);
        of.map_or(0, |(kind, _)| *kind)
    }

    pub(super) fn aggregate(kind: u8) -> Option<Aggregate> {
        let of = GAUGES.iter().find(|(known, _)| *known == kind);
        of.map(|(_, aggregate)| *aggregate)
    }
}

/// A region in which this process counts until it ends. The mapping is never removed, so every
/// handle stays valid.
#[derive(Clone, Copy, Debug)]
pub struct Region(&'static Inner);

#[derive(Debug)]
struct Inner {
    words: &'static [AtomicU64],
    layout: Layout,
    me: Me,
    degraded: Option<Degraded>,
}

impl Region {
    /// The container's region, which PID 1 made in the run directory of `facts`. If this process
    /// has none, a region of its own that it shares with the children that it forks;
    /// [`degraded`](Self::degraded) reports this.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        match open::shared(facts) {
            Ok((words, namespace)) => Self::over(words, namespace, None),
            Err(degraded) => Self::private(facts, degraded),
        }
    }

    /// A region made by [`create_sparse`] and passed to this process; one of its own if it is
    /// missing or invalid.
    #[cfg(all(feature = "agent", feature = "cli"))]
    pub(crate) fn handed_over(file: Option<&std::fs::File>) -> Self {
        match file.and_then(open::handed_over) {
            Some((words, namespace)) => Self::over(words, namespace, None),
            None => Self::private(&Facts::empty().with_root("/"), Degraded::Absent),
        }
    }

    /// For how many series its directory has places, without being so full that looking for
    /// one takes long.
    #[cfg(all(feature = "agent", feature = "cli"))]
    pub(crate) fn places(&self) -> usize {
        self.0.layout.slots / 8 * 5
    }

    /// How often there was no room for a series.
    #[cfg(all(feature = "agent", feature = "cli"))]
    pub(crate) fn dropped_series(&self) -> u64 {
        self.0.words.load(layout::header::DROPPED_SERIES, Relaxed)
    }

    fn private(facts: &Facts, degraded: Degraded) -> Self {
        // Pages of it exist once they are touched. Without address space nothing is counted,
        // and that is counted in nothing.
        let words = memory::anonymous(open::PRIVATE_WORDS).unwrap_or_default();
        let namespace = facts.pid_namespace().unwrap_or_default();
        create::write_header(words, facts);
        Self::over(words, namespace, Some(degraded))
    }

    fn over(words: &'static [AtomicU64], namespace: u64, degraded: Option<Degraded>) -> Self {
        Self(Box::leak(Box::new(Inner {
            words,
            layout: Layout::of(words.len()),
            me: Me::within(namespace),
            degraded,
        })))
    }

    /// Why this region has no metrics of other processes and is not exported; `None` for the
    /// container's region.
    #[must_use]
    pub fn degraded(&self) -> Option<&Degraded> {
        self.0.degraded.as_ref()
    }

    /// A number that only grows.
    #[must_use]
    pub fn counter(&self, key: &Key) -> Counter {
        Counter::new(self.cell(key, kind::COUNTER, layout::LINE))
    }

    /// A number that goes up and down: one for each process, and `aggregate` of them shows.
    #[must_use]
    pub fn gauge(&self, key: Key, aggregate: Aggregate) -> Gauge {
        Gauge::new(*self, key, kind::of_gauge(aggregate))
    }

    /// How often which values came.
    #[must_use]
    pub fn histogram(&self, key: &Key) -> Histogram {
        let cell = self.cell(key, kind::HISTOGRAM, layout::histogram::LEN);
        Histogram::new(self.0.words, cell)
    }

    /// Says what all series of a metric are about; the first word counts.
    ///
    /// # Errors
    ///
    /// When all of it is too long.
    pub fn describe(&self, name: &str, unit: &str, help: &str) -> Result<(), Error> {
        let key = Key::about(name, unit, help)?;
        self.published(&key, kind::ABOUT, 0, |_| true, |_| ());
        Ok(())
    }

    /// The current totals of all processes.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(self.0.words, &Facts::empty().with_root("/")).unwrap_or_default()
    }

    fn cell(&self, key: &Key, kind: u8, words: usize) -> &'static [AtomicU64] {
        let cell = self.published(key, kind, words, |_| true, |_| ());
        self.at(cell.unwrap_or(NOWHERE), words)
    }

    /// The cell of this process's gauge: its own, one of a dead process, or a new one. The exchange
    /// gives the cell of a dead process to only one of several.
    fn own_cell(&self, key: &Key, kind: u8, me: Owner) -> Option<usize> {
        let words = self.0.words;
        let here = Facts::empty().with_root("/");
        let fits = |cell: usize| {
            let at = |word| cell.saturating_add(word);
            let owner = Owner(words.load(at(layout::gauge::OWNER), Relaxed));
            if owner.set() == me {
                return true;
            }
            let free = !owner.is_alive(&here)
                && words.exchange(at(layout::gauge::OWNER), owner.0, me.unset().0);
            if free {
                // From here on the dead one's value is shown no more.
                words.store(at(layout::gauge::STAMP), 0, Relaxed);
                words.store(at(layout::gauge::VALUE), 0, Relaxed);
            }
            free
        };
        let prepare = |cell| words.store(cell + layout::gauge::OWNER, me.unset().0, Relaxed);
        self.published(key, kind, layout::LINE, fits, prepare)
    }

    fn published(
        &self,
        key: &Key,
        kind: u8,
        cell: usize,
        fits: impl FnMut(usize) -> bool,
        prepare: impl Fn(usize),
    ) -> Option<usize> {
        let wanted = Wanted { key, kind, cell };
        directory::find_or_publish(self.0.words, &self.0.layout, &wanted, fits, prepare)
    }

    /// The words of a cell. If nothing could be published, or the offset was overwritten, words
    /// that are never read.
    fn at(&self, cell: usize, words: usize) -> &'static [AtomicU64] {
        static UNREAD: [AtomicU64; layout::histogram::LEN] =
            [const { AtomicU64::new(0) }; layout::histogram::LEN];
        let found = cell..cell.saturating_add(words);
        let found = Some(found).filter(|_| cell >= self.0.layout.cells.start);
        let found = found.and_then(|found| self.0.words.get(found));
        found.unwrap_or(&UNREAD[..words])
    }
}
