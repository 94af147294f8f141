//! Which series are shown together, and under which name: a name is one metric of one kind,
//! and no two series of it are the same.

use std::collections::{BTreeMap, BTreeSet};

use super::names;
use crate::metrics::region::{Kind, Series, Snapshot, Value};

/// Everything of one name.
#[derive(Debug)]
pub(super) struct Family {
    /// As its samples are called, but for their suffixes.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) members: Members,
}

#[derive(Debug)]
pub(super) enum Members {
    /// Names and labels are as they were given: nothing can fall together.
    AsGiven(Vec<usize>),
    /// Merged in advance, by the text between the braces.
    Gathered(BTreeMap<String, (usize, Value)>),
}

/// What falls under one name before it is known whether the name is free.
#[derive(Default)]
struct Wanted {
    members: Vec<usize>,
    changed: bool,
}

/// The families by name, and how many series had to be added to another or left out.
pub(super) fn plan(snapshot: &Snapshot, common: &[(String, String)]) -> (Vec<Family>, u64) {
    let mut wanted: BTreeMap<(String, Kind), Wanted> = BTreeMap::new();
    let mut collisions = 0;
    let same = |a: &Series, b: &Series| a.value.kind() == b.value.kind() && a.name == b.name;
    let mut next = 0;
    for metric in snapshot.series.chunk_by(same) {
        let from = next;
        next += metric.len();
        let members: Vec<usize> = (from..next)
            .filter(|index| is_shown(&snapshot.series[*index]))
            .collect();
        collisions += (metric.len() - members.len()) as u64;
        if members.is_empty() {
            continue;
        }
        let kind = metric[0].value.kind();
        let found = wanted
            .entry((base(&metric[0].name, kind), kind))
            .or_default();
        // Two metrics that have become one, or labels that have changed.
        found.changed |= !found.members.is_empty() || metric.iter().any(changes);
        found.members.extend(members);
    }
    let mut taken = BTreeSet::new();
    let mut families = Vec::new();
    for ((name, kind), wanted) in wanted {
        let free = free_name(&taken, &name, kind);
        if free != name {
            collisions += 1;
        }
        taken.extend(names_of(&free, kind));
        let members = if wanted.changed {
            let (gathered, fell) = gather(snapshot, &wanted.members, kind, common);
            collisions += fell;
            Members::Gathered(gathered)
        } else {
            Members::AsGiven(wanted.members)
        };
        families.push(Family {
            name: free,
            kind,
            members,
        });
    }
    families.sort_by(|a, b| a.name.cmp(&b.name));
    (families, collisions)
}

/// A counter that is no number, or less than nothing, would have the whole scrape refused.
fn is_shown(series: &Series) -> bool {
    match &series.value {
        Value::Counter(total) => *total >= 0.0,
        Value::Gauge(_) | Value::Histogram(_) => true,
    }
}

fn base(name: &str, kind: Kind) -> String {
    let name = names::metric(name);
    match (kind, name.strip_suffix("_total")) {
        (Kind::Counter, Some(base)) if !base.is_empty() => base.to_owned(),
        _ => name,
    }
}

/// Whether it is shown otherwise than it was given.
fn changes(series: &Series) -> bool {
    let histogram = series.value.kind() == Kind::Histogram;
    series.labels.iter().any(|(name, value)| {
        value.is_empty() || (histogram && name == "le") || !names::is_label(name)
    })
}

/// Every name that samples of a family may have.
fn names_of(name: &str, kind: Kind) -> Vec<String> {
    let suffixes: &[&str] = match kind {
        Kind::Counter => &["", "_total", "_created"],
        Kind::Gauge => &[""],
        Kind::Histogram => &["", "_bucket", "_sum", "_count", "_created"],
    };
    suffixes
        .iter()
        .map(|suffix| name.to_owned() + suffix)
        .collect()
}

/// Of two metrics that would be one name, the second says of what kind it is.
fn free_name(taken: &BTreeSet<String>, name: &str, kind: Kind) -> String {
    let word = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let named = |n: usize| match n {
        0 => name.to_owned(),
        1 => format!("{name}_{word}"),
        _ => format!("{name}_{word}_{n}"),
    };
    let mut candidates = (0..).map(named);
    let free = candidates.find(|name| {
        names_of(name, kind)
            .iter()
            .all(|name| !taken.contains(name))
    });
    free.expect("numbers do not end")
}

/// Merges series that have the same labels after renaming: totals are added up; of two gauges the
/// first is used.
fn gather(
    snapshot: &Snapshot,
    members: &[usize],
    kind: Kind,
    common: &[(String, String)],
) -> (BTreeMap<String, (usize, Value)>, u64) {
    let mut gathered: BTreeMap<String, (usize, Value)> = BTreeMap::new();
    let mut fell = 0;
    for index in members {
        let series = &snapshot.series[*index];
        let labels = labels(&series.labels, kind, common);
        match gathered.get_mut(&labels) {
            Some((_, value)) => {
                value.add(&series.value);
                fell += 1;
            }
            None => {
                gathered.insert(labels, (*index, series.value.clone()));
            }
        }
    }
    (gathered, fell)
}

/// The text between the braces. Prometheus treats an empty value as a missing label.
pub(super) fn labels(
    given: &[(String, String)],
    kind: Kind,
    common: &[(String, String)],
) -> String {
    if let Some(text) = labels_as_given(given, kind, common) {
        return text;
    }
    let mut shown: BTreeMap<String, &str> = BTreeMap::new();
    for (name, value) in given.iter().filter(|(_, value)| !value.is_empty()) {
        let Some(mut label) = names::label(name) else {
            continue;
        };
        if kind == Kind::Histogram && label == "le" {
            // As a Prometheus server renames what it needs for itself.
            label = "exported_le".to_owned();
        }
        let base = label.clone();
        let mut n = 1;
        while shown.contains_key(&label) {
            n += 1;
            // After two of them it would be Prometheus' own.
            let between = if base.ends_with('_') { "" } else { "_" };
            label = format!("{base}{between}{n}");
        }
        shown.insert(label, value);
    }
    for (name, value) in common.iter().filter(|(_, value)| !value.is_empty()) {
        shown.entry(name.clone()).or_insert(value);
    }
    joined(shown.iter().map(|(name, value)| (name.as_str(), *value)))
}

/// The same, where nothing has to be changed: nearly always, and at a fraction of the cost.
fn labels_as_given(
    given: &[(String, String)],
    kind: Kind,
    common: &[(String, String)],
) -> Option<String> {
    let plain = |(name, value): &(String, String)| {
        names::is_label(name) && !value.is_empty() && !(kind == Kind::Histogram && name == "le")
    };
    if !given.iter().all(plain) {
        return None;
    }
    let missing = |(name, value): &&(String, String)| {
        !value.is_empty() && given.iter().all(|(known, _)| known != name)
    };
    let shown = given.iter().chain(common.iter().filter(missing));
    let mut shown: Vec<(&str, &str)> = shown
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    shown.sort_unstable();
    let twice = shown.windows(2).any(|pair| pair[0].0 == pair[1].0);
    (!twice).then(|| joined(shown.into_iter()))
}

fn joined<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in labels {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(name);
        text.push('=');
        names::push_quoted(&mut text, value);
    }
    text
}
