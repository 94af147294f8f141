//! Documents of ours that are not read: misspelt, or in another place than the one that is
//! looked at.

use std::path::Path;

use crate::contract::runtime;
use crate::facts::Facts;
use crate::problems::Problems;

/// What the config directory may hold.
const DOCUMENTS: &[&str] = &[
    runtime::SETTINGS_FILE,
    runtime::HYPERPARAMETERS_FILE,
    runtime::ENVIRONMENT_JSON,
    runtime::ENVIRONMENT_LINES,
];

/// Less alike is another file of somebody's.
const ALIKE: f64 = 0.93;

/// One problem for each document that somebody may have meant for this runtime.
pub(super) fn problems(facts: &Facts, config_dir: &str) -> Problems {
    let mut problems = Problems::default();
    let found = names(facts, config_dir);
    for name in &found {
        match name.strip_suffix(runtime::CHECKSUM) {
            Some(document) if DOCUMENTS.contains(&document) => {
                if !found.iter().any(|found| found == document) {
                    problems.push(format!(
                        "{config_dir}/{name} is ignored: there is no {document} beside it"
                    ));
                }
            }
            _ => problems.extend(misspelt(config_dir, name, DOCUMENTS)),
        }
    }
    let image = Path::new(runtime::IMAGE_SETTINGS)
        .parent()
        .and_then(Path::to_str)
        .unwrap_or_default();
    // The image's own directory, and the config directory of the other platform.
    for place in [image, runtime::CONFIG_DIR, runtime::CONFIG_CHANNEL_DIR] {
        if place == config_dir {
            continue;
        }
        for name in names(facts, place) {
            if place == image && name == runtime::SETTINGS_FILE {
                continue;
            }
            if DOCUMENTS.contains(&name.as_str()) {
                problems.push(format!(
                    "{place}/{name} is ignored: put it into {config_dir}"
                ));
            } else if place == image {
                problems.extend(misspelt(place, &name, &[runtime::SETTINGS_FILE]));
            }
        }
    }
    problems
}

/// A problem if `name` is similar to one of `known`, or is one of them in another format.
fn misspelt(place: &str, name: &str, known: &[&str]) -> Option<String> {
    if known.contains(&name) {
        return None;
    }
    let small = name.to_lowercase();
    let stem = |name: &str| name.split('.').next().map(str::to_owned);
    let likeness = |known: &str| match strsim::jaro_winkler(&small, known) {
        likeness if likeness < ALIKE && stem(&small) == stem(known) => ALIKE,
        likeness => likeness,
    };
    let near = known.iter().map(|known| (likeness(known), *known));
    let (likeness, near) = near.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (likeness >= ALIKE).then(|| format!("{place}/{name} is ignored: did you mean {near}?"))
}

/// In order; nothing where the directory is not there or cannot be read.
fn names(facts: &Facts, directory: &str) -> Vec<String> {
    if !facts.is_directory(directory) {
        return Vec::new();
    }
    let entries = facts.entries(directory).unwrap_or_default();
    let mut names: Vec<String> = entries
        .into_iter()
        .filter_map(|name| name.into_string().ok())
        .collect();
    names.sort_unstable();
    names
}
