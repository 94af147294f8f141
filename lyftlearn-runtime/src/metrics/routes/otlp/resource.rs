//! What the metrics are of.

use super::headers::{PAIRS, pairs};
use super::plan::{ignored, text};
use crate::contract::{otlp as words, sagemaker};
use crate::metrics::routes::World;
use crate::problems::Problems;

/// The attributes of the metrics' resource in OpenTelemetry's semantic conventions, and this
/// runtime's own. Attributes that the deployment sets override those that are found.
pub(super) fn of(world: &World<'_>, problems: &mut Problems) -> Vec<(String, String)> {
    let (job, topology) = (world.job, world.topology);
    let mut resource = Vec::new();
    if let Some(text) = text(world, words::RESOURCE_ATTRIBUTES) {
        match pairs(&text) {
            Some(pairs) => resource = pairs,
            None => ignored(problems, words::RESOURCE_ATTRIBUTES, PAIRS),
        }
    }
    let pod = world.conventions.is_pod;
    // Of no two containers at the same time it is the same.
    let instance = [&job.id, &job.container, &Some(topology.host.clone())];
    let instance: Vec<&str> = instance.into_iter().flatten().map(String::as_str).collect();
    if let Some(name) = text(world, words::SERVICE_NAME) {
        resource.retain(|(known, _)| known != "service.name");
        resource.push(("service.name".to_owned(), name));
    }
    let image = world.facts.text(sagemaker::INTERNAL_IMAGE);
    let found = [
        (
            "service.name",
            Some(
                job.name
                    .clone()
                    .unwrap_or_else(|| "unknown_service".to_owned()),
            ),
        ),
        ("service.instance.id", Some(instance.join("/"))),
        ("host.name", Some(topology.host.clone())),
        (
            "container.image.name",
            image.map(|image| image.into_owned()),
        ),
        ("k8s.namespace.name", job.namespace.clone().filter(|_| pod)),
        ("k8s.pod.uid", job.id.clone().filter(|_| pod)),
        ("k8s.container.name", job.container.clone().filter(|_| pod)),
        (
            "lyftlearn.platform",
            Some(world.platform.as_str().to_owned()),
        ),
        ("lyftlearn.role", Some(world.role.as_str().to_owned())),
        (
            "lyftlearn.rank",
            topology.node_rank.map(|rank| rank.to_string()),
        ),
    ];
    for (name, value) in found {
        if let Some(value) = value
            && !resource.iter().any(|(known, _)| known == name)
        {
            resource.push((name.to_owned(), value));
        }
    }
    resource.sort();
    resource
}
