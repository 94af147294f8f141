//! A collector of OpenTelemetry's: totals, by HTTP.

mod headers;
mod plan;
#[cfg(all(feature = "agent", feature = "cli"))]
mod request;
mod resource;
#[cfg(all(feature = "agent", feature = "cli"))]
mod sender;
mod settings;
#[cfg(test)]
#[cfg(all(feature = "agent", feature = "cli"))]
pub(super) mod tests;

pub(crate) use headers::headers;
pub(crate) use plan::{Plan, plan};
pub(crate) use settings::{Settings, VARIABLE_FORM, variable_name};

use super::{Loss, Route};

pub(super) const ROUTE: Route = Route {
    name: "otlp",
    keys: settings::KEYS,
    loss: Some(LOSS),
};

const LOSS: Loss = Loss {
    cause: "refused",
    help: "points that a collector refused",
};
