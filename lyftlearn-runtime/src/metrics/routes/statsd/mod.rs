//! A StatsD server: differences as lines, and lines that programs have sent.

#[cfg(all(feature = "agent", feature = "cli"))]
mod lines;
mod plan;
#[cfg(all(feature = "agent", feature = "cli"))]
mod sender;
mod settings;
#[cfg(test)]
#[cfg(all(feature = "agent", feature = "cli"))]
mod tests;

pub(super) use plan::leads_here;
pub(crate) use plan::{Plan, plan};
pub(crate) use settings::Settings;

use super::{Loss, Route};

pub(super) const ROUTE: Route = Route {
    name: "statsd",
    keys: settings::KEYS,
    loss: Some(LOSS),
};

/// Lines that were to be passed on wait in memory.
const LOSS: Loss = Loss {
    cause: "lines",
    help: "received lines that waited too long",
};

/// The model's name for lines that are passed on as they are received.
const RELAY: &str = "relay";
