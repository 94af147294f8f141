//! `docs/reference/metrics.md`: the metrics of the runtime itself.

use expect_test::expect_file;

use super::{Row, heading, page, row, table};
use crate::contract::statsd_metrics as received;

const INTRODUCTION: &str = "\
Every route except `sagemaker` and `emf` shows these metrics next to the program's own. \
Names that begin with `lyftlearn_runtime_` are reserved: StatsD lines with such a name are rejected.";

const OWN: &[Row] = &[
    row(&["lyftlearn_runtime_info"], "1, with the `version`"),
    row(
        &["lyftlearn_runtime_start_seconds"],
        "duration of each `stage` of the start: `resolve`, `secrets`, `deliver`",
    ),
    row(
        &["lyftlearn_runtime_agent_starts_total"],
        "how often the agent was started",
    ),
    row(
        &["lyftlearn_runtime_metrics_lost_total"],
        "values that were not kept or delivered, by `what`: `series` without room, `values` that are not numbers, `damaged` series, received `lines` that waited too long, points that an OpenTelemetry collector `refused`",
    ),
    row(
        &[
            "lyftlearn_runtime_credentials_refreshes_total",
            "lyftlearn_runtime_credentials_failures_total",
            "lyftlearn_runtime_credentials_served_total",
        ],
        "refreshes, failed refreshes and answered requests of each `identity`",
    ),
    row(
        &["lyftlearn_runtime_credentials_left_seconds"],
        "seconds until the cached credentials of each `identity` expire",
    ),
    row(
        &["lyftlearn_runtime_credentials_refused_total"],
        "requests that the endpoint refused, by `reason`",
    ),
    row(
        &["lyftlearn_runtime_secrets_age_seconds"],
        "seconds since each `secret` was last fetched; after a restart of the agent, since the start, until the next refresh",
    ),
    row(
        &["lyftlearn_runtime_signals_forwarded_total"],
        "signals that were forwarded to the program, by the `signal` that arrived",
    ),
    row(
        &["lyftlearn_runtime_events_total"],
        "attempts to send a job event, by destination (`to`) and `result` (`delivered`, `failed`)",
    ),
    row(
        &["lyftlearn_runtime_outcome"],
        "1, with the `class` of the outcome, once the program has ended",
    ),
    row(
        &["lyftlearn_runtime_skew_differences"],
        "undeclared differences from the environment that trained the model, if that was compared",
    ),
];

const RECEIVED: &[Row] = &[
    row(
        &[received::STATSD_PACKETS],
        "packets, and on streams the data of one read, by `listener` (`udp`, `udp6`, `dogstatsd`, `tcp`, `tcp6`, `datagram`, `stream`)",
    ),
    row(
        &[received::STATSD_LINES],
        "lines, including rejected ones, by `listener`",
    ),
    row(
        &[received::STATSD_REFUSED],
        "rejected lines and values, by `reason`: structure, name, value, type, rate, tags, timestamp, mixed-tags, encoding, too-long, event, check, conflict (the name has another type), series and members (no room), frame",
    ),
    row(
        &[received::STATSD_EVENTS],
        "events and service checks of DogStatsD, by `kind`: `event`, `check`",
    ),
    row(
        &[received::STATSD_CLAMPED],
        "lines with a rate below a millionth",
    ),
    row(
        &[received::STATSD_TRUNCATED],
        "packets that were longer than the receive buffer, by `listener`",
    ),
    row(
        &[received::STATSD_KERNEL_DROPS],
        "packets that the kernel dropped, by `listener`",
    ),
    row(
        &[received::STATSD_RECEIVE_BUFFER],
        "gauge: the kernel's receive buffer of a `listener`, in the kernel's accounting",
    ),
];

#[test]
fn metrics() {
    let mut text = page("Metrics of the runtime", INTRODUCTION);
    heading(&mut text, "The runtime", "");
    table(&mut text, "metric", OWN);
    heading(&mut text, "Received StatsD lines", "");
    table(&mut text, "metric", RECEIVED);
    expect_file!["../../../docs/reference/metrics.md"].assert_eq(&text);
}

/// The other direction, that every metric of a running agent has its row, needs an agent: see
/// conformance/tests/process/runtime_metrics.rs.
#[test]
fn every_row_is_a_metric_of_the_agent() {
    let code = include_str!("../agent/runtime_metrics.rs");
    for name in OWN.iter().flat_map(|row| row.names) {
        let suffix = name.strip_prefix("lyftlearn_runtime_").unwrap();
        assert!(code.contains(&format!("\"{suffix}\"")), "{name}");
    }
}
