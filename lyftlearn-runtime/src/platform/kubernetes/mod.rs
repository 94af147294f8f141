//! Pods: any cluster, EKS, KServe, HyperPod.

mod pod;
mod podinfo;
mod ranks;

use std::path::Path;

pub(super) use pod::pod;
#[cfg(feature = "cli")]
pub(crate) use ranks::is_below_a_service;

use super::{
    Detection, Documents, Evidence, Grace, Part, Recognised, World, conventions, credentials, paths,
};
use crate::contract::{delivered, kubernetes, limits, linux, sagemaker};
use crate::error::Error;
use crate::problems::Problems;
use crate::workload::{Flavor, Job, Resources, Role};

/// Whether the kubelet's variable is set and no container engine contradicts it: docker-in-docker
/// passes on the variable, but not the kubelet's mounts.
pub(super) fn has_service_variable(world: &World<'_>) -> bool {
    world.facts.text(kubernetes::SERVICE_HOST).is_some() && world.engine().is_none()
}

pub(super) fn recognise(world: &World<'_>) -> Recognised {
    let mut evidence = Vec::new();
    if let Some(pod) = pod(world.mounts) {
        evidence.push(Evidence::new(
            format!("mount {}", pod.point.display()),
            "created by a kubelet",
        ));
    }
    evidence.extend(world.variable(
        kubernetes::SERVICE_HOST,
        "set by a kubelet in every container",
    ));
    if managed_hosts(world) {
        evidence.push(Evidence::new(
            format!("file {}", linux::HOSTS_FILE),
            "written by a kubelet",
        ));
    }
    let (flavor, found) = flavor(world);
    evidence.extend(found);
    let (role, found) = role(world, flavor);
    evidence.push(found);
    let problems = [
        sagemaker::TRAINING_JOB_NAME,
        sagemaker::TRAINING_JOB_ARN,
        sagemaker::TRANSFORM_JOB_ARN,
    ]
    .into_iter()
    .filter(|name| world.facts.text(name).is_some())
    .map(|name| {
        format!("{name} is set in a pod: assumed to come from the pod spec, not from SageMaker")
    })
    .collect();
    Recognised {
        flavor,
        role,
        evidence,
        problems,
    }
}

fn is_hyperpods_launcher(word: &str) -> bool {
    let name = Path::new(word).file_name();
    name.is_some_and(|name| name == kubernetes::HYPERPOD_LAUNCHER)
}

/// The most telling variety first: HyperPod and KServe run on EKS too.
fn flavor(world: &World<'_>) -> (Flavor, Option<Evidence>) {
    if world.word.as_deref().is_some_and(is_hyperpods_launcher) {
        return (
            Flavor::Hyperpod,
            Some(Evidence::new(
                format!("argument {}", kubernetes::HYPERPOD_LAUNCHER),
                "HyperPod's launcher",
            )),
        );
    }
    for file in [
        kubernetes::HYPERPOD_POD_FILE,
        kubernetes::HYPERPOD_NODE_FILE,
    ] {
        if world.facts.exists(file) {
            return (
                Flavor::Hyperpod,
                Some(Evidence::new(format!("file {file}"), "written by HyperPod")),
            );
        }
    }
    let knative = world
        .variable(kubernetes::KNATIVE_SERVICE, "set by Knative")
        .filter(|_| world.facts.text(kubernetes::KNATIVE_REVISION).is_some());
    if let Some(found) = knative {
        return (Flavor::Kserve, Some(found));
    }
    if world
        .mounted_at_or_below(kubernetes::KSERVE_MODEL_DIR)
        .is_some()
    {
        let found = Evidence::new(
            format!("mount {}", kubernetes::KSERVE_MODEL_DIR),
            "where KServe puts the model",
        );
        return (Flavor::Kserve, Some(found));
    }
    if let Some(found) = credentials::pod_identity_evidence(world) {
        return (Flavor::Eks, Some(found));
    }
    let api = world.facts.text(kubernetes::SERVICE_HOST);
    if api.is_some_and(|host| host.ends_with(kubernetes::EKS_SERVICE_SUFFIX)) {
        return (
            Flavor::Eks,
            Some(Evidence::new(
                format!("variable {}", kubernetes::SERVICE_HOST),
                "names an EKS cluster",
            )),
        );
    }
    // IRSA's variables do not say EKS: its webhook runs on any cluster.
    (Flavor::Pod, None)
}

fn role(world: &World<'_>, flavor: Flavor) -> (Role, Evidence) {
    if let Some(found) = world.role_by_word() {
        return found;
    }
    if flavor == Flavor::Kserve {
        return (Role::Serving, Evidence::new("flavor kserve", "serves"));
    }
    if let Some(found) = world.variable(kubernetes::NOTEBOOK_PREFIX, "a Kubeflow notebook") {
        return (Role::Notebook, found);
    }
    if flavor == Flavor::Hyperpod {
        return (Role::Training, Evidence::new("flavor hyperpod", "trains"));
    }
    let distributed = [
        kubernetes::PET_NODES,
        kubernetes::WORLD_SIZE,
        kubernetes::TORCHRUN_ID,
    ];
    // In a program that this runtime started, it may have set these variables itself.
    let role = world.facts.text(delivered::ROLE);
    let may_train = role.is_none_or(|role| role == Role::Training.as_str());
    if let Some(found) = distributed
        .into_iter()
        .filter(|_| may_train)
        .find_map(|name| world.variable(name, "set for distributed training"))
    {
        return (Role::Training, found);
    }
    (
        Role::Job,
        Evidence::new(
            "no other sign",
            "a job; set LYFTLEARN_RUNTIME_ROLE if it is something else",
        ),
    )
}

pub(super) fn read(
    world: &World<'_>,
    detection: &Detection,
    resources: &Resources,
    problems: &mut Problems,
) -> Result<Part, Error> {
    let annotations = podinfo::read(world, kubernetes::ANNOTATIONS)?;
    let topology = ranks::read(world, resources, &annotations, problems)?;
    if detection.flavor == Flavor::Hyperpod
        && world.word.as_deref().is_some_and(is_hyperpods_launcher)
        && world.effective(kubernetes::HYPERPOD_EVENTS).as_deref()
            != Some(kubernetes::EVENTS_ARE_ON)
    {
        problems.push(format!(
            "HyperPod's elastic events are off: {} is not \"{}\"",
            kubernetes::HYPERPOD_EVENTS,
            kubernetes::EVENTS_ARE_ON
        ));
    }
    let pod = pod(world.mounts);
    let name = match &world.settings.job_name {
        Some(name) => name.clone(),
        None => world.facts.hostname()?,
    };
    let mut paths = paths::usual(world, detection.flavor, detection.role);
    if detection.flavor == Flavor::Kserve && world.settings.model_dir.is_none() {
        paths.model =
            paths::present(world, Path::new(kubernetes::KSERVE_MODEL_DIR)).or(paths.model);
    }
    paths.failure = pod
        .as_ref()
        .and_then(|pod| pod.termination_log.clone())
        .or_else(|| {
            let usual = Path::new(kubernetes::TERMINATION_LOG);
            world.facts.exists(usual).then(|| usual.to_owned())
        });
    Ok(Part {
        job: Job {
            name: Some(name),
            id: pod.as_ref().map(|pod| pod.uid.clone()),
            arn: None,
            namespace: namespace(world)?,
            attempt: None,
            container: pod.and_then(|pod| pod.container),
            labels: podinfo::read(world, kubernetes::LABELS)?,
            annotations,
        },
        paths,
        channels: paths::channels_by_directory(world)?,
        topology,
        grace: Grace::usual(world.settings, conventions(detection.platform)),
        // A volume may lay SageMaker's own file out; it overrides staged ones there and here.
        hyperparameters: Some(sagemaker::HYPERPARAMETERS),
        documents: Documents::default(),
    })
}

/// From the service account's files, else from the first search domain.
fn namespace(world: &World<'_>) -> Result<Option<String>, Error> {
    if let Some(bytes) = world
        .facts
        .file(kubernetes::NAMESPACE_FILE, limits::KERNEL_FILE_BYTES)?
    {
        let text = String::from_utf8_lossy(&bytes).trim().to_owned();
        if !text.is_empty() {
            return Ok(Some(text));
        }
    }
    let resolver = world
        .facts
        .file(kubernetes::RESOLV_CONF, limits::KERNEL_FILE_BYTES)?
        .unwrap_or_default();
    let resolver = String::from_utf8_lossy(&resolver);
    Ok(resolver
        .lines()
        .filter_map(|line| line.strip_prefix("search "))
        .flat_map(str::split_whitespace)
        .find_map(|domain| {
            domain
                .split_once(".svc.")
                .map(|(namespace, _)| namespace.to_owned())
        })
        .filter(|namespace| !namespace.is_empty() && !namespace.contains('.')))
}

fn managed_hosts(world: &World<'_>) -> bool {
    // Only support: an image can carry such a file, and a fault in it decides nothing.
    world
        .facts
        .file(linux::HOSTS_FILE, limits::KERNEL_FILE_BYTES)
        .ok()
        .flatten()
        .is_some_and(|bytes| bytes.starts_with(kubernetes::HOSTS_HEADER.as_bytes()))
}
