//! No platform: a container engine, or no container at all.

use super::{
    Detection, Documents, Evidence, Grace, Part, Recognised, World, conventions, paths, topology,
};
use crate::contract::{kubernetes, linux, sagemaker};
use crate::error::Error;
use crate::problems::Problems;
use crate::workload::{Flavor, Job, Resources, Role};

pub(super) fn recognise(world: &World<'_>) -> Recognised {
    let mut evidence: Vec<Evidence> = [linux::DOCKER_MARK, linux::PODMAN_MARK]
        .into_iter()
        .filter(|mark| world.facts.exists(mark))
        .map(|mark| Evidence::new(format!("file {mark}"), "a container"))
        .chain(world.variable(linux::CONTAINER, "a container"))
        .chain(world.engine())
        .chain(overlay_root(world))
        .collect();
    let flavor = if evidence.is_empty() {
        Flavor::Host
    } else {
        Flavor::Container
    };
    let mut problems = Problems::default();
    if world.engine().is_some() && world.facts.text(kubernetes::SERVICE_HOST).is_some() {
        problems.push(format!(
            "{} is set, but no kubelet created this container: assumed to be passed in from outside",
            kubernetes::SERVICE_HOST
        ));
    }
    let role = match world.role_by_word() {
        Some((role, found)) => {
            evidence.push(found);
            role
        }
        None => Role::Job,
    };
    Recognised {
        flavor,
        role,
        evidence,
        problems,
    }
}

pub(super) fn read(
    world: &World<'_>,
    detection: &Detection,
    resources: &Resources,
) -> Result<Part, Error> {
    Ok(Part {
        job: Job {
            name: world.settings.job_name.clone(),
            ..Job::default()
        },
        paths: paths::usual(world, detection.flavor, detection.role),
        channels: paths::channels_by_directory(world)?,
        topology: topology::alone(world, resources)?,
        grace: Grace::usual(world.settings, conventions(detection.platform)),
        // A user who tries an image as SageMaker runs it also provides this file.
        hyperparameters: Some(sagemaker::HYPERPARAMETERS),
        documents: Documents::default(),
    })
}

/// An overlay as the root is how engines stack an image's layers.
fn overlay_root(world: &World<'_>) -> Option<Evidence> {
    world
        .mounts
        .iter()
        .any(|mount| {
            mount.point.as_os_str() == "/"
                && matches!(mount.kind.as_str(), "overlay" | "fuse.fuse-overlayfs")
        })
        .then(|| Evidence::new("mount /", "a container's layers"))
}
