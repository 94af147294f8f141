//! What the `metrics` facade's macros cost over the region, and over
//! metrics-exporter-prometheus: nanoseconds for each, the best of some rounds, in turn.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints its figures, and fails by panicking"
)]

use std::hint::black_box;
use std::time::Instant;

use lyftlearn_runtime::metrics::region::{Region, create};
use lyftlearn_runtime::metrics::{Recorder, recorder};
use lyftlearn_runtime::{Facts, resolve};

const ROUNDS: usize = 20;
const NUMBER: u32 = 50_000;

fn nanoseconds(mut operation: impl FnMut()) -> f64 {
    let begun = Instant::now();
    for _ in 0..NUMBER {
        operation();
    }
    begun.elapsed().as_secs_f64() * 1e9 / f64::from(NUMBER)
}

/// Each operation's cost over one recorder.
fn costs(recorder: &dyn metrics::Recorder) -> [f64; 6] {
    metrics::with_local_recorder(recorder, || {
        let counter = metrics::counter!("kept");
        let gauge = metrics::gauge!("kept_gauge");
        let histogram = metrics::histogram!("kept_histogram");
        [
            nanoseconds(|| counter.increment(black_box(1))),
            nanoseconds(|| gauge.set(black_box(1.5))),
            nanoseconds(|| histogram.record(black_box(1.5))),
            nanoseconds(|| metrics::counter!("named").increment(1)),
            nanoseconds(|| metrics::counter!("labelled", "a" => "1", "b" => "2").increment(1)),
            nanoseconds(|| metrics::histogram!("named_histogram").record(1.5)),
        ]
    })
}

fn main() {
    let run = tempfile::tempdir().unwrap();
    let mut place = create(run.path(), 1 << 20).unwrap().unwrap();
    place.publish().unwrap();
    let facts = Facts::empty()
        .with_root("/")
        .with_var("LYFTLEARN_RUN_DIR", run.path());
    let region = Region::of(&facts);
    assert_eq!(region.degraded(), None);
    let over_region = Recorder::over(region);
    let (exporter, handle) = recorder(&resolve(&Facts::empty()).unwrap().workload);

    let mut best = [[f64::INFINITY; 6]; 2];
    for _ in 0..ROUNDS {
        for (best, found) in best.iter_mut().zip([costs(&over_region), costs(&exporter)]) {
            for (best, found) in best.iter_mut().zip(found) {
                *best = best.min(found);
            }
        }
        // Otherwise it keeps every sample.
        handle.run_upkeep();
    }
    println!("| ns | region | metrics-exporter-prometheus | ratio |\n|---|--:|--:|--:|");
    let names = [
        "counter, kept",
        "gauge, kept",
        "histogram, kept",
        "counter!",
        "counter! with two labels",
        "histogram!",
    ];
    for (at, name) in names.iter().enumerate() {
        let [ours, theirs] = best.map(|costs| costs[at]);
        println!(
            "| {name} | {ours:.1} | {theirs:.1} | {:.2} |",
            ours / theirs
        );
    }
    let begun = Instant::now();
    let series = black_box(region.snapshot()).series.len();
    println!(
        "\na snapshot of {series} series: {:.0} µs",
        begun.elapsed().as_secs_f64() * 1e6
    );
}
