//! Renders N series, or arbitrary names, for what measures and checks the exposition from
//! outside: `exposition_cost cost N` and `exposition_cost odd text|openmetrics SEED`.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench is told what to do, and prints its figures"
)]

use std::time::Instant;

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

fn main() {
    let mut words = std::env::args().skip(1);
    let (word, rest) = (words.next().unwrap_or_default(), words.collect::<Vec<_>>());
    if word == "odd" {
        let format = match rest.first().map(String::as_str) {
            Some("text") => Format::Text,
            _ => Format::OpenMetrics,
        };
        let seed = rest.get(1).and_then(|seed| seed.parse().ok()).unwrap_or(1);
        print!("{}", Exposition::new(odd(seed), &[], format).text());
        return;
    }
    let count: usize = rest.first().and_then(|n| n.parse().ok()).unwrap_or(1_000);
    let mut snapshot = Snapshot::default();
    snapshot.series = (0..count)
        .map(|n| {
            let labels = vec![("shard".to_owned(), format!("{n:06}"))];
            series("rows".to_owned(), labels, Value::Counter(1.0))
        })
        .collect();
    let mut times = Vec::new();
    let mut bytes = 0;
    for _ in 0..5 {
        let snapshot = snapshot.clone();
        let start = Instant::now();
        bytes = Exposition::new(snapshot, &[], Format::Text)
            .map(|piece| piece.len())
            .sum();
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    println!("{count} series: {:.2} ms, {bytes} bytes", times[2]);
}
