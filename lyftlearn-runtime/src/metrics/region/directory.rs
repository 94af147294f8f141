//! Adds a series in three steps: reserve, fill, publish. There is no lock, so a process may die at
//! any instruction. It then leaves a slot that readers skip.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::key::{Key, hash};
use super::layout::{LINE, Layout, header, slot};
use super::words::Words;

/// A slot's states, in its first word's lowest byte. 0 is an empty one.
const CLAIMED: u64 = 1;
const READY: u64 = 2;
/// There was no room any more for what it was claimed for.
const ABANDONED: u64 = 3;

/// How often to check whether another process has finished publishing the same series. If it has
/// died, the series is published twice, and readers add both up.
const PATIENCE: usize = 200;

/// What a slot's first word says.
#[derive(Clone, Copy, PartialEq, Eq)]
struct State(u64);

impl State {
    fn new(state: u64, kind: u8, hash: u64) -> Self {
        Self(state | u64::from(kind) << 8 | hash & !u64::from(u32::MAX))
    }

    fn is(self, state: u64) -> bool {
        self.0 & 0xff == state
    }

    /// Whether it is about the same series, as far as a word can tell.
    fn same_series(self, other: Self) -> bool {
        self.0 & !0xff == other.0 & !0xff
    }
}

/// The kind of a published slot, by its first word.
pub(super) fn published(word: u64) -> Option<u8> {
    State(word).is(READY).then_some((word >> 8 & 0xff) as u8)
}

/// What a series is to be made of.
pub(super) struct Wanted<'a> {
    pub(super) key: &'a Key,
    pub(super) kind: u8,
    /// How many words its cell takes.
    pub(super) cell: usize,
}

/// The cell of a series, published if none `fits`; `None` if there is no room, which is counted.
/// `prepare` gets a new cell before it is published.
pub(super) fn find_or_publish<W: Words + ?Sized>(
    words: &W,
    layout: &Layout,
    wanted: &Wanted<'_>,
    mut fits: impl FnMut(usize) -> bool,
    prepare: impl Fn(usize),
) -> Option<usize> {
    let hash = hash(wanted.kind, wanted.key.words());
    let ready = State::new(READY, wanted.kind, hash);
    let claimed = State::new(CLAIMED, wanted.kind, hash);
    for step in 0..layout.slots {
        let at = layout.slot((hash as usize).wrapping_add(step) % layout.slots);
        let mut state = State(words.load(at + slot::STATE, Acquire));
        if state == State(0) {
            if !has_room(words, layout, wanted) {
                break;
            }
            if words.exchange(at + slot::STATE, 0, claimed.0) {
                let cell = fill(words, layout, wanted, at, hash, prepare);
                let state = if cell.is_some() {
                    ready
                } else {
                    State(ABANDONED)
                };
                words.store(at + slot::STATE, state.0, Release);
                if cell.is_none() {
                    break;
                }
                return cell;
            }
            state = State(words.load(at + slot::STATE, Acquire));
        }
        for _ in 0..PATIENCE {
            if !(state.is(CLAIMED) && state.same_series(ready)) {
                break;
            }
            words.pause();
            state = State(words.load(at + slot::STATE, Acquire));
        }
        if state == ready && is_about(words, layout, at, hash, wanted.key) {
            let cell = words.load(at + slot::CELL, Relaxed) as usize;
            if fits(cell) {
                return Some(cell);
            }
        }
    }
    words.add(header::DROPPED_SERIES, 1);
    None
}

fn is_about<W: Words + ?Sized>(
    words: &W,
    layout: &Layout,
    at: usize,
    hash: u64,
    key: &Key,
) -> bool {
    let place = words.load(at + slot::KEY, Relaxed);
    let (from, bytes) = (place as u32 as usize, (place >> 32) as usize);
    words.load(at + slot::HASH, Relaxed) == hash
        && bytes == key.bytes()
        && (key.words().enumerate())
            .all(|(n, word)| words.load(layout.keys.start + from + n, Relaxed) == word)
}

/// Fills a reserved slot, except for its state. Other processes read it only after its state is
/// published.
fn fill<W: Words + ?Sized>(
    words: &W,
    layout: &Layout,
    wanted: &Wanted<'_>,
    at: usize,
    hash: u64,
    prepare: impl Fn(usize),
) -> Option<usize> {
    let key = wanted.key;
    let from = reserve(
        words,
        header::KEYS_USED,
        key.words().len(),
        layout.keys.len(),
    )?;
    let cell = wanted.cell.next_multiple_of(LINE);
    let cell = reserve(words, header::CELLS_USED, cell, layout.cells.len())?;
    for (n, word) in key.words().enumerate() {
        words.store(layout.keys.start + from + n, word, Relaxed);
    }
    let cell = layout.cells.start + cell;
    prepare(cell);
    words.store(
        at + slot::KEY,
        from as u64 | (key.bytes() as u64) << 32,
        Relaxed,
    );
    words.store(at + slot::CELL, cell as u64, Relaxed);
    words.store(at + slot::HASH, hash, Relaxed);
    Some(cell)
}

/// Whether a slot would come to something; by the time it is filled that may have changed.
fn has_room<W: Words + ?Sized>(words: &W, layout: &Layout, wanted: &Wanted<'_>) -> bool {
    let keys = words.load(header::KEYS_USED, Relaxed) as usize;
    let cells = words.load(header::CELLS_USED, Relaxed) as usize;
    keys.saturating_add(wanted.key.words().len()) <= layout.keys.len()
        && cells.saturating_add(wanted.cell.next_multiple_of(LINE)) <= layout.cells.len()
}

fn reserve<W: Words + ?Sized>(
    words: &W,
    used: usize,
    count: usize,
    capacity: usize,
) -> Option<usize> {
    loop {
        let from = words.load(used, Relaxed);
        let to = from.checked_add(count as u64)?;
        if to > capacity as u64 {
            return None;
        }
        if words.exchange(used, from, to) {
            return Some(from as usize);
        }
    }
}
