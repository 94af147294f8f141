//! What programs count by the `metrics` facade is shown as metrics-exporter-prometheus shows
//! it, where both can express it: names and labels that are Prometheus' own, and histograms
//! with the bounds that the region has.
#![cfg(feature = "agent")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use lyftlearn_runtime::Facts;
use lyftlearn_runtime::metrics::Recorder;
use lyftlearn_runtime::metrics::exposition::{Exposition, Format};
use lyftlearn_runtime::metrics::region::Region;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::PrometheusBuilder;
use proptest::prelude::*;

/// 2^0, 2^0.5 and on to 2^4: the buckets that are shown if all values are between 1 and 16.
const BOUNDS: [f64; 9] = [
    1.0,
    std::f64::consts::SQRT_2,
    2.0,
    2.0 * std::f64::consts::SQRT_2,
    4.0,
    4.0 * std::f64::consts::SQRT_2,
    8.0,
    8.0 * std::f64::consts::SQRT_2,
    16.0,
];

/// What a program does.
#[derive(Clone, Debug)]
enum Act {
    Count(u64),
    Raise(u64),
    Set(f64),
    Change(f64),
    Observe(f64, usize),
}

fn acts() -> impl Strategy<Value = Vec<(u8, Vec<String>, Act)>> {
    let act = prop_oneof![
        (0u64..1 << 50).prop_map(Act::Count),
        (0u64..1 << 50).prop_map(Act::Raise),
        any::<f64>().prop_map(Act::Set),
        (-1e6f64..1e6).prop_map(Act::Change),
        // The bounds themselves belong to the buckets that they end.
        (
            prop_oneof![1.01f64..16.0, prop::sample::select(&BOUNDS[1..])],
            1usize..4
        )
            .prop_map(|(value, times)| Act::Observe(value, times)),
    ];
    // Of backslashes the exporter makes one text of two. A comma would part two labels here.
    let value = "[a-zé \"\n{}=#]{1,8}";
    let labels = prop::collection::vec(value, 0..3);
    prop::collection::vec((0u8..3, labels, act), 1..40)
}

fn perform(recorder: &dyn metrics::Recorder, acts: &[(u8, Vec<String>, Act)]) {
    metrics::with_local_recorder(recorder, || {
        describe_counter!("counted_0_total", "What was \"counted\"\\n.");
        describe_gauge!("set_1", "What was set.");
        describe_histogram!("observed_2", "What was observed.");
        for (name, labels, act) in acts {
            let names = ["zone", "b2"].map(str::to_owned);
            let labels: Vec<(String, String)> = names.into_iter().zip(labels.clone()).collect();
            match act {
                Act::Count(n) => counter!(format!("counted_{name}_total"), &labels).increment(*n),
                Act::Raise(n) => counter!(format!("raised_{name}_total"), &labels).absolute(*n),
                Act::Set(value) => gauge!(format!("set_{name}"), &labels).set(*value),
                Act::Change(by) => gauge!(format!("changed_{name}"), &labels).increment(*by),
                Act::Observe(value, times) => {
                    histogram!(format!("observed_{name}"), &labels).record_many(*value, *times);
                }
            }
        }
    });
}

/// By name and labels, what a sample says; by name, its type and its help. Numbers are compared
/// as such: one writes `16`, the other `16.0`.
fn read(text: &str) -> (BTreeMap<String, f64>, Vec<&str>) {
    let (comments, samples): (Vec<&str>, Vec<&str>) = text
        .lines()
        .filter(|line| !line.is_empty())
        .partition(|line| line.starts_with('#'));
    let samples = samples.into_iter().map(|line| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let labels = labels.strip_suffix('}').unwrap().split(',');
        let mut labels: Vec<String> = labels
            .map(|label| match label.strip_prefix("le=") {
                Some(bound) => format!("le={}", bound.trim_matches('"').parse::<f64>().unwrap()),
                None => label.to_owned(),
            })
            .collect();
        labels.sort();
        (format!("{name}{labels:?}"), value.parse().unwrap())
    });
    let mut comments = comments;
    comments.sort_unstable();
    (samples.collect(), comments)
}

proptest! {
    #[test]
    fn both_show_the_same(acts in acts()) {
        let region = Region::of(&Facts::empty());
        perform(&Recorder::over(region), &acts);
        let common = [("job".to_owned(), "ranker".to_owned())];
        let ours = Exposition::new(region.snapshot(), &common, Format::Text).text();

        let builder = PrometheusBuilder::new().add_global_label("job", "ranker");
        let exporter = builder.set_buckets(&BOUNDS).unwrap().build_recorder();
        perform(&exporter, &acts);
        let theirs = exporter.handle().render();

        let (found, about) = read(&ours);
        let (expected, about_theirs) = read(&theirs);
        let names = |samples: &BTreeMap<String, f64>| samples.keys().cloned().collect::<Vec<_>>();
        prop_assert_eq!(names(&found), names(&expected), "{}\n{}", ours, theirs);
        for (series, value) in &found {
            let other = expected[series];
            // Sums of floats in another order.
            let near = (value - other).abs() <= 1e-9 * other.abs();
            let same = *value == other || near || (value.is_nan() && other.is_nan());
            prop_assert!(same, "{}: {} and {}", series, value, other);
        }
        prop_assert_eq!(about, about_theirs);
    }
}
