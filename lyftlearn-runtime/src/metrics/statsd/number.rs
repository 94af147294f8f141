//! Numbers as every client writes them, and as no parser of a language's own would take
//! them: no hexadecimal, no `_`, no infinity.

/// What may stand for a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Number {
    pub(crate) value: f64,
    /// Whether it has a sign.
    pub(crate) signed: bool,
}

/// So many digits a float holds without loss.
const EXACT_DIGITS: usize = 15;

impl Number {
    /// `None` if it is not a number, or not finite.
    #[inline]
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        let (sign, digits) = match text {
            [sign @ (b'+' | b'-'), digits @ ..] => (Some(*sign), digits),
            digits => (None, digits),
        };
        let signed = sign.is_some();
        if !digits.is_empty() && digits.len() <= EXACT_DIGITS {
            let mut whole = 0u64;
            let mut plain = true;
            for digit in digits {
                let digit = digit.wrapping_sub(b'0');
                plain &= digit < 10;
                whole = whole.wrapping_mul(10).wrapping_add(digit.into());
            }
            if plain {
                #[expect(clippy::cast_precision_loss, reason = "15 digits are exact")]
                let value = whole as f64;
                let value = if sign == Some(b'-') { -value } else { value };
                return Some(Self { value, signed });
            }
        }
        Self::in_full(text, digits, signed)
    }

    fn in_full(text: &[u8], digits: &[u8], signed: bool) -> Option<Self> {
        let good = |byte: &u8| byte.is_ascii_digit() || b".eE+-".contains(byte);
        // A second sign can stand in an exponent alone.
        let first = digits.first()?;
        if !(first.is_ascii_digit() || *first == b'.') || !digits.iter().all(good) {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        let value = text.parse().ok().filter(|value: &f64| value.is_finite())?;
        Some(Self { value, signed })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Number;

    #[test]
    fn malformed_numbers_are_rejected() {
        for text in [
            "", "+", "-", "+-1", "1 ", " 1", "0x10", "1_000", "NaN", "inf", "-inf", "1e999", "1,5",
            "e5", "1e", ".", "1.2.3", "infinity", "True",
        ] {
            assert_eq!(Number::of(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_sign_is_kept_even_for_zero() {
        for (text, value, signed) in [
            ("0", 0.0, false),
            ("-5", -5.0, true),
            ("+5", 5.0, true),
            ("-0.25", -0.25, true),
            (".5", 0.5, false),
            ("1e3", 1_000.0, false),
            ("12345678901234567", 12_345_678_901_234_567.0, false),
        ] {
            let number = Number::of(text.as_bytes()).unwrap();
            assert_eq!((number.value, number.signed), (value, signed), "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_is_what_rust_makes_of_it(value in proptest::num::f64::NORMAL) {
            let text = format!("{value}");
            prop_assert_eq!(Number::of(text.as_bytes()).unwrap().value, value);
            let text = format!("{value:e}");
            prop_assert_eq!(Number::of(text.as_bytes()).unwrap().value, value);
        }

        #[test]
        fn no_bytes_make_it_panic(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Some(number) = Number::of(&text) {
                prop_assert!(number.value.is_finite());
            }
        }
    }
}
