//! What the routes of metrics are planned from.

use super::{Detection, World, conventions};
use crate::metrics::routes;
use crate::problems::Problems;
use crate::workload::{Job, Topology};

pub(super) fn read(
    world: &World<'_>,
    detection: &Detection,
    job: &Job,
    topology: &Topology,
    problems: &mut Problems,
) -> routes::Export {
    let here = detection.platform;
    let may_be_secret = |name: &str| {
        let declared = world.settings.secrets.iter();
        let mut declared = declared.filter(|secret| secret.source(here).is_some());
        declared.any(|secret| secret.may_bring(name))
    };
    let of = routes::World {
        facts: world.facts,
        settings: &world.settings.metrics,
        clients: &world.settings.statsd,
        platform: detection.platform,
        conventions: conventions(detection.platform),
        role: detection.role,
        job,
        topology,
        variable: &|name| world.effective(name),
        may_be_secret: &may_be_secret,
    };
    routes::plan(&of, problems)
}
