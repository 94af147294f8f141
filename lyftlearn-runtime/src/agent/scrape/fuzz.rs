//! Any bytes through the real parser of `/metrics`.

use super::super::config::Metrics;
use super::super::endpoint::fuzz::{answers, requests};
use super::super::ledger::Ledger;
use super::super::runtime_metrics::{RuntimeMetrics, Sources};
use super::{Places, Shown, connection};
use crate::fuzz::{Draw, target};
use crate::metrics::region::{Series, Snapshot, Value};

const PATHS: &[&str] = &[
    "/metrics",
    "/metrics",
    "/metrics?x=1",
    "/",
    "/metrics/",
    "*",
    "http://x/metrics",
];
const HEADERS: &[&str] = &[
    "Host: 10.0.0.1:9102",
    "Accept: text/plain",
    "Accept: application/openmetrics-text;version=1.0.0,*/*;q=0.1",
    "Accept: application/openmetrics-text; version=0.0.1; q=0.75",
    "Accept: ;;q=;,",
    "Accept: */*;q=1e999",
    "Accept-Encoding: gzip",
    "Accept-Encoding: gzip;q=0",
    "Accept-Encoding: *;q=x, identity",
    "X-Prometheus-Scrape-Timeout-Seconds: 10",
    "X-Prometheus-Scrape-Timeout-Seconds: NaN",
    "X-Prometheus-Scrape-Timeout-Seconds: 1e300",
    "Content-Length: 2",
    "Transfer-Encoding: chunked",
    "Expect: 100-continue",
    "Connection: close",
    "Connection: upgrade",
];

/// More than one piece of an answer, sometimes.
fn counted(draw: &mut Draw<'_>) -> Snapshot {
    let count = draw.pick(&[0, 1, 40, 900]);
    let series = (0..count).map(|n| Series {
        name: format!("rows_{n}"),
        labels: vec![("split".to_owned(), "train".to_owned())],
        unit: None,
        help: None,
        value: Value::Counter(1.0),
    });
    Snapshot {
        series: series.collect(),
        ..Snapshot::default()
    }
}

fn own() -> RuntimeMetrics {
    let config = Metrics {
        export: crate::metrics::routes::Export::default(),
        region_bytes: None,
        stages: Vec::new(),
        secrets: Vec::new(),
        oom_counter: None,
        exit_remap: Vec::new(),
        skew: None,
        begun: 0.0,
        flush_seconds: 0.0,
    };
    let sources = Sources {
        broker: None,
        refusals: std::rc::Rc::default(),
        ledger: Ledger::new(None),
        ages: std::rc::Rc::default(),
        events: std::rc::Rc::default(),
    };
    RuntimeMetrics::new(&config, None, sources)
}

fn scrapes(draw: &mut Draw<'_>) {
    let stream = requests(draw, PATHS, HEADERS);
    let shown = Shown::of_snapshot(counted(draw), own());
    let found = answers(&stream, draw, async |theirs| {
        let place = Places::new(1, 1).take().await;
        connection(theirs, &shown, &place).await;
    });
    assert!(
        found.is_empty() || found.starts_with(b"HTTP/1."),
        "{}",
        found.escape_ascii()
    );
    assert!(found.len() < 256 << 10, "{}", found.len());
    let Some(end) = found.windows(4).position(|four| four == b"\r\n\r\n") else {
        assert!(found.is_empty(), "{}", found.escape_ascii());
        return;
    };
    // One request each: a second answer would stand where the first one's body ends.
    let (head, body) = (String::from_utf8_lossy(&found[..end]), &found[end + 4..]);
    assert!(!body.windows(9).any(|nine| nine == b"HTTP/1.1 "), "{head}");
    let status = &head[9..12];
    assert!(
        ["200", "404", "405", "400", "431", "414", "100"].contains(&status),
        "{head}"
    );
    if status == "200" && !head.contains("gzip") && body.ends_with(b"0\r\n\r\n") {
        assert!(body.windows(6).any(|six| six == b"# TYPE"), "{head}");
    }
}

#[test]
fn fuzz_scrapes() {
    target!(600, scrapes);
}
