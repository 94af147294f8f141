//! Files in the directory that SageMaker reads for the page of a job.

mod plan;
#[cfg(all(feature = "agent", feature = "cli"))]
mod sender;
#[cfg(test)]
#[cfg(all(feature = "agent", feature = "cli"))]
mod tests;

pub(crate) use plan::{Plan, plan};

use super::Route;
use crate::layers::Reader;

pub(super) const ROUTE: Route = Route {
    name: "sagemaker",
    keys: &[],
    loss: None,
};

/// There is nothing to set but whether metrics take this route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings;

impl Settings {
    pub(super) fn read(_: &mut Reader) -> Self {
        Self
    }
}
