//! Hyperparameters are text; types are what the caller declares.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where the hyperparameters came from and where they are delivered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hyperparameters {
    /// The delivered document: one JSON object, every value a text.
    pub path: Option<PathBuf>,
    /// The documents it was made of, lowest first.
    pub sources: Vec<PathBuf>,
    /// How many there are.
    pub count: usize,
}

/// Hyperparameter values by name. `Debug` shows names only: a value may be a secret.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Texts(pub BTreeMap<String, String>);

impl Texts {
    /// The document that is delivered: compact JSON, names in code point order,
    /// every value a string. The same values give the same bytes on any platform.
    #[must_use]
    pub fn to_document(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a map of strings has no failure to report")
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Texts;

    #[test]
    fn debug_shows_names_and_no_values() {
        let texts = Texts([("token".to_owned(), "canary-value".to_owned())].into());
        assert_eq!(format!("{texts:?}"), r#"{"token"}"#);
    }

    #[test]
    fn the_document_keeps_every_text_as_it_is() {
        let texts = Texts(
            [("zip", "02139"), ("version", "1.10"), ("note", "a\n\"b\"")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        );
        assert_eq!(
            String::from_utf8(texts.to_document()).unwrap(),
            r#"{"note":"a\n\"b\"","version":"1.10","zip":"02139"}"#
        );
    }
}
