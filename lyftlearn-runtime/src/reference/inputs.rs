//! `docs/reference/inputs.md`: every variable and file of others that the runtime reads.

use expect_test::expect_file;

use super::{Read, heading, page, read, read_table};
use crate::contract::{
    aws, events, kubernetes, linux, otlp, sagemaker, spark, statsd, toolkit, worker,
};

const INTRODUCTION: &str = "\
Names that platforms, launchers, SDKs and the kernel write, and that the runtime reads. A file that exists and cannot be read or \
parsed stops the start. A dash means that nothing changes if the name is missing.";

const SAGEMAKER: &[Read] = &[
    read(
        &[sagemaker::TRAINING_JOB_NAME],
        "platform, local mode",
        "training, with `resourceconfig.json`; name of the job",
        "–",
    ),
    read(
        &[sagemaker::TRAINING_JOB_ARN],
        "platform",
        "training or local mode; ARN of the job",
        "local mode, unless the instance type or other variables of the platform say otherwise",
    ),
    read(
        &[sagemaker::TRANSFORM_JOB_ARN],
        "platform",
        "transform",
        "`SAGEMAKER_BATCH`",
    ),
    read(
        &[sagemaker::BATCH],
        "platform (`true`), local mode (`True`)",
        "transform",
        "–",
    ),
    read(
        &[
            sagemaker::APP_TYPE,
            sagemaker::SPACE_NAME,
            sagemaker::INTERNAL_IMAGE,
        ],
        "Studio",
        "Studio, if its file is hidden: the first with one of the others",
        "–",
    ),
    read(
        &[sagemaker::STUDIO_LOCAL_MODE],
        "local mode started from Studio",
        "local mode that inherits Studio's variables",
        "–",
    ),
    read(
        sagemaker::HOSTING_VARIABLES,
        "platform, SDK",
        "hosting, with the argument `serve`",
        "a mount at or below `/opt/ml/model`, or at `/opt/ml`",
    ),
    read(
        &[sagemaker::WARM_POOL_CACHE],
        "platform",
        "the cache directory",
        "none",
    ),
    read(
        &[sagemaker::METRICS_DIRECTORY],
        "platform",
        "the metrics route `sagemaker`",
        "a problem, if the route is requested",
    ),
    read(
        &[sagemaker::BASE_DIR],
        "platform",
        "the layout of all paths; alone it proves nothing",
        "–",
    ),
    read(
        &[sagemaker::RESOURCE_CONFIG],
        "platform, local mode",
        "training; hosts, rank, groups",
        "with an ARN: one node, and a problem",
    ),
    read(
        &[sagemaker::HYPERPARAMETERS],
        "platform, local mode",
        "hyperparameters",
        "none",
    ),
    read(
        &[sagemaker::INPUT_DATA_CONFIG],
        "platform, local mode",
        "channels",
        "the directories below `input/data`",
    ),
    read(
        &[sagemaker::CHECKPOINT_CONFIG],
        "platform",
        "the checkpoint directory",
        "`/opt/ml/checkpoints`",
    ),
    read(
        &[sagemaker::PROCESSING_CONFIG],
        "platform, local mode",
        "processing; name, ARN, channels",
        "–",
    ),
    read(
        &[sagemaker::PROCESSING_RESOURCES],
        "platform, local mode",
        "hosts of a processing job",
        "one node",
    ),
    read(
        &[sagemaker::RESOURCE_METADATA],
        "platform",
        "Studio (with `AppType`), notebook instance (without)",
        "–",
    ),
    read(
        &[sagemaker::NOTEBOOK_VERSION],
        "platform",
        "notebook instance",
        "–",
    ),
    read(
        &[sagemaker::FAILURE],
        "the program, else the runtime",
        "the reason of a training job that the platform shows",
        "–",
    ),
    read(
        &[sagemaker::PROCESSING_MESSAGE],
        "the program, else the runtime",
        "the same for processing jobs",
        "–",
    ),
    read(
        &[sagemaker::NETWORK_INTERFACE],
        "–",
        "the network interface, if `resourceconfig.json` names none; elsewhere an interface below `/sys/class/net`",
        "none",
    ),
];

const KUBERNETES: &[Read] = &[
    read(
        &[kubernetes::SERVICE_HOST],
        "kubelet",
        "Kubernetes; a name that ends in `.eks.amazonaws.com` means EKS",
        "the kubelet's mounts",
    ),
    read(
        linux::ENGINE_FILES,
        "kubelet, container engines",
        "as mounts: a source `…/pods/<uid>/etc-hosts` means a kubelet, `…/containers/<id>/hosts` an engine without one",
        "the variable",
    ),
    read(
        &[kubernetes::HOSTS_HEADER],
        "kubelet, in `/etc/hosts`",
        "supporting evidence",
        "–",
    ),
    read(
        &[kubernetes::TERMINATION_LOG],
        "kubelet",
        "the file for the reason; a mount from `…/pods/<uid>/containers/<name>/<8 hex>` also names pod and container",
        "–",
    ),
    read(
        &[kubernetes::NAMESPACE_FILE],
        "kubelet",
        "the namespace",
        "`/etc/resolv.conf`",
    ),
    read(
        &[kubernetes::RESOLV_CONF],
        "kubelet",
        "the namespace, from `search <ns>.svc.…`",
        "none",
    ),
    read(
        kubernetes::POD_IDENTITY_HOSTS,
        "EKS Pod Identity, in `AWS_CONTAINER_CREDENTIALS_FULL_URI`",
        "EKS; credentials",
        "–",
    ),
    read(
        &[kubernetes::POD_IDENTITY_TOKEN_DIR],
        "EKS Pod Identity, in `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`",
        "EKS",
        "–",
    ),
    read(
        &[kubernetes::KNATIVE_SERVICE, kubernetes::KNATIVE_REVISION],
        "Knative",
        "KServe",
        "a mount at or below `/mnt/models`",
    ),
    read(
        &[kubernetes::KSERVE_MODEL_DIR],
        "KServe's storage initializer",
        "KServe; the model",
        "–",
    ),
    read(
        &[
            kubernetes::PODINFO_DIR,
            kubernetes::LABELS,
            kubernetes::ANNOTATIONS,
        ],
        "a downwardAPI volume, by convention",
        "`job.labels`, `job.annotations`",
        "none",
    ),
    read(
        &[kubernetes::VOLUME_DATA, kubernetes::SUBPATHS],
        "kubelet",
        "live configuration and secrets: the current directory of a volume; a mount by `subPath`, which never changes, is a problem",
        "–",
    ),
    read(
        &[kubernetes::NOTEBOOK_PREFIX],
        "Kubeflow",
        "a notebook",
        "–",
    ),
    read(
        &[
            kubernetes::HYPERPOD_LAUNCHER,
            kubernetes::HYPERPOD_POD_FILE,
            kubernetes::HYPERPOD_NODE_FILE,
        ],
        "HyperPod",
        "HyperPod: the program, or one of the files. With `user`, the directory of the first file is given to that user",
        "–",
    ),
];

const RANKS: &[Read] = &[
    read(
        &[
            kubernetes::GROUP_RANK,
            kubernetes::GROUP_WORLD_SIZE,
            kubernetes::TORCHRUN_ID,
        ],
        "torchrun, for its children",
        "rank and nodes",
        "next row",
    ),
    read(
        &[kubernetes::PET_BACKEND],
        "elastic PyTorchJob",
        "if it is not `static`, or `PET_NNODES` is a range such as `2:4`, torchrun ranks the nodes: no rank and no master before its workers run",
        "next row",
    ),
    read(
        &[
            kubernetes::PET_NODE_RANK,
            kubernetes::PET_NODES,
            kubernetes::PET_MASTER_ADDR,
            kubernetes::PET_MASTER_PORT,
            kubernetes::PET_LOCAL,
        ],
        "Kubeflow Trainer, PyTorchJob; on SageMaker and elsewhere the port and the local devices",
        "rank, nodes, master, local devices. One that contradicts the platform stays, because torchrun obeys it, and is a problem",
        "next row",
    ),
    read(
        &[
            kubernetes::LWS_INDEX,
            kubernetes::LWS_SIZE,
            kubernetes::LWS_LEADER,
        ],
        "LeaderWorkerSet",
        "rank, nodes, master",
        "next row",
    ),
    read(
        &[
            kubernetes::RANK,
            kubernetes::WORLD_SIZE,
            kubernetes::MASTER_ADDR,
            kubernetes::MASTER_PORT,
        ],
        "PyTorchJob",
        "rank, nodes, master. A port `tcp://…` belongs to a Service, is ignored, and is a problem",
        "next row",
    ),
    read(
        &[kubernetes::COMPLETION_INDEX],
        "Indexed Job, JobSet",
        "rank, with `topology.nodes`, `PET_NNODES` or `NNODES` as the number of nodes. Without a number each pod works alone, which is reported as a problem",
        "next row",
    ),
    read(
        &[kubernetes::JOBSET_COORDINATOR],
        "JobSet, in podinfo's annotations",
        "master, if no variable names it",
        "`<job>-0` with the domain of the pod's own name in `/etc/hosts`",
    ),
    read(
        &[
            kubernetes::VOLCANO_INDEX,
            kubernetes::VOLCANO_PREFIX,
            kubernetes::VOLCANO_HOSTS,
        ],
        "Volcano's plugins `env` and `svc`",
        "rank, nodes and their names, from the variable `VC_<TASK>_HOSTS` of this pod's task",
        "next row",
    ),
    read(
        &[kubernetes::MPI_HOSTFILE],
        "MPI Operator",
        "nodes, in the launcher's pod; rank if it is one of them",
        "next row",
    ),
    read(
        &[kubernetes::HYPERPOD_NODES, kubernetes::HYPERPOD_LOCAL],
        "HyperPod",
        "hyperpodrun ranks the nodes: no rank before its workers run; local devices",
        "rank 0 of 1",
    ),
    read(
        &[kubernetes::HYPERPOD_EVENTS],
        "HyperPod",
        "a problem if it is not `distributed`: HyperPod's elastic events are off",
        "–",
    ),
];

const WORKERS: &[Read] = &[
    read(
        &[
            worker::TORCHRUN_ID,
            worker::LOCAL_RANK,
            worker::LOCAL_WORLD_SIZE,
            worker::RESTARTS,
        ],
        "torchrun, hyperpodrun",
        "with `RANK` and `WORLD_SIZE`: rank of the process. `GROUP_RANK`, `GROUP_WORLD_SIZE`, `MASTER_ADDR` and `MASTER_PORT` replace the node's own",
        "next row",
    ),
    read(
        &[worker::HYPERPOD_SOCKET],
        "hyperpodrun",
        "`SIGUSR1` begins a new round (`rt.shutdown.reason`)",
        "–",
    ),
    read(
        &[
            worker::MPI_RANK,
            worker::MPI_SIZE,
            worker::MPI_LOCAL_RANK,
            worker::MPI_LOCAL_SIZE,
        ],
        "Open MPI's mpirun",
        "rank of the process",
        "next row",
    ),
    read(
        &["RANK", "WORLD_SIZE", "LOCAL_RANK"],
        "DeepSpeed",
        "rank of the process. `RANK` without `LOCAL_RANK` is a PyTorchJob's, which ranks pods",
        "–",
    ),
];

const CREDENTIALS: &[Read] = &[
    read(
        &[aws::ACCESS_KEY_ID, aws::SECRET_ACCESS_KEY],
        "user",
        "source `static`",
        "next row",
    ),
    read(
        &[aws::ROLE_ARN, aws::WEB_IDENTITY_TOKEN_FILE],
        "IRSA's webhook",
        "source `web-identity`; the file is read at each refresh",
        "next row",
    ),
    read(
        &[
            "AWS_PROFILE",
            "AWS_DEFAULT_PROFILE",
            aws::SHARED_CREDENTIALS_FILE,
            aws::CONFIG_FILE,
        ],
        "user",
        "source `profile`: a profile (else `default`) with one of the keys below",
        "next row",
    ),
    read(
        &[aws::CREDENTIALS_FILE, aws::USUAL_CONFIG_FILE],
        "user",
        "the same files at their default place below `HOME`. A file that begins with `# lyftlearn-runtime` is ignored",
        "next row",
    ),
    read(
        aws::IDENTITY_KEYS,
        "user, in a profile",
        "a profile that leads to credentials",
        "next row",
    ),
    read(
        &[aws::RELATIVE_URI],
        "SageMaker, ECS",
        "source `container`, below `http://169.254.170.2`",
        "next row",
    ),
    read(
        &[
            aws::FULL_URI,
            aws::AUTHORIZATION_TOKEN_FILE,
            aws::AUTHORIZATION_TOKEN,
        ],
        "EKS Pod Identity, ECS",
        "source `pod-identity` at EKS's addresses, else `container`; the token file is read at each refresh",
        "no source",
    ),
    read(
        &[
            aws::BOTO_CONFIG,
            aws::BOTO_CONFIG_OF_ALL,
            aws::USUAL_BOTO_CONFIG,
        ],
        "user",
        "keys that botocore would use before the endpoint: the file is hidden",
        "–",
    ),
    read(
        &[aws::OTHER_PROFILES_FILE],
        "user",
        "profiles of Java's first SDK: hidden with the others",
        "–",
    ),
    read(
        &[aws::EXECUTION_ENV],
        "platform, not local mode",
        "not a source by itself",
        "–",
    ),
    read(
        &[aws::ENDPOINT_URL_STS],
        "user",
        "where STS is called",
        "`AWS_ENDPOINT_URL`, else the region's",
    ),
    read(
        aws::PROXIES,
        "user",
        "whether `NO_PROXY` needs loopback and link-local addresses",
        "–",
    ),
];

const SERVICES: &[Read] = &[
    read(
        &[aws::ENDPOINT_URL],
        "user",
        "where AWS services are called",
        "their own addresses",
    ),
    read(
        &[
            aws::SECRETS_MANAGER_ENDPOINT,
            aws::SSM_ENDPOINT,
            aws::KMS_ENDPOINT,
            events::SQS_ENDPOINT,
            events::EVENTBRIDGE_ENDPOINT,
        ],
        "user",
        "the same for one service",
        "the row above",
    ),
    read(
        &[aws::SSL_CERT_FILE, aws::CA_BUNDLE],
        "user",
        "certificates that TLS trusts instead of the machine's own; the first that is set counts. OpenTelemetry reads only the first",
        "those of the image",
    ),
    read(
        &["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"],
        "user",
        "the proxy for all requests except to loopback and link-local addresses; lower-case names too",
        "no proxy",
    ),
];

const METRICS: &[Read] = &[
    read(
        &[statsd::HOST, statsd::PORT, statsd::PROTOCOL],
        "deployment",
        "the gateway, if no setting names one",
        "no gateway",
    ),
    read(
        &[otlp::METRICS_ENDPOINT, otlp::ENDPOINT],
        "deployment",
        "the collector, if `metrics.routes` has `otlp` and no setting names one; `/v1/metrics` is added to the second",
        "–",
    ),
    read(
        &otlp::HEADERS,
        "deployment",
        "headers for that collector only",
        "none",
    ),
    read(
        &otlp::TIMEOUT,
        "deployment",
        "timeout in milliseconds",
        "10 seconds",
    ),
    read(
        &otlp::PROTOCOL,
        "deployment",
        "`grpc` is a problem: the runtime sends by HTTP",
        "HTTP",
    ),
    read(
        &[otlp::SERVICE_NAME, otlp::RESOURCE_ATTRIBUTES],
        "deployment",
        "the resource of OpenTelemetry",
        "attributes of the workload",
    ),
    read(
        &[aws::EMF_AGENT_ENDPOINT, aws::EMF_LOG_GROUP],
        "deployment",
        "CloudWatch's agent, and the log group for it",
        "stdout; the namespace and `-metrics`",
    ),
];

const SPARK: &[Read] = &[
    read(
        &[spark::REMOTE],
        "user",
        "`sc://…`: the driver is elsewhere (Spark Connect), and nothing is set",
        "–",
    ),
    read(
        &[spark::LOCAL_HOSTNAME, spark::LOCAL_IP],
        "user",
        "the user's own choice",
        "–",
    ),
    read(
        &[spark::DEFAULTS_FILE, spark::ENVIRONMENT_FILE],
        "user",
        "`doctor`; in `SPARK_CONF_DIR`, else in `conf` of `SPARK_HOME`",
        "–",
    ),
    read(
        &[
            spark::CONF_DIR,
            spark::HOME,
            spark::CONF_NAME,
            spark::MASTER,
        ],
        "user",
        "`doctor`: where these files are, and the master",
        "–",
    ),
    read(
        &[
            spark::MASTER_KEY,
            spark::STANDALONE,
            spark::KUBERNETES,
            spark::DRIVER_HOST_KEY,
            spark::BIND_ADDRESS_KEY,
            spark::DRIVER_PORT_KEY,
            spark::BLOCK_PORT_KEY,
            spark::DRIVER_BLOCK_PORT_KEY,
        ],
        "user",
        "`doctor`: keys and masters in these files",
        "–",
    ),
    read(
        spark::COPIED_TO_EXECUTORS,
        "user",
        "`doctor`: Spark copies them to executors",
        "–",
    ),
];

const TOOLKIT: &[Read] = &[
    read(
        &[toolkit::PROGRAM, toolkit::TRAINING_MODULE],
        "SDK, image",
        "`SM_USER_ENTRY_POINT`, `SM_MODULE_NAME`, `SM_FRAMEWORK_MODULE`",
        "hyperparameters",
    ),
    read(
        &[
            toolkit::SMDDPRUN,
            toolkit::SMDDPMPRUN,
            toolkit::MODEL_PARALLEL,
        ],
        "image",
        "three properties of `SM_TRAINING_ENV`; the first two as programs on PATH",
        "`false`, `null`",
    ),
];

const KERNEL: &[Read] = &[
    read(
        &[linux::MOUNTINFO],
        "kernel",
        "mounts of the kubelet and of engines, cgroup mounts",
        "variables alone",
    ),
    read(
        &[linux::CGROUP, linux::CGROUP_MOUNT],
        "kernel",
        "limits of CPUs and memory, v1 and v2",
        "the usual places, else no limit",
    ),
    read(
        &["memory.events", "memory.oom_control"],
        "kernel, in the cgroup",
        "the class `out-of-memory` (v2, v1)",
        "such an end is a signal or an error",
    ),
    read(
        &[linux::INIT_COMMAND_LINE],
        "kernel",
        "`train` or `serve`, for a process that PID 1 did not start",
        "–",
    ),
    read(
        &[linux::HOSTNAME_FILE, linux::HOSTNAME],
        "kernel, engine",
        "name of this node",
        "`localhost`",
    ),
    read(
        &[linux::SHM],
        "kernel",
        "its size; the last choice for the run directory",
        "–",
    ),
    read(
        &[linux::DEVICES],
        "kernel",
        "`nvidia<n>` and `neuron<n>` devices",
        "none",
    ),
    read(
        &[linux::NEURON_DEVICES],
        "kernel",
        "NeuronCores",
        "a device counts as one",
    ),
    read(
        &[linux::PROCESSORS_ONLINE],
        "kernel",
        "CPUs of the node, with `toolkit.num_cpus = \"node\"`",
        "the affinity mask",
    ),
    read(
        &[linux::BOOT_ID, linux::PID_NAMESPACE, linux::OWN_PROCESS],
        "kernel",
        "which process set a gauge, and whether it lives",
        "one value for all such processes",
    ),
    read(
        &[linux::PROCESSES],
        "kernel",
        "which processes live",
        "each process is asked",
    ),
    read(
        &[linux::PASSWD, linux::GROUP, linux::HOME],
        "image",
        "the setting `user`",
        "numbers with a group are enough",
    ),
    read(
        linux::TCP_SOCKETS,
        "kernel",
        "listeners, for `inspect`; connections of a Spark driver, for `doctor`",
        "`listeners` is empty",
    ),
    read(
        linux::UDP_SOCKETS,
        "kernel",
        "dropped StatsD packets; listeners",
        "not counted",
    ),
    read(
        &[linux::OWN_FILES],
        "kernel",
        "the agent opens the totals that PID 1 passed to it",
        "a restarted agent starts at zero",
    ),
    read(
        &[linux::UPTIME],
        "kernel",
        "`doctor`: since when a Spark driver listens",
        "–",
    ),
    read(
        &[linux::INTERFACES, linux::LOOPBACK],
        "kernel",
        "interfaces, and which of them is loopback",
        "none",
    ),
    read(
        &[linux::TMPDIR, linux::TMP],
        "image",
        "scratch; the second choice for the run directory. A relative `TMPDIR` is relative to the working directory of the start",
        "none",
    ),
    read(
        &[linux::DOCKER_MARK, linux::PODMAN_MARK, linux::CONTAINER],
        "engine",
        "a container without an orchestrator",
        "a host",
    ),
];

#[test]
fn inputs() {
    let mut text = page("Inputs", INTRODUCTION);
    for (title, introduction, rows) in [
        ("SageMaker", "", SAGEMAKER),
        ("Kubernetes", "", KUBERNETES),
        (
            "Ranks on Kubernetes",
            "The first row that is complete decides.",
            RANKS,
        ),
        (
            "Workers of a launcher",
            "Read in a process that a launcher started, for `rt.topology.rank`, `world_size`, `local_rank`, `local_world_size`, `restarts`, and for Rust's `Process`. The first complete row decides.",
            WORKERS,
        ),
        (
            "Credentials",
            "The first complete row is the source, in the order of botocore's chain. An incomplete row is a problem.",
            CREDENTIALS,
        ),
        ("Requests to services", "", SERVICES),
        ("Metrics", "", METRICS),
        ("Spark", "", SPARK),
        ("SageMaker's toolkit", "", TOOLKIT),
        ("Kernel and container engines", "", KERNEL),
    ] {
        heading(&mut text, title, introduction);
        read_table(&mut text, rows);
    }
    expect_file!["../../../docs/reference/inputs.md"].assert_eq(&text);
}
