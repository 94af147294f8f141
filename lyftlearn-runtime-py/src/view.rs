//! The workload as frozen Python objects. What `///` says here is what `help()` shows;
//! `_native.pyi` repeats it for editors, and `tests/test_stubs.py` holds the two together.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use lyftlearn_runtime as rt;
use lyftlearn_runtime::Facts;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyMapping, PyMappingProxy};

use crate::error::raise;
use crate::hyperparameters::Hyperparameters;

/// A frozen class around a part of the model, with a getter for each field named.
macro_rules! part {
    ($(#[doc = $doc:literal])+ $name:ident { $($fields:tt)+ }) => {
        part!($(#[doc = $doc])+ $name(rt::$name) { $($fields)+ });
    };
    ($(#[doc = $doc:literal])+ $name:ident($part:ty) {
        $($(#[doc = $about:literal])+ $field:ident: $type:ty = $get:expr),+ $(,)?
    }) => {
        $(#[doc = $doc])+
        #[pyclass(frozen, eq, module = "lyftlearn_runtime")]
        #[derive(PartialEq)]
        pub(crate) struct $name($part);

        #[pymethods]
        impl $name {
            $($(#[doc = $about])+
            #[getter]
            fn $field(&self) -> $type {
                let get: fn(&$part) -> $type = $get;
                get(&self.0)
            })+

            fn __repr__(part: &Bound<'_, Self>) -> PyResult<String> {
                repr(part.as_any(), stringify!($name), &[$(stringify!($field)),+])
            }
        }
    };
}

part!(
    /// What this job is called, here and by its platform. What the platform does not
    /// tell is None.
    ///
    /// Sources: SageMaker Developer Guide, "How Amazon SageMaker AI Provides Training
    /// Information"; Kubernetes, "Object Names and IDs" and "Namespaces".
    Job {
        /// The name its owner chose: SageMaker's job name, or the setting job.name,
        /// or on Kubernetes the pod's.
        name: Option<String> = |job| job.name.clone(),
        /// What tells this run from every other: SageMaker's ARN, or the pod's UID.
        id: Option<String> = |job| job.id.clone(),
        /// SageMaker's ARN.
        arn: Option<String> = |job| job.arn.clone(),
        /// The pod's namespace.
        namespace: Option<String> = |job| job.namespace.clone(),
        /// Which attempt at the job this is, from 0.
        attempt: Option<u32> = |job| job.attempt,
        /// The container's name in its pod.
        container: Option<String> = |job| job.container.clone(),
        /// The pod's labels, where a downwardAPI volume has them (Kubernetes, "Expose Pod
        /// Information to Containers Through Files"); else empty.
        labels: BTreeMap<String, String> = |job| job.labels.clone(),
        /// The pod's annotations, likewise.
        annotations: BTreeMap<String, String> = |job| job.annotations.clone(),
    }
);
part!(
    /// Directories that exist or can be made, and files that the platform reads. What
    /// is not to be had here is None.
    ///
    /// The layout below /opt/ml is SageMaker's (Developer Guide, "Amazon SageMaker AI
    /// Training Storage Folders"); on Kubernetes volumes take the same places.
    Paths {
        /// The model: written by training, read by serving.
        model: Option<PathBuf> = |paths| paths.model.clone(),
        /// All input; channels lie below.
        input: Option<PathBuf> = |paths| paths.input.clone(),
        /// Everything the job leaves behind but the model.
        output: Option<PathBuf> = |paths| paths.output.clone(),
        /// Output that the platform keeps.
        output_data: Option<PathBuf> = |paths| paths.output_data.clone(),
        /// Checkpoints, kept across attempts where the platform does so (SageMaker
        /// Developer Guide, "Checkpoints in Amazon SageMaker AI").
        checkpoints: Option<PathBuf> = |paths| paths.checkpoints.clone(),
        /// The user's code.
        code: Option<PathBuf> = |paths| paths.code.clone(),
        /// Kept between jobs where the platform does so (SageMaker's warm pools).
        /// Never for secrets.
        cache: Option<PathBuf> = |paths| paths.cache.clone(),
        /// Scratch.
        tmp: Option<PathBuf> = |paths| paths.tmp.clone(),
        /// The file in which the platform looks for a failure's reason: SageMaker shows
        /// 1,024 characters of it, Kubernetes 4,096 bytes ("Determine the Reason for
        /// Pod Failure").
        failure: Option<PathBuf> = |paths| paths.failure.clone(),
        /// The runtime's own files, workload.json first.
        run: Option<PathBuf> = |paths| paths.run.clone(),
    }
);
part!(
    /// One input.
    ///
    /// Source: SageMaker API Reference, "Channel" and "DataSource". On Kubernetes every
    /// directory below /opt/ml/input/data is one.
    Channel {
        /// Its directory, or in pipe mode the FIFO's name without `_<epoch>`.
        path: PathBuf = |channel| channel.path.clone(),
        /// How the data arrive: "file" (downloaded before the start), "pipe" (a FIFO for
        /// each epoch), "fastfile" (fetched when read) or "mount" (a network volume).
        mode: &'static str = |channel| channel.mode.as_str(),
        /// MIME type, where declared.
        content_type: Option<String> = |channel| channel.content_type.clone(),
        /// Whether each node gets another part of the data; None if it is unknown.
        sharded: Option<bool> = |channel| channel.sharded,
    }
);
part!(
    /// One instance group of a heterogeneous cluster.
    ///
    /// Source: SageMaker API Reference, "InstanceGroup".
    Group {
        /// The group's name.
        name: String = |group| group.name.clone(),
        /// The instance type, where told: "ml.g5.2xlarge".
        instance_type: Option<String> = |group| group.instance_type.clone(),
        /// Its nodes, in the platform's order.
        hosts: Vec<String> = |group| group.hosts.clone(),
        /// Whether this node is one of them.
        current: bool = |group| group.current,
    }
);
part!(
    /// The nodes of this job, and this process's rank among those that a launcher has started. A
    /// single node has rank 0 of 1. Unknown values are None.
    ///
    /// In a worker of torchrun node_rank, nodes and where rank 0 is are those of its round.
    ///
    /// Sources: SageMaker's resourceconfig.json (Developer Guide, "How Amazon SageMaker
    /// AI Provides Training Information"); on Kubernetes the variables of torchrun,
    /// Kubeflow Trainer, LeaderWorkerSet, Volcano, HyperPod and indexed Jobs, and an MPI
    /// job's hostfile; in a process those of torchrun, Open MPI and DeepSpeed.
    Topology((rt::Topology, Option<rt::Process>)) {
        /// This node's name.
        host: String = |(topology, _)| topology.host.clone(),
        /// Every node's name in rank order; empty where the platform tells only a count.
        hosts: Vec<String> = |(topology, _)| topology.hosts.clone(),
        /// This node's place, from 0; None where a launcher ranks the nodes.
        node_rank: Option<u32> = |(topology, _)| topology.node_rank,
        /// How many nodes there are; None where that may change while the job runs.
        nodes: Option<u32> = |(topology, _)| topology.nodes,
        /// The least number of nodes of an elastic job; None where the number is fixed.
        least: Option<u32> = |(topology, _)| topology.bounds.map(|bounds| bounds.least),
        /// The largest number of nodes of an elastic job; None where the number is fixed.
        most: Option<u32> = |(topology, _)| topology.bounds.map(|bounds| bounds.most),
        /// Accelerators of this node that workers may have one each of; 0 without any.
        local_devices: u32 = |(topology, _)| topology.local_devices,
        /// Rank 0's address; None where several nodes have none named.
        master_addr: Option<String> = |(topology, _)| topology.master_addr.clone(),
        /// The TCP port on which rank 0 listens for the others.
        master_port: u16 = |(topology, _)| topology.master_port,
        /// The interface on which the nodes see each other, where known.
        network_interface: Option<String> = |(topology, _)| topology.network_interface.clone(),
        /// Instance groups, in the platform's order; empty without any.
        groups: Vec<Group> = |(topology, _)| topology.groups.iter().cloned().map(Group).collect(),
        /// This process's place among all; None where no launcher has started it.
        rank: Option<u32> = |(_, process)| process.map(|process| process.rank),
        /// How many processes there are.
        world_size: Option<u32> = |(_, process)| process.map(|process| process.world_size),
        /// This process's place among those of this node.
        local_rank: Option<u32> = |(_, process)| process.map(|process| process.local_rank),
        /// How many processes there are on this node, where the launcher tells.
        local_world_size: Option<u32> = |(_, process)| process.and_then(|it| it.local_world_size),
        /// How often torchrun has started the processes again after a failure.
        restarts: Option<u32> = |(_, process)| process.and_then(|process| process.restarts),
    }
);
part!(
    /// What this container may use: its cgroup's limits, never the node's numbers.
    ///
    /// Sources: cgroups(7); Kubernetes, "Resource Management for Pods and Containers".
    Resources {
        /// Processors' worth of time: the smaller of quota and affinity. May be a fraction.
        cpus: f64 = |resources| resources.cpus,
        /// The memory limit in bytes; None without one.
        memory_bytes: Option<u64> = |resources| resources.memory_bytes,
        /// NVIDIA devices.
        gpus: u32 = |resources| resources.gpus,
        /// AWS Neuron devices.
        neurons: u32 = |resources| resources.neurons,
        /// Size of /dev/shm in bytes; None where it is not mounted.
        shm_bytes: Option<u64> = |resources| resources.shm_bytes,
    }
);

/// What this container is asked to run, in the same words on every platform.
#[pyclass(frozen, module = "lyftlearn_runtime")]
pub(crate) struct View {
    view: rt::View,
    facts: Facts,
}

#[pymethods]
impl View {
    /// The platform that started the container: "sagemaker", "kubernetes", or "local" for any
    /// other.
    #[getter]
    fn platform(&self) -> &'static str {
        self.view.workload.platform.as_str()
    }

    /// The variety of the platform: which kind of SageMaker job or app, which kind of
    /// pod, a container or a bare host.
    #[getter]
    fn flavor(&self) -> &'static str {
        self.view.workload.flavor.as_str()
    }

    /// What the program is for.
    #[getter]
    fn role(&self) -> &'static str {
        self.view.workload.role.as_str()
    }

    /// What this job is called.
    #[getter]
    fn job(&self) -> Job {
        Job(self.view.workload.job.clone())
    }

    /// Directories and files that the program may use.
    #[getter]
    fn paths(&self) -> Paths {
        Paths(self.view.workload.paths.clone())
    }

    /// Input data by channel name, read-only.
    #[getter]
    fn channels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyMappingProxy>> {
        let channels: BTreeMap<&str, Channel> = self
            .view
            .workload
            .channels
            .iter()
            .map(|(name, channel)| (name.as_str(), Channel(channel.clone())))
            .collect();
        let channels = channels.into_pyobject(py)?;
        Ok(PyMappingProxy::new(py, channels.as_mapping()))
    }

    /// Hyperparameters as texts, with types on request.
    ///
    /// Raises UnreadableError or ContractError when the delivered document is gone or
    /// broken.
    #[getter]
    fn hyperparameters(&self, py: Python<'_>) -> PyResult<Hyperparameters> {
        py.detach(|| self.view.hyperparameters(&self.facts))
            .map(Hyperparameters)
            .map_err(|error| raise(&error))
    }

    /// The nodes of this job.
    #[getter]
    fn topology(&self) -> Topology {
        Topology((self.view.workload.topology.clone(), self.view.process))
    }

    /// What this container may use.
    #[getter]
    fn resources(&self) -> Resources {
        Resources(self.view.workload.resources.clone())
    }

    /// The whole workload as `lyftlearn-runtime inspect --json` shows it: JSON's types,
    /// hyperparameters by count and place, no values and no secrets.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let text =
            serde_json::to_string(&self.view.workload).expect("the model has no failure to report");
        py.import("json")?.call_method1("loads", (text,))
    }

    fn __repr__(view: &Bound<'_, Self>) -> PyResult<String> {
        repr(view.as_any(), "View", &["platform", "flavor", "role"])
    }
}

/// What this process sees, read once.
#[pyfunction]
pub(crate) fn current(py: Python<'_>) -> PyResult<Py<View>> {
    static VIEW: PyOnceLock<Py<View>> = PyOnceLock::new();
    VIEW.get_or_try_init(py, || Py::new(py, view(py, Facts::capture(Vec::new()))?))
        .map(|view| view.clone_ref(py))
}

/// What a program would see that was started with this environment and these files;
/// for tests. Reads anew at every call, and changes nothing.
///
/// `root` replaces /, `environ` the process's environment, and `argv` the program's argv without
/// the runtime's own arguments: ["train"].
///
/// Raises SettingsError, ContractError or UnreadableError where a start would stop
/// with the same report.
#[pyfunction]
#[pyo3(signature = (*, root=None, environ=None, argv=None))]
pub(crate) fn resolve(
    py: Python<'_>,
    root: Option<PathBuf>,
    environ: Option<&Bound<'_, PyMapping>>,
    argv: Option<Vec<OsString>>,
) -> PyResult<View> {
    let mut facts = Facts::capture(argv.unwrap_or_default());
    if let Some(environ) = environ {
        facts = facts.without_vars();
        // A copy as a dict, from any mapping (os.environ is not a dict).
        let environ: Bound<'_, PyDict> = py.get_type::<PyDict>().call1((environ,))?.cast_into()?;
        for (name, value) in environ {
            facts = facts.with_var(name.extract::<OsString>()?, value.extract::<OsString>()?);
        }
    }
    if let Some(root) = root {
        facts = facts.with_root(root);
    }
    view(py, facts)
}

fn view(py: Python<'_>, facts: Facts) -> PyResult<View> {
    let view = py
        .detach(|| rt::current(&facts))
        .map_err(|error| raise(&error))?;
    Ok(View { view, facts })
}

/// `Job(name='ranking', …)`, as a dataclass would show itself.
fn repr(object: &Bound<'_, PyAny>, class: &str, fields: &[&str]) -> PyResult<String> {
    let fields = fields
        .iter()
        .map(|field| Ok(format!("{field}={}", object.getattr(*field)?.repr()?)))
        .collect::<PyResult<Vec<_>>>()?;
    Ok(format!("{class}({})", fields.join(", ")))
}
