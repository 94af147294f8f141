//! CloudWatch's Embedded Metric Format, on stdout or to CloudWatch's agent.

#[cfg(all(feature = "agent", feature = "cli"))]
pub(super) mod documents;
mod plan;
#[cfg(all(feature = "agent", feature = "cli"))]
mod sender;
mod settings;
#[cfg(all(feature = "agent", feature = "cli"))]
mod stdout;
#[cfg(test)]
#[cfg(all(feature = "agent", feature = "cli"))]
mod tests;

pub(crate) use plan::{Plan, plan};
pub(crate) use settings::Settings;

use super::Route;

pub(super) const ROUTE: Route = Route {
    name: "emf",
    keys: settings::KEYS,
    loss: None,
};
