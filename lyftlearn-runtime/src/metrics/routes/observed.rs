//! A histogram for servers that take values only: it gives the value that represents each bucket.

use crate::metrics::region::Buckets;

/// Values of 0 and below, among the numbers of buckets.
const NOT_POSITIVE: i32 = i32::MIN;

/// How many values each bucket has, the lowest first.
pub(super) fn counts(buckets: &Buckets) -> impl Iterator<Item = (i32, u64)> {
    let others = buckets.zero.saturating_add(buckets.negative);
    [(NOT_POSITIVE, others)]
        .into_iter()
        .chain(buckets.positive.iter().copied())
}

/// What a bucket's values are taken for: at most 4.3 % off.
pub(super) fn middle(bucket: i32) -> f64 {
    if bucket == NOT_POSITIVE {
        return 0.0;
    }
    ((f64::from(bucket) + 0.5) / 8.0).exp2()
}

/// Six digits of it: a bucket's middle has no more to say, and every value is sent.
pub(super) fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}
