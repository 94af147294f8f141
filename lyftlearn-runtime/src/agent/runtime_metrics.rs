//! Metrics of the runtime itself. docs/reference/metrics.md names all of them.

use std::cell::Cell;
use std::path::PathBuf;
use std::time::Duration;

use super::config::Metrics;
use super::endpoint::Refusals;
use super::events::Counts;
use super::ledger::Ledger;
use super::secrets::Ages;
use crate::credentials::Broker;

use crate::facts::{Facts, wall_clock};
use crate::held::Directory;
use crate::metrics::region::{Kind, Series, Snapshot, Value};
use crate::metrics::routes::{Loss, Losses, ROUTES};
use crate::outcome::{End, class_of, remapped};

/// All of its names begin so.
pub(crate) const PREFIX: &str = "lyftlearn_runtime_";

const LOST: &str = "metrics_lost_total";

/// The help text of each metric; docs/reference/metrics.md begins with it.
pub(crate) const HELP: &[(&str, &str)] = &[
    ("info", "Which version runs."),
    (
        "start_seconds",
        "Seconds that each part of the start took, before the program.",
    ),
    ("agent_starts_total", "Starts of the agent process."),
    (
        LOST,
        "Metric values that were dropped: no room for the series, not a number, or the series was overwritten",
    ),
    (
        "credentials_refreshes_total",
        "Credentials that were obtained.",
    ),
    (
        "credentials_failures_total",
        "Attempts to obtain credentials that failed.",
    ),
    (
        "credentials_served_total",
        "Requests that were answered with credentials.",
    ),
    (
        "credentials_left_seconds",
        "Seconds until the cached credentials expire.",
    ),
    (
        "credentials_refused_total",
        "Requests to the credential endpoint that were refused.",
    ),
    (
        "secrets_age_seconds",
        "Seconds since a secret was last obtained.",
    ),
    (
        "signals_forwarded_total",
        "Signals that were forwarded to the program.",
    ),
    (
        "events_total",
        "Attempts to send a job event, by destination and result.",
    ),
    (
        "outcome",
        "Reason of the program's end; absent while it runs.",
    ),
    (
        "skew_differences",
        "Undeclared differences between this container and the one that trained the model.",
    ),
];

/// The help text of a metric, which names the losses of each route as well.
pub(crate) fn help(name: &str) -> Option<String> {
    let (_, own) = HELP.iter().find(|(known, _)| *known == name)?;
    if name == LOST {
        let by_routes = route_losses().map(|loss| format!(", {}", loss.help));
        return Some(format!("{own}{}.", by_routes.collect::<String>()));
    }
    Some((*own).to_owned())
}

fn route_losses() -> impl Iterator<Item = Loss> {
    ROUTES.iter().filter_map(|route| route.loss)
}

/// The sources of the runtime's own metrics, read at each export.
pub(super) struct Sources {
    pub(super) broker: Option<Broker>,
    pub(super) refusals: Refusals,
    pub(super) ledger: Ledger,
    pub(super) ages: Ages,
    pub(super) events: Counts,
}

/// Everything that it can be read from.
pub(super) struct RuntimeMetrics {
    stages: Vec<(String, f64)>,
    skew: Option<u64>,
    /// When secrets were obtained that have not been since.
    begun: Duration,
    secrets: Vec<String>,
    run: Option<Directory>,
    oom_counter: Option<(PathBuf, u64)>,
    exit_remap: Vec<(u8, u8)>,
    sources: Sources,
    outcome: Cell<Option<&'static str>>,
}

/// What there was no room for, by what ran out.
pub(super) struct Lost<'a> {
    pub(super) series: u64,
    pub(super) values: u64,
    pub(super) damaged: u64,
    pub(super) by_routes: &'a Losses,
}

impl RuntimeMetrics {
    pub(super) fn new(config: &Metrics, run: Option<Directory>, sources: Sources) -> Self {
        Self {
            stages: config.stages.clone(),
            skew: config.skew,
            begun: Duration::try_from_secs_f64(config.begun).unwrap_or_default(),
            secrets: config.secrets.clone(),
            run,
            oom_counter: config.oom_counter.clone(),
            exit_remap: config.exit_remap.clone(),
            sources,
            outcome: Cell::new(None),
        }
    }

    /// The program has ended: from now on it is shown why.
    pub(super) fn ended(&self) {
        let Some(end) = self.sources.ledger.end() else {
            return;
        };
        let code = end.how.exit_code();
        let end = End {
            exit_code: code.map_or(u8::MAX, |code| remapped(code, &self.exit_remap)),
            oom_counter: self.oom_counter.clone(),
            ..end
        };
        let facts = Facts::empty().with_root("/");
        let class = class_of(&facts, &end, self.run.as_ref());
        self.outcome.set(Some(class.name()));
    }

    /// How long ago each secret was last obtained.
    fn ages(&self) -> impl Iterator<Item = (&str, f64)> {
        let now = wall_clock();
        let ages = self.sources.ages.borrow();
        self.secrets.iter().map(move |name| {
            let obtained = ages.get(name).unwrap_or(&self.begun);
            (name.as_str(), now.saturating_sub(*obtained).as_secs_f64())
        })
    }

    /// A snapshot of the runtime's own metrics, in the order of the register.
    pub(super) fn snapshot(&self, lost: &Lost<'_>) -> Snapshot {
        let mut found = Vec::new();
        let losses = [
            ("series", lost.series),
            ("values", lost.values),
            ("damaged", lost.damaged),
        ];
        for (cause, count) in losses.into_iter().chain(lost.by_routes.counts()) {
            found.push(counter(LOST, &[("what", cause)], count));
        }
        for (stage, seconds) in &self.stages {
            let mut series = gauge("start_seconds", &[("stage", stage)], *seconds);
            series.unit = Some("seconds".to_owned());
            found.push(series);
        }
        let info = [("version", env!("CARGO_PKG_VERSION"))];
        found.push(gauge("info", &info, 1.0));
        if let Some(skew) = self.skew {
            found.push(gauge("skew_differences", &[], float(skew)));
        }
        if let Some(starts) = self.sources.ledger.starts() {
            found.push(counter("agent_starts_total", &[], starts));
        }
        for (signal, count) in self.sources.ledger.signals() {
            let signal = [("signal", signal.as_str())];
            found.push(counter("signals_forwarded_total", &signal, count));
        }
        if let Some(class) = self.outcome.get() {
            found.push(gauge("outcome", &[("class", class)], 1.0));
        }
        for (secret, age) in self.ages() {
            let mut age = gauge("secrets_age_seconds", &[("secret", secret)], age);
            age.unit = Some("seconds".to_owned());
            found.push(age);
        }
        for summary in self
            .sources
            .broker
            .as_ref()
            .map_or(Vec::new(), Broker::summaries)
        {
            let labels = [("identity", summary.name.as_str())];
            for (name, count) in [
                ("credentials_refreshes_total", summary.counts.refreshes),
                ("credentials_failures_total", summary.counts.failures),
                ("credentials_served_total", summary.counts.served),
            ] {
                found.push(counter(name, &labels, count));
            }
            if let Some(seconds) = summary.seconds_left {
                let mut left = gauge("credentials_left_seconds", &labels, float(seconds));
                left.unit = Some("seconds".to_owned());
                found.push(left);
            }
        }
        for (reason, count) in self.sources.refusals.borrow().iter() {
            found.push(counter(
                "credentials_refused_total",
                &[("reason", reason)],
                *count,
            ));
        }
        for ((to, result), count) in self.sources.events.borrow().iter() {
            let labels = [("result", *result), ("to", to.as_str())];
            found.push(counter("events_total", &labels, *count));
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
        let is_a_routes = |what: &str| route_losses().any(|loss| loss.cause == what);
        name.starts_with("credentials_")
            || name.starts_with("events_")
            || (name == LOST && series.labels.iter().any(|(_, what)| is_a_routes(what)))
    })
}

fn order(series: &Series) -> (Kind, &str, &[(String, String)]) {
    (series.value.kind(), &series.name, &series.labels)
}

fn counter(name: &str, labels: &[(&str, &str)], count: u64) -> Series {
    series(name, labels, Value::Counter(float(count)))
}

fn gauge(name: &str, labels: &[(&str, &str)], value: f64) -> Series {
    series(name, labels, Value::Gauge(value))
}

fn series(name: &str, labels: &[(&str, &str)], value: Value) -> Series {
    let labels = labels.iter();
    Series {
        name: format!("{PREFIX}{name}"),
        labels: labels
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        unit: None,
        help: help(name),
        value,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a total is shown as a float")]
fn float(count: u64) -> f64 {
    count as f64
}
