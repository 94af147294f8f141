//! Sources that lie in this container: files, a volume's directory, variables.

use std::path::Path;

use super::content::{Content, Pair, Value};
use super::fault::{Why, first_line};
use crate::contract::{limits, secrets as words};
use crate::error::Error;
use crate::facts::{Facts, one_value};
use crate::settings::secrets::Source;

/// A volume that is replaced between two looks is looked at again.
const LOOKS: usize = 5;

/// Reads a local source. `source` must not be one that needs the network.
pub(crate) fn read(facts: &Facts, source: &Source) -> Result<Content, Why> {
    match source {
        Source::Variable { name } => variable(facts, name),
        Source::File { path } if facts.is_directory(path) => directory(facts, Path::new(path)),
        Source::File { path } => match facts.file(path, words::SECRET_BYTES) {
            Ok(Some(bytes)) => Ok(Content::of_file(bytes)),
            Ok(None) => Err(Why::NoFile { path: path.into() }),
            Err(err) => Err(unreadable(&err)),
        },
        _ => Err(Why::NotFetched),
    }
}

fn variable(facts: &Facts, name: &str) -> Result<Content, Why> {
    use std::os::unix::ffi::OsStrExt;

    let found = facts.vars().iter().find(|(known, _)| known == name);
    match found {
        Some((_, value)) if !value.is_empty() => Ok(Content::one(value.as_bytes())),
        _ => Err(Why::NoVariableFound {
            name: name.to_owned(),
        }),
    }
}

/// A key for each file, as a Kubernetes Secret's volume has it: all of one moment.
fn directory(facts: &Facts, path: &Path) -> Result<Content, Why> {
    let link = path.join(words::CURRENT);
    for _ in 0..LOOKS {
        let before = facts.real_path(&link);
        // By its name: where that leads is looked at with each file, as carefully as `facts` does.
        let current = before.as_ref().map_or(path, |_| link.as_path());
        let found = pairs(facts, current);
        if facts.real_path(&link) == before {
            return found.map(Content::many);
        }
    }
    Err(Why::Unreadable {
        report: format!("{} keeps changing while it is read", path.display()),
    })
}

fn pairs(facts: &Facts, directory: &Path) -> Result<Vec<Pair>, Why> {
    let names = facts.entries(directory).map_err(|err| unreadable(&err))?;
    let too_much = || Why::Unreadable {
        report: format!(
            "{} has more than {} files, or {} bytes",
            directory.display(),
            limits::SECRET_KEYS,
            limits::SECRET_DIRECTORY_BYTES
        ),
    };
    if names.len() > limits::SECRET_KEYS {
        return Err(too_much());
    }
    let mut pairs = Vec::new();
    let mut left = limits::SECRET_DIRECTORY_BYTES;
    for name in names {
        let Some(key) = name.to_str().filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let path = directory.join(key);
        if facts.is_directory(&path) {
            continue;
        }
        let bytes = facts.file(&path, words::SECRET_BYTES);
        let bytes = bytes.map_err(|err| unreadable(&err))?;
        let length = bytes.as_ref().map_or(0, Vec::len);
        left = left.checked_sub(length).ok_or_else(too_much)?;
        let file = Value::new(bytes.ok_or(Why::NoFile { path })?);
        pairs.push(Pair {
            key: key.to_owned(),
            value: Value::new(one_value(file.bytes())),
            prefix: None,
        });
    }
    Ok(pairs)
}

fn unreadable(error: &Error) -> Why {
    Why::Unreadable {
        report: first_line(error),
    }
}
