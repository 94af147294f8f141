//! Where metrics go to.

/// The deployment's StatsD server, as Lyft's clients find it.
pub(crate) const STATSD_HOST: &str = "STATSD_HOST";
pub(crate) const STATSD_PORT: &str = "STATSD_PORT";
pub(crate) const STATSD_PROTOCOL: &str = "STATSD_PROTOCOL";
/// Where such a server listens when nobody says otherwise.
pub(crate) const STATSD_USUAL_PORT: u16 = 8125;
/// Where Prometheus finds the metrics of a pod: the StatsD exporter's port, which whoever
/// scrapes pods knows already.
pub(crate) const PORT: u16 = 9102;
/// Prometheus asks for it.
#[cfg(feature = "agent")]
pub(crate) const PATH: &str = "/metrics";
/// How long Prometheus waits for the answer, in seconds.
#[cfg(feature = "agent")]
pub(crate) const SCRAPE_TIMEOUT: &str = "X-Prometheus-Scrape-Timeout-Seconds";
