//! A reader survives any bytes: the region is the program's to write to.

use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering::Relaxed;

use proptest::prelude::*;

use super::{Aggregate, here, key, region};
use crate::metrics::region::{Region, Snapshot};

/// A region with a little of everything, as words.
fn valid() -> Vec<u64> {
    let region = region();
    region.counter(&key("rows")).add(3);
    region.gauge(key("loss"), Aggregate::Sum).set(0.5);
    region.histogram(&key("epoch")).observe(1.0);
    region.describe("rows", "rows", "about").unwrap();
    region
        .0
        .words
        .iter()
        .map(|word| word.load(Relaxed))
        .collect()
}

fn read(words: &[u64]) -> Option<Snapshot> {
    let file = tempfile::tempfile().unwrap();
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    file.write_all_at(&bytes, 0).unwrap();
    Snapshot::of(&file, &here())
}

/// A writer that maps such words must survive them as well.
fn write(words: &[u64]) {
    let atomic = super::memory();
    for (to, from) in atomic.iter().zip(words) {
        to.store(*from, Relaxed);
    }
    let region = Region::over(atomic, here().pid_namespace().unwrap(), None);
    region.counter(&key("rows")).add(1);
    region.gauge(key("loss"), Aggregate::Sum).set(1.0);
    region.histogram(&key("epoch")).observe(1.0);
    region.counter(&key("new")).add(1);
    let _ = region.snapshot();
}

fn any_word() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0..16u64,
        0..8_192u64,
        Just(u64::MAX),
        (any::<u32>(), 0..64u64).prop_map(|(high, low)| u64::from(high) << 32 | low),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_words(words in prop::collection::vec(any_word(), 0..200)) {
        read(&words);
    }

    #[test]
    fn random_words_behind_a_good_header(words in prop::collection::vec(any_word(), 600)) {
        // The directory, and some of the keys.
        let mut all = valid();
        all[64..664].copy_from_slice(&words);
        prop_assert!(read(&all).is_some());
    }

    #[test]
    fn a_valid_region_with_words_replaced(
        changes in prop::collection::vec((0..8_192usize, any_word()), 1..20),
        // Where there is something to be broken.
        near in prop::collection::vec((0..4_200usize, any_word()), 0..50),
    ) {
        let mut words = valid();
        for (at, word) in near.into_iter().chain(changes) {
            words[at] = word;
        }
        read(&words);
        write(&words);
    }

    #[test]
    fn a_valid_region_that_was_cut_off(length in 0..8_192usize) {
        prop_assert_eq!(read(&valid()[..length]), None);
    }
}

#[test]
fn what_is_damaged_is_counted_and_the_rest_is_read() {
    let mut words = valid();
    let whole = read(&words).unwrap();
    assert_eq!((whole.series.len(), whole.damaged_series), (3, 0));
    // The first key's letters.
    let keys = crate::metrics::region::Layout::of(words.len()).keys;
    words[keys.start] ^= 1 << 40;
    let damaged = read(&words).unwrap();
    assert_eq!((damaged.series.len(), damaged.damaged_series), (2, 1));
}
