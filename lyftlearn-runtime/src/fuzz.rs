//! What fuzz targets have in common: documents that are nearly right, drawn from the bytes that
//! a fuzzer chose, and what every report has to keep to.
//!
//! A target is a test named `fuzz_…` in the module that it fuzzes. `cargo test` runs the inputs
//! in `__fuzz__` beside it and a number of others, the same in each run; `make fuzz` looks for
//! new ones for as long as one likes.

use serde_json::{Map, Value};

use crate::error::Error;

/// A value that no report may quote.
pub(crate) const CANARY: &str = "canary7391qzx";

/// Runs a target on the inputs that are kept, and on `count` of [`inputs`].
macro_rules! target {
    ($count:expr, $target:expr) => {
        bolero::check!()
            .with_iterations(0)
            .for_each(|bytes: &[u8]| $target(&mut crate::fuzz::Draw::from(bytes)));
        for input in crate::fuzz::inputs($count) {
            $target(&mut crate::fuzz::Draw::from(&*input.0));
        }
    };
}
pub(crate) use target;

/// An input of the tests, which shows itself where it fails.
pub(crate) struct Input(pub(crate) Vec<u8>);

impl Drop for Input {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("input: {:02x?}", self.0);
        }
    }
}

/// Random, but the same in every run: what fails does so at the change that made it wrong, and
/// not at somebody else's later.
pub(crate) fn inputs(count: usize) -> impl Iterator<Item = Input> {
    let mut random = Draw {
        given: &[],
        more: usize::MAX,
        state: 1,
    };
    (0..count).map(move |_| Input(random.bytes(127)))
}

/// A fuzzer's bytes, from the first to the last, and as many more as the first one says: random
/// inputs have 64 bytes, which are few for a document. After that everything drawn is the least
/// of its kind, so that every document comes to an end.
pub(crate) struct Draw<'a> {
    given: &'a [u8],
    more: usize,
    /// Of xorshift64.
    state: u64,
}

impl<'a> Draw<'a> {
    pub(crate) fn from(bytes: &'a [u8]) -> Self {
        let (first, given) = bytes.split_first().unwrap_or((&0, &[]));
        let mixed =
            |state: u64, byte: &u8| (state ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        Self {
            given,
            more: usize::from(*first) * 4,
            state: bytes.iter().fold(0xcbf2_9ce4_8422_2325, mixed) | 1,
        }
    }

    pub(crate) fn byte(&mut self) -> u8 {
        if let Some((first, rest)) = self.given.split_first() {
            self.given = rest;
            return *first;
        }
        let Some(more) = self.more.checked_sub(1) else {
            return 0;
        };
        self.more = more;
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state.to_le_bytes()[4]
    }

    /// Less than `limit`, which is at least 1.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let high = if limit > 256 { self.byte() } else { 0 };
        (usize::from(high) << 8 | usize::from(self.byte())) % limit
    }

    /// One time of `of`.
    pub(crate) fn once_in(&mut self, of: usize) -> bool {
        self.below(of) + 1 == of
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(crate) fn word(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// Up to `most` bytes as they come.
    pub(crate) fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.byte()).collect()
    }

    /// Some of `words`, or anything, one after the other.
    pub(crate) fn text(&mut self, words: &[&str], most: usize) -> String {
        let mut text = String::new();
        for _ in 0..self.below(most + 1) {
            if self.once_in(8) {
                text.push_str(&String::from_utf8_lossy(&self.bytes(4)));
            } else {
                text.push_str(self.pick(words));
            }
        }
        text
    }

    /// Any JSON, with names and texts of `words`.
    pub(crate) fn json(&mut self, words: &[&str], depth: usize) -> Value {
        let kinds = if depth == 0 { 6 } else { 9 };
        match self.below(kinds) {
            0 => Value::Null,
            1 => Value::Bool(self.once_in(2)),
            2 => Value::from(self.pick(&[0, 1, -1, 3, 65_536, i64::MAX, i64::MIN])),
            3 => Value::from(self.pick(&[0.0, -0.0, 1.5, 1e300, 1e-300, 4e9])),
            6 => (0..self.below(4))
                .map(|_| self.json(words, depth - 1))
                .collect(),
            7 | 8 => {
                let mut object = Map::new();
                for _ in 0..self.below(5) {
                    let name = self.text(words, 2);
                    object.insert(name, self.json(words, depth - 1));
                }
                Value::Object(object)
            }
            _ => Value::from(self.text(words, 3)),
        }
    }

    /// Sometimes with something in it replaced by any JSON.
    pub(crate) fn spoilt(&mut self, mut value: Value, words: &[&str]) -> Value {
        while self.once_in(3) {
            let mut at = &mut value;
            loop {
                let length = match &*at {
                    Value::Object(object) => object.len(),
                    Value::Array(array) => array.len(),
                    _ => 0,
                };
                if length == 0 || self.once_in(4) {
                    break;
                }
                let nth = self.below(length);
                at = match at {
                    Value::Object(object) => object.values_mut().nth(nth),
                    Value::Array(array) => array.get_mut(nth),
                    _ => None,
                }
                .expect("there are so many");
            }
            *at = self.json(words, 2);
        }
        value
    }

    /// A document's bytes, sometimes with some of them removed, replaced or added.
    pub(crate) fn damaged(&mut self, document: impl Into<Vec<u8>>) -> Vec<u8> {
        let mut document = document.into();
        while self.once_in(4) {
            let from = self.below(document.len() + 1);
            let to = (from + self.below(8)).min(document.len());
            document.splice(from..to, self.bytes(6));
        }
        document
    }
}

/// What every report keeps to: it quotes no value, is short, and shows nothing that cannot be
/// seen.
#[track_caller]
pub(crate) fn check_report(error: &Error) {
    let report = error.report();
    assert!(!report.contains(CANARY), "{report}");
    assert!(report.len() < 16 << 10, "{} bytes", report.len());
    assert!(report.starts_with("lyftlearn-runtime: "), "{report}");
    assert!(report.ends_with('\n'), "{report}");
    let unseen = |letter: char| letter.is_control() && letter != '\n';
    assert!(!report.contains(unseen), "{report:?}");
}

/// No part of `secret` of so many characters is in `text`.
#[track_caller]
pub(crate) fn check_hidden(text: &str, secret: &str, characters: usize) {
    let letters: Vec<char> = secret.chars().collect();
    for part in letters.windows(characters) {
        let part: String = part.iter().collect();
        assert!(!text.contains(&part), "{part:?} of a secret is in {text:?}");
    }
}
