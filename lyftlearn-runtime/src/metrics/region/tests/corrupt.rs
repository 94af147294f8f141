//! A reader survives any bytes: the region is the program's to write to.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering::Relaxed;

use proptest::prelude::*;

use super::{Aggregate, here, key, region};
use crate::metrics::exposition::{Exposition, Format};
use crate::metrics::region::image::Written;
use crate::metrics::region::key::hash;
use crate::metrics::region::layout::{header, histogram, slot};
use crate::metrics::region::{Layout, Region, Snapshot, Value, kind};

/// A region with a little of everything, as words.
pub(in crate::metrics) fn valid() -> Vec<u64> {
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

fn file(words: &[u64]) -> File {
    let file = tempfile::tempfile().unwrap();
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    file.write_all_at(&bytes, 0).unwrap();
    file
}

/// As a tool that does not know how long the region was made, and then as the agent, which does.
pub(in crate::metrics) fn read(words: &[u64]) -> Option<Snapshot> {
    let known = Written {
        file: file(words),
        bytes: Some(words.len() as u64 * 8),
    };
    let of_agent = Snapshot::of(&known, &here());
    let unknown = Written {
        file: known.file,
        bytes: None,
    };
    assert_eq!(
        format!("{:?}", Snapshot::of(&unknown, &here())),
        format!("{of_agent:?}")
    );
    of_agent
}

/// How many bytes of text and numbers it holds.
fn held(snapshot: &Snapshot) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let series = snapshot.series.iter();
    series
        .map(|series| {
            let labels = series.labels.iter();
            let labels: usize = labels.map(|(name, value)| name.len() + value.len()).sum();
            let buckets = match &series.value {
                Value::Histogram(buckets) => buckets.positive.len() * 16,
                _ => 8,
            };
            series.name.len() + labels + buckets + text(&series.unit) + text(&series.help)
        })
        .sum()
}

/// What every reader makes of it: at most a few times the size of the input.
pub(in crate::metrics) fn shown(snapshot: &Snapshot, words: &[u64]) {
    assert!(held(snapshot) <= words.len() * 8 * 8, "{}", held(snapshot));
    for format in [Format::Text, Format::OpenMetrics] {
        let _ = Exposition::new(snapshot.clone(), &[], format).text();
    }
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
        let found = read(&all);
        prop_assert!(found.is_some());
        shown(&found.unwrap(), &all);
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
        if let Some(found) = read(&words) {
            shown(&found, &words);
        }
        write(&words);
    }

    #[test]
    fn a_valid_region_that_was_cut_off(length in 0..8_192usize) {
        prop_assert_eq!(read(&valid()[..length]), None);
    }
}

#[test]
fn damaged_slots_are_counted_and_the_others_are_read() {
    let mut words = valid();
    let whole = read(&words).unwrap();
    assert_eq!((whole.series.len(), whole.damaged_series), (3, 0));
    // The first key's letters.
    let keys = crate::metrics::region::Layout::of(words.len()).keys;
    words[keys.start] ^= 1 << 40;
    let damaged = read(&words).unwrap();
    assert_eq!((damaged.series.len(), damaged.damaged_series), (2, 1));
}

/// Slots that all claim the same key and the same cell, of the greatest kind.
#[test]
fn what_many_slots_claim_is_shown_once() {
    let mut words = valid();
    let layout = Layout::of(words.len());
    words[header::KEYS_USED] = layout.keys.len() as u64;
    words[header::CELLS_USED] = layout.cells.len() as u64;
    // Keys of 4,096 bytes that overlap: at each word a text begins, and ends where all do.
    let texts = 511;
    for (n, word) in words[layout.keys.start..][..texts + 1]
        .iter_mut()
        .enumerate()
    {
        // A name, one label and its value, all of six letters, over and over.
        *word = 6 | 0x6161_6161_6161_0000 | (n as u64 % 13) << 16;
    }
    words[layout.cells.start..].fill(u64::MAX >> 20);
    for number in 0..layout.slots {
        let from = number % 400;
        let length = (texts - from).min(510) | 1;
        let key = words[layout.keys.start + from..][..length].to_vec();
        let hash = hash(kind::HISTOGRAM, key.iter().copied());
        let at = layout.slot(number);
        words[at + slot::STATE] = 2 | u64::from(kind::HISTOGRAM) << 8 | hash & !u64::from(u32::MAX);
        words[at + slot::KEY] = from as u64 | (length as u64 * 8) << 32;
        words[at + slot::CELL] = layout.cells.start as u64;
        words[at + slot::HASH] = hash;
    }
    let found = read(&words).unwrap();
    assert!(!found.series.is_empty() && found.damaged_series > 0);
    assert!(found.series.len() * histogram::LEN <= layout.cells.len());
    shown(&found, &words);
}

#[test]
fn a_file_that_was_made_longer_is_read_as_long_as_it_was_made() {
    let words = valid();
    let bytes = words.len() as u64 * 8;
    let file = file(&words);
    // Sparse: a gigabyte that takes no room.
    file.set_len(1 << 40).unwrap();
    let written = (1_u64 << 37).to_le_bytes();
    let known = Written {
        file: file.try_clone().unwrap(),
        bytes: Some(bytes),
    };
    assert_eq!(Snapshot::of(&known, &here()).unwrap().series.len(), 3);
    // What it says of itself is the program's as well.
    file.write_all_at(&written, header::WORDS as u64 * 8)
        .unwrap();
    assert_eq!(Snapshot::of(&known, &here()), None);
    let unknown = Written { file, bytes: None };
    assert_eq!(Snapshot::of(&unknown, &here()), None);
}
