//! SageMaker: training, processing, transform, hosting, Studio, notebooks, local mode.

use std::collections::BTreeMap;

use serde::Deserialize;

pub(crate) const TRAINING_JOB_NAME: &str = "TRAINING_JOB_NAME";
/// Set by the platform, never by the SDK's local mode.
pub(crate) const TRAINING_JOB_ARN: &str = "TRAINING_JOB_ARN";
pub(crate) const TRANSFORM_JOB_ARN: &str = "TRANSFORM_JOB_ARN";
/// `true` from the platform, `True` from local mode.
pub(crate) const BATCH: &str = "SAGEMAKER_BATCH";
pub(crate) const APP_TYPE: &str = "SAGEMAKER_APP_TYPE";
pub(crate) const SPACE_NAME: &str = "SAGEMAKER_SPACE_NAME";
/// `True` in local mode started from Studio.
pub(crate) const STUDIO_LOCAL_MODE: &str = "SM_STUDIO_LOCAL_MODE";
pub(crate) const INTERNAL_IMAGE: &str = "SAGEMAKER_INTERNAL_IMAGE_URI";
/// Where an agent of the platform's reads metrics for the job's page.
pub(crate) const METRICS_DIRECTORY: &str = "SAGEMAKER_METRICS_DIRECTORY";

/// Any of these with the argument `serve` means an endpoint: only the platform or the SDK sets
/// them, for models.
pub(crate) const HOSTING_VARIABLES: &[&str] = &[
    "SAGEMAKER_BIND_TO_PORT",
    "SAGEMAKER_SAFE_PORT_RANGE",
    "SAGEMAKER_MULTI_MODEL",
    "SAGEMAKER_PROGRAM",
    "SAGEMAKER_SUBMIT_DIRECTORY",
    "SAGEMAKER_CONTAINER_LOG_LEVEL",
    "SAGEMAKER_REGION",
];

pub(crate) const BASE_DIR: &str = "/opt/ml";
pub(crate) const RESOURCE_CONFIG: &str = "/opt/ml/input/config/resourceconfig.json";
pub(crate) const HYPERPARAMETERS: &str = "/opt/ml/input/config/hyperparameters.json";
pub(crate) const INPUT_DATA_CONFIG: &str = "/opt/ml/input/config/inputdataconfig.json";
pub(crate) const CHECKPOINT_CONFIG: &str = "/opt/ml/input/config/checkpointconfig.json";
pub(crate) const PROCESSING_CONFIG: &str = "/opt/ml/config/processingjobconfig.json";
pub(crate) const PROCESSING_RESOURCES: &str = "/opt/ml/config/resourceconfig.json";
pub(crate) const PROCESSING_MESSAGE: &str = "/opt/ml/output/message";
pub(crate) const FAILURE: &str = "/opt/ml/output/failure";
/// What the platform shows of the failure file (dev guide: how SageMaker processes training output).
#[cfg(feature = "cli")]
pub(crate) const FAILURE_CHARACTERS: usize = 1024;
/// What it shows of a processing job's (API: ProcessingJob ExitMessage).
#[cfg(feature = "cli")]
pub(crate) const MESSAGE_BYTES: usize = 1024;
pub(crate) const RESOURCE_METADATA: &str = "/opt/ml/metadata/resource-metadata.json";
pub(crate) const NOTEBOOK_VERSION: &str = "/etc/opt/ml/sagemaker-notebook-instance-version.txt";
pub(crate) const MODEL_DIR: &str = "/opt/ml/model";
/// Kept between the jobs of a warm pool.
pub(crate) const WARM_POOL_CACHE: &str = "SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY";

/// SageMaker's toolkit and torchrun examples meet on this port.
pub(crate) const MASTER_PORT: u16 = 7777;
/// The toolkit's default, where resourceconfig.json names no interface.
pub(crate) const NETWORK_INTERFACE: &str = "eth0";

/// SageMaker waits this long between SIGTERM and SIGKILL (dev guide: training code).
pub(crate) const TRAINING_GRACE_SECONDS: u32 = 120;
/// The same for endpoints (dev guide: inference code).
pub(crate) const HOSTING_GRACE_SECONDS: u32 = 30;

/// `resourceconfig.json`. Every key may be missing: the shape grew over the years.
#[derive(Debug, Deserialize)]
pub(crate) struct ResourceConfig {
    pub(crate) current_host: Option<String>,
    pub(crate) hosts: Option<Vec<String>>,
    pub(crate) current_instance_type: Option<String>,
    pub(crate) current_group_name: Option<String>,
    pub(crate) instance_groups: Option<Vec<InstanceGroup>>,
    pub(crate) network_interface_name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct InstanceGroup {
    pub(crate) instance_group_name: String,
    pub(crate) instance_type: Option<String>,
    pub(crate) hosts: Vec<String>,
}

/// `inputdataconfig.json`: channel name to description.
pub(crate) type InputDataConfig = BTreeMap<String, InputChannel>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct InputChannel {
    pub(crate) training_input_mode: Option<String>,
    pub(crate) content_type: Option<String>,
    #[serde(rename = "S3DistributionType")]
    pub(crate) distribution: Option<String>,
}

/// `checkpointconfig.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CheckpointConfig {
    pub(crate) local_path: Option<String>,
}

/// `processingjobconfig.json`, as far as it is read.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ProcessingJobConfig {
    pub(crate) processing_job_arn: Option<String>,
    pub(crate) processing_job_name: Option<String>,
    pub(crate) processing_inputs: Option<Vec<ProcessingInput>>,
    pub(crate) processing_output_config: Option<ProcessingOutputConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ProcessingInput {
    pub(crate) input_name: String,
    #[serde(rename = "S3Input")]
    pub(crate) s3_input: Option<ProcessingS3Input>,
    pub(crate) dataset_definition: Option<ProcessingDataset>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ProcessingS3Input {
    #[serde(rename = "LocalPath")]
    pub(crate) local_path: Option<String>,
    #[serde(rename = "S3InputMode")]
    pub(crate) mode: Option<String>,
    #[serde(rename = "S3DataDistributionType")]
    pub(crate) distribution: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ProcessingDataset {
    pub(crate) local_path: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ProcessingOutputConfig {
    pub(crate) outputs: Option<Vec<ProcessingOutput>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ProcessingOutput {
    #[serde(rename = "S3Output")]
    pub(crate) s3_output: Option<ProcessingS3Output>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ProcessingS3Output {
    pub(crate) local_path: Option<String>,
}

/// `resource-metadata.json` of Studio apps and notebook instances.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ResourceMetadata {
    pub(crate) app_type: Option<String>,
    pub(crate) resource_arn: Option<String>,
    pub(crate) resource_name: Option<String>,
    pub(crate) space_name: Option<String>,
    pub(crate) user_profile_name: Option<String>,
}
