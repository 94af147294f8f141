//! Settings of metrics that are no route's.

use std::ops::RangeInclusive;

use figment::value::Value;

use crate::layers::{Form, Key, Parsed, Unset, number};

/// Less holds next to nothing; more is a mistake in a unit.
pub(super) const SIZES: RangeInclusive<u64> = 65_536..=1_073_741_824;

const REGION: &str = "0, or a number of bytes from 65536 to 1073741824";

pub(super) const KEYS: &[Key] = &[Key {
    name: "metrics.region_bytes",
    form: Form::new(REGION),
    // A quarter of a millisecond of the start: every page is made before the program starts.
    default: Unset::Value("1048576"),
    doc: "Size in bytes of the memory in which all processes count metrics; 0 disables \
              it. It counts towards the memory limit. The default holds about 2000 counters \
              and gauges, or 180 histograms.",
    example: "4194304",
}];

pub(crate) fn region_bytes(value: &Value) -> Parsed<u64> {
    number(value, 0..=0, REGION).or_else(|_| number(value, SIZES, REGION))
}
