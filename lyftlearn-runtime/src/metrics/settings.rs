//! Settings of metrics that are no route's.

use figment::value::Value;

use crate::layers::{Form, Key, Parsed, number};

pub(super) const KEYS: &[Key] = &[Key {
    name: "metrics.region_bytes",
    form: Form::Other,
}];

const STORE: &str = "0, or a number of bytes from 65536 to 1073741824";

/// Less holds next to nothing; more is a mistake in a unit.
pub(super) const REGION_BYTES: std::ops::RangeInclusive<u64> = 65_536..=1_073_741_824;

pub(crate) fn region_bytes(value: &Value) -> Parsed<u64> {
    number(value, 0..=0, STORE).or_else(|_| number(value, REGION_BYTES, STORE))
}
