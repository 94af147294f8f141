//! Metrics: one region of memory that all processes of a container count in, and the
//! `metrics` facade for Rust programs.
//!
//! | to | use |
//! |---|---|
//! | count in the region, or read what was counted | [`region`] |
//! | show it to Prometheus | [`exposition`] |
//! | have the facade's macros do so | [`install`](crate::metrics::install()), with the feature `agent` |
//! | have them rendered by this process itself | [`recorder`](crate::metrics::recorder()), with the feature `agent` |

pub(crate) mod clients;
#[cfg(feature = "agent")]
mod exporter;
#[cfg(feature = "agent")]
mod facade;
pub mod region;
pub(crate) mod routes;
pub(crate) mod settings;
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) mod statsd;
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) mod store;

#[cfg(feature = "agent")]
pub use exporter::recorder;
#[cfg(feature = "agent")]
pub use facade::{Recorder, install};
pub use routes::prometheus::exposition;
