//! How each platform starts a container, as data. `check`, `run` and this project's own tests use
//! the same rows.

use serde_json::{Value, json};

use crate::files::Entry;
use crate::kubelet;
use crate::sagemaker;

/// The job's name in every place.
pub const JOB: &str = "conformance-2026-01-01";

/// One way in which a platform starts a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A training job of SageMaker's.
    SagemakerTraining,
    /// An endpoint's container.
    SagemakerHosting,
    /// The same in an endpoint of several containers, which assigns another port.
    SagemakerMultiContainer,
    /// A pod that serves.
    KubernetesPod,
    /// A pod of an Indexed Job.
    KubernetesJob,
    /// A pod under the Pod Security Standard `restricted`, with a read-only root.
    KubernetesRestricted,
    /// Nobody's: started by hand.
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
}

/// Where a served model comes from.
#[derive(Clone, Debug, Default)]
pub enum Model {
    /// There is none.
    #[default]
    None,
    /// These files.
    Files(Vec<Entry>),
    /// The directory `model` of this volume, which training left.
    Trained(String),
}

/// What is done in a place.
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

/// A volume of a container: where it is mounted, and what lies in it.
#[derive(Clone, Debug)]
pub struct Mount {
    /// Where the image finds it.
    pub target: String,
    /// What is put into it.
    pub entries: Vec<Entry>,
    /// As the platform mounts it.
    pub read_only: bool,
    /// Another container's volume and the directory in it to copy first.
    pub from: Option<(String, String)>,
}

/// One container to start.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// The image's id.
    pub image: String,
    /// What is started in place of the image's entry point.
    pub entrypoint: Option<String>,
    /// What follows the image.
    pub words: Vec<String>,
    /// Variables of the platform.
    pub variables: Vec<(String, String)>,
    /// Its volumes.
    pub mounts: Vec<Mount>,
    /// Whether it is started under the Pod Security Standard `restricted`, with a read-only root.
    pub restricted: bool,
    /// Whether the probe is mounted.
    pub probe: bool,
}

impl Place {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::SagemakerTraining,
        Self::SagemakerHosting,
        Self::SagemakerMultiContainer,
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
            Self::KubernetesPod => "kubernetes-pod",
            Self::KubernetesJob => "kubernetes-job",
            Self::KubernetesRestricted => "kubernetes-restricted",
            Self::Bare => "bare",
        }
    }

    /// What the platform says there; a restricted pod may train or serve.
    #[must_use]
    pub fn word(self) -> Option<Word> {
        match self {
            Self::SagemakerTraining | Self::KubernetesJob => Some(Word::Train),
            Self::SagemakerHosting | Self::SagemakerMultiContainer | Self::KubernetesPod => {
                Some(Word::Serve)
            }
            Self::KubernetesRestricted | Self::Bare => None,
        }
    }

    /// Seconds between the platform's SIGTERM and its SIGKILL.
    #[must_use]
    pub fn patience(self) -> u64 {
        match self {
            // A Job's pods are given the time that SageMaker gives.
            Self::SagemakerTraining | Self::KubernetesJob => 120,
            Self::Bare => 10,
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

    fn is_kubernetes(self) -> bool {
        matches!(
            self,
            Self::KubernetesPod | Self::KubernetesJob | Self::KubernetesRestricted
        )
    }

    /// What a container there cannot be shown by this engine, and how its platform is told instead.
    #[must_use]
    pub fn missing_evidence(self) -> Option<&'static str> {
        self.is_kubernetes().then_some(
            "no kubelet mounts /etc/hosts and /dev/termination-log here: LYFTLEARN_RUNTIME_PLATFORM tells the platform",
        )
    }

    /// Variables of the place.
    #[must_use]
    pub fn variables(self) -> Vec<(String, String)> {
        let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        match self {
            Self::SagemakerTraining => sagemaker::training_variables(JOB),
            Self::SagemakerHosting => sagemaker::platform_variables(),
            Self::SagemakerMultiContainer => {
                let mut variables = sagemaker::platform_variables();
                variables.extend(own(&[
                    ("SAGEMAKER_BIND_TO_PORT", "8081"),
                    ("SAGEMAKER_SAFE_PORT_RANGE", "8081-8999"),
                ]));
                variables
            }
            Self::KubernetesPod | Self::KubernetesJob | Self::KubernetesRestricted => {
                let mut variables = kubelet::service_variables(JOB);
                variables.extend(own(&[("LYFTLEARN_RUNTIME_PLATFORM", "kubernetes")]));
                if self == Self::KubernetesJob {
                    variables.extend(own(&[
                        ("JOB_COMPLETION_INDEX", "0"),
                        ("NNODES", "1"),
                        ("LYFTLEARN_RUNTIME_JOB_NAME", JOB),
                        // What `terminationGracePeriodSeconds` says, which no pod is told.
                        ("LYFTLEARN_RUNTIME_LIFECYCLE_GRACE_SECONDS", "120"),
                    ]));
                }
                variables
            }
            Self::Bare => Vec::new(),
        }
    }

    /// A container of this image in this place, doing this.
    #[must_use]
    pub fn order(self, image: &str, word: Option<Word>, input: &Input) -> Order {
        let mounts = match word.filter(|_| self != Self::Bare) {
            None => Vec::new(),
            Some(Word::Train) => self.training(input),
            Some(Word::Serve) => self.serving(input),
        };
        Order {
            image: image.to_owned(),
            entrypoint: None,
            words: word.iter().map(|word| word.text().to_owned()).collect(),
            variables: self.variables(),
            mounts,
            restricted: self == Self::KubernetesRestricted,
            probe: false,
        }
    }

    fn training(self, input: &Input) -> Vec<Mount> {
        // A pod's volumes belong to its fsGroup.
        let mode = if self == Self::KubernetesRestricted {
            0o777
        } else {
            0o755
        };
        let mut ml = vec![Entry::directory(".", mode)];
        for directory in [
            "input",
            "input/data",
            "model",
            "output",
            "output/data",
            "checkpoints",
        ] {
            ml.push(Entry::directory(directory, mode));
        }
        for (channel, files) in &input.channels {
            let below = format!("input/data/{channel}");
            ml.push(Entry::directory(&below, mode));
            ml.extend(files.iter().map(|entry| entry.below(&below)));
        }
        let texts = input.hyperparameters.iter();
        let hyperparameters: Value = texts
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let mount = |target: &str, entries, read_only| Mount {
            target: target.to_owned(),
            entries,
            read_only,
            from: None,
        };
        if self.is_kubernetes() {
            return vec![
                mount("/opt/ml", ml, false),
                mount("/etc/lyftlearn/config", config_map(&hyperparameters), true),
            ];
        }
        let channels: Vec<&str> = input
            .channels
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        for (name, document) in sagemaker::documents(&hyperparameters, &channels) {
            ml.push(Entry::file(
                &format!("input/config/{name}"),
                0o644,
                document.to_string(),
            ));
        }
        // After its files: without the search bit only root gets through, as on real jobs.
        ml.push(Entry::directory("input/config", 0o644));
        vec![mount("/opt/ml", ml, false)]
    }

    fn serving(self, input: &Input) -> Vec<Mount> {
        let (entries, from) = match &input.model {
            Model::None => (vec![Entry::directory(".", 0o755)], None),
            Model::Files(entries) => (entries.clone(), None),
            Model::Trained(volume) => (Vec::new(), Some((volume.clone(), "model".to_owned()))),
        };
        let model = Mount {
            target: "/opt/ml/model".to_owned(),
            entries,
            read_only: true,
            from,
        };
        let mut mounts = vec![model];
        if self.is_kubernetes() {
            mounts.push(Mount {
                target: "/etc/lyftlearn/config".to_owned(),
                entries: config_map(&json!({})),
                read_only: true,
                from: None,
            });
        }
        mounts
    }
}

/// A ConfigMap's volume in the kubelet's layout.
fn config_map(hyperparameters: &Value) -> Vec<Entry> {
    let generation = kubelet::GENERATION;
    vec![
        Entry::directory(".", 0o755),
        Entry::directory(generation, 0o755),
        Entry::file(
            &format!("{generation}/hyperparameters.json"),
            0o644,
            hyperparameters.to_string(),
        ),
        Entry::link("..data", generation),
        Entry::link("hyperparameters.json", "..data/hyperparameters.json"),
    ]
}
