//! Kubernetes, EKS, KServe, Kubeflow and HyperPod on EKS.

/// The kubelet sets it in every container, whatever `enableServiceLinks` says.
pub(crate) const SERVICE_HOST: &str = "KUBERNETES_SERVICE_HOST";
/// First line of an `/etc/hosts` that the kubelet wrote.
pub(crate) const HOSTS_HEADER: &str = "# Kubernetes-managed hosts file";
pub(crate) const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
pub(crate) const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Where the kubelet reads the last words of a container unless the pod says otherwise.
pub(crate) const TERMINATION_LOG: &str = "/dev/termination-log";
/// What the kubelet reads of it, from its end (API: terminationMessagePath).
#[cfg(feature = "cli")]
pub(crate) const TERMINATION_MESSAGE_BYTES: usize = 4096;
/// Where pod specs mount a downwardAPI volume by custom (Kubernetes tasks: downward API volume).
pub(crate) const PODINFO_DIR: &str = "/etc/podinfo";
/// Below it: a line `key="value"` for each, quoted as Go quotes.
pub(crate) const LABELS: &str = "labels";
pub(crate) const ANNOTATIONS: &str = "annotations";
/// In a ConfigMap's, Secret's, projected or downwardAPI volume: a link to the directory that
/// holds the present files; replaced as a whole by rename(2) (kubelet: AtomicWriter).
pub(crate) const VOLUME_DATA: &str = "..data";
/// Below a pod's directory: where the kubelet binds subPath mounts.
pub(crate) const SUBPATHS: &str = "volume-subpaths";
/// The kubelet's own default of `terminationGracePeriodSeconds`.
pub(crate) const GRACE_SECONDS: u32 = 30;

/// EKS Pod Identity: only EKS answers there, on either address family.
pub(crate) const POD_IDENTITY_HOSTS: &[&str] = &["169.254.170.23", "[fd00:ec2::23]"];
pub(crate) const POD_IDENTITY_TOKEN_DIR: &str = "/var/run/secrets/pods.eks.amazonaws.com/";
/// Suffix of an EKS cluster's API server, if the kubelet has its name and not its address.
pub(crate) const EKS_SERVICE_SUFFIX: &str = ".eks.amazonaws.com";

/// Knative names the service of a KServe predictor here.
pub(crate) const KNATIVE_SERVICE: &str = "K_SERVICE";
pub(crate) const KNATIVE_REVISION: &str = "K_REVISION";
/// KServe's storage initializer leaves the model here.
pub(crate) const KSERVE_MODEL_DIR: &str = "/mnt/models";
/// Kubeflow sets it in notebook pods.
pub(crate) const NOTEBOOK_PREFIX: &str = "NB_PREFIX";

/// HyperPod's launcher, a superset of torchrun.
pub(crate) const HYPERPOD_LAUNCHER: &str = "hyperpodrun";
/// Written by HyperPod's elastic agent inside the pod.
pub(crate) const HYPERPOD_POD_FILE: &str = "/opt/ml/input/config/pod_resourceconfig.json";
/// HyperPod's node file, where a pod mounts it.
pub(crate) const HYPERPOD_NODE_FILE: &str = "/opt/ml/config/resource_config.json";
/// Whether its launcher tells workers of scale events, and the word for yes.
pub(crate) const HYPERPOD_EVENTS: &str = "HYPERPOD_SIGNAL_COORDINATION";
pub(crate) const EVENTS_ARE_ON: &str = "distributed";
pub(crate) const HYPERPOD_NODES: &str = "NNODES";
pub(crate) const HYPERPOD_LOCAL: &str = "NPROC_PER_NODE";

/// Kubeflow Trainer and elastic PyTorchJobs (read by torchrun itself).
pub(crate) const PET_NODES: &str = "PET_NNODES";
pub(crate) const PET_NODE_RANK: &str = "PET_NODE_RANK";
pub(crate) const PET_LOCAL: &str = "PET_NPROC_PER_NODE";
pub(crate) const PET_MASTER_ADDR: &str = "PET_MASTER_ADDR";
pub(crate) const PET_MASTER_PORT: &str = "PET_MASTER_PORT";
/// How nodes find each other; `static`, or nothing, is by rank.
pub(crate) const PET_BACKEND: &str = "PET_RDZV_BACKEND";
pub(crate) const STATIC_BACKEND: &str = "static";

/// PyTorchJob v1: one rank a pod.
pub(crate) const RANK: &str = "RANK";
pub(crate) const WORLD_SIZE: &str = "WORLD_SIZE";
pub(crate) const MASTER_ADDR: &str = "MASTER_ADDR";
pub(crate) const MASTER_PORT: &str = "MASTER_PORT";
/// torchrun's own children: RANK counts processes there, these count nodes.
pub(crate) const TORCHRUN_ID: &str = "TORCHELASTIC_RUN_ID";
pub(crate) const GROUP_RANK: &str = "GROUP_RANK";
pub(crate) const GROUP_WORLD_SIZE: &str = "GROUP_WORLD_SIZE";

/// LeaderWorkerSet.
pub(crate) const LWS_LEADER: &str = "LWS_LEADER_ADDRESS";
pub(crate) const LWS_SIZE: &str = "LWS_GROUP_SIZE";
pub(crate) const LWS_INDEX: &str = "LWS_WORKER_INDEX";

/// Volcano's plugins (volcano: pkg/controllers/job/plugins): the pod's place in its task, and
/// for each task `VC_<TASK>_HOSTS`, names with commas between them.
pub(crate) const VOLCANO_INDEX: &str = "VC_TASK_INDEX";
pub(crate) const VOLCANO_PREFIX: &str = "VC_";
pub(crate) const VOLCANO_HOSTS: &str = "_HOSTS";

/// In a launcher's pod of an MPIJob or TrainJob: a line for each node (mpi-operator).
pub(crate) const MPI_HOSTFILE: &str = "/etc/mpi/hostfile";

/// A JobSet's annotation: where rank 0 is, by a name that all its pods can resolve.
pub(crate) const JOBSET_COORDINATOR: &str = "jobset.sigs.k8s.io/coordinator";

/// Indexed Jobs. The number of completions is not told to the pod.
pub(crate) const COMPLETION_INDEX: &str = "JOB_COMPLETION_INDEX";
