use super::{Exposition, Format};
use crate::metrics::region::{Buckets, Series, Snapshot, Value};

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

fn snapshot(series: Vec<Series>) -> Snapshot {
    Snapshot {
        series,
        ..Snapshot::default()
    }
}

#[track_caller]
fn check(given: Vec<Series>, common: &[(&str, &str)], text: &str, collisions: u64) {
    let common: Vec<(String, String)> = (common.iter())
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let shown = Exposition::new(snapshot(given), &common, Format::Text);
    assert_eq!(shown.collisions(), collisions);
    assert_eq!(shown.text(), text);
}

#[test]
fn text_has_the_suffix_in_its_type_and_openmetrics_has_not() {
    let mut rows = series("rows", &[("split", "a\"\\\nb")], Value::Counter(0.5));
    rows.help = Some("Rows \"read\"\\\n.".to_owned());
    let mut size = series("batch_bytes", &[], Value::Gauge(-1.5));
    size.unit = Some("bytes".to_owned());
    let given = snapshot(vec![rows, size]);
    let text = Exposition::new(given.clone(), &[], Format::Text).text();
    assert_eq!(
        text,
        "# TYPE batch_bytes gauge\nbatch_bytes -1.5\n\
         # HELP rows_total Rows \"read\"\\\\\\n.\n# TYPE rows_total counter\n\
         rows_total{split=\"a\\\"\\\\\\nb\"} 0.5\n"
    );
    let text = Exposition::new(given, &[], Format::OpenMetrics).text();
    assert_eq!(
        text,
        "# TYPE batch_bytes gauge\n# UNIT batch_bytes bytes\nbatch_bytes -1.5\n\
         # HELP rows Rows \\\"read\\\"\\\\\\n.\n# TYPE rows counter\n\
         rows_total{split=\"a\\\"\\\\\\nb\"} 0.5\n# EOF\n"
    );
}

#[test]
fn what_falls_together_is_added_up_and_counted() {
    check(
        vec![
            series("a.b", &[], Value::Counter(3.0)),
            series("a_b", &[], Value::Counter(5.0)),
            series("a_b_total", &[("empty", "")], Value::Counter(1.0)),
            series("a_b_total", &[("x", "y")], Value::Counter(2.0)),
        ],
        &[],
        "# TYPE a_b_total counter\na_b_total 9\na_b_total{x=\"y\"} 2\n",
        2,
    );
}

#[test]
fn a_name_with_two_types_gets_a_suffix_for_each() {
    check(
        vec![
            series("both", &[], Value::Counter(1.0)),
            series("both", &[], Value::Gauge(2.0)),
            series("both_total", &[], Value::Gauge(3.0)),
        ],
        &[],
        "# TYPE both_total counter\nboth_total 1\n# TYPE both_gauge gauge\nboth_gauge 2\n\
         # TYPE both_total_gauge gauge\nboth_total_gauge 3\n",
        2,
    );
}

#[test]
fn equal_labels_are_distinguished_and_reserved_ones_omitted() {
    check(
        vec![series(
            "x",
            &[
                ("__name__", "y"),
                ("a.b", "1"),
                ("a_b", "2"),
                ("job", "mine"),
            ],
            Value::Gauge(1.0),
        )],
        &[("job", "ours"), ("rank", "0")],
        "# TYPE x gauge\nx{a_b=\"1\",a_b_2=\"2\",job=\"mine\",rank=\"0\"} 1\n",
        0,
    );
}

#[test]
fn an_invalid_total_is_omitted() {
    check(
        vec![
            series("a", &[], Value::Counter(-1.0)),
            series("b", &[], Value::Counter(f64::NAN)),
        ],
        &[],
        "",
        2,
    );
}

#[test]
fn buckets_are_cumulative_at_every_fourth_bound() {
    let buckets = Buckets {
        // 2^(0/8) to 2^(1/8); the last one below the root of two; the first above.
        positive: vec![(0, 1), (3, 2), (4, 4)],
        zero: 1,
        negative: 0,
        count: 8,
        sum: 10.5,
    };
    let given = snapshot(vec![series("t", &[("le", "x")], Value::Histogram(buckets))]);
    let text = Exposition::new(given, &[], Format::Text).text();
    let label = "exported_le=\"x\"";
    let expected = format!(
        "# TYPE t histogram\n\
         t_bucket{{{label},le=\"0.0\"}} 1\n\
         t_bucket{{{label},le=\"1.0\"}} 1\n\
         t_bucket{{{label},le=\"1.4142135623730951\"}} 4\n\
         t_bucket{{{label},le=\"2.0\"}} 8\n"
    );
    assert!(text.starts_with(&expected), "{text}");
    let end = format!(
        "t_bucket{{{label},le=\"16.0\"}} 8\nt_bucket{{{label},le=\"+Inf\"}} 8\n\
         t_count{{{label}}} 8\nt_sum{{{label}}} 10.5\n"
    );
    assert!(text.ends_with(&end), "{text}");
}

#[test]
fn a_hundred_thousand_series_come_in_pieces() {
    let given = (0..100_000)
        .map(|n| series("rows", &[("n", &format!("{n:06}"))], Value::Counter(1.0)))
        .collect();
    let pieces: Vec<String> = Exposition::new(snapshot(given), &[], Format::Text).collect();
    assert!(pieces.iter().all(|piece| piece.len() < 20_000));
    let lines: usize = pieces.iter().map(|piece| piece.lines().count()).sum();
    assert_eq!(lines, 100_001);
}
