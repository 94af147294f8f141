//! What routes have sent of each series. Servers that add up receive the difference to it.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::observed::counts;
use crate::metrics::region::{Buckets, Kind, Series};

/// Distinguishes a series from every other one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Id {
    histogram: bool,
    name: String,
    labels: Vec<(String, String)>,
}

impl Id {
    pub(super) fn of(series: &Series) -> Self {
        Self {
            histogram: series.value.kind() == Kind::Histogram,
            name: series.name.clone(),
            labels: series.labels.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Known {
    Total(f64),
    Observed {
        buckets: HashMap<i32, u64>,
        sum: f64,
    },
}

/// A part of a series that has been sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sent {
    Total(f64),
    /// One bucket of a histogram, and how many observations it has.
    Bucket(i32, u64),
    /// A histogram as a whole.
    Observed {
        buckets: HashMap<i32, u64>,
        sum: f64,
    },
}

/// A bucket that has more observations than were sent.
pub(super) struct Grown {
    pub(super) bucket: i32,
    pub(super) more: u64,
    pub(super) count: u64,
}

/// The totals of all series at the last flush.
#[derive(Debug, Default)]
pub(in crate::metrics::routes) struct Deltas {
    known: HashMap<Id, Known>,
    changed: bool,
}

impl Deltas {
    /// From the document of an earlier process. A malformed document counts as nothing sent.
    pub(super) fn known(document: &[u8]) -> Self {
        let known: Vec<(Id, Known)> = serde_json::from_slice(document).unwrap_or_default();
        Self {
            known: known.into_iter().collect(),
            changed: false,
        }
    }

    /// The document for a later process; `None` when nothing was sent since the last one.
    pub(super) fn document(&mut self) -> Option<Vec<u8>> {
        let all: Vec<(&Id, &Known)> = self.known.iter().collect();
        std::mem::take(&mut self.changed)
            .then(|| serde_json::to_vec(&all).expect("plain data has no failure to report"))
    }

    /// The total of a counter as it was last sent.
    pub(super) fn total(&self, id: &Id) -> Option<f64> {
        match self.known.get(id) {
            Some(Known::Total(total)) => Some(*total),
            _ => None,
        }
    }

    /// The sum of a histogram as it was last sent.
    pub(super) fn sum(&self, id: &Id) -> f64 {
        match self.known.get(id) {
            Some(Known::Observed { sum, .. }) => *sum,
            _ => 0.0,
        }
    }

    /// The buckets of a histogram that have grown, the lowest first.
    pub(super) fn grown(&self, id: &Id, observed: &Buckets) -> impl Iterator<Item = Grown> {
        let before = match self.known.get(id) {
            Some(Known::Observed { buckets, .. }) => Some(buckets),
            _ => None,
        };
        counts(observed).filter_map(move |(bucket, count)| {
            let before = before.and_then(|before| before.get(&bucket).copied());
            let more = count.saturating_sub(before.unwrap_or_default());
            (more > 0).then_some(Grown {
                bucket,
                more,
                count,
            })
        })
    }

    pub(super) fn record(&mut self, id: Id, sent: Sent) {
        self.changed = true;
        match sent {
            Sent::Total(total) => drop(self.known.insert(id, Known::Total(total))),
            Sent::Observed { buckets, sum } => {
                self.known.insert(id, Known::Observed { buckets, sum });
            }
            Sent::Bucket(bucket, count) => {
                let nothing = || Known::Observed {
                    buckets: HashMap::new(),
                    sum: 0.0,
                };
                if let Known::Observed { buckets, .. } =
                    self.known.entry(id).or_insert_with(nothing)
                {
                    buckets.insert(bucket, count);
                }
            }
        }
    }
}
