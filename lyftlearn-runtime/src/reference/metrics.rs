//! `docs/reference/metrics.md`: the metrics of the runtime itself, with the help texts of the code.

use std::fmt::Write;

use expect_test::expect_file;

use super::{cell, heading, page};
use crate::agent::runtime_metrics::{HELP, PREFIX, help};
use crate::contract::statsd_metrics as received;
use crate::metrics::store::own::TEXTS;

const INTRODUCTION: &str = "\
Every route except `sagemaker` and `emf` shows these metrics next to the program's own. \
Names that begin with `lyftlearn_runtime_` are reserved: StatsD lines with such a name are rejected. \
The meaning is the metric's help text.";

/// What a help text has no room for: labels and their values.
const OWN: &[(&str, &str)] = &[
    ("info", "`version`; the value is 1"),
    ("start_seconds", "`stage`: `resolve`, `secrets`, `deliver`"),
    (
        "metrics_lost_total",
        "`what`: `series` without room, `values` that are not numbers, `damaged` series, received `lines` that waited too long, points that an OpenTelemetry collector `refused`",
    ),
    ("credentials_refreshes_total", "`identity`"),
    ("credentials_failures_total", "`identity`"),
    ("credentials_served_total", "`identity`"),
    ("credentials_left_seconds", "`identity`"),
    ("credentials_refused_total", "`reason`"),
    (
        "secrets_age_seconds",
        "`secret`; after a restart of the agent, the age since the start, until the next refresh",
    ),
    (
        "signals_forwarded_total",
        "`signal`: the one that arrived, before `lifecycle.stop_signal`",
    ),
    (
        "events_total",
        "`to`: the destination; `result`: `delivered`, `failed`",
    ),
    (
        "outcome",
        "`class`: the class of the outcome; the value is 1",
    ),
    (
        "skew_differences",
        "none; absent if no snapshot was compared",
    ),
    ("agent_starts_total", "none"),
];

const RECEIVED: &[(&str, &str)] = &[
    (
        received::STATSD_PACKETS,
        "`listener`: `udp`, `udp6`, `dogstatsd`, `tcp`, `tcp6`, `datagram`, `stream`; on streams the data of one read counts as a packet",
    ),
    (
        received::STATSD_LINES,
        "`listener`; rejected lines count as well",
    ),
    (
        received::STATSD_REFUSED,
        "`reason`: structure, name, value, type, rate, tags, timestamp, mixed-tags, encoding, too-long, event, check, conflict (the name has another type), series and members (no room), frame",
    ),
    (received::STATSD_EVENTS, "`kind`: `event`, `check`"),
    (received::STATSD_CLAMPED, "none"),
    (received::STATSD_TRUNCATED, "`listener`"),
    (received::STATSD_KERNEL_DROPS, "`listener`"),
    (
        received::STATSD_RECEIVE_BUFFER,
        "`listener`; in the kernel's accounting",
    ),
];

fn table(page: &mut String, rows: impl Iterator<Item = (String, String, &'static str)>) {
    page.push_str("\n| metric | meaning | labels |\n|---|---|---|\n");
    for (name, help, labels) in rows {
        writeln!(page, "| `{name}` | {} | {} |", cell(&help), cell(labels)).unwrap();
    }
}

/// The labels of a metric, which both lists must have.
fn labels(of: &'static [(&'static str, &'static str)], name: &str) -> &'static str {
    let found = of.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("{name} has no row")).1
}

#[test]
fn metrics() {
    let mut text = page("Metrics of the runtime", INTRODUCTION);
    heading(&mut text, "The runtime", "");
    assert_eq!(OWN.len(), HELP.len());
    let own = HELP.iter().map(|(name, _)| {
        let help = help(name).unwrap();
        (format!("{PREFIX}{name}"), help, labels(OWN, name))
    });
    table(&mut text, own);
    heading(&mut text, "Received StatsD lines", "");
    assert_eq!(RECEIVED.len(), TEXTS.len());
    let received = TEXTS.iter().map(|(name, _, help)| {
        (
            (*name).to_owned(),
            (*help).to_owned(),
            labels(RECEIVED, name),
        )
    });
    table(&mut text, received);
    expect_file!["../../../docs/reference/metrics.md"].assert_eq(&text);
}

/// The other direction, that every metric of a running agent has its row, needs an agent: see
/// conformance/tests/process/runtime_metrics.rs.
#[test]
fn every_row_is_a_metric_of_the_agent() {
    let code = include_str!("../agent/runtime_metrics.rs");
    let (_, code) = code.split_once("fn snapshot(").unwrap();
    for (name, _) in HELP
        .iter()
        .filter(|(name, _)| *name != "metrics_lost_total")
    {
        assert!(code.contains(&format!("\"{name}\"")), "{name}");
    }
}
