//! Studio apps and notebook instances.

use super::{Detection, Documents, Evidence, Part, Recognised, World, documents};
use crate::contract::sagemaker;
use crate::error::Error;
use crate::platform::{Grace, paths, topology};
use crate::problems::Problems;
use crate::workload::{Flavor, Job, Resources, Role};

/// DeleteApp is a `docker stop` with Docker's own grace.
const GRACE_SECONDS: u32 = 10;

pub(super) fn recognise(world: &World<'_>) -> Result<Option<Recognised>, Error> {
    let file = format!("file {}", sagemaker::RESOURCE_METADATA);
    let (flavor, evidence) = match metadata(world)? {
        Some(metadata) if metadata.app_type.is_some() => {
            (Flavor::Studio, Evidence::new(file, "a Studio app"))
        }
        // The same file without an AppType is a notebook instance's.
        Some(_) => (
            Flavor::NotebookInstance,
            Evidence::new(file, "a notebook instance"),
        ),
        None if world.facts.exists(sagemaker::NOTEBOOK_VERSION) => (
            Flavor::NotebookInstance,
            Evidence::new(
                format!("file {}", sagemaker::NOTEBOOK_VERSION),
                "a notebook instance",
            ),
        ),
        None => match studio_variables(world) {
            Some(found) => (Flavor::Studio, found),
            None => return Ok(None),
        },
    };
    Ok(Some(Recognised {
        flavor,
        role: Role::Notebook,
        evidence: vec![evidence],
        problems: Problems::default(),
    }))
}

/// Two of Studio's own together: one alone may have been passed on.
fn studio_variables(world: &World<'_>) -> Option<Evidence> {
    let second = [sagemaker::SPACE_NAME, sagemaker::INTERNAL_IMAGE];
    world
        .variable(sagemaker::APP_TYPE, "a Studio app")
        .filter(|_| {
            second
                .into_iter()
                .any(|name| world.facts.text(name).is_some())
        })
}

pub(super) fn read(
    world: &World<'_>,
    detection: &Detection,
    resources: &Resources,
) -> Result<Part, Error> {
    let metadata = metadata(world)?;
    let (arn, name) = metadata.map_or((None, None), |metadata| {
        let name = metadata
            .space_name
            .or(metadata.user_profile_name)
            .or(metadata.resource_name);
        (metadata.resource_arn, name)
    });
    let name = name.or_else(|| {
        world
            .facts
            .text(sagemaker::SPACE_NAME)
            .map(std::borrow::Cow::into_owned)
    });
    Ok(Part {
        job: Job {
            id: arn.clone(),
            arn,
            name,
            ..Job::default()
        },
        paths: paths::usual(world, detection.flavor, detection.role),
        channels: paths::channels_by_directory(world)?,
        topology: topology::alone(world, resources)?,
        grace: Grace {
            seconds: GRACE_SECONDS,
            source: "docker stop's default".to_owned(),
        },
        hyperparameters: None,
        documents: Documents::default(),
    })
}

fn metadata(world: &World<'_>) -> Result<Option<sagemaker::ResourceMetadata>, Error> {
    documents::json(world.facts, sagemaker::RESOURCE_METADATA)
}
