//! The outside world's words: names, wire types and limits. No logic lives here.
//!
//! docs/reference lists every name of this module; `tests/tidy.rs` holds the two in step.

pub(crate) mod aws;
pub(crate) mod delivered;
pub(crate) mod events;
pub(crate) mod kubernetes;
#[cfg(feature = "cli")]
pub(crate) mod launchers;
#[cfg(feature = "cli")]
pub(crate) mod ledger;
pub(crate) mod limits;
pub(crate) mod linux;
pub(crate) mod metrics;
pub(crate) mod otlp;
pub(crate) mod protected;
pub(crate) mod runtime;
pub(crate) mod sagemaker;
pub(crate) mod secrets;
pub(crate) mod spark;
pub(crate) mod statsd;
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) mod statsd_metrics;
pub(crate) mod toolkit;
#[cfg(feature = "cli")]
pub(crate) mod torch;
pub(crate) mod worker;
