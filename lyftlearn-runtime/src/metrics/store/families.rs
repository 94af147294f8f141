//! The owner of each name. All series of a name have one type, and a histogram owns the names
//! derived from its own.

use std::collections::HashMap;

use super::super::region::{self, Kind};
use super::super::statsd::{SECONDS, Series, Type};

/// Description of a set's metric, which also identifies it as a set.
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

    /// Suffixes of the names that are derived from a metric's name.
    fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["_total"],
            Self::Gauge | Self::Set => &[],
            Self::Histogram => &["_bucket", "_count", "_sum"],
        }
    }
}

/// Names that a family may have, once there is a series of it.
pub(super) struct Claim(Family, Vec<String>);

#[derive(Default)]
pub(super) struct Families(HashMap<String, Family>);

impl Families {
    /// The names of a series, if no other family owns one of them.
    pub(super) fn free(&self, family: Family, series: &Series) -> Option<Claim> {
        self.free_all(family, &series.name, &series.base)
    }

    /// The first has them, from now on.
    pub(super) fn claim(&mut self, claim: Claim) {
        let Claim(family, names) = claim;
        self.0.extend(names.into_iter().map(|name| (name, family)));
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
        let claim = self.free_all(family, &series.name, base.unwrap_or(&series.name));
        claim.into_iter().for_each(|claim| self.claim(claim));
    }

    fn free_all(&self, family: Family, name: &str, base: &str) -> Option<Claim> {
        let made = family.suffixes().iter();
        let made = made.map(|suffix| format!("{name}{suffix}"));
        let names: Vec<String> = made.chain([name.to_owned(), base.to_owned()]).collect();
        let is_free = |name: &String| self.0.get(name).is_none_or(|owner| *owner == family);
        names.iter().all(is_free).then_some(Claim(family, names))
    }

    /// How many names are somebody's.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
