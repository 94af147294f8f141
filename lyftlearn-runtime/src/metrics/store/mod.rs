//! The agent's totals, in a region that PID 1 holds: a restarted agent finds the totals of its
//! predecessor.
//!
//! A line that was seen before costs one lookup by its text. Only a new line is parsed in full.

mod families;
pub(crate) mod own;
mod sets;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::File;
use std::hash::BuildHasher;
use std::rc::Rc;

use foldhash::fast::RandomState;

use super::region::{self, Aggregate, Key, Region, Snapshot, Value};
use super::statsd::{Line, Listener, Metric, Number, Refusal, Rules, Series, Type, Values, parse};
use families::{Families, Family};
use own::Own;
pub(crate) use own::{Account, Received};
use sets::Sets;

/// Bytes of remembered lines, and their number. Further lines are parsed each time.
const SPELLED_BYTES: usize = 8 << 20;
const SPELLINGS: usize = 1 << 16;

/// Clones share the same totals.
#[derive(Clone)]
pub(crate) struct Store(Rc<RefCell<Inner>>);

struct Inner {
    region: Region,
    rules: Rules,
    own: Own,
    families: Families,
    sets: Sets,
    /// What a name, a type and tags, as they were written, are counted in.
    spelled: HashMap<Box<[u8]>, Held, RandomState>,
    spelled_bytes: usize,
    /// The keys of all series.
    known: HashSet<u64>,
    hasher: RandomState,
    /// One line's name, type and tags.
    spelling: Vec<u8>,
}

/// What a line counts in.
enum Held {
    Counter(region::Counter),
    /// Of a sender's running totals.
    Total(region::Counter),
    Gauge(Box<region::Gauge>),
    /// And the unit that its values are multiplied with.
    Histogram(region::Histogram, f64),
    Set(usize),
    Refused(Refusal),
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl Store {
    /// Over the region that was handed over; one of this process's own without it.
    pub(crate) fn over(file: Option<&File>, rules: Rules) -> Self {
        let region = Region::handed_over(file);
        let own = Own::new(region);
        let mut inner = Inner {
            own,
            families: Families::default(),
            sets: Sets::default(),
            spelled: HashMap::default(),
            spelled_bytes: 0,
            known: HashSet::new(),
            hasher: RandomState::default(),
            spelling: Vec::with_capacity(256),
            region,
            rules,
        };
        inner.take_over();
        Self(Rc::new(RefCell::new(inner)))
    }

    /// Counts a packet's lines.
    pub(crate) fn packet(&self, packet: &[u8], from: Listener) {
        self.0.borrow_mut().packet(packet, from);
    }

    /// Counts something about a listener that no line says.
    pub(crate) fn note(&self, from: Listener, what: Received) {
        self.0.borrow().own.note(from, what);
    }

    /// Counts a malformed line.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.0.borrow().own.refuse(refusal);
    }

    /// Shows how many members each set has had since the last time.
    pub(crate) fn turn_sets(&self) {
        self.0.borrow_mut().sets.turn();
    }

    /// The current totals.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.0.borrow().region.snapshot()
    }

    /// What the runtime counts of itself, by metric and label.
    pub(crate) fn account(&self) -> Account {
        let region = self.0.borrow().region;
        Account::of(&region.snapshot(), region.degraded().is_none())
    }
}

impl Inner {
    /// What a predecessor has counted stays; what it has set, this process sets.
    fn take_over(&mut self) {
        for series in self.region.snapshot().series {
            let labels = series.labels.iter();
            let labels = labels.map(|(name, value)| (name.as_str(), value.as_str()));
            let Ok(key) = Key::of_any(&series.name, labels) else {
                continue;
            };
            self.known.insert(self.hasher.hash_one(&key));
            self.families.found(&series);
            if let Value::Gauge(value) = series.value {
                self.region.gauge(key, Aggregate::Last).set(value);
            }
        }
    }

    fn packet(&mut self, packet: &[u8], from: Listener) {
        let mut lines = 0;
        let mut rest = packet;
        while !rest.is_empty() {
            let line;
            (line, rest) = match memchr::memchr(b'\n', rest) {
                Some(end) => (&rest[..end], &rest[end + 1..]),
                None => (rest, &b""[..]),
            };
            lines += u64::from(self.line(line, from));
        }
        self.own.received(from, lines);
    }

    /// Whether there is one.
    fn line(&mut self, line: &[u8], from: Listener) -> bool {
        match parse(line) {
            Ok(Line::Blank) => return false,
            Ok(Line::Metric(metric)) => self.metric(&metric, from),
            Ok(Line::Several(several)) => {
                for metric in several.metrics() {
                    match metric {
                        Ok(metric) => self.metric(&metric, from),
                        Err(refusal) => self.own.refuse(refusal),
                    }
                }
            }
            Ok(Line::Event) => self.own.event(),
            Ok(Line::Check) => self.own.check(),
            Err(refusal) => self.own.refuse(refusal),
        }
        true
    }

    fn metric(&mut self, metric: &Metric<'_>, from: Listener) {
        if metric.clamped {
            self.own.clamped();
        }
        self.spelling.clear();
        self.spelling.extend_from_slice(metric.name);
        self.spelling.push(b'|');
        self.spelling.push(metric.kind.letter());
        for field in metric.tags.fields() {
            self.spelling.push(b'#');
            self.spelling.extend_from_slice(field);
        }
        let delta = metric.kind == Type::Gauge && self.rules.sign.is_delta(from);
        if let Some(held) = self.spelled.get(self.spelling.as_slice()) {
            let counted = held.count(metric, delta, &mut self.sets);
            return self.own.unless(counted);
        }
        let held = match self.held(metric) {
            Ok(held) => held,
            // Rejected lines that repeat are remembered by their text as well.
            Err(Refusal::Conflict) => Held::Refused(Refusal::Conflict),
            Err(refusal) => return self.own.refuse(refusal),
        };
        let counted = held.count(metric, delta, &mut self.sets);
        self.own.unless(counted);
        let bytes = self.spelling.len() + size_of::<(Box<[u8]>, Held)>();
        if self.spelled.len() < SPELLINGS && self.spelled_bytes + bytes <= SPELLED_BYTES {
            self.spelled_bytes += bytes;
            self.spelled.insert(self.spelling.as_slice().into(), held);
        }
    }

    /// What a line counts in that was never written like that before.
    fn held(&mut self, metric: &Metric<'_>) -> Result<Held, Refusal> {
        let series = Series::of(metric, &self.rules.dialects)?;
        let labels = series.labels.iter();
        let labels = labels.map(|(name, value)| (name.as_str(), value.as_str()));
        let key = Key::new(&series.name, labels).map_err(|_| Refusal::Tags)?;
        let hash = self.hasher.hash_one(&key);
        let new = !self.known.contains(&hash);
        if new && self.known.len() >= self.region.places() {
            return Err(Refusal::Series);
        }
        let family = Family::of(metric.kind);
        let claim = (self.families.free(family, &series)).ok_or(Refusal::Conflict)?;
        let before = self.region.dropped_series();
        let held = match metric.kind {
            Type::Counter if begins(metric.name, &self.rules.cumulative) => {
                Held::Total(self.region.counter(&key))
            }
            Type::Counter => Held::Counter(self.region.counter(&key)),
            Type::Gauge | Type::Set => {
                let gauge = self.region.gauge(key, Aggregate::Last);
                // Its place is there, or is not, from now on.
                gauge.add(0.0);
                Held::Gauge(Box::new(gauge))
            }
            Type::Timer => Held::Histogram(self.region.histogram(&key), self.unit(metric.name)),
            Type::Histogram => Held::Histogram(self.region.histogram(&key), 1.0),
        };
        // Before anything is remembered: there is no end of names for which there is no room.
        if self.region.dropped_series() > before {
            return Err(Refusal::Series);
        }
        self.families.claim(claim);
        let held = match held {
            Held::Gauge(gauge) if metric.kind == Type::Set => {
                Held::Set(self.sets.open(hash, *gauge))
            }
            held => held,
        };
        if new {
            self.known.insert(hash);
            let (unit, help) = (family.unit(metric.kind), family.help());
            if !unit.is_empty() || !help.is_empty() {
                // A text for which there is no room is one that is not shown.
                let _ = self.region.describe(&series.name, unit, help);
            }
        }
        Ok(held)
    }

    /// Of which a second is made of so many.
    fn unit(&self, name: &[u8]) -> f64 {
        if begins(name, &self.rules.microseconds) {
            1e-6
        } else {
            1e-3
        }
    }
}

impl Held {
    fn count(&self, metric: &Metric<'_>, delta: bool, sets: &mut Sets) -> Result<(), Refusal> {
        match (self, &metric.values) {
            (Self::Counter(counter), Values::One(number)) => {
                counter.add_net(number.value * metric.weight);
            }
            (Self::Counter(counter), values) => {
                for number in values.numbers() {
                    counter.add_net(number.value * metric.weight);
                }
            }
            (Self::Total(counter), values) => {
                for number in values.numbers() {
                    if number.value < 0.0 {
                        return Err(Refusal::Value);
                    }
                    // A sample rate does not change a running total.
                    counter.add_up_to(number.value);
                }
            }
            (Self::Gauge(gauge), values) => {
                for number in values.numbers() {
                    set(gauge, number, delta);
                }
            }
            (Self::Histogram(histogram, unit), values) => {
                for number in values.numbers() {
                    // Divided, where that can be: 320 ms are 0.32 s, and not nearly.
                    let value = if *unit == 1e-3 {
                        number.value / 1e3
                    } else {
                        number.value * unit
                    };
                    histogram.observe_weighted(value, metric.weight);
                }
            }
            (Self::Set(set), Values::Member(member)) => return sets.add(*set, member),
            // A set has a member, and nothing else has.
            (Self::Set(_), _) => return Err(Refusal::Value),
            (Self::Refused(refusal), _) => return Err(*refusal),
        }
        Ok(())
    }
}

fn begins(name: &[u8], with: &[String]) -> bool {
    (with.iter()).any(|beginning| name.starts_with(beginning.as_bytes()))
}

fn set(gauge: &region::Gauge, number: Number, delta: bool) {
    if delta && number.signed {
        gauge.add(number.value);
    } else {
        gauge.set(number.value);
    }
}
