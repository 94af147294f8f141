//! Where SageMaker looks for the job's metrics.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ROUTE;
use crate::contract::sagemaker;
use crate::metrics::clients::Clients;
#[cfg(all(feature = "agent", feature = "cli"))]
use crate::metrics::routes::{Means, Running};
use crate::metrics::routes::{Planned, World};
use crate::problems::Problems;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(super) directory: PathBuf,
}

pub(crate) fn plan(world: &World<'_>, _: &Clients, problems: &mut Problems) -> Option<Plan> {
    if world.asks_for(ROUTE.name) != Some(true) {
        return None;
    }
    let directory = world.facts.path(sagemaker::METRICS_DIRECTORY);
    if directory.is_none() {
        problems.push(
            "metrics.routes has sagemaker, but SAGEMAKER_METRICS_DIRECTORY is not a directory"
                .to_owned(),
        );
    }
    directory.map(|directory| Plan { directory })
}

impl Planned for Plan {
    fn names(&self) -> Vec<&'static str> {
        vec![ROUTE.name]
    }

    #[cfg(all(feature = "agent", feature = "cli"))]
    fn start(&self, means: &Means) -> Option<Running> {
        Some(super::sender::start(self, means))
    }
}
