//! Arbitrary words in the region, exported by every route but Prometheus.

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value as Json;

use super::deltas::Deltas;
use super::emf::Plan;
use super::emf::documents::documents;
use super::otlp;
use crate::fuzz::{Draw, target};
use crate::metrics::region::tests::corrupt::{read, shown, valid};

/// One for all runs: what a region is made of is never given back.
static VALID: LazyLock<Vec<u64>> = LazyLock::new(valid);

/// Words of a region that hold together where they were not replaced.
fn image(draw: &mut Draw<'_>) -> Vec<u64> {
    let mut words = VALID.clone();
    for _ in 0..draw.below(40) {
        // The header, the first slots, and the used part of keys and cells.
        let near = draw.pick(&[64, 600, 4_200, 8_192]);
        let at = draw.below(near);
        words[at] = match draw.below(6) {
            0 => draw.word(),
            1 => words[at] ^ 1 << draw.below(64),
            2 => words[at].wrapping_add(u64::from(draw.byte())),
            3 => u64::from(draw.byte()),
            4 => u64::MAX - u64::from(draw.byte()),
            _ => words[draw.below(words.len())],
        };
    }
    words
}

fn images(draw: &mut Draw<'_>) {
    let words = image(draw);
    let Some(snapshot) = read(&words) else {
        return;
    };
    shown(&snapshot, &words);
    let mut points = 0;
    for (request, count) in otlp::tests::sent(&snapshot) {
        assert_eq!(request.resource_metrics.len(), 1);
        points += count;
    }
    assert!(points <= snapshot.series.len() as u64);
    let emf = Plan {
        namespace: "LyftLearn".to_owned(),
        dimensions: vec!["split".to_owned(), "rank".to_owned()],
        agent: None,
        log_group: String::new(),
    };
    let common = [("rank".to_owned(), "0".to_owned())];
    let mut deltas = Deltas::default();
    let now = Duration::from_secs(1_700_000_000);
    for document in documents(&deltas, &snapshot, (&emf, &common), now, 4_096) {
        assert!(document.text.ends_with('\n') && document.text.matches('\n').count() == 1);
        let json: Json = serde_json::from_str(&document.text).expect("it is JSON");
        let metrics = json["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array();
        let metrics = metrics.expect("a list");
        assert_eq!(metrics.len() as u64, document.values);
        assert!(document.values <= 100);
        for metric in metrics {
            let name = metric["Name"].as_str().expect("a name");
            assert!(name.len() <= 255 && !json[name].is_null(), "{name}");
        }
        document.record(&mut deltas);
    }
    // A second flush sends only values that are not totals.
    let again = documents(&deltas, &snapshot, (&emf, &common), now, 4_096);
    let gauges = snapshot
        .series
        .iter()
        .filter(|series| series.value.kind() == crate::metrics::region::Kind::Gauge);
    assert!(again.is_empty() || gauges.count() > 0);
}

#[test]
fn fuzz_images() {
    target!(200, images);
}
