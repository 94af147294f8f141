//! Processing jobs: no verb, no variable; the job's own file says what it is.

use std::path::{Path, PathBuf};

use super::{Detection, Documents, Evidence, Part, Recognised, World, documents, grace, training};
use crate::contract::{limits, runtime, sagemaker};
use crate::error::Error;
use crate::platform::fault::ContractFault;
use crate::platform::paths::{self, Modes};
use crate::problems::Problems;
use crate::workload::{Channel, ChannelMode, Flavor, Job, Resources, Role};

/// Inputs and outputs lie below it (dev guide: build your own processing container).
const PROCESSING_DIR: &str = "/opt/ml/processing";

/// The grace is not documented; the shortest that a stop of Docker's has.
const GRACE_SECONDS: u32 = 30;

pub(super) fn recognise(world: &World<'_>) -> Result<Option<Recognised>, Error> {
    if !world.facts.exists(sagemaker::PROCESSING_CONFIG) {
        return Ok(None);
    }
    let Some(config) = config(world)? else {
        return Ok(None);
    };
    let means = "a SageMaker processing job";
    let mut evidence = vec![Evidence::new(
        format!("file {}", sagemaker::PROCESSING_CONFIG),
        means,
    )];
    // Local mode writes the bare name where the platform writes an ARN.
    let flavor = if config
        .processing_job_arn
        .is_some_and(|arn| arn.starts_with("arn:"))
    {
        Flavor::Processing
    } else {
        evidence.push(Evidence::new(
            "key ProcessingJobArn is not an ARN",
            "the SDK's local mode",
        ));
        Flavor::LocalMode
    };
    Ok(Some(Recognised {
        flavor,
        role: Role::Processing,
        evidence,
        problems: Problems::default(),
    }))
}

pub(super) fn read(
    world: &World<'_>,
    detection: &Detection,
    resources: &Resources,
    problems: &mut Problems,
) -> Result<Part, Error> {
    let config = config(world)?;
    let (arn, name, inputs, outputs) = config.map_or((None, None, None, None), |config| {
        (
            config
                .processing_job_arn
                .filter(|arn| arn.starts_with("arn:")),
            config.processing_job_name,
            config.processing_inputs,
            config
                .processing_output_config
                .and_then(|outputs| outputs.outputs),
        )
    });
    let inputs = inputs.unwrap_or_default();
    let path = sagemaker::PROCESSING_CONFIG;
    ContractFault::unless(inputs.len(), limits::CHANNELS, "ProcessingInputs", path)?;
    let modes = Modes::of(world);
    let mut channels = std::collections::BTreeMap::new();
    for input in inputs {
        if input.input_name == runtime::CONFIG_CHANNEL {
            continue;
        }
        let s3 = input.s3_input.as_ref();
        let dataset = input
            .dataset_definition
            .and_then(|dataset| dataset.local_path);
        let Some(path) = s3
            .and_then(|s3| s3.local_path.clone())
            .or(dataset)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
        else {
            problems.push(format!(
                "input {} has no LocalPath and is not a channel",
                input.input_name
            ));
            continue;
        };
        let mode = match s3.and_then(|s3| s3.mode.as_deref()) {
            Some("Pipe") => ChannelMode::Pipe,
            _ => modes.of_directory(&path),
        };
        let sharded = training::sharded(s3.and_then(|s3| s3.distribution.as_deref()));
        channels.insert(
            input.input_name,
            Channel {
                path,
                mode,
                content_type: None,
                sharded,
            },
        );
    }
    let directory = Path::new(PROCESSING_DIR);
    let mut outputs = outputs
        .unwrap_or_default()
        .into_iter()
        .filter_map(|output| output.s3_output?.local_path)
        .filter(|path| path.starts_with('/'));
    let output = match (outputs.next(), outputs.next()) {
        (Some(only), None) => PathBuf::from(only),
        // Several have no one place but the one they share.
        _ => directory.to_owned(),
    };
    let mut paths = paths::usual(world, detection.flavor, detection.role);
    paths.model = None;
    paths.input = paths::present(world, &directory.join("input"))
        .or_else(|| paths::present(world, directory));
    paths.output = paths::usable(world, &output);
    paths.output_data.clone_from(&paths.output);
    paths.checkpoints = None;
    paths.failure = Some(PathBuf::from(sagemaker::PROCESSING_MESSAGE));
    Ok(Part {
        job: Job {
            id: arn.clone(),
            arn,
            name,
            ..Job::default()
        },
        paths,
        channels,
        topology: training::nodes(world, resources, sagemaker::PROCESSING_RESOURCES)?,
        grace: grace(
            detection,
            GRACE_SECONDS,
            "SageMaker's processing contract names none; assumed",
        ),
        hyperparameters: None,
        documents: Documents::default(),
    })
}

fn config(world: &World<'_>) -> Result<Option<sagemaker::ProcessingJobConfig>, Error> {
    documents::json(world.facts, sagemaker::PROCESSING_CONFIG)
}
