//! Spark's own names: variables that its launcher and its driver read, and keys of its
//! configuration (Spark's configuration guide, and the bytecode of 3.5.6 and 4.3.0).

/// The name by which a driver advertises itself, and that it binds.
pub(crate) const LOCAL_HOSTNAME: &str = "SPARK_LOCAL_HOSTNAME";
/// The address of which a driver advertises the name.
pub(crate) const LOCAL_IP: &str = "SPARK_LOCAL_IP";
/// Options of the JVM of every `spark-submit`.
#[cfg(feature = "cli")]
pub(crate) const SUBMIT_OPTS: &str = "SPARK_SUBMIT_OPTS";
/// Where a client of Spark Connect finds its driver.
pub(crate) const REMOTE: &str = "SPARK_REMOTE";
/// What a driver elsewhere looks like there. `local[*]` is a driver here.
pub(crate) const REMOTE_SCHEME: &str = "sc://";

/// Options that fix the ports on which a driver listens for executors.
#[cfg(feature = "cli")]
pub(crate) const DRIVER_PORT: &str = "-Dspark.driver.port=";
/// No user sets this one by chance: it tells that our own options are there already.
#[cfg(feature = "cli")]
pub(crate) const BLOCK_PORT: &str = "-Dspark.driver.blockManager.port=";
/// Spark goes upwards so many times when a port is taken.
#[cfg(feature = "cli")]
pub(crate) const PORT_RETRIES: &str = "-Dspark.port.maxRetries=";

/// Docker's own bridge, which every machine with Docker has.
pub(crate) const DOCKER_BRIDGE: ([u8; 4], u8) = ([172, 17, 0, 0], 16);
/// Addresses for documentation (RFC 5737, RFC 3849). No host has them, so a route to them is the
/// default route.
pub(crate) const ANYWHERE_4: [u8; 4] = [192, 0, 2, 1];
pub(crate) const ANYWHERE_6: [u16; 8] = [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1];

/// Where Spark's own files are.
#[cfg(feature = "cli")]
pub(crate) const CONF_DIR: &str = "SPARK_CONF_DIR";
#[cfg(feature = "cli")]
pub(crate) const HOME: &str = "SPARK_HOME";
/// In `SPARK_HOME`, unless `SPARK_CONF_DIR` is set.
#[cfg(feature = "cli")]
pub(crate) const CONF_NAME: &str = "conf";
#[cfg(feature = "cli")]
pub(crate) const DEFAULTS_FILE: &str = "spark-defaults.conf";
#[cfg(feature = "cli")]
pub(crate) const ENVIRONMENT_FILE: &str = "spark-env.sh";
/// The master, where neither a file nor code names one.
#[cfg(feature = "cli")]
pub(crate) const MASTER: &str = "MASTER";
#[cfg(feature = "cli")]
pub(crate) const MASTER_KEY: &str = "spark.master";
#[cfg(feature = "cli")]
pub(crate) const STANDALONE: &str = "spark://";
#[cfg(feature = "cli")]
pub(crate) const KUBERNETES: &str = "k8s://";
/// Keys that decide where a driver is found.
#[cfg(feature = "cli")]
pub(crate) const DRIVER_HOST_KEY: &str = "spark.driver.host";
#[cfg(feature = "cli")]
pub(crate) const BIND_ADDRESS_KEY: &str = "spark.driver.bindAddress";
#[cfg(feature = "cli")]
pub(crate) const DRIVER_PORT_KEY: &str = "spark.driver.port";
#[cfg(feature = "cli")]
pub(crate) const BLOCK_PORT_KEY: &str = "spark.blockManager.port";
#[cfg(feature = "cli")]
pub(crate) const DRIVER_BLOCK_PORT_KEY: &str = "spark.driver.blockManager.port";
/// Keys of AWS in a driver's environment, which Spark copies into the configuration that it
/// sends to executors.
#[cfg(feature = "cli")]
pub(crate) const COPIED_TO_EXECUTORS: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];
