//! The operations of the protocol on memory. It is a trait so that tests can run the same code
//! under loom, and on memory whose writer dies at any instruction.

use std::sync::atomic::{AtomicU64, Ordering};

/// Offsets outside of the words read as 0 and ignore writes, so an overwritten offset does no harm.
pub(super) trait Words {
    fn load(&self, at: usize, order: Ordering) -> u64;
    fn store(&self, at: usize, value: u64, order: Ordering);
    fn add(&self, at: usize, value: u64);
    /// Whether it was `from`, and now is `to`.
    fn exchange(&self, at: usize, from: u64, to: u64) -> bool;
    /// While somebody else is at work.
    fn pause(&self) {
        std::hint::spin_loop();
    }
}

impl Words for [AtomicU64] {
    fn load(&self, at: usize, order: Ordering) -> u64 {
        self.get(at).map_or(0, |word| word.load(order))
    }

    fn store(&self, at: usize, value: u64, order: Ordering) {
        if let Some(word) = self.get(at) {
            word.store(value, order);
        }
    }

    fn add(&self, at: usize, value: u64) {
        if let Some(word) = self.get(at) {
            word.fetch_add(value, Ordering::Relaxed);
        }
    }

    fn exchange(&self, at: usize, from: u64, to: u64) -> bool {
        self.get(at).is_some_and(|word| {
            word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
        })
    }
}

/// Adds to a float that is held by its bits.
pub(super) fn add_float(word: &AtomicU64, amount: f64) {
    change_float(word, |value| value + amount);
}

/// Replaces a float that is held by its bits.
pub(super) fn change_float(word: &AtomicU64, change: impl Fn(f64) -> f64) {
    let mut bits = word.load(Ordering::Relaxed);
    loop {
        let new = change(f64::from_bits(bits)).to_bits();
        match word.compare_exchange_weak(bits, new, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return,
            Err(found) => bits = found,
        }
    }
}
