//! Takes the values of secrets out of texts that the program wrote.

use super::cause::{Exception, Root};
use super::length::within_characters;
use super::places::Places;
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
        let values = variables
            .filter(|(name, value)| {
                let by_name = || {
                    value.len() >= SHORTEST_SECRET && !value.starts_with('/') && named_secret(name)
                };
                !value.is_empty() && (declared.iter().any(|known| known == name) || by_name())
            })
            // A program takes the line end from it before it uses it.
            .map(|(_, value)| value.trim_end_matches(['\n', '\r']).to_owned())
            .filter(|value| !value.is_empty());
        Self {
            values: values.collect(),
        }
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
    /// may cut a value: what is left of it at the cut is removed as well.
    fn without_values(&self, text: &str) -> String {
        let mut places = Places::of(text);
        for value in &self.values {
            places.look_for(value.bytes());
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
