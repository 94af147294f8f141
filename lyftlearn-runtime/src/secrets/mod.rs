//! Secrets of a program: declared by name, delivered on either platform, never shown.
//!
//! ```
//! use lyftlearn_runtime::{Facts, secrets::Secrets};
//!
//! let facts = Facts::empty()
//!     .with_var("DATABASE", r#"{"user": "ranker", "password": "…"}"#)
//!     .with_var("LYFTLEARN_RUNTIME_SECRETS", r#"{"db": {"from": "env:DATABASE"}}"#);
//! let secrets = Secrets::of(&facts)?;
//! let now = secrets.snapshot()?;
//! assert_eq!(now.get("db")?.key("user")?, "ranker");
//! assert_eq!(format!("{:?}", now.get("db")?), "Secret(\"db\")");
//! # Ok::<(), lyftlearn_runtime::Error>(())
//! ```
//!
//! | where | what |
//! |---|---|
//! | `content` | a value, and how it is kept from being seen |
//! | `local` | sources within this container |
//! | `fetch` | (feature `agent`) sources over a network |
//! | `files` | a set as the files that are delivered |
//! | `naming` | which variables a secret becomes |
//! | `watch` | waiting for a change |

mod content;
pub(crate) mod fault;
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) mod fetch;
#[cfg(feature = "cli")]
mod files;
mod local;
#[cfg(feature = "cli")]
pub(crate) mod naming;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use content::Content;
#[cfg(feature = "cli")]
pub(crate) use content::{Pair, Value};
use fault::{Failure, SecretsFault};
#[cfg(feature = "cli")]
pub(crate) use files::Files;
#[cfg(feature = "cli")]
pub(crate) use local::read as read_local;
pub use watch::Watch;

use crate::contract::{limits, secrets as words};
use crate::error::Error;
use crate::facts::Facts;
use crate::resolve;

/// Everything that was delivered, by name.
pub(crate) type Set = BTreeMap<String, Content>;

/// The secrets of this program, wherever they are.
#[derive(Clone, Debug)]
pub struct Secrets {
    facts: Facts,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    /// In the directory that a start delivered.
    Delivered(PathBuf),
    /// No start delivered any: what lies within this container is read on the spot.
    Here,
}

impl Secrets {
    /// The secrets that `run` or `exec` delivered. If neither did, the secrets whose sources are in
    /// this container.
    ///
    /// # Errors
    ///
    /// Those of [`current`](crate::current()).
    pub fn of(facts: &Facts) -> Result<Self, Error> {
        let directory = facts.run_dir().map(|run| run.join(words::DIRECTORY));
        let delivered = directory
            .filter(|directory| facts.may_read(directory.join(words::CURRENT).join(words::ALL)));
        Ok(Self {
            facts: facts.clone(),
            place: delivered.map_or(Place::Here, Place::Delivered),
        })
    }

    /// All secrets of one moment: those with files change while the program runs.
    ///
    /// # Errors
    ///
    /// If a delivered file is missing or broken; or, if nothing was delivered, if settings are
    /// invalid.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        let (set, missing) = match &self.place {
            Place::Delivered(directory) => (read_set(&self.facts, directory)?, Vec::new()),
            Place::Here => here(&self.facts)?,
        };
        Ok(Snapshot {
            set: Arc::new(set),
            missing: missing.into(),
        })
    }

    /// The directory in which a set is replaced as a whole; none where nothing changes.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        match &self.place {
            Place::Delivered(directory) => Some(directory),
            Place::Here => None,
        }
    }
}

/// What a start delivered, read back.
pub(crate) fn read_set(facts: &Facts, directory: &Path) -> Result<Set, Error> {
    let path = directory.join(words::CURRENT).join(words::ALL);
    let bytes = facts.file(&path, limits::DOCUMENT_BYTES)?;
    let broken = || SecretsFault::Broken { path: path.clone() };
    let bytes = zeroize::Zeroizing::new(bytes.ok_or_else(broken)?);
    parse(&bytes).ok_or_else(|| broken().into())
}

/// The document of a set. The parser's own text would quote what it choked on.
pub(crate) fn parse(document: &[u8]) -> Option<Set> {
    serde_json::from_slice(document).ok()
}

/// All values of such a document; empty if it cannot be parsed.
#[cfg(feature = "cli")]
pub(crate) fn values(document: &[u8]) -> Vec<Vec<u8>> {
    let set = parse(document).unwrap_or_default();
    let values = set.values().flat_map(Content::values);
    values.map(|value| value.bytes().to_vec()).collect()
}

/// What lies within this container, and why the others are not there.
fn here(facts: &Facts) -> Result<(Set, Vec<Failure>), Error> {
    let (declared, platform) = resolve::secrets(facts)?;
    let mut set = Set::new();
    let mut missing = Vec::new();
    for declared in declared {
        let found = match declared.source(platform) {
            Some(source) => local::read(facts, source),
            None => Err(fault::Why::NoSource {
                platform: platform.as_str().to_owned(),
            }),
        };
        let name = declared.name;
        match found {
            Ok(content) => drop(set.insert(name, content)),
            Err(why) => missing.push(Failure { name, why }),
        }
    }
    Ok((set, missing))
}

/// All secrets of one moment; never changes. `Debug` shows names only.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot {
    set: Arc<Set>,
    /// Where nothing was delivered: those that only a start can give.
    missing: Arc<[Failure]>,
}

impl Snapshot {
    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.set.keys().map(String::as_str)
    }

    /// One secret.
    ///
    /// # Errors
    ///
    /// If no secret has this name, or if it was not delivered and is not in this container.
    pub fn get(&self, name: &str) -> Result<Secret<'_>, Error> {
        if let Some(failure) = self.missing.iter().find(|failure| failure.name == name) {
            let failures = vec![failure.clone()];
            return Err(SecretsFault::Missing { failures }.into());
        }
        match self.set.get_key_value(name) {
            Some((name, content)) => Ok(Secret { name, content }),
            None => {
                let likeness = |known: &&String| strsim::jaro_winkler(known, name);
                let nearest = (self.set.keys())
                    .filter(|known| likeness(known) > 0.8)
                    .max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
                let fault = SecretsFault::Unknown {
                    name: name.to_owned(),
                    nearest: nearest.cloned(),
                };
                Err(fault.into())
            }
        }
    }

    /// The names of secrets that differ from `other`.
    #[must_use]
    pub fn differences(&self, other: &Self) -> BTreeSet<String> {
        (self.set.keys().chain(other.set.keys()))
            .filter(|name| self.set.get(*name) != other.set.get(*name))
            .cloned()
            .collect()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Snapshot").field(&self.set.keys()).finish()
    }
}

/// One secret; `Debug` shows its name.
#[derive(Clone, Copy)]
pub struct Secret<'a> {
    name: &'a str,
    content: &'a Content,
}

impl<'a> Secret<'a> {
    /// All of it: a text as its source has it; of several keys a JSON object, and of a Confidant
    /// service what `confidant-format` calls `credential_combined`.
    ///
    /// # Errors
    ///
    /// When it is no text.
    pub fn text(&self) -> Result<&'a str, Error> {
        self.content.text.text().ok_or_else(|| {
            SecretsFault::NoText {
                name: self.name.to_owned(),
            }
            .into()
        })
    }

    /// The same as bytes.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.content.text.bytes()
    }

    /// One key: of a Confidant service, a path or a directory, or of the JSON object that the
    /// text is.
    ///
    /// # Errors
    ///
    /// If no key has this name, or its value is not a string.
    pub fn key(&self, key: &str) -> Result<String, Error> {
        let value = self
            .content
            .key(key)
            .ok_or_else(|| SecretsFault::UnknownKey {
                name: self.name.to_owned(),
                key: key.to_owned(),
            })?;
        let text = value.text().map(str::to_owned);
        text.ok_or_else(|| {
            SecretsFault::NoText {
                name: self.name.to_owned(),
            }
            .into()
        })
    }

    /// The names of its keys; none where it has no keys.
    #[must_use]
    pub fn keys(&self) -> BTreeSet<String> {
        let keys = self.content.keys().unwrap_or_default();
        keys.into_iter().map(|pair| pair.key).collect()
    }
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secret").field(&self.name).finish()
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::values;

    #[test]
    fn every_value_of_a_document_counts() {
        let document = r#"{
            "binary": {"text": [255, 1]},
            "service": {"text": "{\"a\":\"one\"}", "pairs": [{"key": "a", "value": "one"}]}
        }"#;
        let expected: [&[u8]; 3] = [b"\xff\x01", br#"{"a":"one"}"#, b"one"];
        assert_eq!(values(document.as_bytes()), expected);
        assert_eq!(values(b"{"), Vec::<Vec<u8>>::new());
    }
}
