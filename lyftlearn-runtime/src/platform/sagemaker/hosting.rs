//! Endpoints and batch transform: the argument `serve`, and other evidence.

use super::{
    Detection, Documents, Evidence, Part, Recognised, World, grace, in_a_cluster, name_in_arn,
    platform_runs_it,
};
use crate::contract::sagemaker;
use crate::error::Error;
use crate::platform::{paths, topology};
use crate::problems::Problems;
use crate::workload::{Flavor, Job, Resources, Role};

pub(super) fn recognise(world: &World<'_>) -> Result<Option<Recognised>, Error> {
    if let Some(found) = world.variable(sagemaker::TRANSFORM_JOB_ARN, "a SageMaker transform job") {
        return Ok(Some(recognised(
            Flavor::Transform,
            Role::Transform,
            vec![found],
        )));
    }
    if in_a_cluster(world) {
        return Ok(None);
    }
    if let Some(batch) = world.facts.text(sagemaker::BATCH) {
        // Python's spelling is the SDK's, JSON's the platform's.
        let flavor = match batch.as_ref() {
            "true" => Some(Flavor::Transform),
            "True" => Some(Flavor::LocalMode),
            _ => None,
        };
        if let Some(flavor) = flavor {
            let found = Evidence::new(
                format!("variable {}", sagemaker::BATCH),
                "a SageMaker transform job",
            );
            return Ok(Some(recognised(flavor, Role::Transform, vec![found])));
        }
    }
    Ok(endpoint(world))
}

/// An endpoint has no reliable variable of its own: the evidence is `serve` with a model mounted at
/// SageMaker's path, or with the SDK's variables.
fn endpoint(world: &World<'_>) -> Option<Recognised> {
    let wrapped = world.facts.wrapped_word() == Some("serve");
    if !world.is_word("serve") && !wrapped {
        return None;
    }
    let model = world.mounted_at_or_below(sagemaker::MODEL_DIR).or_else(|| {
        world
            .mounts
            .iter()
            .find(|mount| mount.point.as_os_str() == sagemaker::BASE_DIR)
    });
    let variable = sagemaker::HOSTING_VARIABLES
        .iter()
        .find_map(|name| world.variable(name, "set for SageMaker endpoints"));
    // Anybody mounts a model there, to try the image: Docker Compose, podman. The SDK's local
    // mode mounts it writable, whichever engine runs that; the platform does not use podman.
    let writable = model.is_some_and(|mount| !mount.read_only);
    let weak = variable.is_none() && !platform_runs_it(world);
    if weak && !writable && world.podman() {
        return None;
    }
    let mut evidence: Vec<Evidence> = model
        .map(|mount| {
            Evidence::new(
                format!("mount {}", mount.point.display()),
                "a model where SageMaker puts it",
            )
        })
        .into_iter()
        .chain(variable)
        .collect();
    if evidence.is_empty() {
        return None;
    }
    let argument = if wrapped {
        "a server's argument, behind a wrapper"
    } else {
        "a server's argument"
    };
    evidence.insert(0, Evidence::new("argument serve", argument));
    let flavor = if writable && !platform_runs_it(world) {
        evidence.push(Evidence::new(
            "the model's mount is writable",
            "the SDK's local mode",
        ));
        Flavor::LocalMode
    } else {
        Flavor::Hosting
    };
    let mut recognised = recognised(flavor, Role::Serving, evidence);
    if weak {
        recognised.problems.push(
            "taken for a SageMaker endpoint by the argument serve and a mounted model alone: \
             set platform = \"local\" or \"sagemaker\" to decide"
                .to_owned(),
        );
    }
    Some(recognised)
}

fn recognised(flavor: Flavor, role: Role, evidence: Vec<Evidence>) -> Recognised {
    Recognised {
        flavor,
        role,
        evidence,
        problems: Problems::default(),
    }
}

pub(super) fn read(
    world: &World<'_>,
    detection: &Detection,
    resources: &Resources,
) -> Result<Part, Error> {
    let arn = world
        .facts
        .text(sagemaker::TRANSFORM_JOB_ARN)
        .map(std::borrow::Cow::into_owned);
    let name = arn
        .as_deref()
        .and_then(name_in_arn)
        .or_else(|| world.settings.job_name.clone());
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
        grace: grace(
            detection,
            sagemaker::HOSTING_GRACE_SECONDS,
            "SageMaker's hosting contract",
        ),
        hyperparameters: None,
        documents: Documents::default(),
    })
}
