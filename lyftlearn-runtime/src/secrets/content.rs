//! A secret's value on its way through this process: not shown, and wiped when it is done with.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::facts::one_value;

/// Bytes that are never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Value(Zeroizing<Vec<u8>>);

impl Value {
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As a text, when it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Its form in a pipe or a document: a string, or a list of bytes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Wire {
    Text(String),
    Bytes(Vec<u8>),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.text() {
            Some(text) => serializer.serialize_str(text),
            None => serializer.collect_seq(self.bytes()),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Wire::deserialize(deserializer)? {
            Wire::Text(text) => Self::new(text),
            Wire::Bytes(bytes) => Self::new(bytes),
        })
    }
}

/// What a secret turned out to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// All of it.
    pub(crate) text: Value,
    /// Its keys, where the source has several, in the source's order: of one name that comes
    /// twice the last is the key's value, and the first is the variable's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pairs: Option<Vec<Pair>>,
    /// The bytes of the file that it was read from, where they are not those of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<Value>,
}

/// One key of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) value: Value,
    /// Prefix of its variables, if the source sets one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prefix: Option<String>,
}

impl Content {
    /// One value without keys.
    pub(crate) fn one(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            text: Value::new(bytes),
            ..Self::default()
        }
    }

    /// What a file holds.
    pub(crate) fn of_file(bytes: Vec<u8>) -> Self {
        let file = Value::new(bytes);
        let text = Value::new(one_value(file.bytes()));
        Self {
            file: (text != file).then_some(file),
            text,
            pairs: None,
        }
    }

    /// What its own file has: of a file every byte, which some readers of keys want.
    #[cfg(feature = "cli")]
    pub(crate) fn bytes_of_its_file(&self) -> &[u8] {
        self.file.as_ref().unwrap_or(&self.text).bytes()
    }

    /// Keys, and a JSON object of them as the text.
    pub(crate) fn many(pairs: Vec<Pair>) -> Self {
        let object: BTreeMap<&str, &Value> = (pairs.iter())
            .map(|pair| (pair.key.as_str(), &pair.value))
            .collect();
        let text = serde_json::to_vec(&object).expect("texts have no failure to report");
        Self {
            text: Value::new(text),
            pairs: Some(pairs),
            file: None,
        }
    }

    /// Its keys: the source's own, or those of the JSON object that its text is.
    pub(crate) fn keys(&self) -> Option<Vec<Pair>> {
        if let Some(pairs) = &self.pairs {
            return Some(pairs.clone());
        }
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(self.text.bytes()).ok()?;
        let pairs = object.into_iter().filter_map(|(key, value)| {
            Some(Pair {
                key,
                value: plain(&value)?,
                prefix: None,
            })
        });
        Some(pairs.collect())
    }

    /// One key of the JSON object that its text is.
    pub(crate) fn key(&self, key: &str) -> Option<Value> {
        let pairs = self.keys()?;
        pairs
            .into_iter()
            .rfind(|pair| pair.key == key)
            .map(|pair| pair.value)
    }

    /// Every value that must not be seen anywhere.
    #[cfg(feature = "cli")]
    pub(crate) fn values(&self) -> impl Iterator<Item = Value> {
        let keys = self.keys().unwrap_or_default();
        std::iter::once(self.text.clone()).chain(keys.into_iter().map(|pair| pair.value))
    }
}

/// A JSON value as a string. A string is unchanged; `null` has no value.
fn plain(value: &serde_json::Value) -> Option<Value> {
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(Value::new(text.clone())),
        other => Some(Value::new(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::{Content, Pair, Value};

    #[test]
    fn a_value_is_never_shown() {
        let content = Content::many(vec![Pair {
            key: "password".to_owned(),
            value: Value::new("canary"),
            prefix: None,
        }]);
        assert!(!format!("{content:?}").contains("canary"));
    }

    #[test]
    fn a_line_end_behind_a_file_s_text_is_no_part_of_it() {
        let cases: [(&[u8], &[u8]); 8] = [
            (b"hunter2\n", b"hunter2"),
            (b"hunter2\r\n", b"hunter2"),
            (b"hunter2", b"hunter2"),
            (b"hunter2\n\n", b"hunter2\n"),
            (b" hunter2 \t\n", b" hunter2 \t"),
            (b"a\nb\n", b"a\nb"),
            (b"hunter2\r", b"hunter2\r"),
            // Bytes that are no text.
            (b"\xff\n", b"\xff\n"),
        ];
        for (file, text) in cases {
            let content = Content::of_file(file.to_vec());
            assert_eq!(content.text.bytes(), text);
            assert_eq!(content.file.as_ref().unwrap_or(&content.text).bytes(), file);
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_cross_a_pipe() {
        let content = Content::one(vec![0xff, 0, 0x80]);
        let wire = serde_json::to_string(&content).unwrap();
        assert_eq!(wire, r#"{"text":[255,0,128]}"#);
        assert_eq!(serde_json::from_str::<Content>(&wire).unwrap(), content);
    }

    #[test]
    fn numbers_and_truths_of_a_document_are_texts() {
        let content = Content::one(r#"{"port": 5432, "tls": true, "none": null, "in": {"a": 1}}"#);
        let texts: Vec<(String, String)> = content
            .keys()
            .unwrap()
            .into_iter()
            .map(|pair| (pair.key, pair.value.text().unwrap().to_owned()))
            .collect();
        let expected = [("in", r#"{"a":1}"#), ("port", "5432"), ("tls", "true")];
        assert_eq!(
            texts,
            expected.map(|(key, text)| (key.to_owned(), text.to_owned()))
        );
        assert_eq!(Content::one("12345").keys(), None);
    }
}
