//! Exponential buckets of scale 3: eight for each power of two, so the middle of a bucket is at
//! most 4.3 % off. Bucket `i` has values greater than 2^(i/8) and not greater than 2^((i+1)/8), as
//! OpenTelemetry numbers them; Prometheus' native histograms of schema 3 call it `i + 1`.

/// The lowest: from 2^-28, some four nanoseconds in seconds. Smaller values fall into it.
pub(super) const FIRST: i32 = -28 * 8;
/// Up to 2^36, 64 GiB in bytes. Greater values fall into the last one.
pub(super) const COUNT: usize = 64 * 8;

const FRACTION_BITS: u32 = 52;
const EXPONENT_BIAS: i32 = 1023;

/// The fractions of 2^(k/8) for k from 0 to 7, as a float holds them.
const BOUNDS: [u64; 8] = [
    0x0_0000_0000_0000,
    0x1_72b8_3c7d_517b,
    0x3_06fe_0a31_b715,
    0x4_bfda_d536_2a27,
    0x6_a09e_667f_3bcd,
    0x8_ace5_422a_a0db,
    0xa_e89f_995a_d3ad,
    0xd_5818_dcfb_a487,
];

/// In which bucket a value above 0 belongs; from 0, as the cell counts.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an exponent has eleven bits, and what is clamped is not negative"
)]
pub(super) fn place(value: f64) -> usize {
    let bits = value.to_bits();
    let exponent = (bits >> FRACTION_BITS) as i32 - EXPONENT_BIAS;
    let fraction = bits & ((1 << FRACTION_BITS) - 1);
    let below = BOUNDS.iter().filter(|bound| **bound < fraction).count() as i32;
    let index = exponent * 8 + below - 1;
    (index - FIRST).clamp(0, COUNT as i32 - 1) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{BOUNDS, COUNT, FIRST, place};

    fn bound(index: i32) -> f64 {
        // A power of two is exact; the rest of it is what the table says.
        let fraction = BOUNDS[index.rem_euclid(8) as usize];
        2f64.powi(index.div_euclid(8)) * f64::from_bits((1023 << 52) | fraction)
    }

    #[test]
    fn the_table_is_the_roots_of_two() {
        for (k, fraction) in BOUNDS.iter().enumerate() {
            let root = f64::from_bits((1023 << 52) | fraction);
            assert!(
                (root.powi(8) - 2f64.powi(k as i32)).abs() < 1e-13 * 128.0,
                "{k}"
            );
        }
    }

    #[test]
    fn a_bound_belongs_to_the_bucket_that_it_ends() {
        for index in FIRST + 1..FIRST + COUNT as i32 {
            let place_of_bound = (index - FIRST) as usize;
            assert_eq!(place(bound(index)), place_of_bound - 1, "{index}");
            assert_eq!(place(bound(index).next_up()), place_of_bound, "{index}");
        }
    }

    #[test]
    fn values_outside_the_range_fall_into_the_first_or_last_bucket() {
        for tiny in [5e-324, 1e-300, 2f64.powi(-28)] {
            assert_eq!(place(tiny), 0);
        }
        for huge in [2f64.powi(36), 1e300, f64::MAX] {
            assert_eq!(place(huge), COUNT - 1);
        }
    }

    proptest! {
        #[test]
        fn a_value_lies_within_its_bucket(value in 1e-8f64..6e10) {
            let index = FIRST + place(value) as i32;
            prop_assert!(bound(index) < value && value <= bound(index + 1));
        }
    }
}
