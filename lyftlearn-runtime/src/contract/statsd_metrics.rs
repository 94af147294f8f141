//! What the runtime counts of what StatsD's clients send, by the names that every route shows.

/// Packets and, on streams, reads that held lines.
pub(crate) const STATSD_PACKETS: &str = "lyftlearn_runtime_statsd_packets_total";
/// Lines, blank ones left out, whatever became of them.
pub(crate) const STATSD_LINES: &str = "lyftlearn_runtime_statsd_lines_total";
/// Lines that did not count, by reason.
pub(crate) const STATSD_REFUSED: &str = "lyftlearn_runtime_statsd_refused_lines_total";
/// DogStatsD's events and service checks, which are no metrics.
pub(crate) const STATSD_EVENTS: &str = "lyftlearn_runtime_statsd_events_total";
/// Lines with a rate too small to be taken at its word.
pub(crate) const STATSD_CLAMPED: &str = "lyftlearn_runtime_statsd_clamped_rates_total";
/// Packets that were longer than the receive buffer.
pub(crate) const STATSD_TRUNCATED: &str = "lyftlearn_runtime_statsd_truncated_packets_total";
/// Packets for which the kernel had no room.
pub(crate) const STATSD_KERNEL_DROPS: &str = "lyftlearn_runtime_statsd_kernel_drops_total";
/// How much the kernel keeps for a listener, in its own counting.
pub(crate) const STATSD_RECEIVE_BUFFER: &str = "lyftlearn_runtime_statsd_receive_buffer_bytes";

/// Label that distinguishes the series above.
pub(crate) const LISTENER: &str = "listener";
pub(crate) const REASON: &str = "reason";
pub(crate) const KIND: &str = "kind";
pub(crate) const EVENT: &str = "event";
pub(crate) const CHECK: &str = "check";
