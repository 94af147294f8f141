//! Whatever programs call their metrics, no parser refuses the exposition: neither promtool
//! nor `prometheus_client`'s strict one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use lyftlearn_runtime::metrics::exposition::{Exposition, Format};
use lyftlearn_runtime::metrics::region::{Buckets, Series, Snapshot, Value};

/// Pieces that names, labels and values are put together from.
const PIECES: [&str; 24] = [
    "a", "b", ".", "_", "__", "le", "quantile", "é", "\"", "\\", "\n", "\r", "\0", " ", "1", ":",
    "_total", "_sum", "_count", "_bucket", "_created", "{", "}", "🎉",
];

/// Numbers that look like any, and are the same for a seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }

    fn text(&mut self) -> String {
        let pieces = self.below(4) + 1;
        (0..pieces)
            .map(|_| PIECES[usize::try_from(self.below(24)).unwrap_or_default()])
            .collect()
    }
}

fn series(name: String, labels: Vec<(String, String)>, value: Value) -> Series {
    Series {
        name,
        labels,
        unit: None,
        help: None,
        value,
    }
}

fn odd(seed: u64) -> Snapshot {
    let mut numbers = Numbers(seed.wrapping_mul(2_654_435_761) + 1);
    let mut snapshot = Snapshot::default();
    for _ in 0..40 {
        let labels = (0..numbers.below(4)).map(|_| (numbers.text(), numbers.text()));
        let mut labels: Vec<(String, String)> = labels.collect();
        labels.sort();
        labels.dedup_by(|a, b| a.0 == b.0);
        let values = [0.0, -1.5, 1e300, f64::NAN, f64::INFINITY, 7.0];
        let value = values[usize::try_from(numbers.below(6)).unwrap_or_default()];
        let value = match numbers.below(3) {
            0 => Value::Counter(value),
            1 => Value::Gauge(value),
            _ => Value::Histogram(Buckets {
                positive: vec![(-3, 2), (5, 1)],
                zero: numbers.below(2),
                negative: 0,
                count: 4,
                sum: 2.5,
            }),
        };
        let mut one = series(numbers.text(), labels, value);
        if let Value::Histogram(buckets) = &mut one.value {
            buckets.count = 3 + buckets.zero;
        }
        one.help = Some(numbers.text());
        one.unit = Some("seconds".to_owned());
        snapshot.series.push(one);
    }
    let order = |series: &Series| {
        (
            series.value.kind(),
            series.name.clone(),
            series.labels.clone(),
        )
    };
    snapshot.series.sort_by_key(order);
    snapshot.series.dedup_by(|a, b| order(a) == order(b));
    snapshot
}

const SEEDS: std::ops::Range<u64> = 1..150;

#[track_caller]
fn check(command: &mut Command, text: &str, fine: &[i32], what: &str) {
    let mut parser = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("conformance/setup.sh and make build install the parsers");
    parser
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = parser.wait_with_output().unwrap();
    assert!(
        output
            .status
            .code()
            .is_some_and(|code| fine.contains(&code)),
        "{what}: {}\n{text}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn promtool_takes_every_text() {
    for seed in SEEDS {
        let text = Exposition::new(odd(seed), &[], Format::Text).text();
        // 3: it would have chosen other names.
        let mut promtool = Command::new("promtool");
        check(
            promtool.args(["check", "metrics"]),
            &text,
            &[0, 3],
            &format!("seed {seed}"),
        );
    }
}

#[test]
fn the_strict_parser_takes_every_openmetrics_text() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/venv/bin/python");
    let script = "import json, sys\n\
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n\
        for text in json.load(sys.stdin): list(parse(text))\n";
    let texts = SEEDS.map(|seed| Exposition::new(odd(seed), &[], Format::OpenMetrics).text());
    let texts = serde_json::to_string(&texts.collect::<Vec<_>>()).unwrap();
    check(
        Command::new(python).args(["-c", script]),
        &texts,
        &[0],
        "openmetrics",
    );
}
