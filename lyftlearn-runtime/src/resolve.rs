//! Facts in, workload out: what every door calls.

use std::borrow::Cow;
#[cfg(feature = "cli")]
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::contract::{delivered, limits, runtime};
use crate::error::Error;
#[cfg(feature = "agent")]
use crate::facts::Whose;
use crate::facts::{Facts, Mount};
#[cfg(feature = "agent")]
use crate::held::Directory;
use crate::layers::File;
#[cfg(feature = "cli")]
use crate::metrics::routes::Export;
use crate::platform::{self, Detection, DocumentVariable, Evidence};
use crate::settings::secrets::Declared;
use crate::settings::{self, Settings};
use crate::toolkit;
#[cfg(any(feature = "agent", feature = "cli"))]
use crate::workload::Secret;
#[cfg(feature = "agent")]
use crate::workload::{Credentials, Origin};
use crate::workload::{Identity, Platform, Role, Texts, Workload};

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
    /// What is odd but stops nothing, one sentence each.
    pub problems: Vec<String>,
    /// How the identity is obtained.
    pub identity: Identity,
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
    /// Where kills for memory are counted, and how many they were.
    #[cfg(feature = "cli")]
    pub(crate) oom_counter: Option<(PathBuf, u64)>,
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
    reading.problems.extend_from_slice(&toolkit.problems);
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
        identity: reading.identity,
        #[cfg(feature = "cli")]
        settings,
        #[cfg(feature = "cli")]
        export: reading.export,
        #[cfg(feature = "cli")]
        end: reading.end,
        #[cfg(feature = "cli")]
        oom_counter: facts.oom_counter(&mounts),
    })
}

/// A notebook is nobody's script; everywhere else the same script finds the same names.
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

/// How an identity is obtained here, and nothing else of the workload.
#[cfg(feature = "agent")]
pub(crate) fn identity(facts: &Facts) -> Result<(Credentials, Identity), Error> {
    let ground = ground(facts, &[])?;
    Ok(platform::identity(
        facts,
        &ground.settings,
        &ground.mounts,
        &ground.detection,
    ))
}

/// The endpoint that this runtime serves, as the run directory tells it.
#[cfg(any(feature = "agent", feature = "cli"))]
pub(crate) fn endpoint(facts: &Facts, run: &Path) -> Option<Endpoint> {
    let directory = run.join(delivered::IDENTITY);
    let text = |path: &Path| {
        let bytes = facts.file(path, limits::KERNEL_FILE_BYTES).ok().flatten()?;
        String::from_utf8(bytes).ok()
    };
    let token_file = directory.join(delivered::IDENTITY_TOKEN);
    Some(Endpoint {
        token: Secret::new(text(&token_file)?),
        uri: text(&directory.join(delivered::IDENTITY_ENDPOINT))?,
        #[cfg(feature = "cli")]
        token_file,
    })
}

/// Where it is, and what it wants to see.
#[cfg(any(feature = "agent", feature = "cli"))]
pub(crate) struct Endpoint {
    pub(crate) uri: String,
    pub(crate) token: Secret,
    #[cfg(feature = "cli")]
    pub(crate) token_file: PathBuf,
}

#[cfg(feature = "agent")]
impl Endpoint {
    /// In this container's run directory, whosever program it belongs to: a child that has become
    /// root asks, too.
    pub(crate) fn here(facts: &Facts) -> Option<Self> {
        let of = |run: Directory| {
            let path = run.path().to_owned();
            endpoint(&facts.clone().with_held(run), &path)
        };
        let told = facts.told_directory(Whose::Anybody).and_then(of);
        told.or_else(|| facts.runtime_beside(Whose::Anybody).and_then(of))
    }

    /// As a source of credentials, which has every role assumed already.
    pub(crate) fn identity(self) -> Identity {
        Identity {
            origin: Origin::Container {
                uri: Secret::new(self.uri),
                token: Some(self.token),
                token_file: None,
            },
            ..Identity::default()
        }
    }
}

/// Settings with every layer, and the deployment's variables: for those to whom the
/// workload was told already.
#[cfg(feature = "cli")]
pub(crate) fn told_beside(facts: &Facts) -> Result<(Settings, Vec<DocumentVariable>), Error> {
    let ground = ground(facts, &[])?;
    let variables = platform::variables(facts, &ground.settings, &ground.config_dir)?;
    Ok((ground.settings, variables))
}

/// The declared secrets, and where we are: what is to be read of them depends on it.
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
    match (&settings.live_dirs, detection.platform) {
        (Some(live_dirs), _) => live_dirs.iter().map(PathBuf::from).collect(),
        (None, Platform::SageMaker) => vec![Path::new(config_dir).join(runtime::LIVE_NAME)],
        (None, _) => vec![PathBuf::from(runtime::LIVE_DIR)],
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
    detection.override_role(&settings);
    Ok(Ground {
        settings,
        detection,
        mounts,
        config_dir,
    })
}

/// What a program sees: the view that `run` or `exec` delivered to it, or, where
/// nothing did (a bypassed ENTRYPOINT), the same view resolved here.
///
/// ```
/// use lyftlearn_runtime::{Facts, Platform, current};
///
/// let facts = Facts::empty().with_var("KUBERNETES_SERVICE_HOST", "10.0.0.1");
/// assert_eq!(current(&facts)?.workload.platform, Platform::Kubernetes);
/// # Ok::<(), lyftlearn_runtime::Error>(())
/// ```
///
/// # Errors
///
/// As [`resolve`]; or when a delivered document does not say what it should.
pub fn current(facts: &Facts) -> Result<View, Error> {
    if let Some(workload) = delivered_workload(facts)? {
        return Ok(View {
            workload,
            values: Values::Delivered,
        });
    }
    resolve(facts).map(View::from)
}

/// A workload, and its hyperparameters when they are asked for.
#[derive(Clone, Debug)]
pub struct View {
    /// What this container is asked to run.
    pub workload: Workload,
    values: Values,
}

#[derive(Clone, Debug)]
enum Values {
    /// In the document that the workload names.
    Delivered,
    Resolved(Texts),
}

impl From<Resolved> for View {
    fn from(resolved: Resolved) -> Self {
        Self {
            workload: resolved.workload,
            values: Values::Resolved(resolved.values),
        }
    }
}

impl View {
    /// What a shim delivered, and nothing of which has been read yet.
    #[cfg(feature = "cli")]
    pub(crate) fn delivered(workload: Workload) -> Self {
        Self {
            workload,
            values: Values::Delivered,
        }
    }

    /// The hyperparameters' values, as texts.
    ///
    /// # Errors
    ///
    /// When the delivered document is gone or broken.
    pub fn hyperparameters(&self, facts: &Facts) -> Result<Texts, Error> {
        match &self.values {
            Values::Resolved(values) => Ok(values.clone()),
            Values::Delivered => match &self.workload.hyperparameters.path {
                Some(path) => platform::delivered_hyperparameters(facts, path),
                None => Ok(Texts::default()),
            },
        }
    }
}

/// The `workload.json` that the environment points at, or that a runtime beside has delivered. One that another user's shim
/// keeps to itself (after `sudo`), or that stayed behind on another node, is no view
/// of ours: then the place is asked again.
fn delivered_workload(facts: &Facts) -> Result<Option<Workload>, Error> {
    let Some(directory) = facts.run_dir() else {
        return Ok(None);
    };
    let path = directory.join(delivered::WORKLOAD_FILE);
    if !facts.may_read(&path) {
        return Ok(None);
    }
    workload_at(facts, &path).map(Some)
}

/// Variables that a shim delivered, read back; `None` where it wrote none.
#[cfg(feature = "cli")]
pub(crate) fn variables_at(
    facts: &Facts,
    path: &Path,
) -> Result<Option<BTreeMap<String, String>>, Error> {
    platform::delivered_variables(facts, path)
}

/// A workload that a shim delivered, read back.
pub(crate) fn workload_at(facts: &Facts, path: &Path) -> Result<Workload, Error> {
    platform::delivered_workload(facts, path)
}

/// Whether the kill switch, `LYFTLEARN_RUNTIME`, says `off`.
///
/// # Errors
///
/// When it is neither `on` nor `off`.
pub fn switched_off(facts: &Facts) -> Result<bool, Error> {
    settings::switched_off(facts.text(runtime::SWITCH).as_deref())
}

/// The image's own commands, for a start that is switched off. Nothing else is read and
/// nothing is checked: it must work when settings are what is broken.
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
