//! In what the same job may differ from one platform to the other.

use serde_json::Value;

/// The fields that name the place, and those of which only one of the platforms says
/// anything (ARCHITECTURE.md). Nothing that steers a program.
pub const PLACE: &[&str] = &[
    "credentials.isolated",
    "credentials.mode",
    "credentials.source",
    "flavor",
    "hyperparameters.path",
    "hyperparameters.sources",
    "job.arn",
    "job.container",
    "job.id",
    "job.namespace",
    "lifecycle.grace_source",
    "metrics.routes",
    "paths.failure",
    "platform",
    "spark.address",
    "spark.why",
    "topology.groups",
    "topology.host",
    "topology.hosts",
    "topology.master_addr",
    "topology.network_interface",
];

/// The same for variables, by their beginnings.
pub const PLACE_VARIABLES: &[&str] = &[
    // The address and the token of this start's own endpoint. Only a start serves credentials;
    // whether there are any is known before.
    "AWS_CONTAINER_",
    "AWS_EC2_METADATA_DISABLED",
    "LYFTLEARN_FLAVOR",
    "LYFTLEARN_HOST",
    "LYFTLEARN_JOB_ID",
    "GLOO_SOCKET_IFNAME",
    "JAX_COORDINATOR_ADDRESS",
    "LYFTLEARN_MASTER_ADDR",
    "LYFTLEARN_NETWORK_INTERFACE",
    "LYFTLEARN_PLATFORM",
    "MASTER_ADDR",
    "NCCL_SOCKET_IFNAME",
    "PET_MASTER_ADDR",
    "CURRENT_HOST",
    "SM_CURRENT_",
    "SM_HOSTS",
    "SM_INSTANCE_GROUPS",
    "SM_IS_HETERO",
    // A channel's content type, which a volume has not.
    "SM_INPUT_DATA_CONFIG",
    "SM_RESOURCE_CONFIG",
    "SM_TRAINING_ENV",
    // Where executors find a driver: this container's own address.
    "SPARK_LOCAL_HOSTNAME",
];

/// Settings that a pod needs because its platform does not say the same by itself.
pub const PLACE_SETTINGS: &[&str] = &[
    "job.name",
    "lifecycle.grace_seconds",
    "role",
    "topology.nodes",
];

/// Whether two texts are one value: a list in a variable keeps the spaces that its author wrote.
#[must_use]
pub fn are_equal(a: Option<&String>, b: Option<&String>) -> bool {
    let list = |text: Option<&String>| serde_json::from_str::<Vec<Value>>(text?).ok();
    a == b || (list(a).is_some() && list(a) == list(b))
}
