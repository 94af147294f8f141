//! `env`: the variables that would be delivered, in a form that something can read.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::progress::Progress;
use super::usage::Given;
use super::{dotenv, output};
use crate::contract::aws;
use crate::deliver::{Layers, Source, layered};
use crate::error::Error;
use crate::launch::environment::Gathered;
use crate::launch::secrets;
use crate::resolve::resolve;

#[derive(Clone, Copy)]
enum Format {
    Export,
    Dotenv,
    Json,
    Nul,
}

pub(super) fn env(given: &Given) -> Result<u8, Error> {
    let format = match given.choice("--format") {
        Some("dotenv") => Format::Dotenv,
        Some("json") => Format::Json,
        Some("nul") => Format::Nul,
        _ => Format::Export,
    };
    let with_secrets = given.has("--with-secrets");
    let facts = given.facts();
    let resolved = resolve(&facts)?;
    let mut gathered = Gathered::planned(&facts, &resolved)?;
    if with_secrets {
        let _progress = Progress::show("waiting for secrets");
        gathered = gathered.with(secrets::obtain(&facts, &resolved)?);
    }
    let mut added = added(&gathered.layers(&facts));
    if !with_secrets {
        added.retain(|(name, _)| name != aws::AUTHORIZATION_TOKEN);
    }
    let (mut text, left_out) = write(format, &added);
    // Elsewhere absence cannot be written down.
    if matches!(format, Format::Export) {
        let gone = gathered.gone(&facts);
        for name in gone
            .into_iter()
            .filter(|name| is_identifier(OsStr::new(name)))
        {
            text.extend_from_slice(format!("unset {name}\n").as_bytes());
        }
    }
    output::data(&text)?;
    for (why, names) in left_out {
        let names = names.join(", ");
        crate::stderr::say(&format!("lyftlearn-runtime: left out: {names}: {why}\n"));
    }
    Ok(0)
}

/// Variables that the program gets in addition to the inherited ones, or with another value.
fn added(layers: &Layers<'_>) -> Vec<(OsString, OsString)> {
    layered(layers)
        .into_iter()
        .filter(|variable| {
            let source = &variable.value.0;
            matches!(
                source,
                Source::Document(_) | Source::Runtime | Source::Secret(_)
            )
        })
        .map(|variable| (variable.name, variable.value.1))
        .collect()
}

/// A name that a shell can assign to: POSIX.1-2017, 3.235.
fn is_identifier(name: &OsStr) -> bool {
    let bytes = name.as_bytes();
    !bytes.first().is_none_or(u8::is_ascii_digit)
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The text, and the names of those that it cannot hold, by the reason.
fn write(
    format: Format,
    variables: &[(OsString, OsString)],
) -> (Vec<u8>, BTreeMap<&'static str, Vec<String>>) {
    let mut left_out: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut held = Vec::new();
    for (name, value) in variables {
        match refused(format, name, value) {
            None => held.push((name, value)),
            Some(why) => left_out
                .entry(why)
                .or_default()
                .push(name.display().to_string()),
        }
    }
    (written(format, &held), left_out)
}

/// Why a format cannot hold a variable.
fn refused(format: Format, name: &OsStr, value: &OsStr) -> Option<&'static str> {
    let named = matches!(format, Format::Export | Format::Dotenv);
    match format {
        _ if named && !is_identifier(name) => {
            Some("a shell cannot assign to the name; use --format json or --format nul")
        }
        Format::Dotenv if dotenv::quoted(value.as_bytes()).is_none() => Some(
            "readers of .env files disagree about such a value; \
             use --format export or --format nul",
        ),
        Format::Json if name.to_str().is_none() || value.to_str().is_none() => {
            Some("not UTF-8, which JSON requires; use --format nul")
        }
        _ => None,
    }
}

fn written(format: Format, variables: &[(&OsString, &OsString)]) -> Vec<u8> {
    match format {
        Format::Export => lines(variables, |name, value| {
            let quoted = shlex::bytes::try_quote(value.as_bytes()).unwrap_or_default();
            [b"export ", name.as_bytes(), b"=", quoted.as_ref()].concat()
        }),
        Format::Dotenv => lines(variables, |name, value| {
            let quoted = dotenv::quoted(value.as_bytes()).unwrap_or_default();
            [name.as_bytes(), b"=", quoted.as_slice()].concat()
        }),
        Format::Json => {
            let object: serde_json::Map<String, serde_json::Value> = variables
                .iter()
                .filter_map(|(name, value)| {
                    Some((name.to_str()?.to_owned(), value.to_str()?.into()))
                })
                .collect();
            format!("{:#}\n", serde_json::Value::Object(object)).into_bytes()
        }
        Format::Nul => variables
            .iter()
            .flat_map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat())
            .collect(),
    }
}

fn lines(
    variables: &[(&OsString, &OsString)],
    line: impl Fn(&OsStr, &OsStr) -> Vec<u8>,
) -> Vec<u8> {
    variables
        .iter()
        .flat_map(|(name, value)| {
            let mut line = line(name, value);
            line.push(b'\n');
            line
        })
        .collect()
}
