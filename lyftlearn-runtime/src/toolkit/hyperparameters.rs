//! Hyperparameters by the toolkit's guessing rules: JSON where the text is JSON, else the
//! text itself.

use std::collections::{BTreeMap, HashSet};

use super::Job;
use super::python::{Dict, NoValue, Text, Value, loads};
use crate::contract::{limits, toolkit as words};
use crate::problems::Problems;
use crate::workload::Texts;

/// Half of what a process can be given where the stack has its usual 8 MiB. JSON escapes a
/// byte as six at most, so that no single text that is longer fits into a variable.
const ROOM: usize = 8 * limits::ENVIRONMENT_STRING_BYTES;

/// Names that a problem lists before it only counts.
pub(super) const LISTED: usize = 4;

/// Decoded, each kind in the order of the documents.
#[derive(Debug, Default)]
pub(super) struct Hyperparameters<'a> {
    /// The script's own.
    pub(super) own: Dict,
    /// `sagemaker_…` that the toolkit passes on to frameworks.
    pub(super) framework: Dict,
    /// The toolkit's own.
    pub(super) known: Dict,
    /// The script's own that have no room, and are not looked into: the first few of them,
    /// and how many they are.
    pub(super) giant: (Vec<&'a str>, usize),
    /// Of these, those that share a variable with one that has room; each with the number of
    /// `own` before it.
    pub(super) rivals: Vec<(usize, &'a str)>,
    /// Whether a framework's is among those.
    pub(super) giant_framework: bool,
    pub(super) problems: Problems,
}

pub(super) fn decoded<'a>(job: &Job<'a>) -> Hyperparameters<'a> {
    let mut found = Hyperparameters::default();
    let kept = with_room(job.values);
    let kept_names = kept.iter().flatten().enumerate();
    let kept_names = kept_names
        .filter(|(_, kept)| **kept)
        .map(|(place, _)| job.values.at(place).0);
    let kept_variables: HashSet<String, foldhash::fast::RandomState> =
        kept_names.clone().map(str::to_uppercase).collect();
    let kept_are_lower = kept_names.clone().all(is_lower);
    let (mut own, mut framework, mut known) = (Vec::new(), Vec::new(), Vec::new());
    for place in job.order {
        let place = *place as usize;
        let (name, text) = job.values.at(place);
        let is_known = words::KNOWN_HYPERPARAMETERS.contains(&name);
        let is_frameworks = !is_known && name.starts_with(words::PREFIX);
        let has_room = kept.as_ref().is_none_or(|kept| kept[place]);
        if !has_room && !is_known {
            if is_frameworks {
                found.giant_framework = true;
                continue;
            }
            if found.giant.0.len() < LISTED {
                found.giant.0.push(name);
            }
            found.giant.1 += 1;
            // There may be a million to look up.
            if !(kept_are_lower && is_lower(name)) && kept_variables.contains(&name.to_uppercase())
            {
                found.rivals.push((own.len(), name));
            }
            continue;
        }
        if !has_room {
            // Too long for any variable that shows it, and so left out of each.
            known.push((Text::from(name), Value::text(text)));
            continue;
        }
        let (value, deep) = value(text);
        if deep {
            found.problems.push(format!(
                "hyperparameter {} is nested too deeply for Python's json: passed as a string",
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

/// The toolkit's guess, and whether the text looks like JSON but cannot be parsed.
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

/// Names in lower case never collide as variables.
fn is_lower(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
}

/// Which of them have room: the smallest first, of those of one size the first by name. Not
/// by sorting: there may be a million. `None` when all have.
fn with_room(values: &Texts) -> Option<Vec<bool>> {
    let all = values.sizes();
    let mut sizes: BTreeMap<usize, usize> = BTreeMap::new();
    for size in all.clone() {
        *sizes.entry(size).or_default() += 1;
    }
    let mut left = ROOM;
    // The size of which not all have room, and how many have.
    let (limit, mut partly) = sizes.into_iter().find_map(|(size, count)| {
        let all = size * count;
        if all > left {
            return Some((size, left / size));
        }
        left -= all;
        None
    })?;
    let kept = all.map(|size| match size {
        size if size == limit => {
            let has = partly > 0;
            partly = partly.saturating_sub(1);
            has
        }
        size => size < limit,
    });
    Some(kept.collect())
}
