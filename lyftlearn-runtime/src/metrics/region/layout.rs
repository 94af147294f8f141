//! The layout of a region: words of 64 bits, counted from its start.
//!
//! A header, a directory of fixed slots (open addressing, linear probing), the keys, and the
//! cells. All of it follows from the size, so that a header that was overwritten cannot lead
//! a reader astray.

use std::ops::Range;

/// No region is larger; a file that is has been made so by somebody else.
pub(super) const MOST_BYTES: u64 = 1 << 30;

/// "lyftmetr", as the bytes lie in memory.
pub(super) const MAGIC: u64 = u64::from_le_bytes(*b"lyftmetr");
/// Of everything below; another layout, another number.
pub(super) const VERSION: u64 = 1;

/// The header's words.
pub(super) mod header {
    pub(in super::super) const MAGIC: usize = 0;
    pub(in super::super) const VERSION: usize = 1;
    pub(in super::super) const WORDS: usize = 2;
    /// The boot's identifier, in two words.
    pub(in super::super) const BOOT: usize = 3;
    pub(in super::super) const PID_NAMESPACE: usize = 5;
    /// Words that change often have cache lines of their own.
    pub(in super::super) const KEYS_USED: usize = 16;
    pub(in super::super) const CELLS_USED: usize = 24;
    pub(in super::super) const DROPPED_SERIES: usize = 32;
    pub(in super::super) const REFUSED_VALUES: usize = 40;
    pub(in super::super) const LEN: usize = 64;
}

/// A slot's words.
pub(super) mod slot {
    /// State in the lowest byte, kind in the next, half of the hash in the upper half.
    pub(in super::super) const STATE: usize = 0;
    /// Where the key begins among the keys, and in the upper half how many bytes it has.
    pub(in super::super) const KEY: usize = 1;
    /// Where the cell begins among the cells.
    pub(in super::super) const CELL: usize = 2;
    pub(in super::super) const HASH: usize = 3;
    pub(in super::super) const LEN: usize = 4;
}

/// The cells of all kinds but histograms take a cache line: two processes that count
/// different things do not wait for each other.
pub(super) const LINE: usize = 8;

/// A counter's words.
pub(super) mod counter {
    /// The sum of integer increments.
    pub(in super::super) const WHOLE: usize = 0;
    /// Everything else, as the bits of a float.
    pub(in super::super) const PART: usize = 1;
    /// The debt of decrements, as the bits of a float.
    #[cfg(all(feature = "agent", feature = "cli"))]
    pub(in super::super) const OWED: usize = 2;
    /// The running total that a sender told last, as the bits of a float.
    #[cfg(all(feature = "agent", feature = "cli"))]
    pub(in super::super) const TOLD: usize = 3;
}

/// A gauge's words.
pub(super) mod gauge {
    pub(in super::super) const VALUE: usize = 0;
    /// When it was set, in nanoseconds on CLOCK_MONOTONIC.
    pub(in super::super) const STAMP: usize = 1;
    pub(in super::super) const OWNER: usize = 2;
}

/// A histogram's words.
pub(super) mod histogram {
    pub(in super::super) const SUM: usize = 0;
    pub(in super::super) const ZERO: usize = 1;
    pub(in super::super) const NEGATIVE: usize = 2;
    /// Parts of an observation that no bucket counts yet, as the bits of a float.
    #[cfg(all(feature = "agent", feature = "cli"))]
    pub(in super::super) const CARRIED: usize = 3;
    /// The first bucket.
    pub(in super::super) const BUCKETS: usize = 8;
    pub(in super::super) const LEN: usize = BUCKETS + super::super::buckets::COUNT;
}

/// The parts of a region of some size.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) slots: usize,
    pub(super) keys: Range<usize>,
    pub(super) cells: Range<usize>,
}

impl Layout {
    /// A sixteenth for the directory, three for keys (96 bytes each), the rest for cells.
    pub(super) fn of(words: usize) -> Self {
        let slots = words.saturating_sub(header::LEN) / (16 * slot::LEN);
        let keys = (header::LEN + slots * slot::LEN).min(words);
        let cells = (keys + words / 16 * 3).next_multiple_of(LINE).min(words);
        Self {
            slots,
            keys: keys..cells,
            cells: cells..words,
        }
    }

    /// The directory's words.
    pub(super) fn directory(&self) -> Range<usize> {
        header::LEN.min(self.keys.start)..self.keys.start
    }

    /// Where a slot begins.
    pub(super) fn slot(&self, number: usize) -> usize {
        header::LEN + number * slot::LEN
    }
}

#[cfg(test)]
mod tests {
    use super::Layout;

    #[test]
    fn a_mebibyte_holds_two_thousand_series() {
        let layout = Layout::of((1 << 20) / 8);
        assert_eq!(layout.slots, 2_047);
        assert_eq!(layout.directory(), 64..8_252);
        assert_eq!(layout.keys, 8_252..32_832);
        assert_eq!(layout.cells, 32_832..131_072);
    }

    #[test]
    fn no_size_has_parts_outside_of_it() {
        for words in 0..5_000 {
            let layout = Layout::of(words);
            assert!(layout.keys.end <= words && layout.cells.end <= words);
            assert!(layout.slots == 0 || layout.slot(layout.slots) <= words);
        }
    }
}
