//! sagemaker-training-toolkit 5.1.4: what it reads beside SageMaker's files, and what a
//! script written for it reads.

/// The script, whatever the hyperparameter of that name says.
pub(crate) const PROGRAM: &str = "SAGEMAKER_PROGRAM";
/// A framework's own entry point.
pub(crate) const TRAINING_MODULE: &str = "SAGEMAKER_TRAINING_MODULE";
/// Model parallelism, as an outer toolkit left it.
pub(crate) const MODEL_PARALLEL: &str = "SM_HP_MP_PARAMETERS";
/// Launchers that it looks for on PATH.
pub(crate) const SMDDPRUN: &str = "smddprun";
pub(crate) const SMDDPMPRUN: &str = "smddpmprun";

/// Hyperparameters that begin so are not the script's.
pub(crate) const PREFIX: &str = "sagemaker_";
pub(crate) const HP_PROGRAM: &str = "sagemaker_program";
pub(crate) const HP_SUBMIT_DIRECTORY: &str = "sagemaker_submit_directory";
pub(crate) const HP_LOG_LEVEL: &str = "sagemaker_container_log_level";
pub(crate) const HP_JOB_NAME: &str = "sagemaker_job_name";
pub(crate) const HP_REGION: &str = "sagemaker_region";
pub(crate) const HP_DISTRIBUTION_GROUPS: &str = "sagemaker_distribution_instance_groups";
/// Neither the script's nor a framework's.
pub(crate) const KNOWN_HYPERPARAMETERS: &[&str] = &[
    HP_PROGRAM,
    HP_SUBMIT_DIRECTORY,
    "sagemaker_enable_cloudwatch_metrics",
    HP_REGION,
    HP_LOG_LEVEL,
    HP_JOB_NAME,
    "default_user_module_name",
    "_tuning_objective_metric",
    "sagemaker_s3_output",
];
/// Any of them that is true makes the current instance group a distributed one.
pub(crate) const DISTRIBUTIONS: &[&str] = &[
    "sagemaker_mpi_enabled",
    "sagemaker_parameter_server_enabled",
    "sagemaker_distributed_dataparallel_enabled",
    "sagemaker_pytorch_ddp_enabled",
    "sagemaker_pytorch_xla_multi_worker_enabled",
    "sagemaker_multi_worker_mirrored_strategy_enabled",
    "sagemaker_torch_distributed_enabled",
];

/// Keys of `resourceconfig.json`.
pub(crate) const CURRENT_HOST: &str = "current_host";
pub(crate) const CURRENT_INSTANCE_TYPE: &str = "current_instance_type";
pub(crate) const CURRENT_GROUP_NAME: &str = "current_group_name";
pub(crate) const HOSTS: &str = "hosts";
pub(crate) const INSTANCE_GROUPS: &str = "instance_groups";
pub(crate) const INSTANCE_GROUP_NAME: &str = "instance_group_name";
pub(crate) const INSTANCE_TYPE: &str = "instance_type";
pub(crate) const NETWORK_INTERFACE_NAME: &str = "network_interface_name";
pub(crate) const TOPOLOGY: &str = "topology";
/// What it takes where the file does not say.
pub(crate) const NO_INSTANCE_TYPE: &str = "local";
pub(crate) const NO_GROUP_NAME: &str = "homogeneousCluster";

/// Keys and words of `inputdataconfig.json`.
pub(crate) const CONTENT_TYPE: &str = "ContentType";
pub(crate) const RECORD_WRAPPER: &str = "RecordWrapperType";
pub(crate) const NO_RECORD_WRAPPER: &str = "None";
pub(crate) const DISTRIBUTION_TYPE: &str = "S3DistributionType";
pub(crate) const SHARDED: &str = "ShardedByS3Key";
pub(crate) const REPLICATED: &str = "FullyReplicated";
pub(crate) const INPUT_MODE: &str = "TrainingInputMode";

/// Of this instance type it knows the NeuronCores without asking.
pub(crate) const TRN2: &str = "trn2.48xlarge";
pub(crate) const TRN2_CORES: u32 = 64;

/// Its default log level: INFO.
pub(crate) const LOG_LEVEL: u32 = 20;

/// What it sets beside `SM_*`, for the script, too.
pub(crate) const SM_CURRENT_HOST: &str = "SM_CURRENT_HOST";
/// Variables that are specific to one node of a job.
pub(crate) const NODE_FACTS: &[&str] = &[
    SM_CURRENT_HOST,
    "SM_CURRENT_INSTANCE_TYPE",
    "SM_CURRENT_INSTANCE_GROUP",
    "SM_CURRENT_INSTANCE_GROUP_HOSTS",
    "SM_RESOURCE_CONFIG",
    SM_TRAINING_ENV,
    "SM_NUM_CPUS",
    "SM_NUM_GPUS",
    "SM_NUM_NEURONS",
    SIDE_CURRENT_HOST,
    "PET_NODE_RANK",
    "NODE_RANK",
];
pub(crate) const SIDE_CURRENT_HOST: &str = "CURRENT_HOST";
pub(crate) const SIDE_JOB_NAME: &str = "SAGEMAKER_JOB_NAME";
pub(crate) const SIDE_REGION: &str = "SAGEMAKER_REGION";

/// Followed by a channel's name, as it is.
pub(crate) const SM_CHANNEL: &str = "SM_CHANNEL_";
/// Followed by a hyperparameter's.
pub(crate) const SM_HP: &str = "SM_HP_";
pub(crate) const SM_HPS: &str = "SM_HPS";
pub(crate) const SM_USER_ARGS: &str = "SM_USER_ARGS";
pub(crate) const SM_FRAMEWORK_PARAMS: &str = "SM_FRAMEWORK_PARAMS";
pub(crate) const SM_CHANNELS: &str = "SM_CHANNELS";
pub(crate) const SM_TRAINING_ENV: &str = "SM_TRAINING_ENV";
pub(crate) const SM_TOPOLOGY: &str = "SM_TOPOLOGY";

/// What `SM_TRAINING_ENV` holds.
pub(crate) mod property {
    pub(crate) const ADDITIONAL_FRAMEWORK_PARAMETERS: &str = "additional_framework_parameters";
    pub(crate) const CHANNEL_INPUT_DIRS: &str = "channel_input_dirs";
    pub(crate) const CURRENT_HOST: &str = "current_host";
    pub(crate) const CURRENT_INSTANCE_GROUP: &str = "current_instance_group";
    pub(crate) const CURRENT_INSTANCE_GROUP_HOSTS: &str = "current_instance_group_hosts";
    pub(crate) const CURRENT_INSTANCE_TYPE: &str = "current_instance_type";
    pub(crate) const DISTRIBUTION_HOSTS: &str = "distribution_hosts";
    pub(crate) const DISTRIBUTION_INSTANCE_GROUPS: &str = "distribution_instance_groups";
    pub(crate) const FRAMEWORK_MODULE: &str = "framework_module";
    pub(crate) const HOSTS: &str = "hosts";
    pub(crate) const HYPERPARAMETERS: &str = "hyperparameters";
    pub(crate) const INPUT_CONFIG_DIR: &str = "input_config_dir";
    pub(crate) const INPUT_DATA_CONFIG: &str = "input_data_config";
    pub(crate) const INPUT_DIR: &str = "input_dir";
    pub(crate) const INSTANCE_GROUPS: &str = "instance_groups";
    pub(crate) const INSTANCE_GROUPS_DICT: &str = "instance_groups_dict";
    pub(crate) const IS_HETERO: &str = "is_hetero";
    pub(crate) const IS_MASTER: &str = "is_master";
    pub(crate) const IS_MODELPARALLEL_ENABLED: &str = "is_modelparallel_enabled";
    pub(crate) const IS_SMDDPMPRUN_INSTALLED: &str = "is_smddpmprun_installed";
    pub(crate) const IS_SMDDPRUN_INSTALLED: &str = "is_smddprun_installed";
    pub(crate) const JOB_NAME: &str = "job_name";
    pub(crate) const LOG_LEVEL: &str = "log_level";
    pub(crate) const MASTER_HOSTNAME: &str = "master_hostname";
    pub(crate) const MODEL_DIR: &str = "model_dir";
    pub(crate) const MODULE_DIR: &str = "module_dir";
    pub(crate) const MODULE_NAME: &str = "module_name";
    pub(crate) const NETWORK_INTERFACE_NAME: &str = "network_interface_name";
    pub(crate) const NUM_CPUS: &str = "num_cpus";
    pub(crate) const NUM_GPUS: &str = "num_gpus";
    pub(crate) const NUM_NEURONS: &str = "num_neurons";
    pub(crate) const OUTPUT_DATA_DIR: &str = "output_data_dir";
    pub(crate) const OUTPUT_DIR: &str = "output_dir";
    pub(crate) const OUTPUT_INTERMEDIATE_DIR: &str = "output_intermediate_dir";
    pub(crate) const RESOURCE_CONFIG: &str = "resource_config";
    pub(crate) const TOPOLOGY: &str = "topology";
    pub(crate) const USER_ENTRY_POINT: &str = "user_entry_point";
}

/// Those that hold many hyperparameters.
#[cfg(feature = "cli")]
pub(crate) const WHOLE: &[&str] = &[SM_HPS, SM_USER_ARGS, SM_FRAMEWORK_PARAMS, SM_TRAINING_ENV];

/// Those that are one property each.
pub(crate) const VARIABLES: &[(&str, &str)] = &[
    ("SM_HOSTS", property::HOSTS),
    (
        "SM_NETWORK_INTERFACE_NAME",
        property::NETWORK_INTERFACE_NAME,
    ),
    (SM_HPS, property::HYPERPARAMETERS),
    ("SM_USER_ENTRY_POINT", property::USER_ENTRY_POINT),
    (
        SM_FRAMEWORK_PARAMS,
        property::ADDITIONAL_FRAMEWORK_PARAMETERS,
    ),
    ("SM_RESOURCE_CONFIG", property::RESOURCE_CONFIG),
    ("SM_INPUT_DATA_CONFIG", property::INPUT_DATA_CONFIG),
    ("SM_OUTPUT_DATA_DIR", property::OUTPUT_DATA_DIR),
    (SM_CURRENT_HOST, property::CURRENT_HOST),
    ("SM_CURRENT_INSTANCE_TYPE", property::CURRENT_INSTANCE_TYPE),
    (
        "SM_CURRENT_INSTANCE_GROUP",
        property::CURRENT_INSTANCE_GROUP,
    ),
    (
        "SM_CURRENT_INSTANCE_GROUP_HOSTS",
        property::CURRENT_INSTANCE_GROUP_HOSTS,
    ),
    ("SM_INSTANCE_GROUPS", property::INSTANCE_GROUPS),
    ("SM_INSTANCE_GROUPS_DICT", property::INSTANCE_GROUPS_DICT),
    (
        "SM_DISTRIBUTION_INSTANCE_GROUPS",
        property::DISTRIBUTION_INSTANCE_GROUPS,
    ),
    ("SM_IS_HETERO", property::IS_HETERO),
    ("SM_MODULE_NAME", property::MODULE_NAME),
    ("SM_LOG_LEVEL", property::LOG_LEVEL),
    ("SM_FRAMEWORK_MODULE", property::FRAMEWORK_MODULE),
    ("SM_INPUT_DIR", property::INPUT_DIR),
    ("SM_INPUT_CONFIG_DIR", property::INPUT_CONFIG_DIR),
    ("SM_OUTPUT_DIR", property::OUTPUT_DIR),
    ("SM_NUM_CPUS", property::NUM_CPUS),
    ("SM_NUM_GPUS", property::NUM_GPUS),
    ("SM_NUM_NEURONS", property::NUM_NEURONS),
    ("SM_MODEL_DIR", property::MODEL_DIR),
    ("SM_MODULE_DIR", property::MODULE_DIR),
    (
        "SM_OUTPUT_INTERMEDIATE_DIR",
        property::OUTPUT_INTERMEDIATE_DIR,
    ),
];
