//! Where metrics go from here: a route is one output of what was counted, in a folder of its own.

#[cfg(all(feature = "agent", feature = "cli"))]
mod deltas;
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) mod emf;
#[cfg(all(test, feature = "agent", feature = "cli"))]
mod fuzz;
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) mod interval;
#[cfg(all(feature = "agent", feature = "cli"))]
mod link;
#[cfg(all(feature = "agent", feature = "cli"))]
mod observed;
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) mod otlp;
pub(crate) mod prometheus;
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) mod sagemaker;
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) mod statsd;
