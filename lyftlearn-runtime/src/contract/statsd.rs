//! Where clients of StatsD and DogStatsD look for a server.

/// Read by lyft/gostats and its kin.
pub(crate) const HOST: &str = "STATSD_HOST";
pub(crate) const PORT: &str = "STATSD_PORT";
/// `udp` or `tcp`; without it each client has its own default.
pub(crate) const PROTOCOL: &str = "STATSD_PROTOCOL";
/// Read by Datadog's clients (DogStatsD: client instantiation parameters).
pub(crate) const DATADOG_HOST: &str = "DD_AGENT_HOST";
pub(crate) const DATADOG_PORT: &str = "DD_DOGSTATSD_PORT";
pub(crate) const DATADOG_URL: &str = "DD_DOGSTATSD_URL";
/// Where they look without any of these.
pub(crate) const DEFAULT_PORT: u16 = 8125;
