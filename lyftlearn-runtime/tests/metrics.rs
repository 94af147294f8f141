//! The `metrics` facade in a program under PID 1: one recorder for all of the process.
#![cfg(feature = "agent")]

use lyftlearn_runtime::metrics::region::{Reader, Value, create};
use lyftlearn_runtime::{Facts, metrics, resolve};

#[test]
fn where_there_is_a_region_the_facade_counts_in_it() {
    let run = tempfile::tempdir().unwrap();
    let mut place = create(run.path(), 1 << 20).unwrap().unwrap();
    place.publish().unwrap();
    let facts = Facts::empty()
        .with_root("/")
        .with_var("LYFTLEARN_RUN_DIR", run.path());
    let workload = resolve(&Facts::empty()).unwrap().workload;
    // The exporter of the region exports these.
    assert!(metrics::install(&facts, &workload).unwrap().is_none());
    assert!(metrics::install(&facts, &workload).is_err());

    ::metrics::describe_counter!("rows.read", ::metrics::Unit::Count, "What was read.");
    for split in ["train", "test"] {
        ::metrics::counter!("rows.read", "split" => split).increment(2);
        ::metrics::counter!("rows.read", "split" => split).increment(3);
    }
    ::metrics::counter!("total").absolute(7);
    ::metrics::counter!("total").absolute(5);
    ::metrics::counter!("twice", "a" => "1", "a" => "2").increment(1);
    let gauge = ::metrics::gauge!("depth");
    gauge.set(5.0);
    gauge.increment(1.5);
    gauge.decrement(0.5);
    ::metrics::histogram!("seconds").record(1.0);
    ::metrics::histogram!("seconds").record_many(2.0, 3);

    let reader = Reader::open(run.path()).unwrap().unwrap();
    let snapshot = reader.snapshot().unwrap();
    let found: Vec<(&str, Option<&str>, &Value)> = snapshot
        .series
        .iter()
        .map(|series| {
            let label = series.labels.first().map(|(_, value)| value.as_str());
            (series.name.as_str(), label, &series.value)
        })
        .collect();
    let [test, train, total, depth, seconds] = found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(test, ("rows.read", Some("test"), &Value::Counter(5.0)));
    assert_eq!(train, ("rows.read", Some("train"), &Value::Counter(5.0)));
    assert_eq!(total, ("total", None, &Value::Counter(7.0)));
    assert_eq!(depth, ("depth", None, &Value::Gauge(6.0)));
    let ("seconds", None, Value::Histogram(buckets)) = seconds else {
        panic!("{seconds:?}");
    };
    assert_eq!((buckets.count, buckets.sum), (4, 7.0));
    assert_eq!(buckets.positive, [(-1, 1), (7, 3)]);
    assert_eq!(snapshot.series[0].help.as_deref(), Some("What was read."));
    assert_eq!(snapshot.series[0].unit.as_deref(), Some("count"));
}
