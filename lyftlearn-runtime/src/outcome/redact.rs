//! Takes the values of secrets out of texts that the program wrote.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::cause::{Exception, Root};
use super::forms::{add_parts, look_for, without_line_end};
use super::length::within_characters;
use super::places::Places;
use crate::visible::visible;

/// How long a name or a message from the program may be, in characters.
pub(super) const MESSAGE_CHARACTERS: usize = 4096;

/// Takes secrets out of what the program said.
#[derive(Default)]
pub(crate) struct Redact {
    values: Vec<Vec<u8>>,
}

/// Replaces a secret.
const REDACTED: &str = "[redacted]";

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
    pub(crate) fn new(variables: &[(OsString, OsString)], declared: &[String]) -> Self {
        let mut redact = Self::default();
        for (name, value) in variables {
            let value = without_line_end(value.as_bytes());
            if declared.iter().any(|known| *name == **known) {
                // It may be short: somebody wants this very value out.
                redact
                    .values
                    .extend((!value.is_empty()).then(|| value.to_vec()));
            } else if value.starts_with(b"/") || !name.to_str().is_some_and(named_secret) {
                continue;
            }
            add_parts(value, &mut redact.values);
        }
        redact.with(Vec::new())
    }

    /// The same, and secrets by their values.
    pub(crate) fn with(mut self, secrets: Vec<Vec<u8>>) -> Self {
        for secret in secrets {
            add_parts(&secret, &mut self.values);
        }
        self.values.sort_unstable();
        self.values.dedup();
        self
    }

    /// Redacted first and cut then: a value that the limit cut through would not be
    /// known again.
    pub(crate) fn text(&self, text: &str) -> String {
        let redacted = self.without_values(text);
        within_characters(&visible(&redacted), MESSAGE_CHARACTERS).into_owned()
    }

    /// Without every place where a value is, also where two of them overlap: what one leaves of
    /// another would tell a part of it. The Python package keeps both ends of a long message, and
    /// may cut a value. The rest of it at the cut is removed as well.
    fn without_values(&self, text: &str) -> String {
        let mut places = Places::of(text);
        for value in &self.values {
            look_for(value, &mut places);
        }
        let mut without = String::with_capacity(text.len());
        let mut done = 0;
        for (start, end) in places.found() {
            without.push_str(&text[done..start]);
            without.push_str(REDACTED);
            done = end;
        }
        without.push_str(&text[done..]);
        without
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
