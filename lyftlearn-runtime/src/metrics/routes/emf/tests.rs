//! Tests the documents.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::Plan;
use super::documents::{self, Document};
use crate::metrics::region::{Buckets, Series, Snapshot, Value};
use crate::metrics::routes::deltas::Deltas;

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

fn emf(dimensions: &[&str]) -> Plan {
    Plan {
        namespace: "LyftLearn".to_owned(),
        dimensions: dimensions.iter().map(|name| (*name).to_owned()).collect(),
        agent: None,
        log_group: String::new(),
    }
}

fn documents(deltas: &Deltas, all: &[Series], emf: &Plan, bytes: usize) -> Vec<Document> {
    let common = [("job".to_owned(), "j1".to_owned())];
    documents::documents(deltas, &snapshot(all), (emf, &common), NOW, bytes)
}

/// What the published schema asks of a document (CloudWatch Logs: EMF specification).
fn parsed(document: &Document) -> Json {
    let text = document.text.strip_suffix('\n').unwrap();
    assert!(!text.contains('\n') && text.len() <= 1 << 20);
    let root: Json = serde_json::from_str(text).unwrap();
    assert!(root["_aws"]["Timestamp"].is_u64());
    for directive in root["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
        let namespace = directive["Namespace"].as_str().unwrap();
        assert!((1..=1_024).contains(&namespace.len()));
        for set in directive["Dimensions"].as_array().unwrap() {
            let set = set.as_array().unwrap();
            assert!(set.len() <= 30);
            for name in set {
                let name = name.as_str().unwrap();
                assert!((1..=250).contains(&name.len()));
                assert!((1..=1_024).contains(&root[name].as_str().unwrap().len()));
            }
        }
        let metrics = directive["Metrics"].as_array().unwrap();
        assert!((1..=100).contains(&metrics.len()));
        for metric in metrics {
            let name = metric["Name"].as_str().unwrap();
            assert!((1..=1_024).contains(&name.len()));
            assert!(
                ["Seconds", "Bytes", "Count", "None"].contains(&metric["Unit"].as_str().unwrap())
            );
            match &root[name] {
                Json::Array(values) => {
                    assert!((1..=100).contains(&values.len()));
                    assert!(values.iter().all(Json::is_number));
                }
                value => assert!(value.is_number(), "{name}"),
            }
        }
    }
    root
}

#[test]
fn counters_are_differences_and_unsent_ones_are_sent_again() {
    let mut deltas = Deltas::default();
    let emf = emf(&["split", "job"]);
    let mut all = [series(
        "rows",
        &[("host", "a"), ("split", "x")],
        Value::Counter(3.0),
    )];
    let mut first = documents(&deltas, &all, &emf, 4_096);
    let root = parsed(&first[0]);
    assert_eq!(
        (&root["rows"], &root["split"], &root["job"], &root["host"]),
        (&json!(3.0), &json!("x"), &json!("j1"), &Json::Null)
    );
    first.remove(0).record(&mut deltas);
    assert!(documents(&deltas, &all, &emf, 4_096).is_empty());
    let mut deltas = Deltas::known(&deltas.document().unwrap());
    assert!(deltas.document().is_none());
    all[0].value = Value::Counter(5.0);
    let again = documents(&deltas, &all, &emf, 4_096);
    assert_eq!(parsed(&again[0])["rows"], json!(2.0));
}

#[test]
fn what_differs_in_no_dimension_is_one_metric() {
    let all = [
        series("rows", &[("host", "a")], Value::Counter(3.0)),
        series("rows", &[("host", "b")], Value::Counter(4.0)),
        series("level", &[("host", "a")], Value::Gauge(1.0)),
        series("level", &[("host", "b")], Value::Gauge(2.0)),
        series("t_seconds", &[], observed(&[(0, 10_000)], 10_500.0)),
    ];
    let all = documents(&Deltas::default(), &all, &emf(&[]), 4_096);
    let root = parsed(&all[0]);
    assert_eq!(root["rows"], json!(7.0));
    assert_eq!(root["level"], json!([1.0, 2.0]));
    assert_eq!(root["t_seconds"].as_array().unwrap().len(), 100);
    assert_eq!(root["t_seconds_count"], json!(10_000.0));
    assert_eq!(root["t_seconds_sum"], json!(10_500.0));
    assert_eq!((all.len(), all[0].values), (1, 5));
}

#[test]
fn documents_keep_the_limits_and_no_member_hides_another() {
    let mut all: Vec<Series> = (0..250)
        .map(|n| {
            series(
                &format!("c{n}"),
                &[("c1", "a\u{e9}\n")],
                Value::Counter(1.0),
            )
        })
        .collect();
    all.push(series(&"é".repeat(2_000), &[], Value::Gauge(1.0)));
    all.push(series("t", &[], observed(&[(0, 1), (8, 1)], 3.0)));
    all.push(series("t_count", &[], Value::Counter(9.0)));
    all.push(series("_aws", &[], Value::Gauge(1.0)));
    for bytes in [4_096, 60_000] {
        let documents = documents(&Deltas::default(), &all, &emf(&["c1"]), bytes);
        let values: u64 = documents.iter().map(|document| document.values).sum();
        assert_eq!(values, 250 + 1 + 3 + 1 + 1);
        for document in &documents {
            assert!(document.text.len() <= bytes, "{}", document.text.len());
            parsed(document);
        }
    }
}

/// What CloudWatch's page on quotas allows at most, at once.
#[test]
fn the_largest_document_still_fits_into_a_packet() {
    let names: Vec<String> = (0..40)
        .map(|n| format!("{n:02}{}", "d".repeat(248)))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let value = "v".repeat(4_000);
    let labels: Vec<(&str, &str)> = names.iter().map(|name| (*name, value.as_str())).collect();
    let buckets: Vec<(i32, u64)> = (-100..100).map(|index| (index, 7)).collect();
    let all: Vec<Series> = (0..200)
        .map(|n| {
            series(
                &format!("{n}{}", "é".repeat(2_000)),
                &labels,
                observed(&buckets, 1e-300 / 3.0),
            )
        })
        .collect();
    let documents = documents(&Deltas::default(), &all, &emf(&names), 60_000);
    assert!((2..=200).contains(&documents.len()));
    for document in &documents {
        assert!(document.text.len() <= 60_000, "{}", document.text.len());
        let root = parsed(document);
        let sets = &root["_aws"]["CloudWatchMetrics"][0]["Dimensions"];
        assert_eq!(sets[0].as_array().unwrap().len(), 30);
    }
}

#[test]
fn counts_beyond_the_numbers_of_the_format_are_sent() {
    let observed_of = |positive: &[(i32, u64)]| {
        Value::Histogram(Buckets {
            positive: positive.to_vec(),
            count: u64::MAX,
            sum: f64::MAX,
            ..Buckets::default()
        })
    };
    let all = snapshot(&[
        series("t", &[("k", "a")], observed_of(&[(0, u64::MAX), (1, 1)])),
        series(
            "t",
            &[("k", "b")],
            observed_of(&[(0, u64::MAX), (9, u64::MAX)]),
        ),
    ]);
    let documents = documents::documents(&Deltas::default(), &all, (&emf(&[]), &[]), NOW, 60_000);
    let document: Json = serde_json::from_str(&documents[0].text).unwrap();
    assert_eq!(document["t"].as_array().unwrap().len(), 100);
    assert_eq!(document["t_sum"].as_f64(), Some(f64::MAX));
    // Twice 2^64, nearly: of one bucket no more than a number holds.
    assert_eq!(
        document["t_count"].as_f64(),
        Some(36_893_488_147_419_103_232.0)
    );
}
