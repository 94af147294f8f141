//! What the runtime counts of itself. CONTRACTS.md names all of it.

use std::path::Path;

use super::endpoint::Refusals;
use super::orders::Metrics;
use crate::contract::delivered;
use crate::credentials::Broker;
use crate::facts::Facts;
use crate::metrics::region::{Key, Kind, Region, Series, Snapshot, Value};

/// Its starts are counted where they outlive it.
const STARTS: &str = "lyftlearn_runtime_agent_starts_total";

/// All of its names begin so.
pub(super) const PREFIX: &str = "lyftlearn_runtime_";

const LOST: &str = "metrics_lost_total";
/// Those that were to be passed on wait in its memory.
const LINES: &str = "lines";

/// Everything that it can be read from.
pub(super) struct Own {
    stages: Vec<(String, f64)>,
    skew: Option<u64>,
    broker: Option<Broker>,
    refusals: Refusals,
}

/// What there was no room for, by what ran out.
pub(super) struct Lost {
    pub(super) series: u64,
    pub(super) values: u64,
    pub(super) damaged: u64,
    pub(super) lines: u64,
}

impl Own {
    pub(super) fn new(orders: &Metrics, broker: Option<Broker>, refusals: Refusals) -> Self {
        if let Some(run) = &orders.run {
            count_start(run);
        }
        Self {
            stages: orders.stages.clone(),
            skew: orders.skew,
            broker,
            refusals,
        }
    }

    /// A snapshot of its own, in the order of all of them.
    pub(super) fn snapshot(&self, lost: &Lost) -> Snapshot {
        let mut found = Vec::new();
        for (cause, count) in [
            ("series", lost.series),
            ("values", lost.values),
            ("damaged", lost.damaged),
            (LINES, lost.lines),
        ] {
            let help = "What was counted and not kept: series without room, values that are no numbers, series that somebody wrote over, received lines that waited too long.";
            found.push(counter(LOST, &[("what", cause)], count, help));
        }
        for (stage, seconds) in &self.stages {
            let help = "How long each part of the start took, before the program.";
            let mut series = gauge("start_seconds", &[("stage", stage)], *seconds, help);
            series.unit = Some("seconds".to_owned());
            found.push(series);
        }
        let info = [("version", env!("CARGO_PKG_VERSION"))];
        found.push(gauge("info", &info, 1.0, "Which version runs."));
        if let Some(skew) = self.skew {
            let help = "How many undeclared differences there are from what trained the model.";
            found.push(gauge("skew_differences", &[], float(skew), help));
        }
        for summary in self.broker.as_ref().map_or(Vec::new(), Broker::summaries) {
            let identity = [("identity", summary.name.as_str())];
            for (name, count, help) in [
                (
                    "credentials_refreshes_total",
                    summary.counts.refreshes,
                    "Credentials that were obtained.",
                ),
                (
                    "credentials_failures_total",
                    summary.counts.failures,
                    "Attempts to obtain credentials that failed.",
                ),
                (
                    "credentials_served_total",
                    summary.counts.served,
                    "Requests that were answered with credentials.",
                ),
            ] {
                found.push(counter(name, &identity, count, help));
            }
            if let Some(seconds) = summary.seconds_left {
                let help = "How long the held credentials are still good.";
                let mut left = gauge("credentials_left_seconds", &identity, float(seconds), help);
                left.unit = Some("seconds".to_owned());
                found.push(left);
            }
        }
        for (reason, count) in self.refusals.borrow().iter() {
            let help = "Requests to the credential endpoint that were refused.";
            found.push(counter(
                "credentials_refused_total",
                &[("reason", reason)],
                *count,
                help,
            ));
        }
        found.sort_by(|a, b| order(a).cmp(&order(b)));
        Snapshot {
            series: found,
            ..Snapshot::default()
        }
    }
}

/// Whether a total is this process's own: everything else outlives it.
pub(super) fn begins_anew(series: &Series) -> bool {
    let name = series.name.strip_prefix(PREFIX);
    name.is_some_and(|name| {
        name.starts_with("credentials_")
            || (name == LOST && series.labels.iter().any(|(_, what)| what == LINES))
    })
}

fn order(series: &Series) -> (Kind, &str, &[(String, String)]) {
    (series.value.kind(), &series.name, &series.labels)
}

/// In the region, as everybody else counts: the next agent finds it there.
fn count_start(run: &Path) {
    let facts = Facts::empty()
        .with_root("/")
        .with_var(delivered::RUN_DIR, run);
    let region = Region::of(&facts);
    let help = "How often the process beside the program was started.";
    // A region without room for it says so by itself.
    let _ = region.describe(STARTS, "", help);
    if let Ok(key) = Key::new(STARTS, []) {
        region.counter(&key).add(1);
    }
}

fn counter(name: &str, labels: &[(&str, &str)], count: u64, help: &str) -> Series {
    series(name, labels, Value::Counter(float(count)), help)
}

fn gauge(name: &str, labels: &[(&str, &str)], value: f64, help: &str) -> Series {
    series(name, labels, Value::Gauge(value), help)
}

fn series(name: &str, labels: &[(&str, &str)], value: Value, help: &str) -> Series {
    let labels = labels.iter();
    Series {
        name: format!("{PREFIX}{name}"),
        labels: labels
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        unit: None,
        help: Some(help.to_owned()),
        value,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a total is shown as a float")]
fn float(count: u64) -> f64 {
    count as f64
}
