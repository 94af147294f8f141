//! A copy of the totals, for exporters.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::fault::RegionFault;
use super::image::{Image, Source, Written};
use super::key::Texts;
use super::layout::{self, counter, gauge, header, histogram};
use super::owner::{Living, Owner};
use super::{Aggregate, buckets, create, kind, open};
use crate::contract::delivered;
use crate::error::Error;
use crate::facts::Facts;
use crate::held::Directory;

/// How often descriptions may repeat, relative to the size of a region.
const ABOUT_TIMES: usize = 4;

/// What a series is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A number that only grows.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// How often which values came.
    Histogram,
}

/// What a series says.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// The total.
    Counter(f64),
    /// One value for all processes.
    Gauge(f64),
    /// All processes' observations.
    Histogram(Buckets),
}

impl Value {
    /// What the series is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Counter(_) => Kind::Counter,
            Self::Gauge(_) => Kind::Gauge,
            Self::Histogram(_) => Kind::Histogram,
        }
    }

    /// Adds what another source says of the same series. Of two gauges the one that is there
    /// stays.
    pub(in crate::metrics) fn add(&mut self, other: &Self) {
        match (self, other) {
            (Self::Counter(total), Self::Counter(more)) => *total += more,
            (Self::Histogram(buckets), Self::Histogram(more)) => buckets.merge(more),
            _ => {}
        }
    }
}

/// Exponential buckets of scale 3.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    /// How many values were greater than 2^(i/8) and not greater than 2^((i+1)/8), by `i`;
    /// none that is 0. The lowest and the greatest hold what lies beyond them, too.
    pub positive: Vec<(i32, u64)>,
    /// How many were 0.
    pub zero: u64,
    /// How many were less.
    pub negative: u64,
    /// All of them.
    pub count: u64,
    /// Of all of them. It may lag behind the count by the observations that are being made.
    pub sum: f64,
}

/// One series.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The metric's name, as it was given.
    pub name: String,
    /// Labels, sorted by name.
    pub labels: Vec<(String, String)>,
    /// What the metric counts in, where told: `seconds`.
    pub unit: Option<String>,
    /// What the metric is about, where told.
    pub help: Option<String>,
    /// What it says.
    pub value: Value,
}

impl Series {
    /// By what snapshots are sorted.
    fn order(&self) -> (Kind, &str, &[(String, String)]) {
        (self.value.kind(), &self.name, &self.labels)
    }
}

/// Everything that was counted, at one moment, and what could not be.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Sorted by kind, name and labels; each of them once.
    pub series: Vec<Series>,
    /// How often there was no room for a series.
    pub dropped_series: u64,
    /// How many observations were not finite.
    pub refused_values: u64,
    /// How many published series could not be understood: somebody wrote over them.
    pub damaged_series: u64,
}

/// The container's region, for a process that only reads. It is read and never mapped, so a file
/// that shrinks cannot kill the reader.
#[derive(Debug)]
pub struct Reader {
    file: Written,
    path: PathBuf,
    facts: Facts,
}

impl Reader {
    /// The region in the directory `run`; `None` if there is none. If another process is making it,
    /// this waits until it is ready.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn open(run: &Path) -> Result<Option<Self>, Error> {
        let opened = std::path::absolute(run).and_then(|run| Directory::open(&run, None));
        match opened {
            Ok(run) => Self::of(&run),
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(err) => Err(unreadable(&run.join(delivered::METRICS_REGION), &err)),
        }
    }

    /// The same in a directory that is open.
    pub(crate) fn of(run: &Directory) -> Result<Option<Self>, Error> {
        Self::opened(run, None)
    }

    /// The same, for a caller that knows how long PID 1 has made it. The program may write to
    /// it and lengthen it, and a longer one is more memory for each reader.
    #[cfg(all(feature = "agent", feature = "cli"))]
    pub(crate) fn within(run: &Directory, bytes: u64) -> Result<Option<Self>, Error> {
        Self::opened(run, Some(bytes))
    }

    fn opened(run: &Directory, bytes: Option<u64>) -> Result<Option<Self>, Error> {
        let path = run.path().join(delivered::METRICS_REGION);
        match create::opened(run, OFlags::RDONLY) {
            Ok(file) => {
                open::wait_until_made(&file);
                Ok(Some(Self {
                    file: Written { file, bytes },
                    path,
                    facts: Facts::empty().with_root("/"),
                }))
            }
            Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(err) => Err(unreadable(&path, &err)),
        }
    }

    #[cfg(feature = "cli")]
    pub(super) fn file(&self) -> &Written {
        &self.file
    }

    #[cfg(feature = "cli")]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    #[cfg(feature = "cli")]
    pub(super) fn unreadable(&self, err: &io::Error) -> Error {
        unreadable(&self.path, err)
    }

    /// The current totals.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is no region.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        let snapshot = Snapshot::read(&self.file, &self.facts);
        let snapshot = snapshot.map_err(|err| unreadable(&self.path, &err))?;
        let path = self.path.clone();
        snapshot.ok_or_else(|| RegionFault::NotOne { path }.into())
    }
}

fn unreadable(path: &Path, err: &io::Error) -> Error {
    let path = path.to_owned();
    Error::from(RegionFault::Unreadable { path }).because(err.kind())
}

impl Snapshot {
    /// With what another source has counted: totals of the same series are added up, of two
    /// gauges this one's is shown.
    #[must_use]
    pub fn merged(self, other: Self) -> Self {
        let (mut ours, mut theirs) = (
            self.series.into_iter().peekable(),
            other.series.into_iter().peekable(),
        );
        let mut series = Vec::with_capacity(ours.len().max(theirs.len()));
        loop {
            let order = match (ours.peek(), theirs.peek()) {
                (Some(a), Some(b)) => a.order().cmp(&b.order()),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => break,
            };
            match order {
                Ordering::Less => series.extend(ours.next()),
                Ordering::Greater => series.extend(theirs.next()),
                Ordering::Equal => {
                    if let (Some(mut one), Some(other)) = (ours.next(), theirs.next()) {
                        one.value.add(&other.value);
                        one.unit = one.unit.or(other.unit);
                        one.help = one.help.or(other.help);
                        series.push(one);
                    }
                }
            }
        }
        Self {
            series,
            dropped_series: self.dropped_series.saturating_add(other.dropped_series),
            refused_values: self.refused_values.saturating_add(other.refused_values),
            damaged_series: self.damaged_series.saturating_add(other.damaged_series),
        }
    }

    pub(super) fn of<S: Source + ?Sized>(source: &S, facts: &Facts) -> Option<Self> {
        Self::read(source, facts).ok().flatten()
    }

    /// `facts` tell which processes live.
    pub(super) fn read<S: Source + ?Sized>(source: &S, facts: &Facts) -> io::Result<Option<Self>> {
        Ok(Image::of(source)?.map(|image| {
            let (keys, cells) = image.used();
            // As much as there is, at once: what grows is copied, and leaves holes.
            let mut found = Found {
                slots: Vec::with_capacity(image.published().count()),
                about: HashMap::new(),
                damaged: 0,
                keys,
                cells,
            };
            for (kind, slot) in image.published() {
                if found.slot(&image, kind, slot).is_none() {
                    found.damaged += 1;
                }
            }
            found.snapshot(&image, facts)
        }))
    }
}

/// What was found so far, slot by slot. A series may occur in several slots.
struct Found<'a> {
    slots: Vec<Slot<'a>>,
    /// By a metric's name, its unit and what it is about.
    about: HashMap<&'a [u8], (&'a [u8], &'a [u8])>,
    damaged: u64,
    /// Remaining bytes of keys and remaining words of cells. Each is used by one slot only, so the
    /// result is never larger than the region, whatever the slots claim.
    keys: usize,
    cells: usize,
}

struct Slot<'a> {
    kind: Kind,
    texts: Texts<'a>,
    says: Says<'a>,
}

/// What one slot says.
enum Says<'a> {
    Counter(f64),
    Gauge(Reading),
    /// Its cell.
    Histogram(&'a [u64]),
}

/// What one process has set.
#[derive(Clone, Copy)]
struct Reading {
    aggregate: Aggregate,
    value: f64,
    stamp: u64,
    owner: Owner,
}

impl<'a> Found<'a> {
    fn slot(&mut self, image: &'a Image, kind: u8, slot: &'a [u64]) -> Option<()> {
        let texts = image.key(kind, slot)?;
        self.keys = self.keys.checked_sub(texts.bytes())?;
        if kind == kind::ABOUT {
            let [name, unit, help] = texts.parts().collect::<Vec<_>>().try_into().ok()?;
            self.about.entry(name).or_insert((unit, help));
            return Some(());
        }
        if texts.parts().count() % 2 == 0 {
            return None;
        }
        let float = f64::from_bits;
        let (kind, says) = if kind == kind::COUNTER {
            let cell = image.cell(slot, layout::LINE)?;
            #[expect(clippy::cast_precision_loss, reason = "a total is shown as a float")]
            let total = cell[counter::WHOLE] as f64 + float(cell[counter::PART]);
            (Kind::Counter, Says::Counter(total))
        } else if kind == kind::HISTOGRAM {
            let cell = image.cell(slot, histogram::LEN)?;
            self.cells = self.cells.checked_sub(cell.len())?;
            (Kind::Histogram, Says::Histogram(cell))
        } else {
            let aggregate = kind::aggregate(kind)?;
            let cell = image.cell(slot, layout::LINE)?;
            let reading = Reading {
                aggregate,
                value: float(cell[gauge::VALUE]),
                stamp: cell[gauge::STAMP],
                owner: Owner(cell[gauge::OWNER]),
            };
            (Kind::Gauge, Says::Gauge(reading))
        };
        self.slots.push(Slot { kind, texts, says });
        Some(())
    }

    fn snapshot(mut self, image: &Image, facts: &Facts) -> Snapshot {
        let mut living = Living::of(facts);
        let mut lives = |owner: Owner| living.has(owner);
        // A text about a metric is shown with each series of it.
        let (keys, cells) = image.used();
        let mut texts_left = (keys + cells * 8) * ABOUT_TIMES;
        // Those of one series stay in their order.
        (self.slots).sort_by(|a, b| {
            (a.kind.cmp(&b.kind)).then_with(|| a.texts.parts().cmp(b.texts.parts()))
        });
        let mut series = Vec::with_capacity(self.slots.len());
        let same = |a: &Slot<'_>, b: &Slot<'_>| a.kind == b.kind && a.texts == b.texts;
        series.extend(self.slots.chunk_by(same).filter_map(|slots| {
            let texts = slots.first()?.texts;
            let value = together(slots, &mut lives)?;
            let about = self.about.get(texts.parts().next()?);
            let (unit, help) = about.copied().unwrap_or_default();
            let mut bounded = |text: &[u8]| {
                texts_left = texts_left.checked_sub(text.len())?;
                (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
            };
            let mut labels = Vec::with_capacity(texts.parts().count() / 2);
            let mut texts = texts.owned();
            let name = texts.next()?;
            labels.extend(std::iter::from_fn(|| Some((texts.next()?, texts.next()?))));
            Some(Series {
                name,
                labels,
                unit: bounded(unit),
                help: bounded(help),
                value,
            })
        }));
        Snapshot {
            series,
            dropped_series: image.header[header::DROPPED_SERIES],
            refused_values: image.header[header::REFUSED_VALUES],
            damaged_series: self.damaged,
        }
    }
}

/// The sum of a series' slots; `None` if no living process has written any.
fn together(slots: &[Slot<'_>], lives: &mut impl FnMut(Owner) -> bool) -> Option<Value> {
    match &slots.first()?.says {
        Says::Gauge(_) => {
            let readings = slots.iter().filter_map(|slot| match slot.says {
                Says::Gauge(reading) => Some(reading),
                _ => None,
            });
            shown(readings.collect(), lives).map(Value::Gauge)
        }
        _ => {
            let values = slots.iter().filter_map(|slot| match slot.says {
                Says::Counter(total) => Some(Value::Counter(total)),
                Says::Histogram(cell) => Some(Value::Histogram(Buckets::of(cell))),
                Says::Gauge(_) => None,
            });
            values.reduce(|mut sum, more| {
                sum.add(&more);
                sum
            })
        }
    }
}

/// One number for all processes; `None` if no living process has set it.
fn shown(mut readings: Vec<Reading>, lives: &mut impl FnMut(Owner) -> bool) -> Option<f64> {
    readings.retain(|reading| !reading.owner.is_unset());
    let newest_first = |reading: &Reading| std::cmp::Reverse(reading.stamp);
    // Of two cells of one process the newer one counts.
    readings.sort_by_key(|reading| (reading.owner.0, newest_first(reading)));
    readings.dedup_by_key(|reading| reading.owner);
    readings.sort_by_key(newest_first);
    let newest = *readings.first()?;
    let aggregate = newest.aggregate;
    let values = readings
        .into_iter()
        .filter(|reading| reading.aggregate == aggregate && lives(reading.owner))
        .map(|reading| reading.value);
    match aggregate {
        Aggregate::Last => Some(values.into_iter().next().unwrap_or(newest.value)),
        Aggregate::Sum => values.reduce(|a, b| a + b),
        Aggregate::Max => values.reduce(f64::max),
        Aggregate::Min => values.reduce(f64::min),
    }
}

impl Buckets {
    fn of(cell: &[u64]) -> Self {
        let positive: Vec<(i32, u64)> = (buckets::FIRST..)
            .zip(cell[histogram::BUCKETS..].iter().copied())
            .filter(|(_, count)| *count > 0)
            .collect();
        let mut found = Self {
            positive,
            zero: cell[histogram::ZERO],
            negative: cell[histogram::NEGATIVE],
            count: 0,
            sum: f64::from_bits(cell[histogram::SUM]),
        };
        found.count_all();
        found
    }

    fn merge(&mut self, other: &Self) {
        let mut positive: BTreeMap<i32, u64> = self.positive.iter().copied().collect();
        for (index, count) in &other.positive {
            let sum = positive.entry(*index).or_default();
            *sum = sum.saturating_add(*count);
        }
        self.positive = positive.into_iter().collect();
        self.zero = self.zero.saturating_add(other.zero);
        self.negative = self.negative.saturating_add(other.negative);
        self.sum += other.sum;
        self.count_all();
    }

    /// The count is what the buckets hold, so that they agree whatever has happened.
    fn count_all(&mut self) {
        let positive = self.positive.iter().map(|(_, count)| *count);
        let all = positive.chain([self.zero, self.negative]);
        self.count = all.fold(0, u64::saturating_add);
    }
}

#[cfg(test)]
mod tests {
    use super::{Aggregate, Owner, Reading, shown};

    /// Four processes, of which the second and the last live, and one that has set nothing.
    #[track_caller]
    fn check(aggregate: Aggregate, expected: Option<f64>) {
        let reading = |(owner, stamp, value)| Reading {
            aggregate,
            value,
            stamp,
            owner: Owner(owner),
        };
        let mut all: Vec<Reading> = [(11, 9, 100.0), (12, 5, 3.0), (13, 6, -50.0), (14, 2, 7.0)]
            .map(reading)
            .to_vec();
        // An older cell of the second.
        all.push(reading((12, 1, 1_000.0)));
        all.push(Reading {
            owner: Owner(14).unset(),
            ..reading((14, 20, 2_000.0))
        });
        let mut lives = |owner: Owner| [12, 14].contains(&owner.0);
        assert_eq!(shown(all.clone(), &mut lives), expected, "{aggregate:?}");
        assert_eq!(shown(Vec::new(), &mut lives), None);
        let when_all_are_dead = (aggregate == Aggregate::Last).then_some(100.0);
        assert_eq!(shown(all, &mut |_| false), when_all_are_dead);
    }

    #[test]
    fn what_a_gauge_shows_of_several_processes() {
        check(Aggregate::Last, Some(3.0));
        check(Aggregate::Sum, Some(10.0));
        check(Aggregate::Max, Some(7.0));
        check(Aggregate::Min, Some(3.0));
    }
}
