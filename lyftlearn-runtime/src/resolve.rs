//! Facts in, workload out: what every door calls.

use crate::contract::{limits, runtime};
use crate::error::Error;
use crate::facts::Facts;
use crate::platform::{self, Evidence};
use crate::settings::{self, Commands, File, Settings};
use crate::workload::{Texts, Workload};

/// The workload, what it was concluded from, and what people should know.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What this container is asked to run.
    pub workload: Workload,
    /// The hyperparameters' values, as texts.
    pub values: Texts,
    /// What the platform was concluded from.
    pub evidence: Vec<Evidence>,
    /// What is odd but stops nothing, one sentence each.
    pub problems: Vec<String>,
    pub(crate) settings: Settings,
}

/// Reads settings, detects the platform and fills the model. Pure but for reading
/// files through `facts`.
///
/// # Errors
///
/// When a file that tells the platform is broken, when settings are wrong, or when
/// platforms contradict themselves: never a guess.
pub fn resolve(facts: &Facts) -> Result<Resolved, Error> {
    resolve_with(facts, &[])
}

/// The same, with settings from the command line on top.
pub(crate) fn resolve_with(
    facts: &Facts,
    arguments: &[(&'static str, String)],
) -> Result<Resolved, Error> {
    let mounts = facts.mounts()?;
    let image: Vec<File> = file(facts, runtime::IMAGE_SETTINGS)?.into_iter().collect();
    let early = read(facts, &image, arguments)?;
    let detection = platform::detect(facts, &early, &mounts)?;

    // The deployment's own file lies where the platform puts it, so it comes second.
    let usual = platform::config_dir(detection.platform);
    let config_dir = early.config_dir.clone().unwrap_or_else(|| usual.to_owned());
    let settings = match file(facts, &format!("{config_dir}/{}", runtime::SETTINGS_FILE))? {
        Some(deployment) => {
            let path = deployment.path.clone();
            let files: Vec<File> = image.into_iter().chain([deployment]).collect();
            let settings = read(facts, &files, arguments)?;
            settings.refuse(&["platform", "config_dir"], &path)?;
            settings
        }
        None => early,
    };
    let reading = platform::read(facts, &settings, &mounts, &detection, &config_dir)?;
    Ok(Resolved {
        workload: reading.workload,
        values: reading.values,
        evidence: detection.evidence,
        problems: reading.problems,
        settings,
    })
}

/// Whether the kill switch says `off`.
pub(crate) fn switched_off(facts: &Facts) -> Result<bool, Error> {
    settings::switched_off(facts.text(runtime::SWITCH).as_deref())
}

/// The image's own commands, for a start that is switched off: nothing else is read.
pub(crate) fn image_commands(facts: &Facts) -> Result<Commands, Error> {
    let image: Vec<File> = file(facts, runtime::IMAGE_SETTINGS)?.into_iter().collect();
    read(facts, &image, &[]).map(|settings| settings.commands)
}

fn read(
    facts: &Facts,
    files: &[File],
    arguments: &[(&'static str, String)],
) -> Result<Settings, Error> {
    let variables = facts
        .vars()
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    settings::read(files, variables, arguments)
}

fn file(facts: &Facts, path: &str) -> Result<Option<File>, Error> {
    let bytes = facts.file(path, limits::DOCUMENT_BYTES)?;
    Ok(bytes.map(|bytes| File {
        path: path.to_owned(),
        text: String::from_utf8_lossy(&bytes).into_owned(),
    }))
}
