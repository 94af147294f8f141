//! Changes since the last flush, as StatsD lines.

use std::fmt::Write as _;

use super::settings::Tags;
use crate::metrics::region::{Series, Value};
use crate::metrics::routes::deltas::{Deltas, Grown, Id, Sent};
use crate::metrics::routes::number::push_number;
use crate::metrics::routes::observed::{middle, rounded};

/// Lines, and the totals to record for each.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) text: String,
    changes: Vec<Change>,
}

#[derive(Debug)]
struct Change {
    /// Where its lines end.
    end: usize,
    /// `None` for a gauge, which is sent again anyway.
    sent: Option<(Id, Sent)>,
}

impl Batch {
    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    fn end(&mut self, sent: Option<(Id, Sent)>) {
        let end = self.text.len();
        self.changes.push(Change { end, sent });
    }

    /// Adds the lines of a series.
    pub(super) fn add(
        &mut self,
        deltas: &Deltas,
        series: &Series,
        common: &[(String, String)],
        tags: Tags,
    ) {
        let id = Id::of(series);
        let line = Line::new(series, common, tags);
        match &series.value {
            Value::Counter(total) => {
                // A total that has fallen is sent as a negative difference.
                let more = total - deltas.total(&id).unwrap_or_default();
                if more.is_finite() && more != 0.0 {
                    line.push(&mut self.text, more, "c", 1);
                    self.end(Some((id, Sent::Total(*total))));
                }
            }
            Value::Gauge(value) if value.is_finite() => {
                // Before a sign the number is a difference; from 0 it is the value itself.
                if *value < 0.0 && tags == Tags::Lyft {
                    line.push(&mut self.text, 0.0, "g", 1);
                }
                line.push(&mut self.text, *value, "g", 1);
                self.end(None);
            }
            Value::Gauge(_) => {}
            Value::Histogram(observed) => {
                for Grown {
                    bucket,
                    more,
                    count,
                } in deltas.grown(&id, observed)
                {
                    let value = rounded(middle(bucket) * line.scale);
                    line.push(&mut self.text, value, line.timing, more);
                    self.end(Some((id.clone(), Sent::Bucket(bucket, count))));
                }
            }
        }
    }

    /// Records the first `bytes` of the text as sent. Returns how many values were not sent.
    pub(super) fn record(self, bytes: usize, deltas: &mut Deltas) -> u64 {
        let mut left = 0;
        for change in self.changes {
            if change.end > bytes {
                left += 1;
            } else if let Some((id, sent)) = change.sent {
                deltas.record(id, sent);
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

    fn push(&self, text: &mut String, value: f64, kind: &str, times: u64) {
        let _ = write!(text, "{}:", self.name);
        push_number(text, value);
        let _ = write!(text, "|{kind}");
        if times > 1 {
            let _ = write!(text, "|@{:?}", rate(times));
        }
        let _ = writeln!(text, "{}", self.tags);
    }
}

/// The rate of a line that counts so many times. Servers cut its inverse to a whole number, and 1 / (1 / 93)
/// is below 93.
#[expect(clippy::cast_precision_loss, reason = "a rate is a float")]
fn rate(times: u64) -> f64 {
    let rate = 1.0 / times as f64;
    if 1.0 / rate < times as f64 {
        rate.next_down()
    } else {
        rate
    }
}

/// Without what would end a name, a tag or the line.
fn clean(text: &str, but: &str) -> String {
    let ends = |letter: char| but.contains(letter) || letter.is_control() || letter == ' ';
    text.chars()
        .map(|letter| if ends(letter) { '_' } else { letter })
        .collect()
}
