//! Numbers as Prometheus's formats and StatsD have them.

use std::fmt::Write as _;

/// Adds a number to a text.
pub(super) fn push_number(to: &mut String, value: f64) {
    /// From here on not every whole number is one.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let written = if value.is_nan() {
        write!(to, "NaN")
    } else if value.is_infinite() {
        write!(to, "{}Inf", if value > 0.0 { '+' } else { '-' })
    } else if value.fract() == 0.0 && value.abs() < EXACT {
        // Not `{value:.0}`, which takes many times as long.
        #[expect(clippy::cast_possible_truncation, reason = "it is a whole number")]
        let whole = value as i64;
        let sign = if whole == 0 && value.is_sign_negative() {
            "-"
        } else {
            ""
        };
        write!(to, "{sign}{whole}")
    } else {
        write!(to, "{value:?}")
    };
    written.expect("a text takes what fits into memory");
}

#[cfg(test)]
mod tests {
    use super::push_number;

    #[test]
    fn numbers_are_as_short_as_they_come_back() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (512.0, "512"),
            (0.1, "0.1"),
            (1e300, "1e300"),
            (9_007_199_254_740_994.0, "9007199254740994.0"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            let mut text = String::new();
            push_number(&mut text, value);
            assert_eq!(text, expected);
        }
    }
}
