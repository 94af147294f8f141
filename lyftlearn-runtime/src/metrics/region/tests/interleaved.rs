//! Every order in which two processes can publish, with everything that a weak memory model
//! may let one see of the other: the very code, on loom's memory.

use std::sync::atomic::Ordering::{self, Acquire};

use loom::sync::Arc;
use loom::sync::atomic::AtomicU64;
use loom::thread;

use super::key;
use crate::metrics::region::directory::{Wanted, find_or_publish, published};
use crate::metrics::region::layout::{LINE, Layout, header, slot};
use crate::metrics::region::words::Words;
use crate::metrics::region::{Key, kind};

/// The words of a region that are used here: loom's are dear.
struct Modelled {
    used: Vec<(usize, AtomicU64)>,
}

impl Modelled {
    fn new(layout: &Layout) -> Self {
        let ranges = [
            layout.directory(),
            layout.keys.start..layout.keys.start + 4,
            layout.cells.start..layout.cells.start + 1,
            layout.cells.start + LINE..layout.cells.start + LINE + 1,
        ];
        let headers = [
            header::KEYS_USED,
            header::CELLS_USED,
            header::DROPPED_SERIES,
        ];
        let all = headers.into_iter().chain(ranges.into_iter().flatten());
        Self {
            used: all.map(|at| (at, AtomicU64::new(0))).collect(),
        }
    }

    fn at(&self, at: usize) -> &AtomicU64 {
        let found = self.used.iter().find(|(known, _)| *known == at);
        &found.unwrap_or_else(|| panic!("{at} is not modelled")).1
    }
}

impl Words for Modelled {
    fn load(&self, at: usize, order: Ordering) -> u64 {
        self.at(at).load(order)
    }

    fn store(&self, at: usize, value: u64, order: Ordering) {
        self.at(at).store(value, order);
    }

    fn add(&self, at: usize, value: u64) {
        self.at(at).fetch_add(value, Ordering::Relaxed);
    }

    fn exchange(&self, at: usize, from: u64, to: u64) -> bool {
        let order = (Ordering::AcqRel, Ordering::Acquire);
        self.at(at)
            .compare_exchange(from, to, order.0, order.1)
            .is_ok()
    }

    fn pause(&self) {
        thread::yield_now();
    }
}

/// Two slots, sixteen words of keys.
fn layout() -> Layout {
    Layout {
        slots: 2,
        keys: 72..88,
        cells: 88..112,
    }
}

fn count(words: &Modelled, name: &str) {
    let key = key(name);
    let wanted = Wanted {
        key: &key,
        kind: kind::COUNTER,
        cell: LINE,
    };
    let cell = find_or_publish(words, &layout(), &wanted, |_| true, |_| ()).unwrap();
    words.add(cell, 1);
}

/// The totals of a name as a reader adds them up; fails if there is anything else.
fn totals(words: &Modelled, keys: &[Key]) -> Vec<u64> {
    let layout = layout();
    let mut totals = vec![0; keys.len()];
    for number in 0..layout.slots {
        let at = layout.slot(number);
        if published(words.load(at + slot::STATE, Acquire)).is_none() {
            continue;
        }
        let place = words.load(at + slot::KEY, Acquire);
        let (from, bytes) = (place as u32 as usize, (place >> 32) as usize);
        let found = keys.iter().position(|key| {
            key.bytes() == bytes
                && (key.words().enumerate())
                    .all(|(n, word)| words.load(layout.keys.start + from + n, Acquire) == word)
        });
        let found = found.expect("what is published is whole");
        let cell = words.load(at + slot::CELL, Acquire) as usize;
        totals[found] += words.load(cell, Acquire);
    }
    totals
}

fn check(names: [&'static str; 2]) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(move || {
        let words = Arc::new(Modelled::new(&layout()));
        let other = {
            let words = Arc::clone(&words);
            thread::spawn(move || count(&words, names[1]))
        };
        count(&words, names[0]);
        let keys = names.map(key);
        // A reader in the midst of it.
        assert!(totals(&words, &keys)[0] >= 1);
        other.join().unwrap();
        let expected = if names[0] == names[1] { [2, 0] } else { [1, 1] };
        assert_eq!(totals(&words, &keys), expected);
    });
}

#[test]
fn two_processes_publish_the_same_series() {
    check(["a", "a"]);
}

#[test]
fn two_processes_publish_different_series() {
    check(["a", "b"]);
}
