//! JSON documents that a platform or a deployment wrote.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::fault::ContractFault;
use crate::contract::{limits, runtime};
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

/// A deployment's document, which may have a checksum beside it (`sha256sum` writes one);
/// `None` when it is absent.
pub(super) fn checked(facts: &Facts, path: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    let Some(bytes) = facts.file(path, limit)? else {
        return Ok(None);
    };
    let beside = format!("{path}{}", runtime::CHECKSUM);
    if let Some(text) = facts.file(&beside, limits::DOCUMENT_BYTES)? {
        let text = String::from_utf8_lossy(&text);
        let told = text.split_ascii_whitespace().next().unwrap_or_default();
        if told.len() != 64 || !told.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ContractFault::NoChecksum {
                path: beside.into(),
            }
            .into());
        }
        let found = Sha256::digest(&bytes);
        let equal = found
            .iter()
            .zip(told.as_bytes().chunks(2))
            .all(|(byte, digits)| {
                std::str::from_utf8(digits)
                    .is_ok_and(|digits| u8::from_str_radix(digits, 16) == Ok(*byte))
            });
        if !equal {
            return Err(ContractFault::Checksum { path: path.into() }.into());
        }
    }
    Ok(Some(bytes))
}

/// How the values of hyperparameters are written in their documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// A value is the text that it is.
    Text,
    /// A text that is itself a JSON string stands for what that says: the SageMaker Python
    /// SDK writes `"\"adam\""` for `"adam"`.
    Json,
}

/// Merges the documents, lowest first, into one map of texts, and says the order in which
/// they have the names: each where it came first, by its place in the map.
pub(super) fn hyperparameters<'a>(
    facts: &Facts,
    documents: impl Iterator<Item = &'a str>,
    encoding: Encoding,
    problems: &mut Vec<String>,
) -> Result<(Hyperparameters, Texts, Vec<usize>), Error> {
    let mut read = Vec::new();
    for path in documents {
        if let Some(bytes) = checked(facts, path, limits::HYPERPARAMETERS_BYTES)? {
            read.push((path, bytes));
        }
    }
    // Each with its place among all, for the order. There may be a million: what the document
    // has as it is, is not copied.
    let mut all: Vec<(Cow<'_, str>, usize, Cow<'_, str>)> = Vec::new();
    let mut sources = Vec::new();
    for (path, bytes) in &read {
        let mut own = Vec::new();
        for (name, raw) in entries(path, bytes)? {
            let text = text(raw).ok_or_else(|| {
                let offset = raw.get().as_ptr() as usize - bytes.as_ptr() as usize;
                malformed(path, bytes, offset)
            })?;
            own.push((name, all.len() + own.len(), decoded(text, encoding)));
        }
        // Stable: of equal names the last one stays the last.
        own.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        for equal in own.chunk_by(|(a, ..), (b, ..)| a == b) {
            // As SageMaker's toolkit does, and said aloud: a document with two answers is
            // rarely meant.
            if let [(name, ..), _, ..] = equal {
                problems.push(format!(
                    "hyperparameter {name} stands more than once in {path}; the last one counts"
                ));
            }
        }
        if all.is_empty() {
            all = own;
        } else {
            all.append(&mut own);
        }
        sources.push(PathBuf::from(path));
    }
    if sources.len() > 1 {
        all.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    }
    // Of equal names the last one's text counts, and the first one's place.
    all.dedup_by(|(name, _, text), (kept, _, last)| {
        let equal = name == kept;
        if equal {
            std::mem::swap(text, last);
        }
        equal
    });
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_unstable_by_key(|place| all[*place].1);
    let merged = Texts::of_sorted(all.iter().map(|(name, _, text)| (&**name, &**text)));
    let hyperparameters = Hyperparameters {
        path: None,
        sources,
        count: merged.len(),
    };
    Ok((hyperparameters, merged, order))
}

fn decoded(text: Cow<'_, str>, encoding: Encoding) -> Cow<'_, str> {
    if encoding == Encoding::Json && text.starts_with('"') {
        let said: Result<String, _> = serde_json::from_str(&text);
        return said.map_or(text, Cow::Owned);
    }
    text
}

/// The entries of an object, in the file's order.
pub(super) fn entries<'a>(
    path: &str,
    bytes: &'a [u8],
) -> Result<Vec<(Cow<'a, str>, &'a RawValue)>, Error> {
    parse::<Entries<'a>>(path, bytes).map(|entries| entries.0)
}

/// A string's own text; anything else as it is written, so that `1.10` stays `1.10`.
pub(super) fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let raw = raw.get();
    let Some(inner) = raw.strip_prefix('"') else {
        return Some(raw.into());
    };
    match inner.strip_suffix('"') {
        // Without a backslash it is as it is.
        Some(inner) if !inner.contains('\\') => Some(inner.into()),
        _ => serde_json::from_str(raw).ok().map(Cow::Owned),
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
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A name, borrowed where the document has it as it is.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

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
                while let Some((Name(name), raw)) = map.next_entry()? {
                    entries.push((name, raw));
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}
