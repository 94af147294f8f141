//! Tests the file.
#![expect(
    clippy::disallowed_methods,
    reason = "a test looks at what has been written"
)]

use std::cell::Cell;
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::sender::Lines;
use crate::metrics::region::{Buckets, Series, Snapshot, Value};

const NOW: Duration = Duration::from_millis(1_700_000_000_123);

fn series(name: &str, labels: &[(&str, &str)], value: Value) -> Series {
    Series {
        name: name.to_owned(),
        labels: (labels.iter())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        unit: None,
        help: None,
        value,
    }
}

fn snapshot(series: &[Series]) -> Snapshot {
    Snapshot {
        series: series.to_vec(),
        ..Snapshot::default()
    }
}

fn observed(positive: &[(i32, u64)], sum: f64) -> Value {
    Value::Histogram(Buckets {
        positive: positive.to_vec(),
        count: positive.iter().map(|(_, count)| count).sum(),
        sum,
        ..Buckets::default()
    })
}

#[test]
fn a_file_gets_one_line_for_each_change() {
    let directory = tempfile::tempdir().unwrap();
    let mut lines = Lines::new(directory.path().join("metrics"), None);
    let left = Cell::new(0);
    let mut all = [
        series("rows", &[("split", "train")], Value::Counter(3.0)),
        series("loss", &[], Value::Gauge(f64::NAN)),
        series("t", &[], observed(&[(0, 2)], 3.0)),
        series(&"n".repeat(256), &[], Value::Gauge(1.0)),
    ];
    lines.write(&snapshot(&all), NOW, &left);
    assert_eq!(left.get(), 1);
    all[2].value = observed(&[(0, 3)], 4.0);
    lines.write(&snapshot(&all), NOW, &left);
    let file = format!("metrics/{}.json", std::process::id());
    let text = std::fs::read_to_string(directory.path().join(file)).unwrap();
    let written: Vec<(String, f64)> = text
        .lines()
        .map(|line| {
            let line: Json = serde_json::from_str(line).unwrap();
            assert_eq!(line["Timestamp"], json!(1_700_000_000_123.0));
            assert_eq!(line.as_object().unwrap().len(), 3);
            let name = line["MetricName"].as_str().unwrap().to_owned();
            (name, line["Value"].as_f64().unwrap())
        })
        .collect();
    let expected = [
        ("rows{split=train}", 3.0),
        ("t_mean", 1.5),
        ("t_count", 2.0),
        ("t_sum", 3.0),
        ("t_mean", 1.0),
        ("t_count", 3.0),
        ("t_sum", 4.0),
    ];
    assert_eq!(
        written,
        expected.map(|(name, value)| (name.to_owned(), value))
    );
}

#[test]
fn lines_that_cannot_be_written_are_counted_and_come_later() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("taken");
    std::fs::write(&place, "").unwrap();
    let mut lines = Lines::new(place.clone(), None);
    let left = Cell::new(0);
    let all = snapshot(&[series("rows", &[], Value::Counter(3.0))]);
    lines.write(&all, NOW, &left);
    assert_eq!(left.get(), 1);
    std::fs::remove_file(&place).unwrap();
    lines.write(&all, NOW, &left);
    assert_eq!(left.get(), 0);
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1);
}
