//! Where the metrics of a container are shown.

/// The port at which Prometheus scrapes a pod: the StatsD exporter's, so scrape configurations
/// usually have it already.
pub(crate) const PORT: u16 = 9102;
/// Prometheus asks for it.
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const PATH: &str = "/metrics";
/// How long Prometheus waits for the answer, in seconds.
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const SCRAPE_TIMEOUT: &str = "X-Prometheus-Scrape-Timeout-Seconds";
