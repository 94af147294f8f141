//! The one normalised model: what this container is asked to run, in the same
//! words on every platform. Pure data; `inspect --json` and `workload.json` show
//! these field names.

mod conventions;
mod credential_plan;
mod hyperparameters;
mod pieces;
mod spark;
mod texts;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use conventions::Conventions;
pub use credential_plan::CredentialPlan;
#[cfg_attr(
    not(feature = "agent"),
    allow(unused_imports, reason = "who asks waits on a network")
)]
pub(crate) use credential_plan::{Assumption, Origin, Roots, Secret};
pub use hyperparameters::Hyperparameters;
pub(crate) use hyperparameters::{JSON, NUMBER, TRUTH, WHOLE_NUMBER};
pub(crate) use hyperparameters::{as_bool, as_float, as_int, as_json, nearest};
pub(crate) use pieces::{Piece, Pieces};
pub(crate) use spark::host as spark_host;
pub use spark::{Malformed, Network, PortRange, Spark};
pub use texts::Texts;

/// The platform that started the container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// AWS SageMaker, or its SDK's local mode.
    #[serde(rename = "sagemaker")]
    SageMaker,
    /// A kubelet.
    Kubernetes,
    /// Another starter: a container engine, or no container at all.
    Local,
}

/// The variety of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flavor {
    /// SageMaker training job.
    Training,
    /// SageMaker processing job.
    Processing,
    /// SageMaker endpoint.
    Hosting,
    /// SageMaker batch transform.
    Transform,
    /// SageMaker Studio app.
    Studio,
    /// SageMaker notebook instance.
    NotebookInstance,
    /// The SageMaker Python SDK's local mode.
    LocalMode,
    /// An ordinary pod.
    Pod,
    /// A pod on Amazon EKS.
    Eks,
    /// A predictor of KServe or Knative.
    Kserve,
    /// SageMaker HyperPod on EKS.
    Hyperpod,
    /// A container without an orchestrator.
    Container,
    /// No container.
    Host,
}

/// What the program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Makes a model.
    Training,
    /// Transforms data.
    Processing,
    /// Answers requests.
    Serving,
    /// Answers requests of a batch.
    Transform,
    /// Runs to its end, and nothing more is known.
    Job,
    /// Interactive.
    Notebook,
}

/// Gives an enum the text that serde writes for it.
macro_rules! as_str {
    ($name:ident { $($variant:ident => $text:literal),+ $(,)? }) => {
        $crate::choice::choice!($name { $(Self::$variant => $text),+ });

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The text that `inspect --json`, the variables and Python show.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

as_str!(Platform {
    SageMaker => "sagemaker",
    Kubernetes => "kubernetes",
    Local => "local",
});
as_str!(Flavor {
    Training => "training",
    Processing => "processing",
    Hosting => "hosting",
    Transform => "transform",
    Studio => "studio",
    NotebookInstance => "notebook-instance",
    LocalMode => "local-mode",
    Pod => "pod",
    Eks => "eks",
    Kserve => "kserve",
    Hyperpod => "hyperpod",
    Container => "container",
    Host => "host",
});
as_str!(Role {
    Training => "training",
    Processing => "processing",
    Serving => "serving",
    Transform => "transform",
    Job => "job",
    Notebook => "notebook",
});

// Below the macro that it uses.
pub(crate) mod events;
pub use events::{Events, Voice};

/// What this container is asked to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// The platform that started the container.
    pub platform: Platform,
    /// The variety of the platform.
    pub flavor: Flavor,
    /// What the program is for.
    pub role: Role,
    /// The job's names.
    pub job: Job,
    /// Directories and files that the program may use.
    pub paths: Paths,
    /// Input data by channel name.
    pub channels: BTreeMap<String, Channel>,
    /// Where the hyperparameters are; the values are delivered, not shown.
    pub hyperparameters: Hyperparameters,
    /// The nodes of this job.
    pub topology: Topology,
    /// What this container may use.
    pub resources: Resources,
    /// How it is asked to stop.
    pub lifecycle: Lifecycle,
    /// Which identity the platform gives.
    pub credentials: Credentials,
    /// Where metrics go.
    pub metrics: Metrics,
    /// The declared secrets.
    pub secrets: Secrets,
    /// How executors elsewhere find a Spark driver of this container; `None` where the setting
    /// `spark.mode` says `off`.
    pub spark: Option<Spark>,
    /// Destinations of the job's state events; `None` if the setting `events.to` is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Events>,
}

/// The job's names.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The job's name, as its owner chose it.
    pub name: Option<String>,
    /// What tells this run from every other: the ARN, or the pod's UID.
    pub id: Option<String>,
    /// SageMaker's ARN.
    pub arn: Option<String>,
    /// The pod's namespace.
    pub namespace: Option<String>,
    /// Which attempt at the job this is, from 0, where the platform tells.
    pub attempt: Option<u32>,
    /// The container's name in its pod.
    pub container: Option<String>,
    /// The pod's labels, where a downwardAPI volume has them.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The pod's annotations, likewise.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// Directories that exist or can be made, and files that the platform reads. `None` means that the
/// path is not available.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Paths {
    /// The model: written by training, read by serving.
    pub model: Option<PathBuf>,
    /// All input; channels lie below.
    pub input: Option<PathBuf>,
    /// Everything the job leaves behind but the model.
    pub output: Option<PathBuf>,
    /// Output that the platform keeps.
    pub output_data: Option<PathBuf>,
    /// Checkpoints, kept across attempts where the platform does so.
    pub checkpoints: Option<PathBuf>,
    /// The user's code.
    pub code: Option<PathBuf>,
    /// Kept between jobs where the platform does so; never for secrets.
    pub cache: Option<PathBuf>,
    /// Scratch.
    pub tmp: Option<PathBuf>,
    /// The file in which the platform looks for a failure's reason.
    pub failure: Option<PathBuf>,
    /// The runtime's own files, `workload.json` first.
    pub run: Option<PathBuf>,
}

/// How a channel's data arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelMode {
    /// Downloaded before the start.
    File,
    /// A FIFO for each epoch, `<path>_0` first.
    Pipe,
    /// A file system that fetches files when they are read.
    FastFile,
    /// A volume.
    Mount,
}

/// One input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// Its directory, or in pipe mode the FIFO's name without `_<epoch>`.
    pub path: PathBuf,
    /// How the data arrive.
    pub mode: ChannelMode,
    /// MIME type, where declared.
    pub content_type: Option<String>,
    /// Whether each node sees another part of the data, where known.
    pub sharded: Option<bool>,
}

/// The nodes of this job. One without company is rank 0 of 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Topology {
    /// This node's name.
    pub host: String,
    /// Every node's name in rank order; empty where the platform tells only a count.
    pub hosts: Vec<String>,
    /// This node's place, from 0; `None` where a launcher ranks the nodes, anew each round.
    pub node_rank: Option<u32>,
    /// How many nodes there are; `None` where that may change while the job runs.
    pub nodes: Option<u32>,
    /// Between how many nodes the job runs, where it is elastic.
    pub bounds: Option<Bounds>,
    /// Accelerators of this node that workers may have one each of; 0 without any.
    pub local_devices: u32,
    /// Rank 0's address; `None` where several nodes have none named.
    pub master_addr: Option<String>,
    /// Where rank 0 listens for the others (TCP).
    pub master_port: u16,
    /// This node's own address for the others, where a launcher finds the nodes.
    pub local_addr: Option<String>,
    /// The interface on which the nodes see each other, where known.
    pub network_interface: Option<String>,
    /// Instance groups, in the platform's order; empty without any.
    pub groups: Vec<Group>,
}

impl Topology {
    /// Whether there is, or may be, company.
    pub fn is_distributed(&self) -> bool {
        self.nodes != Some(1)
    }

    /// Whether a launcher finds the nodes by a rendezvous, and ranks them itself.
    pub fn is_ranked_by_launcher(&self) -> bool {
        self.node_rank.is_none()
    }
}

/// One process's place among all that a launcher has started. It is fixed while the process
/// lives: when nodes come or go, torchrun starts new ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its place among all, from 0.
    pub rank: u32,
    /// How many there are.
    pub world_size: u32,
    /// Its place among those of this node, from 0.
    pub local_rank: u32,
    /// How many there are on this node, where the launcher tells.
    pub local_world_size: Option<u32>,
    /// How often torchrun has started them again after a failure.
    pub restarts: Option<u32>,
}

/// Between how many nodes an elastic job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// With fewer it waits.
    pub least: u32,
    /// More do not take part.
    pub most: u32,
}

/// One instance group of a heterogeneous cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// The group's name.
    pub name: String,
    /// The instance type, where told.
    pub instance_type: Option<String>,
    /// Its nodes, in the platform's order.
    pub hosts: Vec<String>,
    /// Whether this node is one of them.
    pub current: bool,
}

/// What this container may use: its cgroup's limits, never the node's numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Processors' worth of time: the smaller of quota and affinity.
    pub cpus: f64,
    /// The memory limit in bytes; `None` without one.
    pub memory_bytes: Option<u64>,
    /// NVIDIA devices.
    pub gpus: u32,
    /// AWS Neuron devices.
    pub neurons: u32,
    /// Size of `/dev/shm` in bytes, where it is mounted.
    pub shm_bytes: Option<u64>,
}

impl Resources {
    /// A whole number of processors, rounded up as the downward API does: programs count
    /// workers by it.
    pub(crate) fn whole_cpus(&self) -> u32 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count, at least 1; what is too large saturates"
        )]
        let whole = self.cpus.ceil().max(1.0) as u32;
        whole
    }
}

/// How the platform asks the program to stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// The signal's name.
    pub stop_signal: String,
    /// Time between that signal and SIGKILL that the program may use, in seconds.
    pub grace_seconds: u32,
    /// The source of the grace.
    pub grace_source: String,
    /// Seconds that HyperPod gives workers before a new round, if a setting says so.
    pub resize_seconds: Option<u32>,
}

/// Which means of identity the environment offers. Names, never values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialSource {
    /// The program's own static keys.
    Static,
    /// A web identity token file (IRSA).
    WebIdentity,
    /// EKS Pod Identity.
    PodIdentity,
    /// A container-credentials endpoint: SageMaker, ECS, or one of the user's.
    Container,
    /// A shared profile.
    Profile,
    /// The instance's own role, only where a setting asks for it.
    Imds,
    /// No source: network isolation, or nothing configured.
    None,
}

as_str!(ChannelMode {
    File => "file",
    Pipe => "pipe",
    FastFile => "fastfile",
    Mount => "mount",
});
as_str!(CredentialSource {
    Static => "static",
    WebIdentity => "web-identity",
    PodIdentity => "pod-identity",
    Container => "container",
    Profile => "profile",
    Imds => "imds",
    None => "none",
});

/// How the program comes to its identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialMode {
    /// By this runtime's endpoint, and by nothing else.
    Broker,
    /// As the platform, or the user, made it.
    #[default]
    Native,
    /// Not at all.
    Off,
}

as_str!(CredentialMode {
    Broker => "broker",
    Native => "native",
    Off => "off",
});

/// The identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Credentials {
    /// The source the AWS SDKs would pick, or the one that a setting names.
    pub source: CredentialSource,
    /// How the program comes to it.
    #[serde(default)]
    pub mode: CredentialMode,
    /// Whether the platform withholds an identity by design (SageMaker's network isolation).
    pub isolated: bool,
}

/// Where metrics go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The ways out, by name; empty while the runtime carries none.
    pub routes: Vec<String>,
}

/// The declared secrets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Secrets {
    /// Their names.
    pub names: Vec<String>,
}
