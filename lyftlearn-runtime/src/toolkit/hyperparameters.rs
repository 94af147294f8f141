//! Hyperparameters by the toolkit's guessing rules: JSON where the text is JSON, else the
//! text itself.

use std::collections::BTreeMap;

use super::Job;
use super::python::{Dict, NoValue, Text, Value, loads};
use crate::contract::{limits, toolkit as words};

/// Half of what a process can be given where the stack has its usual 8 MiB. JSON escapes a
/// byte as six at most, so that no single text that is longer fits into a variable.
const ROOM: usize = 8 * limits::ENVIRONMENT_STRING_BYTES;

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
    let largest = largest_that_fits(job);
    let (mut own, mut framework, mut known) = (Vec::new(), Vec::new(), Vec::new());
    for name in job.names {
        let Some(text) = job.values.0.get(name) else {
            continue;
        };
        let is_known = words::KNOWN_HYPERPARAMETERS.contains(&name.as_str());
        let is_frameworks = !is_known && name.starts_with(words::PREFIX);
        if name.len() + text.len() > largest {
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

/// The largest size, name and text together, of which all fit into the room, with all that
/// are smaller. Not by sorting: there may be a million.
fn largest_that_fits(job: &Job<'_>) -> usize {
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    for (name, text) in &job.values.0 {
        *sizes.entry(name.len() + text.len()).or_default() += 1;
    }
    let mut total = 0;
    let fitting = sizes.into_iter().take_while(|(size, count)| {
        total += size * count;
        total <= ROOM
    });
    fitting.last().map_or(0, |(size, _)| size)
}
