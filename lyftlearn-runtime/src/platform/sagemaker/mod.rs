//! SageMaker: which kind of container this is. One file per kind reads the rest.

mod hosting;
mod notebook;
mod processing;
mod training;

use super::{
    Detection, Documents, Evidence, Grace, Part, Recognised, World, documents, kubernetes,
};
use crate::contract::{aws, sagemaker};
use crate::error::Error;
use crate::problems::Problems;
use crate::workload::{Flavor, Resources, Role};

/// `docker compose stop` waits this long.
const COMPOSE_GRACE_SECONDS: u32 = 10;

/// The stronger evidence first, in the order of AWS's own code: metadata, processing, training,
/// transform, and an endpoint last.
pub(super) fn recognise(world: &World<'_>) -> Result<Option<Recognised>, Error> {
    for recognise in [
        notebook::recognise,
        processing::recognise,
        training::recognise,
        hosting::recognise,
    ] {
        if let Some(recognised) = recognise(world)? {
            return Ok(Some(recognised));
        }
    }
    Ok(None)
}

/// With the platform given and no evidence, the role decides.
pub(super) fn forced(world: &World<'_>) -> Result<Recognised, Error> {
    if let Some(recognised) = recognise(world)? {
        return Ok(recognised);
    }
    let (flavor, role) = if world.is_word("serve") {
        (Flavor::Hosting, Role::Serving)
    } else {
        (Flavor::Training, Role::Training)
    };
    Ok(Recognised {
        flavor,
        role,
        evidence: Vec::new(),
        problems: Problems::default(),
    })
}

pub(super) fn read(
    world: &World<'_>,
    detection: &Detection,
    resources: &Resources,
    problems: &mut Problems,
) -> Result<Part, Error> {
    // Local mode has one flavor for all kinds of jobs; the detected role distinguishes them, even
    // if a setting overrides it.
    match (detection.flavor, detection.found_role) {
        (Flavor::Studio | Flavor::NotebookInstance, _) => {
            notebook::read(world, detection, resources)
        }
        (Flavor::Processing, _) | (Flavor::LocalMode, Role::Processing) => {
            processing::read(world, detection, resources, problems)
        }
        (Flavor::Hosting | Flavor::Transform, _)
        | (Flavor::LocalMode, Role::Serving | Role::Transform) => {
            hosting::read(world, detection, resources)
        }
        _ => training::read(world, detection, resources, problems),
    }
}

/// The platform's grace, or in local mode that of the `docker compose` which runs it.
fn grace(detection: &Detection, seconds: u32, source: &str) -> Grace {
    if detection.flavor == Flavor::LocalMode {
        return Grace {
            seconds: COMPOSE_GRACE_SECONDS,
            source: "Docker Compose's default".to_owned(),
        };
    }
    Grace {
        seconds,
        source: source.to_owned(),
    }
}

/// Variables that only the platform sets. The SDK's local mode sets none of them, unless Studio
/// passes its own on, which is visible.
fn platform_runs_it(world: &World<'_>) -> bool {
    if world.facts.text(sagemaker::STUDIO_LOCAL_MODE).is_some() {
        return false;
    }
    [aws::RELATIVE_URI, aws::EXECUTION_ENV]
        .into_iter()
        .any(|name| world.facts.text(name).is_some())
}

/// Whether anything says Kubernetes: then a SageMaker file without SageMaker's
/// names beside it is somebody's volume.
fn in_a_cluster(world: &World<'_>) -> bool {
    kubernetes::has_service_variable(world)
}

/// `arn:aws:sagemaker:REGION:ACCOUNT:training-job/NAME` → `NAME`.
fn name_in_arn(arn: &str) -> Option<String> {
    arn.rsplit_once('/')
        .map(|(_, name)| name.to_owned())
        .filter(|name| !name.is_empty())
}
