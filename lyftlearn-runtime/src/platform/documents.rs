//! JSON documents that a platform or a deployment wrote.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fault::ContractFault;
use crate::contract::limits;
use crate::error::Error;
use crate::facts::Facts;
use crate::workload::{Hyperparameters, Texts};

/// How JSON spells a NUL byte.
const NUL: &[u8] = b"\\u0000";

/// A document of a known shape; `None` when it is absent.
pub(super) fn json<T: DeserializeOwned>(facts: &Facts, path: &str) -> Result<Option<T>, Error> {
    let Some(bytes) = facts.file(path, limits::DOCUMENT_BYTES)? else {
        return Ok(None);
    };
    if bytes.windows(NUL.len()).any(|window| window == NUL) {
        return Err(ContractFault::NulByte { path: path.into() }.into());
    }
    parse(path, &bytes).map(Some)
}

/// Merges the documents, lowest first, into one map of texts, and says the order of their
/// names: each where it came first.
pub(super) fn hyperparameters<'a>(
    facts: &Facts,
    documents: impl Iterator<Item = &'a str>,
    problems: &mut Vec<String>,
) -> Result<(Hyperparameters, Texts, Vec<String>), Error> {
    // With the number of the document that said it last.
    let mut merged: BTreeMap<String, (String, usize)> = BTreeMap::new();
    let mut names = Vec::new();
    let mut sources = Vec::new();
    for path in documents {
        let Some(bytes) = facts.file(path, limits::HYPERPARAMETERS_BYTES)? else {
            continue;
        };
        let document = sources.len();
        for (name, raw) in entries(path, &bytes)? {
            let text = text(raw).ok_or_else(|| {
                let offset = raw.get().as_ptr() as usize - bytes.as_ptr() as usize;
                malformed(path, &bytes, offset)
            })?;
            match merged.entry(name) {
                Entry::Vacant(place) => {
                    names.push(place.key().clone());
                    place.insert((text, document));
                }
                Entry::Occupied(mut place) => {
                    // As SageMaker's toolkit does, and said aloud: a document with two
                    // answers is rarely meant.
                    if place.get().1 == document {
                        problems.push(format!(
                            "hyperparameter {} stands more than once in {path}; the last one counts",
                            place.key()
                        ));
                    }
                    place.insert((text, document));
                }
            }
        }
        sources.push(PathBuf::from(path));
    }
    let merged: BTreeMap<String, String> = merged
        .into_iter()
        .map(|(name, (text, _))| (name, text))
        .collect();
    let hyperparameters = Hyperparameters {
        path: None,
        sources,
        count: merged.len(),
    };
    Ok((hyperparameters, Texts(merged), names))
}

/// The entries of an object, in the file's order.
pub(super) fn entries<'a>(
    path: &str,
    bytes: &'a [u8],
) -> Result<Vec<(String, &'a RawValue)>, Error> {
    parse::<Entries<'a>>(path, bytes).map(|entries| entries.0)
}

/// A string's own text; anything else as it is written, so that `1.10` stays `1.10`.
pub(super) fn text(raw: &RawValue) -> Option<String> {
    if raw.get().starts_with('"') {
        serde_json::from_str(raw.get()).ok()
    } else {
        Some(raw.get().to_owned())
    }
}

pub(super) fn parse<'a, T: Deserialize<'a>>(path: &str, bytes: &'a [u8]) -> Result<T, Error> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(ContractFault::ByteOrderMark { path: path.into() }.into());
    }
    serde_json::from_slice(bytes).map_err(|err| {
        // The parser's own text quotes what it choked on; its place is enough.
        ContractFault::Malformed {
            path: Path::new(path).to_owned(),
            line: err.line().max(1),
            column: err.column().max(1),
        }
        .into()
    })
}

fn malformed(path: &str, bytes: &[u8], offset: usize) -> ContractFault {
    let before = &bytes[..offset];
    ContractFault::Malformed {
        path: path.into(),
        line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
        column: before
            .iter()
            .rev()
            .take_while(|byte| **byte != b'\n')
            .count()
            + 1,
    }
}

/// An object's entries in the file's order, doubles included.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}
