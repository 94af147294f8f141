//! Hyperparameters are text; types are what the caller declares.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Texts;
use crate::error::{Error, ErrorKind, Fault};

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

/// A hyperparameter that is not what its caller declared it to be.
#[derive(Debug)]
enum HyperparameterFault {
    Missing {
        name: String,
        nearest: Option<String>,
    },
    NotA {
        name: String,
        expected: &'static str,
    },
}

impl fmt::Display for HyperparameterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing {
                name,
                nearest: None,
            } => write!(f, "cannot find the hyperparameter {name}"),
            Self::Missing {
                name,
                nearest: Some(near),
            } => {
                write!(
                    f,
                    "cannot find the hyperparameter {name}; did you mean {near}?"
                )
            }
            Self::NotA { name, expected } => {
                write!(
                    f,
                    "cannot read the hyperparameter {name}: expected {expected}"
                )
            }
        }
    }
}

impl Fault for HyperparameterFault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing { .. } => ErrorKind::HyperparameterMissing,
            Self::NotA { .. } => ErrorKind::Hyperparameter,
        }
    }

    fn hint(&self) -> Option<String> {
        None
    }
}

/// What a text is expected to be, wherever texts have types on request.
pub(crate) const WHOLE_NUMBER: &str = "a whole number";
pub(crate) const NUMBER: &str = "a number";
pub(crate) const TRUTH: &str = "true or false";
pub(crate) const JSON: &str = "JSON";

pub(crate) fn as_int(text: &str) -> Option<i64> {
    text.parse().ok()
}

pub(crate) fn as_float(text: &str) -> Option<f64> {
    text.parse().ok()
}

pub(crate) fn as_bool(text: &str) -> Option<bool> {
    match text {
        "true" | "True" => Some(true),
        "false" | "False" => Some(false),
        _ => None,
    }
}

pub(crate) fn as_json<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

/// The name that a misspelt one was most likely meant to be.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    names
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known.to_owned())
}

/// Types are declared by the caller and never guessed. Errors name the hyperparameter,
/// not its value.
impl Texts {
    /// The text itself.
    ///
    /// # Errors
    ///
    /// If no hyperparameter has this name.
    pub fn text(&self, name: &str) -> Result<&str, Error> {
        self.get(name).ok_or_else(|| {
            HyperparameterFault::Missing {
                name: name.to_owned(),
                nearest: nearest(name, self.names()),
            }
            .into()
        })
    }

    /// A whole number in decimal digits: `10`, `-3`.
    ///
    /// # Errors
    ///
    /// If no hyperparameter has this name, or its value is not an integer.
    pub fn int(&self, name: &str) -> Result<i64, Error> {
        self.parse(name, WHOLE_NUMBER, as_int)
    }

    /// A decimal number: `0.1`, `1e-5`, `10`, `inf`, `NaN`.
    ///
    /// # Errors
    ///
    /// If no hyperparameter has this name, or its value is not a number.
    pub fn float(&self, name: &str) -> Result<f64, Error> {
        self.parse(name, NUMBER, as_float)
    }

    /// `true` or `false`, in JSON's spelling or Python's.
    ///
    /// # Errors
    ///
    /// If no hyperparameter has this name, or its value is not a boolean.
    pub fn bool(&self, name: &str) -> Result<bool, Error> {
        self.parse(name, TRUTH, as_bool)
    }

    /// Any JSON document.
    ///
    /// # Errors
    ///
    /// If no hyperparameter has this name, or its value does not deserialize to `T`.
    pub fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        self.parse(name, JSON, as_json)
    }

    fn parse<T>(
        &self,
        name: &str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Error> {
        let fault = || HyperparameterFault::NotA {
            name: name.to_owned(),
            expected,
        };
        parse(self.text(name)?).ok_or_else(|| fault().into())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{HyperparameterFault, Texts};
    use crate::error::{reports, sentences};

    fn texts() -> Texts {
        Texts::from_iter([
            ("epochs", "10"),
            ("lr", "1e-3"),
            ("amp", "True"),
            ("layers", "[32,64]"),
            ("note", "canary"),
        ])
    }

    #[test]
    fn types_are_what_the_caller_declares() {
        let texts = texts();
        assert_eq!(texts.text("epochs").unwrap(), "10");
        assert_eq!(texts.int("epochs").unwrap(), 10);
        assert!((texts.float("lr").unwrap() - 0.001).abs() < 1e-12);
        assert!(texts.bool("amp").unwrap());
        assert_eq!(texts.json::<Vec<u32>>("layers").unwrap(), [32, 64]);
    }

    #[test]
    fn a_wrong_type_is_named_and_its_value_is_not() {
        let texts = texts();
        let refused = [
            texts.int("note").unwrap_err(),
            texts.float("note").unwrap_err(),
            texts.bool("note").unwrap_err(),
            texts.json::<u32>("note").unwrap_err(),
            texts.text("epoch").unwrap_err(),
            texts.text("zip").unwrap_err(),
        ];
        expect![[r#"
            cannot read the hyperparameter note: expected a whole number
            cannot read the hyperparameter note: expected a number
            cannot read the hyperparameter note: expected true or false
            cannot read the hyperparameter note: expected JSON
            cannot find the hyperparameter epoch; did you mean epochs?
            cannot find the hyperparameter zip
        "#]]
        .assert_eq(&sentences(refused));
    }

    #[test]
    fn every_fault_has_its_report() {
        let name = || "epoch".to_owned();
        expect![[r#"
            HyperparameterMissing: cannot find the hyperparameter epoch
            HyperparameterMissing: cannot find the hyperparameter epoch; did you mean epochs?
            Hyperparameter: cannot read the hyperparameter epoch: expected a number
        "#]]
        .assert_eq(&reports([
            HyperparameterFault::Missing {
                name: name(),
                nearest: None,
            },
            HyperparameterFault::Missing {
                name: name(),
                nearest: Some("epochs".to_owned()),
            },
            HyperparameterFault::NotA {
                name: name(),
                expected: "a number",
            },
        ]));
    }

    #[test]
    fn the_document_keeps_every_text_as_it_is() {
        let texts = Texts::from_iter([("zip", "02139"), ("version", "1.10"), ("note", "a\n\"b\"")]);
        assert_eq!(
            String::from_utf8(texts.to_document()).unwrap(),
            r#"{"note":"a\n\"b\"","version":"1.10","zip":"02139"}"#
        );
    }
}
