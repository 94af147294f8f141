//! Totals as Prometheus reads them: text 0.0.4 and OpenMetrics 1.0.0.
//!
//! No name or label of a program makes a scrape fail. Characters that Prometheus rejects are
//! replaced. If two names become equal, they are distinguished or added up, and the collision is
//! counted. **A metric is renamed only if it must be.**
//!
//! ```
//! use lyftlearn_runtime::Facts;
//! use lyftlearn_runtime::metrics::exposition::{Exposition, Format};
//! use lyftlearn_runtime::metrics::region::{Key, Region};
//!
//! let region = Region::of(&Facts::empty());
//! region.counter(&Key::new("rows", [("split", "train")])?).add(512);
//! let text = Exposition::new(region.snapshot(), &[], Format::Text).text();
//! assert_eq!(text, "# TYPE rows_total counter\nrows_total{split=\"train\"} 512\n");
//! # Ok::<(), lyftlearn_runtime::Error>(())
//! ```

mod accept;
mod families;
mod names;
#[cfg(test)]
mod tests;

use std::collections::btree_map;
use std::fmt::Write as _;
use std::sync::LazyLock;

pub use accept::{negotiate, takes_gzip};
use families::{Family, Members};

use crate::metrics::region::{Buckets, Kind, Snapshot, Value};
use crate::metrics::routes::number::push_number;

/// How much is rendered at once, and a sample more.
const CHUNK_BYTES: usize = 16 << 10;

/// Of the buckets' eight bounds in each power of two, two are shown.
const EVERY: i32 = 4;
/// Shown bounds begin and end at multiples of 2^4, so that they rarely become more.
const SPAN: i32 = 8;

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own text format, 0.0.4.
    Text,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// The same, for clients that request 0.0.1.
    EarlyOpenMetrics,
}

impl Format {
    /// What `Content-Type` says of it.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::EarlyOpenMetrics => "application/openmetrics-text; version=0.0.1; charset=utf-8",
        }
    }
}

/// A snapshot on its way out, a piece at a time: however many series there are, no more than
/// a piece of the text is in memory.
#[derive(Debug)]
pub struct Exposition {
    snapshot: Snapshot,
    common: Vec<(String, String)>,
    format: Format,
    families: std::vec::IntoIter<Family>,
    current: Option<(Family, Rest)>,
    collisions: u64,
    ended: bool,
}

/// What of a family has not been written.
#[derive(Debug)]
enum Rest {
    AsGiven(std::vec::IntoIter<usize>),
    Gathered(btree_map::IntoIter<String, (usize, Value)>),
}

impl Exposition {
    /// Adds the `common` labels to every series without a label of that name.
    #[must_use]
    pub fn new(snapshot: Snapshot, common: &[(String, String)], format: Format) -> Self {
        let (families, collisions) = families::plan(&snapshot, common);
        Self {
            snapshot,
            common: common.to_owned(),
            format,
            families: families.into_iter(),
            current: None,
            collisions,
            ended: false,
        }
    }

    /// How many series could not be shown as they were given: two that are one to Prometheus,
    /// a name of two kinds, a total that is no number.
    #[must_use]
    pub fn collisions(&self) -> u64 {
        self.collisions
    }

    /// All of it.
    #[must_use]
    pub fn text(self) -> String {
        self.collect()
    }

    fn begin(&mut self, text: &mut String, family: Family) {
        let first = match &family.members {
            Members::AsGiven(members) => members.first().copied(),
            Members::Gathered(members) => members.values().next().map(|(index, _)| *index),
        };
        let open = self.format != Format::Text;
        let name = match (open, family.kind) {
            (false, Kind::Counter) => format!("{}_total", family.name),
            _ => family.name.clone(),
        };
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let series = first.and_then(|index| self.snapshot.series.get(index));
        if let Some(help) = series.and_then(|series| series.help.as_deref()) {
            let _ = write!(text, "# HELP {name} ");
            names::push_escaped(text, help, open);
            text.push('\n');
        }
        let _ = writeln!(text, "# TYPE {name} {kind}");
        if let Some(unit) = series.and_then(|series| series.unit.as_deref())
            && open
            && name
                .strip_suffix(unit)
                .is_some_and(|rest| rest.ends_with('_'))
        {
            let _ = writeln!(text, "# UNIT {name} {unit}");
        }
        let rest = match &family.members {
            Members::AsGiven(members) => Rest::AsGiven(members.clone().into_iter()),
            Members::Gathered(members) => Rest::Gathered(members.clone().into_iter()),
        };
        self.current = Some((family, rest));
    }

    /// Writes the next sample or histogram; false after the last.
    fn sample(&mut self, text: &mut String) -> bool {
        let Some((family, rest)) = &mut self.current else {
            return false;
        };
        match rest {
            Rest::AsGiven(members) => {
                let Some(series) = members
                    .next()
                    .and_then(|index| self.snapshot.series.get(index))
                else {
                    return false;
                };
                let labels = families::labels(&series.labels, family.kind, &self.common);
                push(text, &family.name, &labels, &series.value);
            }
            Rest::Gathered(members) => {
                let Some((labels, (_, value))) = members.next() else {
                    return false;
                };
                push(text, &family.name, &labels, &value);
            }
        }
        true
    }
}

impl Iterator for Exposition {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut text = String::with_capacity(CHUNK_BYTES + 1_024);
        while text.len() < CHUNK_BYTES && !self.ended {
            if self.sample(&mut text) {
                continue;
            }
            match self.families.next() {
                Some(family) => self.begin(&mut text, family),
                None => {
                    self.ended = true;
                    if self.format != Format::Text {
                        text.push_str("# EOF\n");
                    }
                }
            }
        }
        (!text.is_empty()).then_some(text)
    }
}

fn push(text: &mut String, name: &str, labels: &str, value: &Value) {
    match value {
        Value::Counter(total) => line(text, name, "_total", labels, *total),
        Value::Gauge(value) => line(text, name, "", labels, *value),
        Value::Histogram(buckets) => histogram(text, name, labels, buckets),
    }
}

fn line(text: &mut String, name: &str, suffix: &str, labels: &str, value: f64) {
    text.push_str(name);
    text.push_str(suffix);
    if !labels.is_empty() {
        let _ = write!(text, "{{{labels}}}");
    }
    text.push(' ');
    push_number(text, value);
    text.push('\n');
}

#[expect(clippy::cast_precision_loss, reason = "a count is shown as a float")]
fn histogram(text: &mut String, name: &str, labels: &str, buckets: &Buckets) {
    let comma = if labels.is_empty() { "" } else { "," };
    let begins = format!("{name}_bucket{{{labels}{comma}le=\"");
    let mut bucket = |le: &str, count: u64| {
        text.push_str(&begins);
        text.push_str(le);
        text.push_str("\"} ");
        let _ = writeln!(text, "{count}");
    };
    let mut sum = buckets.zero.saturating_add(buckets.negative);
    if sum > 0 {
        bucket("0.0", sum);
    }
    let mut counts = buckets.positive.iter().peekable();
    if let (Some((first, _)), Some((last, _))) = (buckets.positive.first(), buckets.positive.last())
    {
        let from = first.div_euclid(EVERY).div_euclid(SPAN) * SPAN;
        let to = (last.div_euclid(EVERY).div_euclid(SPAN) + 1) * SPAN;
        for bound in from..=to {
            while let Some((_, count)) = counts.next_if(|(index, _)| *index < bound * EVERY) {
                sum = sum.saturating_add(*count);
            }
            match usize::try_from(bound - FIRST_BOUND) {
                Ok(at) if at < BOUNDS.len() => bucket(&BOUNDS[at], sum),
                _ => bucket(&format!("{:?}", bound_of(bound)), sum),
            }
        }
    }
    bucket("+Inf", buckets.count);
    line(text, name, "_count", labels, buckets.count as f64);
    // With negative values the sum is not a total, so it is omitted.
    if buckets.negative == 0 {
        line(text, name, "_sum", labels, buckets.sum);
    }
}

/// The bounds of everything that a region counts: most of a text is made of them.
static BOUNDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let bounds = FIRST_BOUND..=LAST_BOUND;
    bounds
        .map(|bound| format!("{:?}", bound_of(bound)))
        .collect()
});
/// 2^-28 and 2^36.
const FIRST_BOUND: i32 = -56;
const LAST_BOUND: i32 = 72;

/// 2^(bound/2), as the region's table has it.
fn bound_of(bound: i32) -> f64 {
    let root = if bound.rem_euclid(2) == 0 {
        1.0
    } else {
        std::f64::consts::SQRT_2
    };
    2f64.powi(bound.div_euclid(2)) * root
}
