//! The places of a text where values are, whole or cut short by a limit.
//!
//! The text is indexed and not the values: a text is short, and there may be many values. The
//! index is a suffix automaton, which has each part of the text once. Of a value, no more bytes are
//! read than the text has of it.

use crate::contract::limits::LEFT_OUT;

/// A part of a value that is shorter than this tells nothing.
const SHORTEST_PART: usize = 3;

/// A text, and the places that were found in it.
pub(super) struct Places {
    forwards: Index,
    /// For parts of values that follow the mark of a cut; `None` without a mark.
    backwards: Option<Index>,
    length: usize,
}

impl Places {
    pub(super) fn of(text: &str) -> Self {
        let is_cut = text.contains(LEFT_OUT);
        Self {
            forwards: Index::of(text.bytes(), is_cut),
            backwards: is_cut.then(|| Index::of(text.bytes().rev(), true)),
            length: text.len(),
        }
    }

    /// Finds a value that is not empty, wherever it is. Next to the mark of a cut its beginning or
    /// its end is enough.
    pub(super) fn look_for(&mut self, value: impl DoubleEndedIterator<Item = u8> + Clone) {
        if let Some(backwards) = &mut self.backwards {
            backwards.look_for(value.clone().rev());
        }
        self.forwards.look_for(value);
    }

    /// Everything that has been found, in order. Places that overlap are one.
    pub(super) fn found(self) -> Vec<(usize, usize)> {
        const MARK: usize = LEFT_OUT.len_utf8();
        let mut found = Vec::new();
        for (end, longest) in self.forwards.longest() {
            found.push((end - longest.whole, end));
            if longest.cut > 0 {
                found.push((end - MARK - longest.cut, end - MARK));
            }
        }
        for (end, longest) in self.backwards.iter().flat_map(Index::longest) {
            let start = self.length - end + MARK;
            found.push((start, start + longest.cut));
        }
        found.retain(|(start, end)| start < end);
        found.sort_unstable();
        let mut joined: Vec<(usize, usize)> = Vec::new();
        for (start, end) in found {
            match joined.last_mut() {
                Some(last) if start < last.1 => last.1 = last.1.max(end),
                _ => joined.push((start, end)),
            }
        }
        joined
    }
}

/// Each part of a text, as a path from the first state (Blumer's suffix automaton).
struct Index {
    states: Vec<State>,
    /// The state of each beginning of the text, from that of one byte on.
    beginnings: Vec<usize>,
    /// The mark of a cut as this text has it.
    mark: Option<[u8; 3]>,
}

/// Parts of the text that end at the same places.
#[derive(Clone, Default)]
struct State {
    /// How long the longest of them is.
    length: usize,
    /// The state of the longest of their ends that is at more places.
    link: Option<usize>,
    next: Vec<(u8, usize)>,
    found: Longest,
}

/// Lengths of the longest value that ends at a place, and of the longest beginning of a value that
/// ends before the mark of a cut. 0 if there is none.
#[derive(Clone, Copy, Default)]
struct Longest {
    whole: usize,
    cut: usize,
}

impl Index {
    fn of(text: impl DoubleEndedIterator<Item = u8>, is_cut: bool) -> Self {
        let mut index = Self {
            states: vec![State::default()],
            beginnings: Vec::new(),
            mark: None,
        };
        text.for_each(|byte| index.add(byte));
        let mut mark = [0; LEFT_OUT.len_utf8()];
        LEFT_OUT.encode_utf8(&mut mark);
        let mut backwards = mark;
        backwards.reverse();
        // Read backwards, a text has the mark backwards.
        let as_here = [mark, backwards].into_iter();
        index.mark = as_here
            .filter(|_| is_cut)
            .find(|mark| index.after(0, mark).is_some());
        index
    }

    fn add(&mut self, byte: u8) {
        let last = self.beginnings.last().copied().unwrap_or_default();
        let new = self.push(State {
            length: self.states[last].length + 1,
            ..State::default()
        });
        self.beginnings.push(new);
        let mut at = Some(last);
        while let Some(state) = at.filter(|state| self.step(*state, byte).is_none()) {
            self.states[state].next.push((byte, new));
            at = self.states[state].link;
        }
        let Some(state) = at else {
            self.states[new].link = Some(0);
            return;
        };
        let known = self.step(state, byte).unwrap_or_default();
        let length = self.states[state].length + 1;
        if length == self.states[known].length {
            self.states[new].link = Some(known);
            return;
        }
        // Its shorter parts are at one more place now, and get a state of their own.
        let shorter = self.push(State {
            length,
            ..self.states[known].clone()
        });
        while let Some(state) = at {
            let next = self.states[state].next.iter_mut();
            let Some(step) = next.into_iter().find(|step| **step == (byte, known)) else {
                break;
            };
            step.1 = shorter;
            at = self.states[state].link;
        }
        self.states[known].link = Some(shorter);
        self.states[new].link = Some(shorter);
    }

    fn push(&mut self, state: State) -> usize {
        self.states.push(state);
        self.states.len() - 1
    }

    fn step(&self, state: usize, byte: u8) -> Option<usize> {
        let next = &self.states[state].next;
        next.iter().find(|(by, _)| *by == byte).map(|(_, to)| *to)
    }

    fn after(&self, state: usize, bytes: &[u8]) -> Option<usize> {
        let mut bytes = bytes.iter();
        bytes.try_fold(state, |state, byte| self.step(state, *byte))
    }

    /// Reads `value` as far as the text has it.
    fn look_for(&mut self, value: impl Iterator<Item = u8>) {
        let mut state = 0;
        let mut length = 0;
        for byte in value {
            let Some(next) = self.step(state, byte) else {
                return;
            };
            state = next;
            length += 1;
            if length >= SHORTEST_PART
                && let Some(mark) = self.mark
                && let Some(marked) = self.after(state, &mark)
            {
                let cut = &mut self.states[marked].found.cut;
                *cut = length.max(*cut);
            }
        }
        let whole = &mut self.states[state].found.whole;
        *whole = length.max(*whole);
    }

    /// For each place of the text at which something ends: how long the longest is.
    fn longest(&self) -> impl Iterator<Item = (usize, Longest)> {
        let mut by_length: Vec<usize> = (0..self.states.len()).collect();
        by_length.sort_unstable_by_key(|state| self.states[*state].length);
        let mut longest = vec![Longest::default(); self.states.len()];
        for state in by_length {
            let State { link, found, .. } = &self.states[state];
            // What ends where its end ends, ends here as well.
            let shorter = link.map_or(Longest::default(), |link| longest[link]);
            longest[state] = Longest {
                whole: found.whole.max(shorter.whole),
                cut: found.cut.max(shorter.cut),
            };
        }
        let ends = self.beginnings.iter().map(move |state| longest[*state]);
        (1..).zip(ends)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::Places;

    #[track_caller]
    fn check(text: &str, values: &[&str], expected: &[&str]) {
        let mut places = Places::of(text);
        for value in values {
            places.look_for(value.bytes());
        }
        let found: Vec<&str> = (places.found().iter())
            .map(|(start, end)| &text[*start..*end])
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_value_is_found_wherever_it_is() {
        check("", &["abc"], &[]);
        check("abcabc", &["abc"], &["abc", "abc"]);
        check("aaaaa", &["aa"], &["aaaaa"]);
        check("xabcdx", &["bc", "abcd", "cdy"], &["abcd"]);
        check("añbñ…", &["ñb", "ñ"], &["ñb", "ñ"]);
        check("mississippi", &["issi", "ssip"], &["ississip"]);
    }

    #[test]
    fn a_part_is_found_at_a_cut_alone() {
        check("abc ab…", &["abcd"], &[]);
        check("abc…abc", &["abcd", "zabc"], &["abc", "abc"]);
        check("bcd…bcd…bcd", &["abcd"], &["bcd", "bcd"]);
        check("aaa…", &["aaaab"], &["aaa"]);
        // The mark in a value.
        check("ab…cd", &["ab…cd"], &["ab…cd"]);
    }

    #[test]
    fn a_value_is_read_as_far_as_the_text_has_it() {
        let text = format!("{}end", "ab\u{2026}".repeat(1_300));
        let read = Cell::new(0_usize);
        let mut places = Places::of(&text);
        let value = "ab\u{2026}".repeat(100_000);
        places.look_for(value.bytes().inspect(|_| read.set(read.get() + 1)));
        // Forwards and backwards, and the byte of each that the text does not have.
        assert_eq!(read.get(), 2 * (text.len() - 3 + 1));
        read.set(0);
        let value = "x".repeat(100_000);
        places.look_for(value.bytes().inspect(|_| read.set(read.get() + 1)));
        assert_eq!(read.get(), 2);
        // The index grows with the text alone.
        assert!(places.forwards.states.len() <= 2 * text.len());
    }

    /// Which bytes of `text` are to be removed, as a search for each value finds them.
    fn searched(text: &str, values: &[String]) -> Vec<bool> {
        let mut removed = vec![false; text.len()];
        let mut remove = |from: usize, to: usize| removed[from..to].fill(true);
        for value in values {
            for (at, _) in text.char_indices() {
                if text[at..].starts_with(value.as_str()) {
                    remove(at, at + value.len());
                }
            }
            for (at, mark) in text.match_indices('…') {
                for (cut, _) in value.char_indices().chain([(value.len(), ' ')]) {
                    let (beginning, end) = value.split_at(cut);
                    if beginning.len() >= 3 && text[..at].ends_with(beginning) {
                        remove(at - beginning.len(), at);
                    }
                    let behind = at + mark.len();
                    if end.len() >= 3 && text[behind..].starts_with(end) {
                        remove(behind, behind + end.len());
                    }
                }
            }
        }
        removed
    }

    proptest! {
        #[test]
        fn it_finds_what_a_search_finds(
            text in "[ab…é]{0,24}",
            values in proptest::collection::vec("[ab…é]{1,8}", 0..5),
        ) {
            let mut places = Places::of(&text);
            for value in &values {
                places.look_for(value.bytes());
            }
            let mut removed = vec![false; text.len()];
            for (start, end) in places.found() {
                removed[start..end].fill(true);
            }
            prop_assert_eq!(removed, searched(&text, &values));
        }
    }
}
