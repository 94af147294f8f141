//! What it takes to render some series as Prometheus text: `render_cost WHO KIND SERIES`.
//!
//! WHO is `ours`, a region and its exposition, or `exporter`, metrics-exporter-prometheus;
//! KIND is `counters` or `histograms`. Prints the milliseconds of processor time that one time
//! takes (the median), and in KiB what the series take of memory, what rendering adds to that at its peak, and what
//! is rendered.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench is told what to do, prints its figures, and fails by panicking"
)]

use std::fs;
use std::hint::black_box;
use std::time::Duration;

use lyftlearn_runtime::Facts;
use lyftlearn_runtime::metrics::Recorder;
use lyftlearn_runtime::metrics::exposition::{Exposition, Format};
use lyftlearn_runtime::metrics::region::{Region, create};
use metrics_exporter_prometheus::PrometheusBuilder;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

const ROUNDS: usize = 5;
/// Series of one metric.
const METRIC: usize = 100;
/// `prometheus_client`'s own.
const BUCKETS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// A line of the kernel's account of this process, in KiB.
fn memory(line: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let found = status.split(line).nth(1).unwrap();
    found.split_whitespace().next().unwrap().parse().unwrap()
}

/// What this process has had, in user and in kernel mode.
fn processor() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap()
}

fn fill(recorder: &dyn metrics::Recorder, kind: &str, series: usize) {
    metrics::with_local_recorder(recorder, || {
        for n in 0..series {
            let name = format!("bench.metric_{}", n / METRIC);
            let labels = [("shard", format!("{n:06}")), ("route", "/v1/score".into())];
            if kind == "counters" {
                metrics::counter!(name, &labels).increment(n as u64);
            } else {
                let histogram = metrics::histogram!(name, &labels);
                for value in [0.003, 0.02, 0.02, 0.7] {
                    histogram.record(value);
                }
            }
        }
    });
}

/// Fills, then renders again and again; `render` says how many bytes there were.
fn measure(fill: impl FnOnce(), mut render: impl FnMut() -> usize) {
    let empty = memory("VmRSS:");
    fill();
    let held = memory("VmRSS:");
    // Resets the peak of the resident memory.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let mut bytes = black_box(render());
    let peak = memory("VmHWM:");
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let before = processor();
            bytes = black_box(render());
            (processor() - before).as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let figures = json!({
        "milliseconds": times[ROUNDS / 2],
        "held": held - empty,
        "peak": peak.saturating_sub(held),
        "text": bytes / 1024,
    });
    println!("{figures}");
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [who, kind, series] = arguments.as_slice() else {
        panic!("render_cost ours|exporter counters|histograms SERIES");
    };
    let series: usize = series.parse().unwrap();
    if who == "ours" {
        let run = tempfile::tempdir().unwrap();
        // A directory that is half full, and cells that are twice as large as they have to be.
        let each = if kind == "counters" { 1_024 } else { 8_192 };
        let mut place = create(run.path(), (series * each) as u64 + (1 << 20))
            .unwrap()
            .unwrap();
        place.publish().unwrap();
        let facts = Facts::empty()
            .with_root("/")
            .with_var("LYFTLEARN_RUN_DIR", run.path());
        let region = Region::of(&facts);
        assert_eq!(region.degraded(), None);
        measure(
            || fill(&Recorder::over(region), kind, series),
            // A piece at a time, as the agent sends it.
            || {
                Exposition::new(region.snapshot(), &[], Format::Text)
                    .map(|piece| piece.len())
                    .sum()
            },
        );
        assert_eq!(region.snapshot().series.len(), series);
    } else {
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).unwrap();
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        measure(|| fill(&recorder, kind, series), || handle.render().len());
    }
}
