//! What the program receives: variables and files (design: "What the program receives").

pub(crate) const PLATFORM: &str = "LYFTLEARN_PLATFORM";
pub(crate) const FLAVOR: &str = "LYFTLEARN_FLAVOR";
pub(crate) const ROLE: &str = "LYFTLEARN_ROLE";
pub(crate) const JOB_NAME: &str = "LYFTLEARN_JOB_NAME";
pub(crate) const JOB_ID: &str = "LYFTLEARN_JOB_ID";
pub(crate) const MODEL_DIR: &str = "LYFTLEARN_MODEL_DIR";
pub(crate) const INPUT_DIR: &str = "LYFTLEARN_INPUT_DIR";
pub(crate) const OUTPUT_DIR: &str = "LYFTLEARN_OUTPUT_DIR";
pub(crate) const OUTPUT_DATA_DIR: &str = "LYFTLEARN_OUTPUT_DATA_DIR";
pub(crate) const CHECKPOINT_DIR: &str = "LYFTLEARN_CHECKPOINT_DIR";
pub(crate) const CODE_DIR: &str = "LYFTLEARN_CODE_DIR";
pub(crate) const CACHE_DIR: &str = "LYFTLEARN_CACHE_DIR";
pub(crate) const TMP_DIR: &str = "LYFTLEARN_TMP_DIR";
pub(crate) const RUN_DIR: &str = "LYFTLEARN_RUN_DIR";
pub(crate) const CHANNELS: &str = "LYFTLEARN_CHANNELS";
/// Followed by the channel's name in upper case, every byte but `A-Z 0-9 _` as `_`.
pub(crate) const CHANNEL_PREFIX: &str = "LYFTLEARN_CHANNEL_";
pub(crate) const HYPERPARAMETERS_FILE: &str = "LYFTLEARN_HYPERPARAMETERS_FILE";
pub(crate) const HOSTS: &str = "LYFTLEARN_HOSTS";
pub(crate) const HOST: &str = "LYFTLEARN_HOST";
pub(crate) const NODE_RANK: &str = "LYFTLEARN_NODE_RANK";
pub(crate) const NODES: &str = "LYFTLEARN_NODES";
/// Of an elastic job, instead of the number.
pub(crate) const NODES_LEAST: &str = "LYFTLEARN_NODES_LEAST";
pub(crate) const NODES_MOST: &str = "LYFTLEARN_NODES_MOST";
pub(crate) const MASTER_ADDR: &str = "LYFTLEARN_MASTER_ADDR";
/// Not `…_PORT`: Kubernetes service links forge names that end so.
pub(crate) const MASTER_PORT_NUMBER: &str = "LYFTLEARN_MASTER_PORT_NUMBER";
pub(crate) const NETWORK_INTERFACE: &str = "LYFTLEARN_NETWORK_INTERFACE";
pub(crate) const CPUS: &str = "LYFTLEARN_CPUS";
pub(crate) const MEMORY_BYTES: &str = "LYFTLEARN_MEMORY_BYTES";
pub(crate) const GPUS: &str = "LYFTLEARN_GPUS";
pub(crate) const GRACE_SECONDS: &str = "LYFTLEARN_GRACE_SECONDS";
pub(crate) const RESIZE_SECONDS: &str = "LYFTLEARN_RESIZE_SECONDS";
/// Directory in which the Python package records uncaught exceptions; if it is unset, nothing is
/// recorded.
pub(crate) const EXCEPTIONS_DIR: &str = "LYFTLEARN_EXCEPTIONS_DIR";

/// Every fixed name above: a value found under one of them that this start does
/// not set is left over from an outer start, and is removed.
pub(crate) const RESERVED: &[&str] = &[
    PLATFORM,
    FLAVOR,
    ROLE,
    JOB_NAME,
    JOB_ID,
    MODEL_DIR,
    INPUT_DIR,
    OUTPUT_DIR,
    OUTPUT_DATA_DIR,
    CHECKPOINT_DIR,
    CODE_DIR,
    CACHE_DIR,
    TMP_DIR,
    RUN_DIR,
    CHANNELS,
    HYPERPARAMETERS_FILE,
    HOSTS,
    HOST,
    NODE_RANK,
    NODES,
    NODES_LEAST,
    NODES_MOST,
    MASTER_ADDR,
    MASTER_PORT_NUMBER,
    NETWORK_INTERFACE,
    CPUS,
    MEMORY_BYTES,
    GPUS,
    GRACE_SECONDS,
    RESIZE_SECONDS,
    EXCEPTIONS_DIR,
];

/// In the run directory: the whole workload, as `inspect --json` names its fields.
pub(crate) const WORKLOAD_FILE: &str = "workload.json";
/// In the run directory: one JSON object, every value a text.
#[cfg(feature = "cli")]
pub(crate) const HYPERPARAMETERS_DOCUMENT: &str = "hyperparameters.json";
/// In the run directory: one JSON object, the variables that were delivered.
#[cfg(feature = "cli")]
pub(crate) const ENVIRONMENT_DOCUMENT: &str = "environment.json";
/// In the run directory, once a stop is asked for: the signal, and until when there is
/// time, in seconds on CLOCK_MONOTONIC.
pub(crate) const SHUTDOWN_FILE: &str = "shutdown.json";
/// In the run directory, at the end: why it ended.
#[cfg(feature = "cli")]
pub(crate) const OUTCOME_FILE: &str = "outcome.json";
/// In the run directory: one file for each uncaught exception.
#[cfg(feature = "cli")]
pub(crate) const EXCEPTIONS: &str = "exceptions";
/// In the run directory: which runtime has it.
pub(crate) const RUNTIME_NOTE: &str = "runtime.json";
/// In the run directory: the agent's socket.
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const AGENT_SOCKET: &str = "agent.sock";
/// In the run directory: where StatsD's lines go, one datagram or connection each.
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const STATSD_DATAGRAMS: &str = "statsd.sock";
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const STATSD_STREAM: &str = "statsd-stream.sock";
/// In the run directory: the StatsD ports, for programs that start later.
#[cfg(feature = "cli")]
pub(crate) const STATSD_PORTS: &str = "statsd.json";
/// In the run directory: the addresses of all listeners, for tools.
#[cfg(feature = "cli")]
pub(crate) const LISTENERS: &str = "listeners.json";
/// In the run directory: what a client of the credential endpoint needs.
#[cfg(any(feature = "agent", feature = "cli"))]
pub(crate) const IDENTITY: &str = "aws";
/// There: the token, without a newline, and the endpoint's address.
#[cfg(any(feature = "agent", feature = "cli"))]
pub(crate) const IDENTITY_TOKEN: &str = "token";
#[cfg(any(feature = "agent", feature = "cli"))]
pub(crate) const IDENTITY_ENDPOINT: &str = "endpoint";
/// The endpoint's path; below it, other roles by name.
#[cfg(feature = "cli")]
pub(crate) const CREDENTIALS_PATH: &str = "/v1/credentials";
/// In the run directory: what all processes count in, or a link to it.
pub(crate) const METRICS_REGION: &str = "metrics.region";
/// In /dev/shm, followed by letters: the same where the run directory is not in memory.
pub(crate) const METRICS_REGION_PREFIX: &str = "lyftlearn-metrics-";

/// In the run directory: serves the metrics over HTTP.
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const METRICS_SOCKET: &str = "metrics.sock";
/// In the run directory: what of the metrics has been sent, for an agent that is started again.
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const METRICS_SENT: &str = "metrics-sent";
/// The same of what went out in the Embedded Metric Format.
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const METRICS_SENT_EMF: &str = "metrics-sent-emf";
/// In the run directory, while the agent ends: what of the metrics it could not deliver.
#[cfg(feature = "cli")]
pub(crate) const METRICS_UNDELIVERED: &str = "metrics-undelivered";
/// In the run directory of a program with a user of its own: what the snapshot beside its model says
/// of the start.
#[cfg(feature = "cli")]
pub(crate) const SNAPSHOT: &str = "snapshot.json";

/// Whether only this runtime may set this variable.
pub(crate) fn reserved(name: &str) -> bool {
    RESERVED.contains(&name) || name.starts_with(CHANNEL_PREFIX)
}
