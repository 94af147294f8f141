//! The outside world's words: names, wire types and limits. No logic lives here.
//!
//! CONTRACTS.md lists every name of this module; `tests/tidy.rs` holds the two in step.

pub(crate) mod aws;
pub(crate) mod delivered;
pub(crate) mod kubernetes;
pub(crate) mod limits;
pub(crate) mod linux;
#[cfg_attr(
    not(all(feature = "agent", feature = "cli")),
    allow(dead_code, reason = "metrics come in and go out by the agent")
)]
pub(crate) mod metrics;
pub(crate) mod runtime;
pub(crate) mod sagemaker;
#[cfg_attr(
    not(all(feature = "agent", feature = "cli")),
    allow(dead_code, reason = "an errand fetches, and the agent follows")
)]
pub(crate) mod secrets;
pub(crate) mod statsd;
pub(crate) mod toolkit;
pub(crate) mod torch;
