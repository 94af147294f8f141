//! `explain`: which layer set a variable or a setting, and what it stands over.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::output;
use super::usage::{Given, UsageFault};
use crate::contract::toolkit as toolkit_words;
use crate::deliver::{Source, layered};
use crate::error::Error;
use crate::facts::{Facts, Whose};
use crate::launch::environment::Gathered;
use crate::launch::secrets::{self, Obtained};
use crate::outcome::named_secret;
use crate::resolve::{Resolved, resolve};
use crate::settings::Settings;

/// A name, its value, and the values that it would have otherwise, highest first.
#[derive(Serialize)]
struct Explained {
    name: String,
    kind: &'static str,
    #[serde(flatten)]
    winner: Word,
    shadowed: Vec<Word>,
}

/// What one layer says.
#[derive(Serialize)]
struct Word {
    /// The value; of a secret the beginning of its SHA-256.
    value: String,
    source: String,
}

pub(super) fn explain(given: &Given) -> Result<u8, Error> {
    let names: Vec<String> = given
        .words()
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    // The words are names here, and no program's.
    let facts = given.facts().with_argv::<String>([]);
    // What a start has delivered stands in this environment like everything else: the layers
    // are those of the runtime's own.
    let facts = match facts.run_directory(Whose::Anybody) {
        Some(run) => facts.as_at_the_start(&run),
        None => facts,
    };
    let all = all(&facts)?;
    let chosen: Vec<&Explained> = if names.is_empty() {
        all.iter().collect()
    } else {
        names
            .iter()
            .map(|name| {
                all.iter()
                    .find(|explained| explained.name == *name)
                    .ok_or_else(|| UsageFault::UnknownName { name: name.clone() }.into())
            })
            .collect::<Result<_, Error>>()?
    };
    if given.has("--json") {
        let value = serde_json::to_string_pretty(&chosen).expect("texts have no failure to report");
        output::data(format!("{value}\n").as_bytes())?;
    } else {
        let lines: String = chosen.into_iter().map(Explained::lines).collect();
        output::page(&lines)?;
    }
    Ok(0)
}

fn all(facts: &Facts) -> Result<Vec<Explained>, Error> {
    let resolved = resolve(facts)?;
    let settings = &resolved.settings;
    let gathered = Gathered::planned(facts, &resolved)?.with(known(facts, &resolved)?);
    // These hold every hyperparameter, one that is a secret, too.
    let secret_within = resolved.values.names().any(named_secret);
    let secret = |name: &OsStr| {
        let name = name.to_string_lossy();
        let whole = toolkit_words::WHOLE.contains(&name.as_ref());
        (whole && secret_within) || named_secret(&name) || settings.holds_secret(&name)
    };
    let variables = layered(&gathered.layers(facts))
        .into_iter()
        .map(|variable| {
            let secret = secret(&variable.name);
            let word = |(source, value): &(Source, OsString)| Word {
                value: shown(value, secret || matches!(source, Source::Secret(_))),
                source: name_of(source),
            };
            Explained {
                name: variable.name.to_string_lossy().into_owned(),
                kind: "variable",
                winner: word(&variable.value),
                shadowed: variable.shadowed.iter().map(word).collect(),
            }
        });
    Ok(variables.chain(of_settings(settings)).collect())
}

/// The secrets that a start has delivered, or those that need not be fetched.
fn known(facts: &Facts, resolved: &Resolved) -> Result<Obtained, Error> {
    match facts.run_directory(Whose::Anybody) {
        Some(run) => secrets::beside(&resolved.settings, &run),
        None => Ok(secrets::at_hand(facts, resolved)),
    }
}

fn of_settings(settings: &Settings) -> Vec<Explained> {
    let mut found: Vec<Explained> = Vec::new();
    // Low to high: the last word on a key is the one that counts.
    for layer in settings.layers.iter().rev() {
        let word = Word {
            value: shown(OsStr::new(&layer.value), false),
            source: layer.source.clone(),
        };
        match found.iter_mut().find(|known| known.name == layer.key) {
            Some(known) => known.shadowed.push(word),
            None => found.push(Explained {
                name: layer.key.clone(),
                kind: "setting",
                winner: word,
                shadowed: Vec::new(),
            }),
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

fn name_of(source: &Source) -> String {
    match source {
        Source::Image => "the image's ENV".to_owned(),
        Source::Environment => "the environment".to_owned(),
        Source::Document(path) => path.display().to_string(),
        Source::Runtime => "lyftlearn-runtime".to_owned(),
        Source::Secret(name) => format!("secrets.{name}"),
    }
}

fn shown(value: &OsStr, secret: bool) -> String {
    if !secret || value.is_empty() {
        return value.to_string_lossy().into_owned();
    }
    let digest = Sha256::digest(value.as_bytes());
    let beginning: String = digest
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{beginning}")
}

impl Explained {
    fn lines(&self) -> String {
        let Word { value, source } = &self.winner;
        let mut text = format!("{} = {value}\n  from {source}\n", self.name);
        for word in &self.shadowed {
            text.push_str(&format!("  over {} from {}\n", word.value, word.source));
        }
        text
    }
}
