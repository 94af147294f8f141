//! How long rendering takes: `exposition_cost N`.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench is told what to do, and prints its figures"
)]

use std::time::Instant;

use lyftlearn_runtime::metrics::exposition::{Exposition, Format};
use lyftlearn_runtime::metrics::region::{Series, Snapshot, Value};

fn series(name: String, labels: Vec<(String, String)>, value: Value) -> Series {
    Series {
        name,
        labels,
        unit: None,
        help: None,
        value,
    }
}

fn main() {
    let count = std::env::args().nth(1).and_then(|n| n.parse().ok());
    let count: usize = count.unwrap_or(1_000);
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
