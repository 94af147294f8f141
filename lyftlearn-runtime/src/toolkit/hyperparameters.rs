//! Hyperparameters by the toolkit's guessing rules: JSON where the text is JSON, else the
//! text itself.

use std::collections::BTreeSet;

use super::Job;
use super::python::{Dict, NoValue, Text, Value, loads};
use crate::contract::{limits, toolkit as words};

/// JSON escapes one byte as six at most, so that the value of a longer text fits nowhere.
const GIANT: usize = 8 * limits::ENVIRONMENT_STRING_BYTES;

/// Decoded, each kind in the order of the documents.
#[derive(Debug, Default)]
pub(super) struct Hyperparameters<'a> {
    /// The script's own.
    pub(super) own: Dict,
    /// `sagemaker_…` that the toolkit passes on to frameworks.
    pub(super) framework: Dict,
    /// The toolkit's own.
    pub(super) known: Dict,
    /// The script's own that cannot fit into variables, and are not looked into; each with
    /// the number of `own` before it.
    pub(super) giant: Vec<(usize, &'a str)>,
    /// Whether a framework's is among those.
    pub(super) giant_framework: bool,
    pub(super) problems: Vec<String>,
}

pub(super) fn decoded<'a>(job: &Job<'a>) -> Hyperparameters<'a> {
    let mut found = Hyperparameters::default();
    let kept = small_enough(job);
    let (mut own, mut framework, mut known) = (Vec::new(), Vec::new(), Vec::new());
    for name in job.names {
        let Some(text) = job.values.0.get(name) else {
            continue;
        };
        let is_known = words::KNOWN_HYPERPARAMETERS.contains(&name.as_str());
        let is_frameworks = !is_known && name.starts_with(words::PREFIX);
        if !kept.contains(name.as_str()) {
            found.giant_framework |= is_frameworks;
            if is_known {
                // Too long for any variable that shows it, and so left out of each.
                known.push((Text::from(name), Value::text(text)));
            } else if !is_frameworks {
                found.giant.push((own.len(), name));
            }
            continue;
        }
        let (value, deep) = value(text);
        if deep {
            found.problems.push(format!(
                "hyperparameter {} is nested too deeply for Python's json; taken as a text",
                shown(name)
            ));
        }
        let list = match (is_known, is_frameworks) {
            (true, _) => &mut known,
            (_, true) => &mut framework,
            _ => &mut own,
        };
        list.push((Text::from(name), value));
    }
    found.own = Dict::from_pairs(own);
    found.framework = Dict::from_pairs(framework);
    found.known = Dict::from_pairs(known);
    found
}

/// The toolkit's guess, and whether the text is JSON that nobody can read.
pub(super) fn value(text: &str) -> (Value, bool) {
    match loads(text) {
        Ok(value) => (value, false),
        Err(no) => (Value::text(text), no == NoValue::TooDeep),
    }
}

/// Whether it is the script's, as opposed to the toolkit's or a framework's.
#[cfg(feature = "cli")]
pub(super) fn is_own(name: &str) -> bool {
    !name.starts_with(words::PREFIX) && !words::KNOWN_HYPERPARAMETERS.contains(&name)
}

/// A name in a sentence: short, and on one line.
pub(super) fn shown(name: &str) -> String {
    const LETTERS: usize = 60;
    let mut letters = name.chars();
    let mut text: String = letters
        .by_ref()
        .take(LETTERS)
        .map(|letter| if letter.is_control() { '?' } else { letter })
        .collect();
    if letters.next().is_some() {
        text.push('…');
    }
    text
}

/// Those that are worth decoding: the smallest first, as many as the kernel could take.
fn small_enough<'a>(job: &Job<'a>) -> BTreeSet<&'a str> {
    let mut sizes: Vec<(usize, &str)> = job
        .values
        .0
        .iter()
        .map(|(name, text)| (name.len() + text.len(), name.as_str()))
        .filter(|(size, _)| *size <= GIANT)
        .collect();
    sizes.sort_unstable();
    let mut total = 0;
    sizes
        .into_iter()
        .take_while(|(size, _)| {
            total += size;
            total <= limits::ENVIRONMENT_BYTES
        })
        .map(|(_, name)| name)
        .collect()
}
