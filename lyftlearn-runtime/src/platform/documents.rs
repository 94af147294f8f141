//! JSON documents that a platform or a deployment wrote.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::fault::ContractFault;
use crate::contract::{limits, runtime};
use crate::error::Error;
use crate::facts::Facts;

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
        let expected = text.split_ascii_whitespace().next().unwrap_or_default();
        if expected.len() != 64 || !expected.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ContractFault::NoChecksum {
                path: beside.into(),
            }
            .into());
        }
        let found = Sha256::digest(&bytes);
        let equal = found
            .iter()
            .zip(expected.as_bytes().chunks(2))
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

/// A document's bytes as the text that JSON is.
pub(super) fn utf8(path: &str, bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|err| {
        let (line, column) = place(err.as_bytes(), err.utf8_error().valid_up_to());
        let path = path.into();
        ContractFault::NotUtf8 { path, line, column }.into()
    })
}

/// Looks at each entry of an object, in the file's order, doubles included. There may be a
/// million: they are not collected.
pub(super) fn entries<'a>(
    path: &str,
    text: &'a str,
    look: impl FnMut(Cow<'a, str>, &'a RawValue),
) -> Result<(), Error> {
    check_mark(path, text.as_bytes())?;
    check_object(path, text)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    Entries(look)
        .deserialize(&mut reader)
        .and_then(|()| reader.end())
        .map_err(|err| misplaced(path, &err).into())
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
    check_mark(path, bytes)?;
    serde_json::from_slice(bytes).map_err(|err| misplaced(path, &err).into())
}

/// A document of names and values is one object; the parser would only name the place.
fn check_object(path: &str, text: &str) -> Result<(), Error> {
    match text.trim_start().bytes().next() {
        None => Err(ContractFault::Empty { path: path.into() }.into()),
        Some(b'[' | b'"') => Err(ContractFault::NoObject { path: path.into() }.into()),
        Some(_) => Ok(()),
    }
}

fn check_mark(path: &str, bytes: &[u8]) -> Result<(), Error> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(ContractFault::ByteOrderMark { path: path.into() }.into());
    }
    Ok(())
}

/// The parser's own text quotes what it choked on; its place is enough.
fn misplaced(path: &str, err: &serde_json::Error) -> ContractFault {
    ContractFault::Malformed {
        path: path.into(),
        line: err.line().max(1),
        column: err.column().max(1),
    }
}

/// The fault of the byte at `offset`.
pub(super) fn malformed(path: &str, bytes: &[u8], offset: usize) -> ContractFault {
    let (line, column) = place(bytes, offset);
    ContractFault::Malformed {
        path: path.into(),
        line,
        column,
    }
}

/// The line and the column of the byte at `offset`.
fn place(bytes: &[u8], offset: usize) -> (usize, usize) {
    let before = &bytes[..offset];
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    let column = before.iter().rev().take_while(|byte| **byte != b'\n');
    (lines + 1, column.count() + 1)
}

/// What looks at each entry of an object.
struct Entries<F>(F);

/// A name, borrowed where the document has it as it is.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue)> DeserializeSeed<'de> for Entries<F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue)> Visitor<'de> for Entries<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((Name(name), raw)) = map.next_entry()? {
            (self.0)(name, raw);
        }
        Ok(())
    }
}
