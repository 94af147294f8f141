//! Spark's own names: variables that its launcher and its driver read, and keys of its
//! configuration (Spark's configuration guide, and the bytecode of 3.5.6 and 4.3.0).

/// The name by which a driver advertises itself, and that it binds.
pub(crate) const LOCAL_HOSTNAME: &str = "SPARK_LOCAL_HOSTNAME";
/// The address of which a driver advertises the name.
pub(crate) const LOCAL_IP: &str = "SPARK_LOCAL_IP";
/// Options of the JVM of every `spark-submit`.
pub(crate) const SUBMIT_OPTS: &str = "SPARK_SUBMIT_OPTS";
/// Where a client of Spark Connect finds its driver.
pub(crate) const REMOTE: &str = "SPARK_REMOTE";
/// What a driver elsewhere looks like there. `local[*]` is a driver here.
pub(crate) const REMOTE_SCHEME: &str = "sc://";

/// Options that fix the ports on which a driver listens for executors.
pub(crate) const DRIVER_PORT: &str = "-Dspark.driver.port=";
/// No user sets this one by chance: it tells that our own options are there already.
pub(crate) const BLOCK_PORT: &str = "-Dspark.driver.blockManager.port=";
/// Spark goes upwards so many times when a port is taken.
pub(crate) const PORT_RETRIES: &str = "-Dspark.port.maxRetries=";

/// Docker's own bridge, which every machine with Docker has.
pub(crate) const DOCKER_BRIDGE: ([u8; 4], u8) = ([172, 17, 0, 0], 16);
/// Addresses for documentation (RFC 5737, RFC 3849): nobody has them, and so the default route
/// leads there.
pub(crate) const ANYWHERE_4: [u8; 4] = [192, 0, 2, 1];
pub(crate) const ANYWHERE_6: [u16; 8] = [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1];
