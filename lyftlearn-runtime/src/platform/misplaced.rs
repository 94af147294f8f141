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
    for name in names(facts, config_dir) {
        let near = DOCUMENTS
            .iter()
            .map(|known| (strsim::jaro_winkler(&name.to_lowercase(), known), *known))
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        if let Some((likeness, known)) = near
            && likeness >= ALIKE
            && !DOCUMENTS.contains(&name.trim_end_matches(runtime::CHECKSUM))
        {
            problems.push(format!(
                "{config_dir}/{name} is ignored: did you mean {known}?"
            ));
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
            let read = place == image && name == runtime::SETTINGS_FILE;
            if DOCUMENTS.contains(&name.as_str()) && !read {
                problems.push(format!(
                    "{place}/{name} is ignored: put it into {config_dir}"
                ));
            }
        }
    }
    problems
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
