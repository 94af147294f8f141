//! How each platform starts a container, as data. `check`, `run` and this project's own tests use
//! the same rows.

use serde_json::{Value, json};

use crate::files::Entry;
use crate::kubelet;
use crate::sagemaker;

/// The job's name in every place.
pub const JOB: &str = "conformance-2026-01-01";

/// The name of the key that the SDK's local mode hands over.
pub const LOCAL_KEY: &str = "AKIACONFORMANCELOCAL";

/// Where EKS Pod Identity's webhook mounts a token, and its name.
const POD_IDENTITY: &str = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount";
const TOKEN: &str = "eks-pod-identity-token";

/// What the SDK sets in a container that serves, and by which such a container is known where the
/// platform sets nothing.
const SDK: &[(&str, &str)] = &[
    ("SAGEMAKER_CONTAINER_LOG_LEVEL", "20"),
    ("SAGEMAKER_PROGRAM", "inference.py"),
    ("SAGEMAKER_REGION", "eu-west-1"),
    ("SAGEMAKER_SUBMIT_DIRECTORY", "/opt/ml/model/code"),
];

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
#[derive(Clone, Debug)]
pub struct Mount {
    /// Where the image finds it.
    pub target: String,
    /// The files to write into it.
    pub entries: Vec<Entry>,
    /// As the platform mounts it.
    pub read_only: bool,
    /// What another container left, to copy first.
    pub from: Option<Copied>,
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

    /// Variables of the place.
    fn variables(self, word: Option<Word>, canary: &str) -> Vec<(String, String)> {
        let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        match self {
            Self::SagemakerTraining => sagemaker::training_variables(JOB),
            Self::SagemakerHosting => sagemaker::platform_variables(),
            Self::SagemakerTransform => {
                let mut variables = sagemaker::platform_variables();
                let arn = format!("arn:aws:sagemaker:eu-west-1:111111111111:transform-job/{JOB}");
                variables.extend(own(&[
                    ("TRANSFORM_JOB_ARN", &arn),
                    ("SAGEMAKER_BATCH", "true"),
                    ("SAGEMAKER_BATCH_STRATEGY", "MULTI_RECORD"),
                    ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "6"),
                ]));
                variables
            }
            Self::SagemakerProcessing => own(&[
                (
                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                    sagemaker::CREDENTIALS,
                ),
                ("AWS_REGION", "eu-west-1"),
            ]),
            // The caller passes keys of an account.
            Self::SagemakerLocal => {
                let mut variables = own(&[
                    ("AWS_REGION", "eu-west-1"),
                    ("AWS_ACCESS_KEY_ID", LOCAL_KEY),
                    ("AWS_SECRET_ACCESS_KEY", canary),
                ]);
                variables.extend(match word {
                    Some(Word::Serve) => own(SDK),
                    _ => own(&[("TRAINING_JOB_NAME", JOB)]),
                });
                variables
            }
            Self::SagemakerIsolated if word == Some(Word::Serve) => own(SDK),
            Self::SagemakerIsolated => {
                let mut variables = sagemaker::training_variables(JOB);
                let of_a_network = [
                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                    "ECS_CONTAINER_METADATA_URI",
                ];
                variables.retain(|(name, _)| !of_a_network.contains(&name.as_str()));
                variables
            }
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
                variables.extend(own(&[
                    ("LYFTLEARN_RUNTIME_PLATFORM", "kubernetes"),
                    // As EKS Pod Identity's webhook sets them.
                    (
                        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                        "http://169.254.170.23/v1/credentials",
                    ),
                    (
                        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                        &format!("{POD_IDENTITY}/{TOKEN}"),
                    ),
                    ("AWS_REGION", "eu-west-1"),
                ]));
                if self == Self::KubernetesJob {
                    variables.extend(own(&[
                        ("JOB_COMPLETION_INDEX", "0"),
                        ("NNODES", "1"),
                        ("LYFTLEARN_RUNTIME_JOB_NAME", JOB),
                        // The value of `terminationGracePeriodSeconds`, which a pod cannot read.
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
        let mut mounts = match (self, word) {
            (Self::SagemakerProcessing, _) => vec![processing()],
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
                from: None,
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
            restricted: self == Self::KubernetesRestricted,
            probe: false,
            memory: None,
            objects: std::collections::BTreeMap::new(),
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
        for (name, mut document) in sagemaker::documents(&hyperparameters, &channels) {
            if self == Self::SagemakerLocal && name == "resourceconfig.json" {
                document = json!({
                    "current_host": "algo-1",
                    "hosts": ["algo-1"],
                    "network_interface_name": "eth0",
                    "current_instance_type": "local",
                });
            }
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
            Model::Trained(volume) => (
                Vec::new(),
                Some(Copied {
                    volume: volume.clone(),
                    directory: "model".to_owned(),
                    into: ".".to_owned(),
                }),
            ),
        };
        let model = Mount {
            target: "/opt/ml/model".to_owned(),
            entries,
            // The SDK's local mode mounts it as it is.
            read_only: self != Self::SagemakerLocal,
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

/// A processing job's directories and documents.
fn processing() -> Mount {
    let input = json!({
        "InputName": "input-1",
        "S3Input": {"LocalPath": "/opt/ml/processing/input/input-1", "S3Uri": "s3://bucket/input",
            "S3DataDistributionType": "FullyReplicated", "S3DataType": "S3Prefix", "S3InputMode": "File"},
    });
    let output = json!({
        "OutputName": "output-1",
        "S3Output": {"LocalPath": "/opt/ml/processing/output/output-1", "S3Uri": "s3://bucket/output", "S3UploadMode": "EndOfJob"},
    });
    let job = json!({
        "ProcessingJobArn": format!("arn:aws:sagemaker:eu-west-1:111111111111:processing-job/{JOB}"),
        "ProcessingJobName": JOB,
        "Environment": {},
        "ProcessingInputs": [input],
        "ProcessingOutputConfig": {"Outputs": [output], "KmsKeyId": null},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}},
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
    });
    let resources = json!({"current_host": "algo-1", "hosts": ["algo-1"]});
    let directories = [
        ".",
        "config",
        "output",
        "processing",
        "processing/input",
        "processing/input/input-1",
        "processing/output",
        "processing/output/output-1",
    ];
    let mut entries: Vec<Entry> = directories
        .map(|path| Entry::directory(path, 0o755))
        .to_vec();
    for (name, document) in [("processingjobconfig", job), ("resourceconfig", resources)] {
        entries.push(Entry::file(
            &format!("config/{name}.json"),
            0o644,
            document.to_string(),
        ));
    }
    Mount {
        target: "/opt/ml".to_owned(),
        entries,
        read_only: false,
        from: None,
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
