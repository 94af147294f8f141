//! Facts in, workload out: what every door calls.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::contract::{limits, runtime};
use crate::error::Error;
use crate::facts::{Facts, Mount};
use crate::layers::File;
#[cfg(feature = "cli")]
use crate::metrics::routes::Export;
use crate::platform::{self, Detection, DocumentVariable, Evidence};
use crate::problems::Problems;
use crate::settings::secrets::Declared;
use crate::settings::{self, Settings};
use crate::toolkit;
#[cfg(feature = "agent")]
use crate::workload::Credentials;
#[cfg(feature = "cli")]
use crate::workload::events::Plan;
use crate::workload::{CredentialPlan, Platform, Role, Texts, Workload};

/// The workload, what it was concluded from, and what people should know.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// What this container is asked to run.
    pub workload: Workload,
    /// The hyperparameters' values, as texts.
    pub values: Texts,
    /// Variables that the deployment gives the program by document.
    pub variables: Vec<DocumentVariable>,
    /// What the platform was concluded from.
    pub evidence: Vec<Evidence>,
    /// Conditions that are unusual but do not stop a start, one sentence each.
    pub problems: Problems,
    /// How credentials are obtained.
    pub credential_plan: CredentialPlan,
    /// The job as SageMaker's toolkit shows it to a script: `SM_*`.
    #[cfg(feature = "cli")]
    pub(crate) toolkit: toolkit::View,
    #[cfg(feature = "cli")]
    pub(crate) settings: Settings,
    /// Where metrics go.
    #[cfg(feature = "cli")]
    pub(crate) export: Export,
    #[cfg(feature = "cli")]
    pub(crate) end: platform::End,
    /// The destinations and content of job events; `None` if this container sends none.
    #[cfg(feature = "cli")]
    pub(crate) events: Option<Plan>,
    /// Where kills for memory are counted, and how many they were.
    #[cfg(feature = "cli")]
    pub(crate) oom_counter: Option<(PathBuf, u64)>,
}

#[cfg(all(feature = "agent", feature = "cli"))]
impl Resolved {
    /// The region in which AWS's services are called.
    pub(crate) fn region(&self, facts: &Facts) -> Option<String> {
        platform::region(facts, self.workload.job.arn.as_deref())
    }
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
    let Ground {
        settings,
        detection,
        mounts,
        config_dir,
    } = ground(facts, arguments)?;
    let mut reading = platform::read(facts, &settings, &mounts, &detection, &config_dir)?;
    let toolkit = toolkit_view(facts, &settings, &reading);
    reading.problems.extend(toolkit.problems.iter().cloned());
    let found = |name: &str| facts.text(name).map(Cow::into_owned);
    let inherited = toolkit::inherited(&reading.workload, found);
    reading
        .problems
        .extend(toolkit::inherited_problem(inherited));
    let live_dirs = live_dirs(&settings, &detection, &config_dir);
    reading.problems.extend(stale(&live_dirs, &mounts));
    Ok(Resolved {
        #[cfg(feature = "cli")]
        toolkit,
        workload: reading.workload,
        values: reading.values,
        variables: reading.variables,
        evidence: detection.evidence,
        problems: reading.problems,
        credential_plan: reading.credential_plan,
        #[cfg(feature = "cli")]
        settings,
        #[cfg(feature = "cli")]
        export: reading.export,
        #[cfg(feature = "cli")]
        end: reading.end,
        #[cfg(feature = "cli")]
        events: reading.events_plan,
        #[cfg(feature = "cli")]
        oom_counter: facts.oom_counter(&mounts),
    })
}

/// A notebook does not run a job's script. Everywhere else the same script finds the same names.
fn toolkit_view(facts: &Facts, settings: &Settings, reading: &platform::Reading) -> toolkit::View {
    let workload = &reading.workload;
    if workload.role == Role::Notebook || !settings.toolkit_variables {
        return toolkit::View::default();
    }
    let originals = &reading.originals;
    let text = |document: &'_ Option<Vec<u8>>| {
        let bytes = document.as_deref()?;
        // Read once already, and understood.
        std::str::from_utf8(bytes).map(str::to_owned).ok()
    };
    let documents = &originals.documents;
    let resource_config = text(&documents.resource_config);
    let input_data_config = text(&documents.input_data_config);
    let region = platform::region(facts, workload.job.arn.as_deref());
    toolkit::view(&toolkit::Job {
        workload,
        values: &reading.values,
        order: &originals.order,
        base: &originals.base,
        resource_config: resource_config.as_deref(),
        input_data_config: input_data_config.as_deref(),
        cpus: originals
            .node_cpus
            .unwrap_or_else(|| workload.resources.whole_cpus()),
        neuron_cores: originals.neuron_cores,
        program: originals.program.as_deref(),
        training_module: originals.training_module.as_deref(),
        model_parallel: originals.model_parallel.as_deref(),
        smddprun: originals.smddprun,
        smddpmprun: originals.smddpmprun,
        region: region.as_deref(),
    })
}

/// How credentials are obtained here, and nothing else of the workload.
#[cfg(feature = "agent")]
pub(crate) fn credentials(facts: &Facts) -> Result<(Credentials, CredentialPlan), Error> {
    let ground = ground(facts, &[])?;
    Ok(platform::credentials(
        facts,
        &ground.settings,
        &ground.mounts,
        &ground.detection,
    ))
}

/// Settings with every layer, and the deployment's variables, for processes to which the workload
/// was delivered already.
#[cfg(feature = "cli")]
pub(crate) fn told_beside(facts: &Facts) -> Result<(Settings, Vec<DocumentVariable>), Error> {
    let ground = ground(facts, &[])?;
    let variables = platform::variables(facts, &ground.settings, &ground.config_dir)?;
    Ok((ground.settings, variables))
}

/// The declared secrets and the platform, which decides which sources are used.
pub(crate) fn secrets(facts: &Facts) -> Result<(Vec<Declared>, Platform), Error> {
    let ground = ground(facts, &[])?;
    Ok((ground.settings.secrets, ground.detection.platform))
}

/// Where live configuration lies, lowest first, and what of it will never change.
pub(crate) fn live(facts: &Facts) -> Result<(Vec<PathBuf>, Vec<String>), Error> {
    let ground = ground(facts, &[])?;
    let live_dirs = live_dirs(&ground.settings, &ground.detection, &ground.config_dir);
    let problems = stale(&live_dirs, &ground.mounts);
    Ok((live_dirs, problems))
}

fn live_dirs(settings: &Settings, detection: &Detection, config_dir: &str) -> Vec<PathBuf> {
    match &settings.live_dirs {
        Some(live_dirs) => live_dirs.iter().map(PathBuf::from).collect(),
        None => vec![platform::conventions(detection.platform).live_dir_in(config_dir)],
    }
}

/// A sentence for each place that is mounted by subPath, and so stays what it was.
fn stale(live_dirs: &[PathBuf], mounts: &[Mount]) -> Vec<String> {
    mounts
        .iter()
        .filter(|mount| mount.is_subpath())
        .filter(|mount| live_dirs.iter().any(|dir| mount.point.starts_with(dir)))
        .map(|mount| {
            let since = if mount.is_replaced() {
                "; it has been replaced since"
            } else {
                ""
            };
            format!(
                "{} is mounted by subPath and never follows its ConfigMap{since}; \
                 mount the whole volume",
                mount.point.display()
            )
        })
        .collect()
}

/// What the details are read by.
struct Ground {
    settings: Settings,
    detection: Detection,
    mounts: Vec<Mount>,
    config_dir: String,
}

fn ground(facts: &Facts, arguments: &[(&'static str, String)]) -> Result<Ground, Error> {
    let mounts = facts.mounts()?;
    let image: Vec<File> = file(facts, runtime::IMAGE_SETTINGS)?.into_iter().collect();
    let early = read(facts, &image, arguments)?;
    let mut detection = platform::detect(facts, &early, &mounts)?;

    // The platform's config directory is known only after detection, so the deployment's own file
    // comes second.
    let usual = platform::conventions(detection.platform).config_dir;
    let config_dir = early.config_dir.clone().unwrap_or_else(|| usual.to_owned());
    early.refuse_missing(facts.is_directory(&config_dir), facts.exists(&config_dir))?;
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
    detection.override_role(&settings);
    Ok(Ground {
        settings,
        detection,
        mounts,
        config_dir,
    })
}

/// Whether the kill switch, `LYFTLEARN_RUNTIME`, says `off`.
///
/// # Errors
///
/// When it is neither `on` nor `off`.
#[cfg(feature = "cli")]
pub(crate) fn switched_off(facts: &Facts) -> Result<bool, Error> {
    settings::switched_off(facts.text(runtime::SWITCH).as_deref())
}

/// The image's own commands, for a start with the runtime switched off. It reads and checks nothing
/// else, because it must work with broken settings.
#[cfg(feature = "cli")]
pub(crate) fn image_commands(facts: &Facts) -> settings::Commands {
    let image = file(facts, runtime::IMAGE_SETTINGS).ok().flatten();
    image
        .map(|image| settings::commands_of(&image))
        .unwrap_or_default()
}

fn read(
    facts: &Facts,
    files: &[File],
    arguments: &[(&'static str, String)],
) -> Result<Settings, Error> {
    let variables = facts
        .vars()
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?, value.to_str())));
    settings::read(files, variables, arguments)
}

fn file(facts: &Facts, path: &str) -> Result<Option<File>, Error> {
    let bytes = facts.file(path, limits::SETTINGS_BYTES)?;
    Ok(bytes.map(|bytes| File {
        path: path.to_owned(),
        bytes,
    }))
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
