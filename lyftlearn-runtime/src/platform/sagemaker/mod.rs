//! SageMaker: which kind of container this is. One file per kind reads the rest.

mod hosting;
mod notebook;
mod processing;
mod training;

use super::{Detection, Evidence, Part, Recognised, World, documents, kubernetes};
use crate::contract::aws;
use crate::error::Error;
use crate::workload::{Flavor, Resources, Role};

/// The more telling evidence first, in the order of AWS's own code: metadata,
/// processing, training, transform, and an endpoint by what is left.
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
        problems: Vec::new(),
    })
}

pub(super) fn read(
    world: &World<'_>,
    detection: &Detection,
    resources: &Resources,
    problems: &mut Vec<String>,
) -> Result<Part, Error> {
    // Local mode has no flavor of its own for each kind; the role tells them apart.
    match (detection.flavor, detection.role) {
        (Flavor::Studio | Flavor::NotebookInstance, _) => notebook::read(world, resources),
        (Flavor::Processing, _) | (Flavor::LocalMode, Role::Processing) => {
            processing::read(world, resources, problems)
        }
        (Flavor::Hosting | Flavor::Transform, _)
        | (Flavor::LocalMode, Role::Serving | Role::Transform) => {
            hosting::read(world, detection, resources)
        }
        _ => training::read(world, resources, problems),
    }
}

/// What only the platform itself sets: the SDK's local mode has none of it.
fn platform_runs_it(world: &World<'_>) -> bool {
    [aws::RELATIVE_URI, aws::EXECUTION_ENV]
        .into_iter()
        .any(|name| world.facts.text(name).is_some())
}

/// Whether anything says Kubernetes: then a SageMaker file without SageMaker's
/// names beside it is somebody's volume.
fn in_a_cluster(world: &World<'_>) -> bool {
    kubernetes::told(world)
}

/// `arn:aws:sagemaker:REGION:ACCOUNT:training-job/NAME` → `NAME`.
fn name_in_arn(arn: &str) -> Option<String> {
    arn.rsplit_once('/')
        .map(|(_, name)| name.to_owned())
        .filter(|name| !name.is_empty())
}
