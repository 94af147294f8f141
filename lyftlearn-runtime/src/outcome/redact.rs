//! Takes the values of secrets out of texts that the program wrote.

use super::cause::{Exception, Root};
use super::length::{LEFT_OUT, within_characters};
use crate::visible::visible;

/// How long a name or a message from the program may be, in characters.
pub(super) const MESSAGE_CHARACTERS: usize = 4096;

/// Takes secrets out of what the program said.
#[derive(Default)]
pub(crate) struct Redact {
    values: Vec<String>,
}

/// Replaces a secret.
const REDACTED: &str = "[redacted]";

/// A value shorter than this would take innocent text with it.
const SHORTEST_SECRET: usize = 6;

/// A part of one that is shorter than this tells nothing.
const SHORTEST_PART: usize = 3;

/// Variables that hold secrets by their names.
const SECRET_WORDS: &[&str] = &[
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "TOKEN",
    "CREDENTIAL",
    "PRIVATE",
    "API_KEY",
    "APIKEY",
    "ACCESS_KEY",
];

/// Whether a variable of this name holds a secret, as far as names tell.
pub(crate) fn named_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    SECRET_WORDS.iter().any(|word| upper.contains(word))
}

impl Redact {
    /// The values of `declared` variables, and of those that are named like secrets.
    pub(crate) fn new<'a>(
        variables: impl Iterator<Item = (&'a str, &'a str)>,
        declared: &[String],
    ) -> Self {
        let mut values: Vec<String> = variables
            .filter(|(name, value)| {
                let by_name = || {
                    value.len() >= SHORTEST_SECRET && !value.starts_with('/') && named_secret(name)
                };
                !value.is_empty() && (declared.iter().any(|known| known == name) || by_name())
            })
            // A program takes the line end from it before it uses it.
            .map(|(_, value)| value.trim_end_matches(['\n', '\r']).to_owned())
            .filter(|value| !value.is_empty())
            .collect();
        // The longest first: one may hold another.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self { values }
    }

    /// The same, for secrets by their values: as they are, in base64 and in a URL.
    pub(crate) fn with(mut self, secrets: Vec<String>) -> Self {
        use base64::Engine;
        use base64::engine::general_purpose::{
            STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD,
        };

        for secret in secrets {
            let secret = secret.trim_end_matches(['\n', '\r']);
            if secret.len() < SHORTEST_SECRET {
                continue;
            }
            self.values.push(secret.to_owned());
            for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
                self.values.push(engine.encode(secret));
            }
            self.values.push(in_a_url(secret));
        }
        self.values
            .sort_by_key(|value| std::cmp::Reverse(value.len()));
        self.values.dedup();
        self
    }

    /// Redacted first and cut then: a value that the limit cut through would not be
    /// known again.
    pub(crate) fn text(&self, text: &str) -> String {
        let redacted = self.divided(&self.whole(text));
        within_characters(&visible(&redacted), MESSAGE_CHARACTERS).into_owned()
    }

    /// Without every place where a value is, also where two of them overlap: what one leaves of
    /// another would tell a part of it.
    fn whole(&self, text: &str) -> String {
        let mut found: Vec<(usize, usize)> = Vec::new();
        for value in &self.values {
            let mut from = 0;
            while let Some(at) = text.get(from..).and_then(|rest| rest.find(value.as_str())) {
                let at = from + at;
                found.push((at, at + value.len()));
                from = text.ceil_char_boundary(at + 1);
            }
        }
        found.sort_unstable();
        let mut whole = String::with_capacity(text.len());
        let mut done = 0;
        for (start, end) in found {
            if start >= done {
                whole.push_str(&text[done..start]);
                whole.push_str(REDACTED);
            }
            done = done.max(end);
        }
        whole.push_str(&text[done..]);
        whole
    }

    /// The Python package keeps both ends of a long message, and may cut a value. The parts of the
    /// value at both cuts are removed as well.
    fn divided(&self, text: &str) -> String {
        let values = || self.values.iter().map(|value| value.as_bytes());
        let is_long_enough = |length: &usize| *length >= SHORTEST_PART;
        let parts: Vec<&str> = text.split(LEFT_OUT).collect();
        let parts = parts.iter().enumerate().map(|(at, part)| {
            let after = values().map(|value| {
                let backwards = value.iter().rev().copied();
                overlap(part.bytes().rev(), backwards, value.len())
            });
            let before =
                values().map(|value| overlap(part.bytes(), value.iter().copied(), value.len()));
            // Both of the part as it is: two values may have some of it in common.
            let after = after.max().filter(is_long_enough).filter(|_| at > 0);
            let before = before
                .max()
                .filter(is_long_enough)
                .filter(|_| at + 1 < parts.len());
            let from = after.unwrap_or_default();
            let to = part.len() - before.unwrap_or_default();
            let mark = |length: Option<usize>| length.map_or("", |_| REDACTED);
            let kept = part.get(from..to).unwrap_or_default();
            format!("{}{kept}{}", mark(after), mark(before))
        });
        let parts: Vec<String> = parts.collect();
        parts.join(&LEFT_OUT.to_string())
    }

    pub(super) fn exception(&self, exception: Exception) -> Exception {
        Exception {
            kind: self.text(&exception.kind),
            message: self.text(&exception.message),
            file: exception.file.map(|file| self.text(&file)),
            function: exception.function.map(|function| self.text(&function)),
            thread: self.text(&exception.thread),
            cause: exception.cause.map(|root| Root {
                kind: self.text(&root.kind),
                message: self.text(&root.message),
                file: root.file.map(|file| self.text(&file)),
                function: root.function.map(|function| self.text(&function)),
                ..root
            }),
            ..exception
        }
    }
}

/// How many bytes at the end of `text` are the beginning of a value, but not all of it (Knuth,
/// Morris and Pratt: each byte is looked at once).
fn overlap(
    text: impl DoubleEndedIterator<Item = u8>,
    value: impl Iterator<Item = u8>,
    length: usize,
) -> usize {
    let value: Vec<u8> = value.collect();
    let mut tail: Vec<u8> = text.rev().take(length.saturating_sub(1)).collect();
    tail.reverse();
    let mut shorter = vec![0; value.len()];
    let extend = |shorter: &[usize], mut matched: usize, byte: u8| {
        while matched > 0 && value.get(matched) != Some(&byte) {
            matched = shorter[matched - 1];
        }
        matched + usize::from(value.get(matched) == Some(&byte))
    };
    for at in 1..value.len() {
        shorter[at] = extend(&shorter, shorter[at - 1], value[at]);
    }
    tail.into_iter()
        .fold(0, |matched, byte| extend(&shorter, matched, byte))
}

/// With everything escaped that RFC 3986 does not leave as it is.
pub(super) fn in_a_url(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
