//! `docs/reference/variables.md`: what the program's environment holds.

use expect_test::expect_file;

use super::{Row, code, heading, page, row, table};
use crate::contract::{aws, delivered as ours, protected, spark, statsd, toolkit, torch, worker};

const INTRODUCTION: &str = "\
`run` and `exec` set these variables for the program. A variable is absent if the thing that it names is absent. \
`lyftlearn-runtime env` prints what a program gets here, and `lyftlearn-runtime explain NAME` says where a value comes from.";

const OURS: &[Row] = &[
    row(&[ours::PLATFORM], "`sagemaker`, `kubernetes` or `local`"),
    row(
        &[ours::FLAVOR],
        "SageMaker: `training`, `processing`, `hosting`, `transform`, `studio`, `notebook-instance`, `local-mode`. Kubernetes: `pod`, `eks`, `kserve`, `hyperpod`. Local: `container`, `host`",
    ),
    row(
        &[ours::ROLE],
        "`training`, `processing`, `serving`, `transform`, `job` or `notebook`",
    ),
    row(
        &[ours::JOB_NAME],
        "name of the job; in a pod without the setting `job.name`, the pod's name",
    ),
    row(&[ours::JOB_ID], "ARN of the job, or UID of the pod"),
    row(&[ours::MODEL_DIR], "directory of the model"),
    row(&[ours::INPUT_DIR], "directory with the channels"),
    row(
        &[ours::OUTPUT_DIR],
        "directory for everything that the job leaves except the model",
    ),
    row(
        &[ours::OUTPUT_DATA_DIR],
        "directory for output that the platform keeps",
    ),
    row(&[ours::CHECKPOINT_DIR], "directory for checkpoints"),
    row(&[ours::CODE_DIR], "directory of your code"),
    row(
        &[ours::CACHE_DIR],
        "directory that is kept between the jobs of a warm pool; never write secrets there",
    ),
    row(&[ours::TMP_DIR], "scratch directory"),
    row(&[ours::RUN_DIR], "the run directory, see [files](files.md)"),
    row(&[ours::CHANNELS], "JSON list of the channels' names"),
    row(
        &["LYFTLEARN_CHANNEL_<NAME>"],
        "path of a channel. The name is in upper case, with `_` for every byte except `A-Z`, `0-9` and `_`. If two names become equal, the first in the list gets the variable",
    ),
    row(
        &[ours::HYPERPARAMETERS_FILE],
        "file with the hyperparameters: one JSON object of strings, with the same bytes on every platform; `{}` if there are none",
    ),
    row(
        &[ours::HOSTS],
        "JSON list of the nodes in rank order; `[]` if the platform reports only their number; absent if a launcher ranks the nodes",
    ),
    row(&[ours::HOST], "name of this node"),
    row(
        &[ours::NODE_RANK, ours::NODES],
        "rank of this node from 0, and the number of nodes; absent if a launcher assigns them later",
    ),
    row(
        &[ours::NODES_LEAST, ours::NODES_MOST],
        "smallest and largest number of nodes of an elastic job; absent for a job of a fixed size",
    ),
    row(
        &[ours::MASTER_ADDR, ours::MASTER_PORT_NUMBER],
        "address and port of rank 0; the address is absent if the platform does not report it",
    ),
    row(
        &[ours::NETWORK_INTERFACE],
        "network interface between the nodes",
    ),
    row(
        &[ours::CPUS],
        "whole CPUs: the cgroup's quota rounded up, at most the affinity mask",
    ),
    row(
        &[ours::MEMORY_BYTES],
        "memory limit of the cgroup; absent without a limit",
    ),
    row(&[ours::GPUS], "number of NVIDIA devices"),
    row(
        &[ours::GRACE_SECONDS],
        "seconds between the stop signal and SIGKILL that the program may use",
    ),
    row(
        &[ours::RESIZE_SECONDS],
        "the setting `lifecycle.resize_seconds`, if it is set",
    ),
    row(
        &[ours::EXCEPTIONS_DIR],
        "directory for notes of uncaught exceptions; set by `run`, not by `exec`",
    ),
];

const SHARED: &[Row] = &[
    row(
        &[aws::REGION, aws::DEFAULT_REGION],
        "both, if one of them or the job's ARN names the region",
    ),
    row(
        &[aws::METADATA_DISABLED],
        "`true` if credentials are served, if `credentials.mode` is `off`, and under SageMaker's network isolation",
    ),
    row(
        &[torch::NNODES, torch::NODE_RANK],
        "torchrun's number of nodes and rank of this node; absent if torchrun ranks the nodes itself",
    ),
    row(
        &[torch::NPROC_PER_NODE],
        "number of accelerators, if there are any. Without accelerators, `auto` and `cpu` are replaced by `LYFTLEARN_CPUS`, because torchrun would count the CPUs of the node",
    ),
    row(
        &[
            torch::MASTER_ADDR,
            torch::MASTER_PORT,
            torch::PLAIN_MASTER_ADDR,
            torch::PLAIN_MASTER_PORT,
            torch::PLAIN_NODE_RANK,
        ],
        "address and port of rank 0, and this node's rank, with more than one node",
    ),
    row(
        torch::SOCKET_INTERFACES,
        "with more than one node: SageMaker's `network_interface_name`; in a pod, its only interface besides loopback",
    ),
    row(
        &[torch::JAX_COORDINATOR],
        "with more than one node: address and port of rank 0",
    ),
    row(
        &[torch::RENDEZVOUS_ID, torch::LOCAL_ADDR],
        "if torchrun ranks the nodes: the job's name, if a setting gives it, and the pod's address",
    ),
    row(
        &[worker::SHUTDOWN_TIMEOUT],
        "what the program has of the grace period, less two seconds. torch before 2.12 ignores it and gives its workers 30 s",
    ),
    row(
        &[spark::LOCAL_HOSTNAME],
        "address that a Spark driver advertises and binds; IPv6 in brackets. Not set if it or `SPARK_LOCAL_IP` is set",
    ),
    row(
        &[spark::SUBMIT_OPTS],
        "with `spark.ports`: `-Dspark.driver.port=`, `-Dspark.driver.blockManager.port=` and `-Dspark.port.maxRetries=` in front of an existing value. Left unchanged if it already has `-Dspark.driver.blockManager.port=`",
    ),
];

const STATSD: &[Row] = &[
    row(
        &[statsd::HOST, statsd::PORT],
        "`127.0.0.1` and a port that accepts UDP and TCP. The values found before name the gateway, to which metrics are forwarded",
    ),
    row(
        &[statsd::PROTOCOL],
        "unchanged; `udp` if the runtime does not listen on TCP; else absent, because each client has its own default",
    ),
    row(
        &[
            statsd::DATADOG_HOST,
            statsd::DATADOG_PORT,
            statsd::DATADOG_URL,
        ],
        "a separate port for DogStatsD. Left unchanged if any of the three is set, because a node's agent knows pods by their origin. `metrics.intercept = \"all\"` replaces them always",
    ),
];

const BROKER: &[Row] = &[
    row(&[aws::FULL_URI], "`http://127.0.0.1:<port>/v1/credentials`"),
    row(
        &[aws::AUTHORIZATION_TOKEN, aws::AUTHORIZATION_TOKEN_FILE],
        "the token, and the file that holds it. SDKs differ in which one they read",
    ),
    row(
        aws::NO_PROXY,
        "if a proxy variable is set: the existing value and loopback and link-local addresses (below); `*` stays `*`",
    ),
];

const TOOLKIT: &[Row] = &[
    row(
        &[
            "SM_HOSTS",
            toolkit::SM_CURRENT_HOST,
            "SM_NETWORK_INTERFACE_NAME",
        ],
        "the job's nodes. If a platform reports only their number, the list has that length: rank 0 by its address, this node by its name, the others as `rank-<n>`",
    ),
    row(
        &[
            "SM_CURRENT_INSTANCE_TYPE",
            "SM_CURRENT_INSTANCE_GROUP",
            "SM_CURRENT_INSTANCE_GROUP_HOSTS",
            "SM_INSTANCE_GROUPS",
            "SM_INSTANCE_GROUPS_DICT",
            "SM_IS_HETERO",
        ],
        "instance groups",
    ),
    row(
        &["SM_DISTRIBUTION_INSTANCE_GROUPS"],
        "the hyperparameter `sagemaker_distribution_instance_groups`; else the current group, if one of the hyperparameters below is true",
    ),
    row(
        &[toolkit::SM_TOPOLOGY],
        "`topology` of `resourceconfig.json`; absent if it is empty",
    ),
    row(
        &["SM_RESOURCE_CONFIG"],
        "`resourceconfig.json` with its keys `current_host`, `hosts`, `current_instance_type`, `current_group_name`, `instance_groups` (`instance_group_name`, `instance_type`, `hosts`), `network_interface_name` and `topology`. Without the file: one group `homogeneousCluster`, instance type `local`",
    ),
    row(
        &["SM_INPUT_DATA_CONFIG"],
        "`inputdataconfig.json` without the channel `lyftlearn`: `TrainingInputMode`, `ContentType`, `S3DistributionType` (`FullyReplicated`, `ShardedByS3Key`) and `RecordWrapperType` (`None`)",
    ),
    row(
        &[toolkit::SM_CHANNELS, "SM_CHANNEL_<NAME>"],
        "sorted names, and the path of each. Names are only converted to upper case: `-`, `.` and spaces stay",
    ),
    row(
        &[toolkit::SM_HPS, "SM_HP_<NAME>"],
        "hyperparameters, as JSON if the string is JSON; without those that begin with `sagemaker_`, and without `default_user_module_name` and `_tuning_objective_metric`. If two names become equal, the last in the document gets the variable",
    ),
    row(
        &[toolkit::SM_USER_ARGS],
        "the same as a list of arguments, `--name value`, in the order of the names",
    ),
    row(
        &[toolkit::SM_FRAMEWORK_PARAMS],
        "hyperparameters that begin with `sagemaker_`, except `sagemaker_program`, `sagemaker_submit_directory`, `sagemaker_container_log_level`, `sagemaker_job_name`, `sagemaker_region`, `sagemaker_enable_cloudwatch_metrics` and `sagemaker_s3_output`",
    ),
    row(
        &["SM_USER_ENTRY_POINT", "SM_MODULE_NAME"],
        "`SAGEMAKER_PROGRAM`, else `sagemaker_program`; without either blank and `None`",
    ),
    row(
        &["SM_MODULE_DIR"],
        "`sagemaker_submit_directory`, else the code directory",
    ),
    row(&["SM_FRAMEWORK_MODULE"], "`SAGEMAKER_TRAINING_MODULE`"),
    row(
        &["SM_LOG_LEVEL"],
        "`sagemaker_container_log_level`, else 20",
    ),
    row(
        &[
            "SM_INPUT_DIR",
            "SM_INPUT_CONFIG_DIR",
            "SM_MODEL_DIR",
            "SM_OUTPUT_DIR",
            "SM_OUTPUT_DATA_DIR",
            "SM_OUTPUT_INTERMEDIATE_DIR",
        ],
        "directories, including those that do not exist",
    ),
    row(
        &["SM_NUM_CPUS"],
        "`LYFTLEARN_CPUS`; with `toolkit.num_cpus = \"node\"`, as the toolkit counts them",
    ),
    row(&["SM_NUM_GPUS"], "`LYFTLEARN_GPUS`"),
    row(
        &["SM_NUM_NEURONS"],
        "NeuronCores: directories `neuron_core<n>` below `/sys/devices/virtual/neuron_device`, else the devices; 64 on `trn2.48xlarge`",
    ),
    row(
        &[toolkit::SM_TRAINING_ENV],
        "one JSON object with the properties below",
    ),
    row(
        &[
            toolkit::SIDE_CURRENT_HOST,
            toolkit::SIDE_JOB_NAME,
            toolkit::SIDE_REGION,
        ],
        "only for the role training, and only if they are known: this node, and the hyperparameters `sagemaker_job_name` and `sagemaker_region` (for the latter else `AWS_REGION`)",
    ),
];

#[test]
fn variables() {
    let mut text = page("Variables of the program", INTRODUCTION);
    heading(
        &mut text,
        "Our own",
        "These names are reserved. A value that is found under one of them is replaced, or removed if this start does not set it.",
    );
    table(&mut text, "variable", OURS);
    heading(
        &mut text,
        "Names that others read too",
        "These names are not reserved. A value that is found and not blank stays. PyTorch's and JAX's variables are set for the roles training, processing and job.",
    );
    table(&mut text, "variable", SHARED);
    heading(
        &mut text,
        "StatsD",
        "Set if the runtime listens for StatsD (`metrics.statsd.mode`) and `metrics.intercept` is not `false`. They then name this runtime. See [metrics](../metrics.md).",
    );
    table(&mut text, "variable", STATSD);
    heading(
        &mut text,
        "Credentials",
        "Set if credentials are served (`credentials.mode`). See [credentials](../credentials.md).",
    );
    table(&mut text, "variable", BROKER);
    text.push_str("\nHosts that are added to `NO_PROXY`: ");
    text.push_str(&code(aws::NEVER_BY_PROXY));
    text.push_str(
        ".\n\nVariables that are removed, so that an SDK finds one source of credentials only: ",
    );
    let removed = [
        &[
            aws::RELATIVE_URI,
            aws::ROLE_ARN,
            aws::WEB_IDENTITY_TOKEN_FILE,
            aws::ROLE_SESSION_NAME,
        ][..],
        &[
            aws::ACCESS_KEY_ID,
            aws::SECRET_ACCESS_KEY,
            aws::SESSION_TOKEN,
        ],
        &[aws::CREDENTIAL_EXPIRATION, aws::CREDENTIAL_FILE],
        aws::OTHER_KEYS,
        aws::OTHER_ROLES,
    ]
    .concat();
    text.push_str(&code(&removed));
    text.push_str(", and every other blank variable with a name that begins with `AWS_`.\n");
    heading(
        &mut text,
        "SageMaker's training toolkit",
        "`SM_*`, with the values that sagemaker-training-toolkit 5.1.4 gives a script. They are set on every platform, for every role except `notebook`. `toolkit.variables = \"off\"` switches them off. See [scripts for SageMaker's toolkit](../toolkit.md).",
    );
    table(&mut text, "variable", TOOLKIT);
    text.push_str("\nHyperparameters that select the current instance group: ");
    text.push_str(&code(toolkit::DISTRIBUTIONS));
    text.push_str(".\n\nProperties of `SM_TRAINING_ENV`: ");
    let mut properties: Vec<&str> = toolkit::VARIABLES
        .iter()
        .map(|(_, property)| *property)
        .collect();
    properties.extend(MORE_PROPERTIES);
    properties.sort_unstable();
    properties.dedup();
    text.push_str(&code(&properties));
    text.push_str(".\n");
    heading(
        &mut text,
        "Protected names",
        "A staged document or a secret may set these only if the setting `environment.allow` names them. The image's `ENV`, the pod spec and the platform's API may set them freely. A name that ends in `*` means all names with this prefix.",
    );
    let prefixes: Vec<String> = protected::PREFIXES
        .iter()
        .map(|prefix| format!("{prefix}*"))
        .collect();
    let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
    for (why, names) in [
        ("They decide which code is loaded or run", protected::CODE),
        (
            "They decide which certificates TLS trusts",
            protected::TRUST,
        ),
        (
            "They decide which credentials the program uses",
            protected::IDENTITY,
        ),
        ("Whole families", &prefixes[..]),
    ] {
        text.push_str(&format!("\n- {why}: {}\n", code(names)));
    }
    expect_file!["../../../docs/reference/variables.md"].assert_eq(&text);
}

/// Those that have no variable of their own.
const MORE_PROPERTIES: &[&str] = &[
    toolkit::property::CHANNEL_INPUT_DIRS,
    toolkit::property::DISTRIBUTION_HOSTS,
    toolkit::property::IS_MASTER,
    toolkit::property::IS_MODELPARALLEL_ENABLED,
    toolkit::property::IS_SMDDPMPRUN_INSTALLED,
    toolkit::property::IS_SMDDPRUN_INSTALLED,
    toolkit::property::JOB_NAME,
    toolkit::property::MASTER_HOSTNAME,
    toolkit::property::TOPOLOGY,
];

/// A reserved name without a row would be missing from the page.
#[test]
fn every_reserved_variable_has_its_row() {
    let described: Vec<&str> = OURS.iter().flat_map(|row| row.names).copied().collect();
    for name in ours::RESERVED {
        assert!(described.contains(name), "{name} has no row");
    }
}
