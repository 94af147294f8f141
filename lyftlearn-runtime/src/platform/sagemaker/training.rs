//! Training jobs, on the platform and in the SDK's local mode.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{
    Detection, Documents, Evidence, Part, Recognised, World, documents, grace, in_a_cluster,
    name_in_arn, platform_runs_it,
};
use crate::contract::{limits, runtime, sagemaker};
use crate::error::Error;
use crate::platform::fault::ContractFault;
use crate::platform::paths::Modes;
use crate::platform::{paths, topology};
use crate::problems::Problems;
use crate::workload::{Channel, ChannelMode, Flavor, Group, Job, Resources, Role, Topology};

pub(super) fn recognise(world: &World<'_>) -> Result<Option<Recognised>, Error> {
    if !world.facts.exists(sagemaker::RESOURCE_CONFIG) {
        // Without its file only the ARN says SageMaker: local mode and other
        // launchers name jobs, too.
        let arn = world.variable(sagemaker::TRAINING_JOB_ARN, "a SageMaker training job");
        return Ok(arn.filter(|_| !in_a_cluster(world)).map(|arn| Recognised {
            flavor: Flavor::Training,
            role: Role::Training,
            evidence: vec![arn],
            problems: [format!(
                "{} does not exist: assumed one node",
                sagemaker::RESOURCE_CONFIG
            )]
            .into_iter()
            .collect(),
        }));
    }
    let named: Vec<Evidence> = [sagemaker::TRAINING_JOB_ARN, sagemaker::TRAINING_JOB_NAME]
        .into_iter()
        .filter_map(|name| world.variable(name, "a SageMaker training job"))
        .collect();
    // Without a name the file alone decides (a wrapper emptied the environment),
    // unless something says Kubernetes: then it is a volume's.
    if named.is_empty() && in_a_cluster(world) {
        return Ok(None);
    }
    let mut evidence = vec![Evidence::new(
        format!("file {}", sagemaker::RESOURCE_CONFIG),
        "a SageMaker training job",
    )];
    evidence.extend(named);
    let flavor = if local_mode(world)? {
        evidence.push(Evidence::new(
            format!("variable {} is unset", sagemaker::TRAINING_JOB_ARN),
            "the SDK's local mode",
        ));
        Flavor::LocalMode
    } else {
        Flavor::Training
    };
    Ok(Some(Recognised {
        flavor,
        role: Role::Training,
        evidence,
        problems: Problems::default(),
    }))
}

/// The platform sets the ARN. Where a wrapper took it away, the instance type tells,
/// and without one the platform's other variables.
fn local_mode(world: &World<'_>) -> Result<bool, Error> {
    if world.facts.text(sagemaker::TRAINING_JOB_ARN).is_some() {
        return Ok(false);
    }
    let config: Option<sagemaker::ResourceConfig> =
        documents::json(world.facts, sagemaker::RESOURCE_CONFIG)?;
    let instance = config.and_then(|config| config.current_instance_type);
    Ok(match instance {
        Some(instance) if instance.starts_with("ml.") => false,
        Some(instance) if instance.starts_with("local") => true,
        _ => !platform_runs_it(world),
    })
}

pub(super) fn read(
    world: &World<'_>,
    detection: &Detection,
    resources: &Resources,
    problems: &mut Problems,
) -> Result<Part, Error> {
    // First: of all files, the one that tells the platform should be the one that a
    // report names.
    let topology = nodes(world, resources, sagemaker::RESOURCE_CONFIG)?;
    let arn = world
        .facts
        .text(sagemaker::TRAINING_JOB_ARN)
        .map(std::borrow::Cow::into_owned);
    let name = world
        .facts
        .text(sagemaker::TRAINING_JOB_NAME)
        .map(std::borrow::Cow::into_owned)
        .or_else(|| arn.as_deref().and_then(name_in_arn))
        .or_else(|| world.settings.job_name.clone());
    let mut paths = paths::usual(world, detection.flavor, detection.role);
    let checkpoints: Option<sagemaker::CheckpointConfig> =
        documents::json(world.facts, sagemaker::CHECKPOINT_CONFIG)?;
    if let Some(path) = checkpoints.and_then(|config| config.local_path) {
        paths.checkpoints = paths::usable(world, Path::new(&path));
    }
    paths.failure = paths
        .output
        .is_some()
        .then(|| PathBuf::from(sagemaker::FAILURE));
    Ok(Part {
        job: Job {
            id: arn.clone(),
            arn,
            name,
            ..Job::default()
        },
        paths,
        channels: channels(world, problems)?,
        topology,
        grace: grace(
            detection,
            sagemaker::TRAINING_GRACE_SECONDS,
            "SageMaker's training contract",
        ),
        hyperparameters: Some(sagemaker::HYPERPARAMETERS),
        documents: Documents {
            resource_config: world
                .facts
                .file(sagemaker::RESOURCE_CONFIG, limits::DOCUMENT_BYTES)?,
            input_data_config: world
                .facts
                .file(sagemaker::INPUT_DATA_CONFIG, limits::DOCUMENT_BYTES)?,
        },
    })
}

/// Nodes and ranks from a `resourceconfig.json`; one node alone without it.
pub(super) fn nodes(
    world: &World<'_>,
    resources: &Resources,
    path: &'static str,
) -> Result<Topology, Error> {
    let alone = topology::alone(world, resources)?;
    let Some(config) = documents::json::<sagemaker::ResourceConfig>(world.facts, path)? else {
        return Ok(alone);
    };
    let missing = |key| ContractFault::Missing {
        path: path.into(),
        key,
    };
    let host = config.current_host.ok_or_else(|| missing("current_host"))?;
    let hosts = config.hosts.ok_or_else(|| missing("hosts"))?;
    let groups = config.instance_groups.unwrap_or_default();
    ContractFault::unless(hosts.len(), limits::NODES, "hosts", path)?;
    ContractFault::unless(groups.len(), limits::NODES, "instance_groups", path)?;
    let rank = hosts
        .iter()
        .position(|known| *known == host)
        .ok_or_else(|| ContractFault::UnknownHost { path: path.into() })?;
    let groups = groups.into_iter().map(|group| Group {
        current: Some(&group.instance_group_name) == config.current_group_name.as_ref(),
        name: group.instance_group_name,
        instance_type: group.instance_type,
        hosts: group.hosts,
    });
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Topology {
        node_rank: Some(count(rank)),
        nodes: Some(count(hosts.len())),
        master_addr: hosts.first().cloned(),
        network_interface: config
            .network_interface_name
            .or(alone.network_interface)
            .or_else(|| Some(sagemaker::NETWORK_INTERFACE.to_owned())),
        groups: groups.collect(),
        host,
        hosts,
        ..alone
    })
}

/// The declared channels; without a declaration, the directories that are there.
fn channels(
    world: &World<'_>,
    problems: &mut Problems,
) -> Result<BTreeMap<String, Channel>, Error> {
    let Some(config) =
        documents::json::<sagemaker::InputDataConfig>(world.facts, sagemaker::INPUT_DATA_CONFIG)?
    else {
        return paths::channels_by_directory(world);
    };
    let path = sagemaker::INPUT_DATA_CONFIG;
    ContractFault::unless(config.len(), limits::CHANNELS, "channels", path)?;
    let data = paths::base(world).join("input/data");
    let modes = Modes::of(world);
    let mut channels = BTreeMap::new();
    for (name, input) in config {
        if name == runtime::CONFIG_CHANNEL {
            continue;
        }
        let path = data.join(&name);
        let mode = match input.training_input_mode.as_deref() {
            Some("Pipe") => ChannelMode::Pipe,
            Some("FastFile") => ChannelMode::FastFile,
            Some("File") | None => modes.of_directory(&path),
            Some(_) => {
                problems.push(format!(
                    "channel {name} has a mode that this version does not know: assumed File"
                ));
                ChannelMode::File
            }
        };
        let sharded = sharded(input.distribution.as_deref());
        channels.insert(
            name,
            Channel {
                path,
                mode,
                content_type: input.content_type,
                sharded,
            },
        );
    }
    Ok(channels)
}

/// `S3DistributionType`, in training and processing alike.
pub(super) fn sharded(distribution: Option<&str>) -> Option<bool> {
    match distribution? {
        "ShardedByS3Key" => Some(true),
        "FullyReplicated" => Some(false),
        _ => None,
    }
}
