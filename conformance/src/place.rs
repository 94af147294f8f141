//! How each platform starts a container, as data. `check`, `run` and this project's own tests use
//! the same rows.

mod variables;
mod volumes;

use crate::files::Entry;

/// The job's name in every place.
pub const JOB: &str = "conformance-2026-01-01";

/// The name of the key that the SDK's local mode hands over.
pub const LOCAL_KEY: &str = "AKIACONFORMANCELOCAL";

/// Where EKS Pod Identity's webhook mounts a token, and its name.
const POD_IDENTITY: &str = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount";
const TOKEN: &str = "eks-pod-identity-token";

/// One way in which a platform starts a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A training job of SageMaker's.
    SagemakerTraining,
    /// An endpoint's container.
    SagemakerHosting,
    /// The same in an endpoint of several containers, which assigns another port.
    SagemakerMultiContainer,
    /// A batch transform job's container.
    SagemakerTransform,
    /// A processing job.
    SagemakerProcessing,
    /// The SDK's local mode, on somebody's machine.
    SagemakerLocal,
    /// A training job or an endpoint under network isolation: no network, no identity.
    SagemakerIsolated,
    /// A pod that serves.
    KubernetesPod,
    /// A pod of an Indexed Job.
    KubernetesJob,
    /// A pod under the Pod Security Standard `restricted`, with a read-only root.
    KubernetesRestricted,
    /// No platform: started by hand.
    Bare,
}

/// What a team's job and server bring.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// Texts, as on the platforms.
    pub hyperparameters: Vec<(String, String)>,
    /// Name and files of each channel.
    pub channels: Vec<(String, Vec<Entry>)>,
    /// The model that is served.
    pub model: Model,
    /// What every secret is.
    pub canary: String,
}

/// Where a served model comes from.
#[derive(Clone, Debug, Default)]
pub enum Model {
    /// No such volume.
    #[default]
    None,
    /// These files.
    Files(Vec<Entry>),
    /// The directory `model` of this volume, which training left.
    Trained(String),
}

/// The command that a place runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// `train`
    Train,
    /// `serve`
    Serve,
}

impl Word {
    /// As the platform says it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Serve => "serve",
        }
    }
}

/// A volume of a container: its mount point and its content.
#[derive(Clone, Debug, Default)]
pub struct Mount {
    /// Where the image finds it.
    pub target: String,
    /// The files to write into it.
    pub entries: Vec<Entry>,
    /// As the platform mounts it.
    pub read_only: bool,
    /// What another container left, to copy first.
    pub from: Option<Copied>,
    /// Names in it that the image brings. A platform mounts several volumes below `/opt/ml`, and leaves the image's
    /// other files there. One volume takes their place here, so these files are copied into it.
    pub own: Vec<String>,
}

/// A directory of another container's volume.
#[derive(Clone, Debug)]
pub struct Copied {
    /// The volume.
    pub volume: String,
    /// The directory in it; `.` is all of it.
    pub directory: String,
    /// Where it comes to lie below the mount.
    pub into: String,
}

/// One container to start.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// The image's id.
    pub image: String,
    /// Replaces the image's entry point.
    pub entrypoint: Option<String>,
    /// What follows the image.
    pub words: Vec<String>,
    /// Variables of the platform.
    pub variables: Vec<(String, String)>,
    /// Its volumes.
    pub mounts: Vec<Mount>,
    /// Names that lead to the container itself.
    pub hosts: &'static [&'static str],
    /// Whether it is started under the Pod Security Standard `restricted`, with a read-only root.
    pub restricted: bool,
    /// Whether the probe is mounted.
    pub probe: bool,
    /// Megabytes of memory; `None` for no limit.
    pub memory: Option<u64>,
    /// Keys of the remote secrets that are JSON objects or paths, by the secret's name.
    pub objects: std::collections::BTreeMap<String, Vec<String>>,
}

impl Place {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::SagemakerTraining,
        Self::SagemakerHosting,
        Self::SagemakerMultiContainer,
        Self::SagemakerTransform,
        Self::SagemakerProcessing,
        Self::SagemakerLocal,
        Self::SagemakerIsolated,
        Self::KubernetesPod,
        Self::KubernetesJob,
        Self::KubernetesRestricted,
        Self::Bare,
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SagemakerTraining => "sagemaker-training",
            Self::SagemakerHosting => "sagemaker-hosting",
            Self::SagemakerMultiContainer => "sagemaker-multi-container",
            Self::SagemakerTransform => "sagemaker-transform",
            Self::SagemakerProcessing => "sagemaker-processing",
            Self::SagemakerLocal => "sagemaker-local",
            Self::SagemakerIsolated => "sagemaker-isolated",
            Self::KubernetesPod => "kubernetes-pod",
            Self::KubernetesJob => "kubernetes-job",
            Self::KubernetesRestricted => "kubernetes-restricted",
            Self::Bare => "bare",
        }
    }

    /// What the platform says there; `None` where it may say either, or nothing.
    #[must_use]
    pub fn word(self) -> Option<Word> {
        match self {
            Self::SagemakerTraining | Self::KubernetesJob => Some(Word::Train),
            Self::SagemakerHosting
            | Self::SagemakerMultiContainer
            | Self::SagemakerTransform
            | Self::KubernetesPod => Some(Word::Serve),
            Self::SagemakerProcessing
            | Self::SagemakerLocal
            | Self::SagemakerIsolated
            | Self::KubernetesRestricted
            | Self::Bare => None,
        }
    }

    /// Seconds between the platform's SIGTERM and its SIGKILL.
    #[must_use]
    pub fn patience(self) -> u64 {
        match self {
            // A Job's pods are given the time that SageMaker gives.
            Self::SagemakerTraining | Self::KubernetesJob => 120,
            // docker's and docker-compose's own.
            Self::SagemakerLocal | Self::Bare => 10,
            _ => 30,
        }
    }

    /// The port that a server is to listen at.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::SagemakerMultiContainer => 8081,
            _ => 8080,
        }
    }

    /// Names in `/opt/ml` that the platform mounts or writes.
    #[must_use]
    pub fn mounts(self) -> &'static [&'static str] {
        match self {
            Self::SagemakerProcessing => &["config", "processing", "output"],
            _ => &["input", "model", "output", "checkpoints", "sagemaker"],
        }
    }

    /// Names of the container that resolve in it. A job of SageMaker's finds itself by the name in its documents, and
    /// the training toolkit waits for that.
    fn hosts(self, word: Option<Word>) -> &'static [&'static str] {
        match self {
            Self::SagemakerTraining | Self::SagemakerProcessing => &["algo-1"],
            Self::SagemakerLocal | Self::SagemakerIsolated if word == Some(Word::Train) => {
                &["algo-1"]
            }
            _ => &[],
        }
    }

    fn is_kubernetes(self) -> bool {
        matches!(
            self,
            Self::KubernetesPod | Self::KubernetesJob | Self::KubernetesRestricted
        )
    }

    /// Evidence that this engine cannot show to a container, and the setting that replaces it.
    #[must_use]
    pub fn missing_evidence(self) -> Option<&'static str> {
        self.is_kubernetes().then_some(
            "no kubelet mounts /etc/hosts and /dev/termination-log here: LYFTLEARN_RUNTIME_PLATFORM tells the platform",
        )
    }

    /// A container of this image in this place, doing this.
    #[must_use]
    pub fn order(self, image: &str, word: Option<Word>, input: &Input) -> Order {
        let mut mounts = match (self, word) {
            (Self::SagemakerProcessing, _) => vec![volumes::processing()],
            (Self::Bare, _) | (_, None) => Vec::new(),
            (_, Some(Word::Train)) => self.training(input),
            (_, Some(Word::Serve)) => self.serving(input),
        };
        if self.is_kubernetes() && !mounts.is_empty() {
            mounts.push(Mount {
                target: POD_IDENTITY.to_owned(),
                entries: vec![
                    Entry::directory(".", 0o755),
                    Entry::file(TOKEN, 0o644, format!("token-{}", input.canary)),
                ],
                read_only: true,
                ..Mount::default()
            });
        }
        // A processing job's image gets no argument: its default program runs.
        let said = word.filter(|_| self != Self::SagemakerProcessing);
        Order {
            image: image.to_owned(),
            entrypoint: None,
            words: said.iter().map(|word| word.text().to_owned()).collect(),
            variables: self.variables(word, &input.canary),
            mounts,
            hosts: self.hosts(word),
            restricted: self == Self::KubernetesRestricted,
            probe: false,
            memory: None,
            objects: std::collections::BTreeMap::new(),
        }
    }
}
