//! Documents of CloudWatch's Embedded Metric Format: the changes, grouped by their dimensions.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::Plan;
use crate::metrics::region::{Kind, Series, Snapshot, Value};
use crate::metrics::routes::deltas::{Deltas, Id, Sent};
use crate::metrics::routes::observed::{counts, middle, rounded};

/// What a directive, and what an array of values, may hold.
const MOST_METRICS: usize = 100;
const MOST_VALUES: u64 = 100;
const MOST_DIMENSIONS: usize = 30;
/// A metric's name is cut here, so that there is room for what follows it within the 255
/// characters that CloudWatch keeps.
const NAME_CHARACTERS: usize = 248;
const VALUE_CHARACTERS: usize = 1_024;

/// A document, and the totals to record after it was sent.
#[derive(Debug)]
pub(in crate::metrics::routes) struct Document {
    /// It ends in a line break.
    pub(in crate::metrics::routes) text: String,
    pub(in crate::metrics::routes) values: u64,
    sent_totals: Vec<(Id, Sent)>,
}

/// The value of a metric with one set of dimensions.
#[derive(Debug, Default)]
struct Metric {
    sum: f64,
    gauges: Vec<f64>,
    buckets: BTreeMap<i32, u64>,
    unit: &'static str,
    sent_totals: Vec<(Id, Sent)>,
}

type Dimensions = Vec<(String, String)>;

impl Document {
    /// Records that it was sent.
    pub(crate) fn record(self, deltas: &mut Deltas) {
        for (id, sent) in self.sent_totals {
            deltas.record(id, sent);
        }
    }
}

/// Everything that is to be told now, in documents of about `bytes` at most.
pub(crate) fn documents(
    deltas: &Deltas,
    snapshot: &Snapshot,
    (emf, common): (&Plan, &[(String, String)]),
    now: Duration,
    bytes: usize,
) -> Vec<Document> {
    let mut all: BTreeMap<(Dimensions, Kind, &str), Metric> = BTreeMap::new();
    for series in &snapshot.series {
        let key = (
            dimensions(series, &emf.dimensions, common),
            series.value.kind(),
            series.name.as_str(),
        );
        if let Some(change) = change(deltas, series) {
            all.entry(key).or_default().add(change);
        }
    }
    let mut documents = Vec::new();
    let mut open: Option<Open> = None;
    for ((dimensions, kind, name), metric) in all {
        let targets = metric.targets(kind, name, &dimensions);
        let fits = open.take_if(|open| !open.takes(&dimensions, &targets, bytes));
        documents.extend(fits.map(|open| open.closed(emf, now)));
        let open = open.get_or_insert_with(|| Open::new(dimensions));
        open.add(targets, metric.sent_totals);
    }
    documents.extend(open.map(|open| open.closed(emf, now)));
    documents
}

/// The change of a series to send; `None` if there is none.
fn change(deltas: &Deltas, series: &Series) -> Option<Metric> {
    let id = Id::of(series);
    let mut change = Metric {
        unit: unit(series),
        ..Metric::default()
    };
    match &series.value {
        Value::Counter(total) => {
            // A total that has fallen has begun anew.
            let before = deltas.total(&id).filter(|before| before <= total);
            change.sum = total - before.unwrap_or_default();
            change.sent_totals.push((id, Sent::Total(*total)));
            (change.sum.is_finite() && change.sum != 0.0).then_some(change)
        }
        Value::Gauge(value) => {
            change.gauges.push(*value);
            value.is_finite().then_some(change)
        }
        Value::Histogram(observed) => {
            let grown = deltas.grown(&id, observed);
            change.buckets = grown.map(|grown| (grown.bucket, grown.more)).collect();
            change.sum = observed.sum - deltas.sum(&id);
            let all = Sent::Observed {
                buckets: counts(observed).collect(),
                sum: observed.sum,
            };
            change.sent_totals.push((id, all));
            (change.sum.is_finite() && !change.buckets.is_empty()).then_some(change)
        }
    }
}

impl Metric {
    /// Merges two series that differ only in labels that are not dimensions.
    fn add(&mut self, other: Self) {
        // What programs write may be anything; JSON has no infinity.
        self.sum = (self.sum + other.sum).clamp(f64::MIN, f64::MAX);
        self.gauges.extend(other.gauges);
        for (bucket, count) in other.buckets {
            let known = self.buckets.entry(bucket).or_default();
            *known = known.saturating_add(count);
        }
        self.unit = other.unit;
        self.sent_totals.extend(other.sent_totals);
    }

    /// The members of a document that say it.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a count is sent_totals as a float"
    )]
    fn targets(&self, kind: Kind, name: &str, dimensions: &Dimensions) -> Vec<Target> {
        let mut name: String = cleaned(name, NAME_CHARACTERS);
        // Members have one namespace.
        while name == "_aws" || dimensions.iter().any(|(known, _)| *known == name) {
            name.push('_');
        }
        let target = |suffix: &str, unit, value| Target {
            name: format!("{name}{suffix}"),
            unit,
            value,
        };
        match kind {
            Kind::Counter => vec![target("", self.unit, json!(self.sum))],
            Kind::Gauge => {
                let values: Vec<f64> = thinned(&self.gauges);
                vec![target("", self.unit, json!(values))]
            }
            Kind::Histogram => {
                let count: u128 = self.buckets.values().map(|count| u128::from(*count)).sum();
                vec![
                    target("", self.unit, json!(sample(&self.buckets, count))),
                    target("_count", "Count", json!(count as f64)),
                    target("_sum", self.unit, json!(self.sum)),
                ]
            }
        }
    }
}

/// A definition with its value.
struct Target {
    name: String,
    unit: &'static str,
    value: Json,
}

impl Target {
    /// How much of a document it takes, nearly.
    fn bytes(&self) -> usize {
        2 * self.name.len() + self.value.to_string().len() + 40
    }
}

/// A document that is being filled.
struct Open {
    dimensions: Dimensions,
    definitions: Vec<Json>,
    members: Map<String, Json>,
    bytes: usize,
    sent_totals: Vec<(Id, Sent)>,
}

impl Open {
    fn new(dimensions: Dimensions) -> Self {
        let text = |(name, value): &(String, String)| 2 * name.len() + value.len() + 12;
        Self {
            bytes: 250 + dimensions.iter().map(text).sum::<usize>(),
            dimensions,
            definitions: Vec::new(),
            members: Map::new(),
            sent_totals: Vec::new(),
        }
    }

    /// Whether there is room, and no member of the same name.
    fn takes(&self, dimensions: &Dimensions, targets: &[Target], bytes: usize) -> bool {
        let more: usize = targets.iter().map(Target::bytes).sum();
        self.dimensions == *dimensions
            && self.definitions.len() + targets.len() <= MOST_METRICS
            && self.bytes + more <= bytes
            && (targets.iter()).all(|target| !self.members.contains_key(&target.name))
    }

    fn add(&mut self, targets: Vec<Target>, sent_totals: Vec<(Id, Sent)>) {
        for target in targets {
            self.bytes += target.bytes();
            let definition = json!({"Name": target.name, "Unit": target.unit});
            self.definitions.push(definition);
            self.members.insert(target.name, target.value);
        }
        self.sent_totals.extend(sent_totals);
    }

    fn closed(self, emf: &Plan, now: Duration) -> Document {
        let names: Vec<&String> = self.dimensions.iter().map(|(name, _)| name).collect();
        let values = self.definitions.len() as u64;
        let mut about = json!({
            "Timestamp": u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            "CloudWatchMetrics": [{
                "Namespace": emf.namespace,
                "Dimensions": [names],
                "Metrics": self.definitions,
            }],
        });
        if emf.agent.is_some() {
            about["LogGroupName"] = json!(emf.log_group);
        }
        let mut members = self.members;
        members.insert("_aws".to_owned(), about);
        for (name, value) in &self.dimensions {
            members.insert(name.clone(), json!(value));
        }
        Document {
            text: format!("{}\n", Json::Object(members)),
            values,
            sent_totals: self.sent_totals,
        }
    }
}

/// The labels that are asked for and have a value, in the order in which they are asked for.
fn dimensions(series: &Series, asked: &[String], common: &[(String, String)]) -> Dimensions {
    let value = |name: &String| {
        let mut labels = series.labels.iter().chain(common);
        let (_, value) = labels.find(|(label, _)| label == name)?;
        let value = cleaned(value, VALUE_CHARACTERS);
        (!value.trim().is_empty()).then(|| (name.clone(), value))
    };
    let mut dimensions: Dimensions = Vec::new();
    for dimension in asked.iter().filter_map(value).take(MOST_DIMENSIONS) {
        if !dimensions.contains(&dimension) {
            dimensions.push(dimension);
        }
    }
    dimensions
}

/// What CloudWatch takes: printable ASCII of a certain length.
fn cleaned(text: &str, characters: usize) -> String {
    let taken = |letter: char| letter.is_ascii_graphic() || letter == ' ';
    text.chars()
        .map(|letter| if taken(letter) { letter } else { '_' })
        .take(characters)
        .collect()
}

/// In CloudWatch's words, where it has one.
fn unit(series: &Series) -> &'static str {
    let name = series.name.strip_suffix("_total").unwrap_or(&series.name);
    let is = |unit: &str| {
        series.unit.as_deref() == Some(unit)
            || (name.strip_suffix(unit)).is_some_and(|rest| rest.ends_with('_'))
    };
    if is("seconds") {
        "Seconds"
    } else if is("bytes") {
        "Bytes"
    } else if series.value.kind() == Kind::Counter {
        "Count"
    } else {
        "None"
    }
}

/// As many as an array holds, evenly from all.
fn thinned(values: &[f64]) -> Vec<f64> {
    let most = usize::try_from(MOST_VALUES).unwrap_or(usize::MAX);
    let taken = values.len().min(most);
    (0..taken)
        .map(|n| values[n * values.len() / taken])
        .collect()
}

/// Values that are distributed as the observations: each of them where there is room.
fn sample(buckets: &BTreeMap<i32, u64>, count: u128) -> Vec<f64> {
    let taken = count.min(u128::from(MOST_VALUES));
    let mut values = Vec::new();
    let mut passed: u128 = 0;
    for (bucket, more) in buckets {
        passed += u128::from(*more);
        // The middle of each of as many equal parts.
        while (values.len() as u128 * 2 + 1) * count < passed * 2 * taken {
            values.push(rounded(middle(*bucket)));
        }
    }
    values
}
