//! Which names are whose. All series of a name are of one type, and a histogram owns the
//! names that are made of its own.

use std::collections::HashMap;

use super::super::region::{self, Kind};
use super::super::statsd::{SECONDS, Series, Type};

/// What is told of a set's metric; by it a set is known again.
const SET: &str = "Distinct members within ten seconds.";

/// A type, as far as names go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Counter,
    Gauge,
    Histogram,
    Set,
}

impl Family {
    pub(super) fn of(kind: Type) -> Self {
        match kind {
            Type::Counter => Self::Counter,
            Type::Gauge => Self::Gauge,
            Type::Timer | Type::Histogram => Self::Histogram,
            Type::Set => Self::Set,
        }
    }

    pub(super) fn unit(self, kind: Type) -> &'static str {
        if kind == Type::Timer { "seconds" } else { "" }
    }

    pub(super) fn help(self) -> &'static str {
        if self == Self::Set { SET } else { "" }
    }

    /// What is made of a metric's name where it is shown.
    fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["_total"],
            Self::Gauge | Self::Set => &[],
            Self::Histogram => &["_bucket", "_count", "_sum"],
        }
    }
}

#[derive(Default)]
pub(super) struct Families(HashMap<String, Family>);

impl Families {
    /// Whether all names of a series are its family's, from now on: the first has them.
    pub(super) fn claim(&mut self, family: Family, series: &Series) -> bool {
        self.claim_all(family, &series.name, &series.base)
    }

    /// What a predecessor has counted has its names.
    pub(super) fn found(&mut self, series: &region::Series) {
        let family = match series.value.kind() {
            Kind::Counter => Family::Counter,
            Kind::Gauge if series.help.as_deref() == Some(SET) => Family::Set,
            Kind::Gauge => Family::Gauge,
            Kind::Histogram => Family::Histogram,
        };
        let base = series.unit.as_ref().and(series.name.strip_suffix(SECONDS));
        self.claim_all(family, &series.name, base.unwrap_or(&series.name));
    }

    fn claim_all(&mut self, family: Family, name: &str, base: &str) -> bool {
        let made = family.suffixes().iter();
        let made = made.map(|suffix| format!("{name}{suffix}"));
        let claimed: Vec<String> = made.chain([name.to_owned(), base.to_owned()]).collect();
        let is_free = |name: &String| self.0.get(name).is_none_or(|owner| *owner == family);
        if !claimed.iter().all(is_free) {
            return false;
        }
        self.0
            .extend(claimed.into_iter().map(|name| (name, family)));
        true
    }
}
