//! Prometheus scrapes metrics over HTTP from the route's port, which PID 1 binds and the agent
//! serves.

#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) mod answer;
pub mod exposition;
mod plan;
mod settings;

pub(crate) use plan::{Plan, plan};
pub(crate) use settings::Settings;

use super::Route;

pub(super) const ROUTE: Route = Route {
    name: "prometheus",
    keys: settings::KEYS,
    loss: None,
};
