//! What has changed since it was last sent, as StatsD lines.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::metrics::exposition::push_number;
use crate::metrics::region::{Kind, Series, Value};
use crate::metrics::routes::observed::{counts, middle, rounded};
use crate::workload::Tags;

/// How a series is told from every other one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Id {
    histogram: bool,
    name: String,
    labels: Vec<(String, String)>,
}

/// What has been sent of a series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Sent {
    Total(f64),
    Buckets(HashMap<i32, u64>),
}

/// What has been sent of all series; what grows is sent as the difference to it.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    sent: HashMap<Id, Sent>,
    changed: bool,
}

/// Lines, and what is sent with each.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) text: String,
    changes: Vec<Change>,
}

#[derive(Debug)]
struct Change {
    /// Where its lines end.
    end: usize,
    /// Nothing for a gauge: it is sent again anyway.
    now: Option<(Id, Now)>,
}

#[derive(Debug)]
enum Now {
    Total(f64),
    Bucket(i32, u64),
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    fn end(&mut self, now: Option<(Id, Now)>) {
        let end = self.text.len();
        self.changes.push(Change { end, now });
    }
}

impl Deltas {
    /// What an earlier process had sent, in its words; what is none of them counts as nothing.
    pub(super) fn known(document: &[u8]) -> Self {
        let known: Vec<(Id, Sent)> = serde_json::from_slice(document).unwrap_or_default();
        Self {
            sent: known.into_iter().collect(),
            changed: false,
        }
    }

    /// The same for a later process, if there is anything new.
    pub(super) fn document(&mut self) -> Option<Vec<u8>> {
        let all: Vec<(&Id, &Sent)> = self.sent.iter().collect();
        std::mem::take(&mut self.changed)
            .then(|| serde_json::to_vec(&all).expect("plain data has no failure to report"))
    }

    /// Adds what is to be said of a series.
    pub(super) fn lines(
        &self,
        series: &Series,
        common: &[(String, String)],
        tags: Tags,
        batch: &mut Batch,
    ) {
        let id = Id {
            histogram: series.value.kind() == Kind::Histogram,
            name: series.name.clone(),
            labels: series.labels.clone(),
        };
        let sent = self.sent.get(&id);
        let line = Line::new(series, common, tags);
        match &series.value {
            Value::Counter(total) => {
                let before = match sent {
                    Some(Sent::Total(before)) => *before,
                    _ => 0.0,
                };
                let more = total - before;
                if more.is_finite() && more != 0.0 {
                    line.push(&mut batch.text, more, "c", 1);
                    batch.end(Some((id, Now::Total(*total))));
                }
            }
            Value::Gauge(value) if value.is_finite() => {
                // Before a sign the number is a difference; from 0 it is the value itself.
                if *value < 0.0 && tags == Tags::Lyft {
                    line.push(&mut batch.text, 0.0, "g", 1);
                }
                line.push(&mut batch.text, *value, "g", 1);
                batch.end(None);
            }
            Value::Gauge(_) => {}
            Value::Histogram(buckets) => {
                for (bucket, count) in counts(buckets) {
                    let before = match sent {
                        Some(Sent::Buckets(before)) => before.get(&bucket).copied(),
                        _ => None,
                    };
                    let more = count.saturating_sub(before.unwrap_or_default());
                    if more > 0 {
                        let value = rounded(middle(bucket) * line.scale);
                        line.push(&mut batch.text, value, line.timing, more);
                        batch.end(Some((id.clone(), Now::Bucket(bucket, count))));
                    }
                }
            }
        }
    }

    /// Takes down what was sent: the first `bytes` of the batch. Says how many values were not.
    pub(super) fn sent(&mut self, batch: Batch, bytes: usize) -> u64 {
        let mut left = 0;
        for change in batch.changes {
            if change.end > bytes {
                left += 1;
                continue;
            }
            let Some((id, now)) = change.now else {
                continue;
            };
            self.changed = true;
            match now {
                Now::Total(total) => {
                    self.sent.insert(id, Sent::Total(total));
                }
                Now::Bucket(bucket, count) => {
                    let empty = || Sent::Buckets(HashMap::new());
                    if let Sent::Buckets(buckets) = self.sent.entry(id).or_insert_with(empty) {
                        buckets.insert(bucket, count);
                    }
                }
            }
        }
        left
    }
}

/// What lines of one series have in common.
struct Line {
    name: String,
    /// After the kind.
    tags: String,
    timing: &'static str,
    scale: f64,
}

impl Line {
    fn new(series: &Series, common: &[(String, String)], dialect: Tags) -> Self {
        let given = |name: &str| series.labels.iter().any(|(known, _)| known == name);
        let mut labels: Vec<&(String, String)> = series.labels.iter().collect();
        labels.extend(common.iter().filter(|(name, _)| !given(name)));
        labels.retain(|(name, value)| !name.is_empty() && !value.is_empty());
        labels.sort();
        let mut line = Self {
            name: clean(&series.name, ":|@#"),
            tags: String::new(),
            timing: "ms",
            scale: 1.0,
        };
        // What StatsD calls a timing is in milliseconds.
        let seconds =
            series.unit.as_deref() == Some("seconds") || series.name.ends_with("_seconds");
        match dialect {
            Tags::Lyft => {
                if seconds {
                    line.scale = 1_000.0;
                }
                for (name, value) in labels {
                    let (name, value) = (clean(name, ".:|=@#"), clean(value, ".:|"));
                    let _ = write!(line.name, ".__{name}={value}");
                }
            }
            Tags::DogStatsd => {
                line.timing = "d";
                for (n, (name, value)) in labels.into_iter().enumerate() {
                    let (name, value) = (clean(name, ":|,@#"), clean(value, "|,"));
                    let before = if n == 0 { "|#" } else { "," };
                    let _ = write!(line.tags, "{before}{name}:{value}");
                }
            }
        }
        line
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate is a float")]
    fn push(&self, text: &mut String, value: f64, kind: &str, times: u64) {
        let _ = write!(text, "{}:", self.name);
        push_number(text, value);
        let _ = write!(text, "|{kind}");
        if times > 1 {
            let _ = write!(text, "|@{:?}", 1.0 / times as f64);
        }
        let _ = writeln!(text, "{}", self.tags);
    }
}

/// Without what would end a name, a tag or the line.
fn clean(text: &str, but: &str) -> String {
    let ends = |letter: char| but.contains(letter) || letter.is_control() || letter == ' ';
    text.chars()
        .map(|letter| if ends(letter) { '_' } else { letter })
        .collect()
}
