//! What a collector is sent, read back, and what becomes of its answers.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric, number_data_point};
use prost::Message;

use super::Plan;
use super::request::{Common, Requests};
use super::sender::{Answer, SOON, Sender, of_status};
use crate::metrics::region::{Buckets, Series, Snapshot, Value};
use crate::metrics::routes::{Losses, Means};
use crate::workload::Secret;

const NOW: Duration = Duration::from_secs(1_700_000_060);
const BEGUN: Duration = Duration::from_secs(1_700_000_000);

fn series(name: &str, labels: &[(&str, &str)], value: Value) -> Series {
    Series {
        name: name.to_owned(),
        labels: pairs(labels),
        unit: None,
        help: None,
        value,
    }
}

fn pairs(labels: &[(&str, &str)]) -> Vec<(String, String)> {
    (labels.iter())
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

fn snapshot(series: &[Series]) -> Snapshot {
    Snapshot {
        series: series.to_vec(),
        ..Snapshot::default()
    }
}

pub(crate) fn sent(snapshot: &Snapshot) -> Vec<(ExportMetricsServiceRequest, u64)> {
    let (resource, labels) = (pairs(&[("service.name", "churn")]), pairs(&[("rank", "0")]));
    let common = Common {
        resource: &resource,
        labels: &labels,
        begun: &|_| BEGUN,
        now: NOW,
    };
    Requests::new(snapshot, common)
        .map(|request| {
            let read = ExportMetricsServiceRequest::decode(request.bytes.as_slice()).unwrap();
            (read, request.points)
        })
        .collect()
}

fn metrics(snapshot: &Snapshot) -> Vec<Metric> {
    let mut requests = sent(snapshot);
    assert_eq!(requests.len(), 1);
    let mut resource = requests.remove(0).0.resource_metrics.remove(0);
    let of = resource.resource.unwrap().attributes;
    assert_eq!(of.len(), 1);
    resource.scope_metrics.remove(0).metrics
}

#[test]
fn totals_have_their_start_time_and_series_of_a_name_are_grouped() {
    let all = snapshot(&[
        series("rows", &[("split", "test")], Value::Counter(3.0)),
        series(
            "rows",
            &[("rank", "7"), ("split", "train")],
            Value::Counter(5.5),
        ),
        series("owed", &[], Value::Counter(-1.0)),
        series("loss", &[], Value::Gauge(0.25)),
    ]);
    let found = metrics(&all);
    assert_eq!(found.len(), 2);
    let Some(metric::Data::Sum(sum)) = &found[0].data else {
        panic!("{found:?}");
    };
    assert!(sum.is_monotonic);
    assert_eq!(sum.aggregation_temporality, 2);
    let sent_points: Vec<_> = (sum.data_points.iter())
        .map(|point| {
            assert_eq!(point.start_time_unix_nano, 1_700_000_000_000_000_000);
            assert_eq!(point.time_unix_nano, 1_700_000_060_000_000_000);
            let names = point.attributes.iter().map(|pair| pair.key.as_str());
            (names.collect::<Vec<_>>(), point.value)
        })
        .collect();
    let double = |value| Some(number_data_point::Value::AsDouble(value));
    // A label with another name stays; no name occurs twice.
    let expected = [
        (vec!["split", "rank"], double(3.0)),
        (vec!["rank", "split"], double(5.5)),
    ];
    assert_eq!(sent_points, expected);
    let Some(metric::Data::Gauge(gauge)) = &found[1].data else {
        panic!("{found:?}");
    };
    assert_eq!(gauge.data_points[0].value, double(0.25));
    assert_eq!(gauge.data_points[0].start_time_unix_nano, 0);
}

#[test]
fn a_histogram_is_exported_with_its_own_buckets() {
    let buckets = Buckets {
        positive: vec![(-9, 2), (-6, 1), (0, 4)],
        zero: 3,
        negative: 0,
        count: 10,
        sum: 6.5,
    };
    let mut timed = series("step_seconds", &[], Value::Histogram(buckets.clone()));
    timed.unit = Some("seconds".to_owned());
    timed.help = Some("A step.".to_owned());
    let below = Buckets {
        negative: 2,
        count: 12,
        ..buckets
    };
    let below = series("below", &[], Value::Histogram(below));
    let empty = series("empty", &[], Value::Histogram(Buckets::default()));
    let found = metrics(&snapshot(&[below, empty, timed]));
    let point = |metric: &Metric| match &metric.data {
        Some(metric::Data::ExponentialHistogram(all)) => all.data_points[0].clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (found[2].unit.as_str(), found[2].description.as_str()),
        ("s", "A step.")
    );
    let sent_points = point(&found[2]);
    assert_eq!(
        (sent_points.scale, sent_points.count, sent_points.zero_count),
        (3, 10, 3)
    );
    assert_eq!(sent_points.sum, Some(6.5));
    let positive = sent_points.positive.unwrap();
    assert_eq!(positive.offset, -9);
    assert_eq!(positive.bucket_counts, [2, 0, 0, 1, 0, 0, 0, 0, 0, 4]);
    let sent_points = point(&found[0]);
    assert_eq!(
        (sent_points.count, sent_points.zero_count, sent_points.sum),
        (12, 5, None)
    );
    let sent_points = point(&found[1]);
    assert_eq!(
        (
            sent_points.count,
            sent_points.positive.unwrap().bucket_counts.len()
        ),
        (0, 0)
    );
}

#[test]
fn a_name_is_of_one_kind() {
    let found = metrics(&snapshot(&[
        series("a", &[], Value::Counter(1.0)),
        series("a", &[], Value::Gauge(1.0)),
        series("b", &[], Value::Gauge(1.0)),
        series("a", &[], Value::Histogram(Buckets::default())),
        series("b", &[], Value::Histogram(Buckets::default())),
    ]));
    let names: Vec<&str> = found.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(names, ["a", "a_gauge", "b", "a_histogram", "b_histogram"]);
}

#[test]
fn many_series_are_sent_in_several_requests() {
    let long = "x".repeat(1_000);
    let all: Vec<Series> = (0..5_000)
        .map(|n| series("n", &[("n", &format!("{n}{long}"))], Value::Counter(1.0)))
        .collect();
    let requests = sent(&snapshot(&all));
    assert!(requests.len() >= 5, "{}", requests.len());
    let points: u64 = requests.iter().map(|(_, points)| points).sum();
    assert_eq!(points, 5_000);
    for (request, _) in requests {
        assert!(request.encoded_len() < (1 << 20) + (16 << 10));
    }
    assert!(sent(&Snapshot::default()).is_empty());
}

#[test]
fn an_answer_is_final_or_it_is_not() {
    let wait = Some(Duration::from_secs(7));
    for status in [429, 502, 503, 504] {
        assert_eq!(of_status(status, wait), Answer::Later { wait });
    }
    for status in [301, 400, 401, 404, 413, 500] {
        assert_eq!(of_status(status, wait), Answer::Refused);
    }
    assert_eq!(of_status(202, None), Answer::Taken { rejected: 0 });
}

/// A request's head, and its body.
type Asked = (String, Vec<u8>);

/// A collector that gives one answer after another, and keeps what it was asked.
struct Collector {
    port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Collector {
    fn new(answers: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::<Mutex<Vec<_>>>::default();
        let here = Arc::clone(&asked);
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                here.lock().unwrap().push(read(&mut stream));
                stream.write_all(&answer).unwrap();
            }
        });
        Self { port, asked }
    }

    fn sender(&self) -> Sender {
        let plan = Plan {
            url: format!("http://127.0.0.1:{}/v1/metrics", self.port),
            headers: vec![("api-key".to_owned(), Secret::new("shown".to_owned()))],
            headers_in: Vec::new(),
            seconds: 60,
            timeout_milliseconds: 5_000,
            resource: Vec::new(),
        };
        assert!(!format!("{plan:?}").contains("shown"));
        let means = Means {
            labels: Vec::new(),
            run: None,
            counted: Rc::new(|_| Snapshot::default()),
            begun: Rc::new(|_| BEGUN),
            losses: Losses::default(),
        };
        Sender::new(plan, &means)
    }
}

fn read(stream: &mut TcpStream) -> Asked {
    let mut text = Vec::new();
    let mut part = [0; 4_096];
    loop {
        let length = stream.read(&mut part).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&part[..length]);
        let Some(end) = text.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(text[..end].to_vec())
            .unwrap()
            .to_lowercase();
        let bytes = head.split("content-length: ").nth(1).unwrap();
        let bytes: usize = bytes.split("\r\n").next().unwrap().parse().unwrap();
        if text.len() >= end + 4 + bytes {
            return (head, text.split_off(end + 4));
        }
    }
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// How many values of two are left after these answers.
#[track_caller]
fn check(answers: &[Vec<u8>], expected: u64, refused: u64) -> Collector {
    let collector = Collector::new(answers.to_vec());
    let sender = collector.sender();
    let both = snapshot(&[
        series("a", &[], Value::Counter(1.0)),
        series("b", &[], Value::Counter(1.0)),
    ]);
    let left = Cell::new(0);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(sender.export(&both, NOW, &left));
    assert_eq!((left.get(), sender.refused.get()), (expected, refused));
    assert_eq!(collector.asked.lock().unwrap().len(), answers.len());
    collector
}

#[test]
fn accepted_values_are_not_undelivered() {
    let collector = check(&[answer("200 OK", b"")], 0, 0);
    let asked = collector.asked.lock().unwrap();
    let (head, body) = &asked[0];
    for line in [
        "post /v1/metrics http/1.1\r\n",
        "content-type: application/x-protobuf\r\n",
        "content-encoding: gzip\r\n",
        "connection: close\r\n",
        "api-key: shown\r\n",
        "user-agent: lyftlearn-runtime/",
    ] {
        assert!(head.contains(line), "{head}");
    }
    let mut plain = Vec::new();
    GzDecoder::new(body.as_slice())
        .read_to_end(&mut plain)
        .unwrap();
    let request = ExportMetricsServiceRequest::decode(plain.as_slice()).unwrap();
    assert_eq!(
        request.resource_metrics[0].scope_metrics[0].metrics.len(),
        2
    );
}

#[test]
fn rejected_values_are_undelivered_and_not_retried() {
    check(&[answer("401 Unauthorized", b"")], 2, 2);
    let partly = ExportMetricsServiceResponse {
        partial_success: Some(ExportMetricsPartialSuccess {
            rejected_data_points: 1,
            error_message: "one".to_owned(),
        }),
    };
    check(&[answer("200 OK", &partly.encode_to_vec())], 1, 1);
    // A malformed response is no reason to send everything again.
    check(&[answer("200 OK", b"<html>")], 0, 0);
}

#[test]
fn a_collector_that_is_busy_is_asked_again() {
    let busy = answer("503 Service Unavailable\r\nretry-after: 0", b"");
    let many = answer("429 Too Many Requests", b"");
    check(&[many, answer("200 OK", b"")], 0, 0);
    let begun = std::time::Instant::now();
    check(&[busy.clone(), busy, answer("200 OK", b"")], 0, 0);
    // However soon it would have it: half of the first wait, and of the second.
    assert!(begun.elapsed() >= SOON.mul_f64(0.5 + 1.0));
    // One that is busy for longer than this lasts is left alone until the next time.
    for seconds in [60, u64::MAX] {
        let head = format!("503 Service Unavailable\r\nretry-after: {seconds}");
        check(&[answer(&head, b"")], 2, 0);
    }
}
