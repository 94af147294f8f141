//! Facts in, workload out. One file per platform and job kind; adding a platform
//! adds a file here and touches nothing below the model.

mod conventions;
mod credentials;
mod delivered;
mod documents;
mod end;
mod events;
mod fault;
#[cfg(test)]
mod fuzz;
mod hyperparameters;
mod kubernetes;
mod local;
mod misplaced;
mod originals;
mod paths;
mod profile;
#[cfg(feature = "cli")]
mod reason;
mod resources;
mod routes;
mod sagemaker;
mod spark;
mod topology;
mod variables;
mod worker;

use std::collections::BTreeMap;

pub(crate) use conventions::of as conventions;

#[cfg(feature = "cli")]
pub(crate) use delivered::variables as delivered_variables;
pub(crate) use delivered::{
    hyperparameters as delivered_hyperparameters, workload as delivered_workload,
};
pub(crate) use end::End;
use end::{Grace, lifecycle};
#[cfg(feature = "cli")]
pub(crate) use events::reveal as reveal_events;
#[cfg(feature = "cli")]
pub(crate) use kubernetes::is_below_a_service;

#[cfg(feature = "cli")]
pub(crate) use credentials::NO_IDENTITY;
pub(crate) use credentials::region;
pub(crate) use originals::Originals;
#[cfg(feature = "cli")]
pub(crate) use profile::{Competing, of_nowhere as profiles_of_nowhere};
#[cfg(feature = "cli")]
pub(crate) use reason::{ReasonLimit, reason_file, shows_the_log_instead};
#[cfg(feature = "cli")]
pub(crate) use spark::{PROBLEM as SPARK_PROBLEM, is_meant as spark_is_meant};
pub use variables::DocumentVariable;
#[cfg(feature = "cli")]
pub(crate) use variables::image as image_variables;
#[cfg(feature = "cli")]
pub(crate) use variables::read as variables;
pub(crate) use worker::{in_its_round, process};

use serde::Serialize;

#[cfg(feature = "cli")]
use crate::contract::sagemaker as sagemaker_words;
use crate::contract::{linux, runtime, toolkit};
use crate::error::Error;
use crate::facts::{Facts, Mount};
use crate::metrics::routes::Export;
use crate::problems::Problems;
use crate::settings::Settings;
use crate::signal;
use crate::workload::{
    Channel, CredentialPlan, Flavor, Job, Metrics, Paths, Platform, Role, Secrets, Texts, Topology,
    Workload,
};

/// A piece of evidence, and what it means. It has names, never values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// A variable, a file or a mount.
    pub found: String,
    /// What it says.
    pub means: String,
}

/// Where we are, before the details are read.
#[derive(Clone, Debug)]
pub(crate) struct Detection {
    pub(crate) platform: Platform,
    pub(crate) flavor: Flavor,
    pub(crate) role: Role,
    /// The role before a setting overrode it: which files there are depends on it.
    found_role: Role,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) problems: Problems,
    word: Option<String>,
}

/// The workload, and facts that programs do not see.
pub(crate) struct Reading {
    pub(crate) workload: Workload,
    pub(crate) values: Texts,
    /// Variables of the deployment's own, for the program.
    pub(crate) variables: Vec<DocumentVariable>,
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "a start needs it"))]
    pub(crate) end: End,
    pub(crate) originals: Originals,
    pub(crate) credential_plan: CredentialPlan,
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "a start needs it"))]
    pub(crate) export: Export,
    #[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "a start needs it"))]
    pub(crate) events_plan: Option<crate::workload::events::Plan>,
    pub(crate) problems: Problems,
}

/// SageMaker's own documents of a training job, byte for byte.
#[derive(Clone, Default)]
pub(crate) struct Documents {
    pub(crate) resource_config: Option<Vec<u8>>,
    pub(crate) input_data_config: Option<Vec<u8>>,
}

/// What every reader below is given.
struct World<'a> {
    facts: &'a Facts,
    settings: &'a Settings,
    mounts: &'a [Mount],
    /// `train`, `serve`, or whatever else the program's argv begins with.
    word: Option<String>,
    /// The deployment's, by document.
    variables: &'a [DocumentVariable],
}

impl World<'_> {
    /// A variable as the program would find it: one of a document, where nothing but the image
    /// sets it.
    fn effective(&self, name: &str) -> Option<String> {
        let documents = self.variables.iter().rev();
        let mut of_name =
            documents.filter(|variable| variable.name == name && !variable.value.is_empty());
        let document = of_name.next().map(|variable| variable.value.clone());
        let Some(found) = self.facts.text(name) else {
            return document;
        };
        match document {
            Some(document) if self.is_the_images(name, &found) => Some(document),
            _ => Some(found.into_owned()),
        }
    }

    fn is_the_images(&self, name: &str, value: &str) -> bool {
        // The code that combines the layers reports unreadable documents.
        let image = variables::image(self.facts).unwrap_or_default();
        image.iter().any(|(of, is)| *of == *name && *is == *value)
    }
}

/// What one platform recognised.
struct Recognised {
    flavor: Flavor,
    role: Role,
    evidence: Vec<Evidence>,
    problems: Problems,
}

/// Detects the platform: no network, no subprocess, a few files.
pub(crate) fn detect(
    facts: &Facts,
    settings: &Settings,
    mounts: &[Mount],
) -> Result<Detection, Error> {
    let word = facts
        .first_word()
        .map(|word| word.to_string_lossy().into_owned());
    let world = World {
        facts,
        settings,
        mounts,
        word,
        variables: &[],
    };
    let (platform, mut recognised) = match settings.platform {
        Some(platform) => (platform, world.forced(platform)?),
        None => world.recognise()?,
    };
    recognised.problems.extend(settings.service_links.iter().map(|name| {
        format!("{name} is ignored: Kubernetes made it for a Service of that name; set enableServiceLinks: false")
    }));
    Ok(Detection {
        platform,
        flavor: recognised.flavor,
        role: recognised.role,
        found_role: recognised.role,
        evidence: recognised.evidence,
        problems: recognised.problems,
        word: world.word,
    })
}

impl Detection {
    /// Applies the setting `role`, which the config directory may have brought.
    pub(crate) fn override_role(&mut self, settings: &Settings) {
        if let Some(role) = settings.role {
            self.role = role;
            self.evidence
                .push(setting_evidence(settings, "role", role.as_str()));
        }
    }
}

/// Whether reading will take so long that somebody may change their mind meanwhile: by the
/// size of the documents that have no limit to speak of, wherever they usually lie.
#[cfg(feature = "cli")]
pub(crate) fn takes_long(facts: &Facts) -> bool {
    const LONG_BYTES: u64 = 1 << 20;
    let moved = facts.text(runtime::CONFIG_DIR_VARIABLE);
    let staged = [
        Some(runtime::CONFIG_DIR),
        Some(runtime::CONFIG_CHANNEL_DIR),
        moved.as_deref(),
    ]
    .into_iter()
    .flatten()
    .flat_map(|directory| {
        [
            runtime::HYPERPARAMETERS_FILE,
            runtime::ENVIRONMENT_JSON,
            runtime::ENVIRONMENT_LINES,
        ]
        .map(|file| facts.size(format!("{directory}/{file}")))
    });
    staged.sum::<u64>() + facts.size(sagemaker_words::HYPERPARAMETERS) > LONG_BYTES
}

/// Reads the details. `config_dir` is where the staged documents are.
pub(crate) fn read(
    facts: &Facts,
    settings: &Settings,
    mounts: &[Mount],
    detection: &Detection,
    config_dir: &str,
) -> Result<Reading, Error> {
    let variables = variables::read(facts, settings, config_dir)?;
    let world = World {
        facts,
        settings,
        mounts,
        word: detection.word.clone(),
        variables: &variables,
    };
    let mut problems = detection.problems.clone();
    problems.extend(misplaced::problems(facts, config_dir));
    let resources = resources::read(&world)?;
    let staged = format!("{config_dir}/{}", runtime::HYPERPARAMETERS_FILE);
    let mut part = match detection.platform {
        Platform::SageMaker => sagemaker::read(&world, detection, &resources, &mut problems)?,
        Platform::Kubernetes => kubernetes::read(&world, detection, &resources, &mut problems)?,
        Platform::Local => local::read(&world, detection, &resources)?,
    };
    let documents = [Some(staged.as_str()), part.hyperparameters];
    let (hyperparameters, values, order) = hyperparameters::merged(
        facts,
        documents.into_iter().flatten(),
        settings.encoding,
        &mut problems,
    )?;
    if let Some(groups) = values.get(toolkit::HP_DISTRIBUTION_GROUPS)
        && let Ok(groups) = serde_json::from_str::<Vec<String>>(groups)
    {
        topology::keep_distribution(&mut part.topology, &groups);
    }
    // In a pod they are a controller's words, and one that is not a number is an error.
    if detection.platform != Platform::Kubernetes {
        topology::obey_the_users(&world, &mut part.topology);
    }
    if matches!(
        detection.role,
        Role::Training | Role::Job | Role::Processing
    ) {
        problems.extend(topology::contradictions(&world, &part.topology));
    }
    problems.extend(topology::processes(&world, &part.topology, &resources));
    let end = End {
        // A processing job is stopped by either (dev guide: build your own processing
        // container). An image's STOPSIGNAL and a pod's stopSignal are not seen from inside.
        asked_by: match (&settings.stop_on, detection.found_role) {
            (Some(signals), _) => signals.clone(),
            (None, Role::Processing) => vec![signal::TERM, signal::INT],
            (None, _) => vec![signal::TERM],
        },
        grace_seconds: part.grace.seconds,
        drain_seconds: settings.drain_seconds,
    };
    let lifecycle = lifecycle(&end, part.grace.source, settings)?;
    let (credentials, credential_plan) =
        credentials::read(&world, detection, &part.job, &mut problems);
    let export = routes::read(&world, detection, &part.job, &part.topology, &mut problems);
    let spark = spark::read(&world, &mut problems);
    let of = events::Of {
        job: &part.job,
        topology: &part.topology,
        credentials: &credentials,
    };
    let (events, events_plan) = events::read(&world, detection, &of, &mut problems);
    let workload = Workload {
        platform: detection.platform,
        flavor: detection.flavor,
        role: detection.role,
        job: part.job,
        paths: part.paths,
        channels: part.channels,
        hyperparameters,
        topology: part.topology,
        resources,
        lifecycle,
        credentials,
        metrics: Metrics {
            routes: export.names(),
        },
        secrets: Secrets {
            names: settings
                .secrets
                .iter()
                .map(|secret| secret.name.clone())
                .collect(),
        },
        spark,
        events,
    };
    let originals = originals::read(&world, &workload, part.documents, order)?;
    Ok(Reading {
        originals,
        credential_plan,
        export,
        events_plan,
        workload,
        values,
        variables,
        end,
        problems,
    })
}

/// How credentials are obtained, and nothing else.
#[cfg(feature = "agent")]
pub(crate) fn credentials(
    facts: &Facts,
    settings: &Settings,
    mounts: &[Mount],
    detection: &Detection,
) -> (crate::workload::Credentials, CredentialPlan) {
    let world = World {
        facts,
        settings,
        mounts,
        word: detection.word.clone(),
        variables: &[],
    };
    credentials::read(&world, detection, &Job::default(), &mut Problems::default())
}

/// The part of the workload that one platform fills.
struct Part {
    job: Job,
    paths: Paths,
    channels: BTreeMap<String, Channel>,
    topology: Topology,
    grace: Grace,
    /// The platform's own hyperparameters: they override staged ones key by key.
    hyperparameters: Option<&'static str>,
    documents: Documents,
}

impl World<'_> {
    fn recognise(&self) -> Result<(Platform, Recognised), Error> {
        // The kubelet's own mounts are the innermost evidence: only the kubelet makes them, and
        // only for the container that sees them.
        if kubernetes::pod(self.mounts).is_some() {
            return Ok((Platform::Kubernetes, kubernetes::recognise(self)));
        }
        if let Some(recognised) = sagemaker::recognise(self)? {
            return Ok((Platform::SageMaker, recognised));
        }
        if kubernetes::has_service_variable(self) {
            return Ok((Platform::Kubernetes, kubernetes::recognise(self)));
        }
        Ok((Platform::Local, local::recognise(self)))
    }

    fn forced(&self, platform: Platform) -> Result<Recognised, Error> {
        let mut recognised = match platform {
            Platform::SageMaker => sagemaker::forced(self)?,
            Platform::Kubernetes => kubernetes::recognise(self),
            Platform::Local => local::recognise(self),
        };
        let override_ = setting_evidence(self.settings, "platform", platform.as_str());
        recognised.evidence.insert(0, override_);
        Ok(recognised)
    }

    /// Evidence from a variable that is set and not blank.
    fn variable(&self, name: &str, means: &str) -> Option<Evidence> {
        self.facts
            .text(name)
            .map(|_| Evidence::new(format!("variable {name}"), means))
    }

    /// Whether podman made this container, which no platform uses.
    fn podman(&self) -> bool {
        self.facts.exists(linux::PODMAN_MARK)
            || self.facts.text(linux::CONTAINER).as_deref() == Some("podman")
    }

    fn is_word(&self, word: &str) -> bool {
        self.word.as_deref() == Some(word)
    }

    /// Role by the word that both platforms' job definitions may pass.
    fn role_by_word(&self) -> Option<(Role, Evidence)> {
        let (role, means) = match self.word.as_deref() {
            Some("train") => (Role::Training, "a training job's argument"),
            Some("serve") => (Role::Serving, "a server's argument"),
            _ => return None,
        };
        Some((
            role,
            Evidence::new(
                format!("argument {}", self.word.as_deref().unwrap_or_default()),
                means,
            ),
        ))
    }

    fn mounted_at_or_below(&self, directory: &str) -> Option<&Mount> {
        self.mounts
            .iter()
            .find(|mount| mount.point.starts_with(directory))
    }

    /// Whether a container engine, and not a kubelet, made this container: then a
    /// `KUBERNETES_*` variable came from outside. Engines mount three files of
    /// their own from a directory named after the container.
    fn engine(&self) -> Option<Evidence> {
        if kubernetes::pod(self.mounts).is_some() {
            return None;
        }
        let mount = self.mounts.iter().find(|mount| {
            linux::ENGINE_FILES
                .iter()
                .any(|file| mount.point.as_os_str() == *file)
                && of_an_engine(&mount.root)
        })?;
        let found = format!("mount {}", mount.point.display());
        Some(Evidence::new(
            found,
            "a container engine without a kubelet made it",
        ))
    }
}

/// `…/containers/<id>/hosts` (Docker), `…-containers/<id>/userdata/hosts` (Podman, CRI-O).
fn of_an_engine(source: &std::path::Path) -> bool {
    let words: Vec<&str> = source.iter().filter_map(|word| word.to_str()).collect();
    let id = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    match words.as_slice() {
        [.., "containers", container, _] => id(container),
        [.., directory, container, "userdata", _] => {
            directory.ends_with("-containers") && id(container)
        }
        _ => false,
    }
}

impl Evidence {
    fn new(found: impl Into<String>, means: impl Into<String>) -> Self {
        Self {
            found: found.into(),
            means: means.into(),
        }
    }
}

fn setting_evidence(settings: &Settings, key: &str, means: &str) -> Evidence {
    let source = settings.sources.get(key).map_or(key, String::as_str);
    Evidence::new(format!("setting {source}"), format!("says {means}"))
}
