//! A process that dies at any instruction of a publication, one after the other: what it
//! has published stays, what it has not is never seen, and others go on.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{here, key, memory};
use crate::metrics::region::directory::{Wanted, find_or_publish};
use crate::metrics::region::layout::{LINE, Layout};
use crate::metrics::region::words::Words;
use crate::metrics::region::{Snapshot, Value, kind};

/// Memory whose writer dies after a given number of operations.
pub(super) struct Dying {
    pub(super) words: &'static [AtomicU64],
    pub(super) left: Cell<usize>,
}

pub(super) struct Died;

impl Dying {
    fn step(&self) {
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => std::panic::resume_unwind(Box::new(Died)),
        }
    }
}

impl Words for Dying {
    fn load(&self, at: usize, order: Ordering) -> u64 {
        self.step();
        self.words.load(at, order)
    }

    fn store(&self, at: usize, value: u64, order: Ordering) {
        self.step();
        self.words.store(at, value, order);
    }

    fn add(&self, at: usize, value: u64) {
        self.step();
        self.words.add(at, value);
    }

    fn exchange(&self, at: usize, from: u64, to: u64) -> bool {
        self.step();
        self.words.exchange(at, from, to)
    }
}

pub(super) fn count<W: Words + ?Sized>(words: &W, layout: &Layout, name: &str) {
    let key = key(name);
    let wanted = Wanted {
        key: &key,
        kind: kind::COUNTER,
        cell: LINE,
    };
    let cell = find_or_publish(words, layout, &wanted, |_| true, |_| ()).unwrap();
    words.add(cell, 1);
}

#[test]
fn a_writer_that_dies_at_any_step_leaves_a_consistent_region() {
    let mut survived = 0;
    for left in 0.. {
        let words = memory();
        let layout = Layout::of(words.len());
        count(words, &layout, "before");
        let dying = Dying {
            words,
            left: Cell::new(left),
        };
        let end = catch_unwind(AssertUnwindSafe(|| {
            count(&dying, &layout, "rows");
            count(&dying, &layout, "before");
        }));
        let dead = Snapshot::of(words, &here()).unwrap();
        // Other processes publish the same series and further ones.
        count(words, &layout, "rows");
        count(words, &layout, "after");
        let found = Snapshot::of(words, &here()).unwrap();
        let total = |snapshot: &Snapshot, name| match super::value(snapshot, name) {
            Some(Value::Counter(total)) => total,
            None => 0.0,
            other => panic!("{other:?}"),
        };
        assert_eq!(total(&found, "rows"), total(&dead, "rows") + 1.0, "{left}");
        assert_eq!(total(&found, "after"), 1.0, "{left}");
        assert_eq!(total(&found, "before"), total(&dead, "before"), "{left}");
        assert!(total(&dead, "before") >= 1.0, "{left}");
        assert_eq!(found.damaged_series, 0, "{left}");
        survived += 1;
        if end.is_ok() {
            break;
        }
    }
    // Each of its steps was one to die at.
    assert!(survived > 20, "{survived}");
}
