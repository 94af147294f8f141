//! A cluster and a namespace of it: what one run of the checker makes there, and its removal.

use std::fmt::Debug;
use std::future::Future;
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod};
use kube::api::{Api, DeleteParams, ListParams, LogParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config, Error, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::engine::call::Stop;
use crate::trouble::{Result, Trouble, cannot};

/// The label of everything that a run makes; its value is the run's name.
const LABEL: &str = "lyftlearn-conformance";

/// One question of the API.
const ANSWER: Duration = Duration::from_secs(30);

/// The namespace that a context names without saying so.
const DEFAULT: &str = "default";

/// A run in a namespace.
pub struct Cluster {
    client: Client,
    runtime: tokio::runtime::Runtime,
    namespace: String,
    run: String,
    stop: Stop,
    made: AtomicUsize,
    keep: bool,
}

impl Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("namespace", &self.namespace)
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Finds the cluster, and asks whether Jobs may be made in the namespace.
    ///
    /// # Errors
    ///
    /// When no kubeconfig names it, when it does not answer, and when it does not allow what the checks need.
    pub fn connect(
        context: Option<&str>,
        namespace: Option<&str>,
        stop: &Stop,
        keep: bool,
    ) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|err| Trouble::Cannot(format!("cannot wait for the network: {err}")))?;
        let config = runtime.block_on(config(context))?;
        let namespace = namespace.unwrap_or(&config.default_namespace).to_owned();
        // The client spawns tasks, so it needs the runtime's context.
        let entered = runtime.enter();
        let client = Client::try_from(config).map_err(|err| {
            Trouble::Cannot(format!("cannot use the kubeconfig: {}", causes(&err)))
        })?;
        drop(entered);
        let mut seed = [0_u8; 5];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut seed))
            .map_err(|err| Trouble::Cannot(format!("cannot read /dev/urandom: {err}")))?;
        let id: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
        let cluster = Self {
            client,
            runtime,
            namespace: if namespace.is_empty() {
                DEFAULT.to_owned()
            } else {
                namespace
            },
            run: format!("lyftlearn-check-{id}"),
            stop: stop.clone(),
            made: AtomicUsize::new(0),
            keep,
        };
        cluster.permitted()?;
        Ok(cluster)
    }

    /// Creating nothing, as the API server would judge it.
    fn permitted(&self) -> Result<()> {
        let probe = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": format!("{}-may", self.run)},
            "spec": {"template": {"spec": {
                "restartPolicy": "Never", "containers": [{"name": "main", "image": "none"}],
            }}},
        });
        let probe: Job = typed(probe)?;
        let jobs: Api<Job> = Api::namespaced(self.client.clone(), &self.namespace);
        let dry = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        self.wait_for("make a Job", jobs.create(&dry, &probe))
            .map(drop)?;
        let pods: Api<Pod> = self.api();
        self.wait_for("list pods", pods.list(&ListParams::default().limit(1)))
            .map(drop)
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Waits for an answer of the API, unless the run is to end.
    fn wait_for<T>(&self, doing: &str, answer: impl Future<Output = kube::Result<T>>) -> Result<T> {
        self.answered(&self.stop, answer)?
            .map_err(|err| self.trouble(doing, &err))
    }

    fn answered<T>(&self, stop: &Stop, answer: impl Future<Output = T>) -> Result<T> {
        let until = Instant::now() + ANSWER;
        self.runtime.block_on(async {
            let mut answer = std::pin::pin!(answer);
            loop {
                let step = tokio::time::timeout(Duration::from_millis(100), answer.as_mut());
                if let Ok(answer) = step.await {
                    return Ok(answer);
                }
                stop.check()?;
                if Instant::now() > until {
                    return cannot("the cluster does not answer: is the address of the kubeconfig's context right?");
                }
            }
        })
    }

    /// What an error of the API means, and what to do.
    fn trouble(&self, doing: &str, err: &Error) -> Trouble {
        let namespace = &self.namespace;
        let why = match err {
            Error::Api(status) if status.code == 401 => {
                "the cluster does not accept the kubeconfig's credentials: log in again".to_owned()
            }
            Error::Api(status) if status.code == 403 && status.message.contains("cannot") => {
                format!(
                    "not allowed to {doing} in namespace {namespace}: {}; it takes create, get, list, delete and \
                 deletecollection of jobs, create and list of configmaps, get, list and patch of pods, get of \
                 pods/log, and list of events",
                    status.message
                )
            }
            Error::Api(status)
                if status.code == 404 && status.message.starts_with("namespaces") =>
            {
                format!(
                    "namespace {namespace} does not exist: create it, or name another with --namespace"
                )
            }
            Error::Api(status) => format!(
                "cannot {doing} in namespace {namespace}: {}",
                status.message
            ),
            other => format!("cannot reach the cluster: {}", causes(other)),
        };
        Trouble::Cannot(why)
    }

    /// Makes the Job of a `spec`, under a name of this run's, and the ConfigMaps that its volumes name by
    /// `@NAME-` and a number.
    pub(super) fn start(&self, spec: &Value, maps: &[Value]) -> Result<String> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}", self.run);
        let text = spec.to_string().replace("@NAME", &name);
        let spec: Value = serde_json::from_str(&text)
            .map_err(|err| Trouble::Cannot(format!("cannot describe a Job: {err}")))?;
        let metadata = json!({"name": name, "labels": {LABEL: self.run}});
        let job =
            json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec});
        let made: Job = self.create("make a Job", &typed(job)?)?;
        for (number, data) in maps.iter().enumerate() {
            let map = json!({
                "apiVersion": "v1", "kind": "ConfigMap", "binaryData": data,
                "metadata": {
                    "name": format!("{name}-{number}"), "labels": {LABEL: self.run},
                    "ownerReferences": [{
                        "apiVersion": "batch/v1", "kind": "Job", "name": name,
                        "uid": made.metadata.uid,
                    }],
                },
            });
            let _: ConfigMap = self.create("make a ConfigMap", &typed(map)?)?;
        }
        Ok(name)
    }

    fn create<K>(&self, doing: &str, object: &K) -> Result<K>
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Serialize,
    {
        self.stop.check()?;
        let api = self.api::<K>();
        self.wait_for(doing, api.create(&PostParams::default(), object))
    }

    /// The Job's pod, once there is one.
    pub(super) fn pod(&self, job: &str) -> Result<Option<Value>> {
        let of_job = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={job}"));
        let pods = self.wait_for("list pods", self.api::<Pod>().list(&of_job))?;
        let first = pods.items.into_iter().next();
        Ok(first.and_then(|pod| serde_json::to_value(pod).ok()))
    }

    /// Why there is no pod: the last that the cluster says of the Job.
    pub(super) fn last_event(&self, job: &str) -> Result<Option<String>> {
        let of_job = ListParams::default().fields(&format!("involvedObject.name={job}"));
        let events = self.wait_for("list events", self.api::<Event>().list(&of_job))?;
        Ok(events
            .items
            .into_iter()
            .filter_map(|event| event.message)
            .next_back())
    }

    /// What a pod's container has printed, at most its last four megabytes.
    pub(super) fn log(&self, pod: &str, container: &str) -> Result<String> {
        let limits = LogParams {
            container: Some(container.to_owned()),
            limit_bytes: Some(4 << 20),
            ..LogParams::default()
        };
        self.wait_for("read a pod's log", self.api::<Pod>().logs(pod, &limits))
    }

    /// Has the kubelet end a pod as a deletion does, with SIGTERM first, but keep it in the API for its exit code.
    pub(super) fn end(&self, pod: &str) -> Result<()> {
        self.limit(pod, Duration::from_secs(1))
    }

    /// Has the kubelet end a pod when it is that old.
    pub(super) fn limit(&self, pod: &str, age: Duration) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": {"activeDeadlineSeconds": age.as_secs()}}));
        let (pods, usual) = (self.api::<Pod>(), PatchParams::default());
        let patched = pods.patch(pod, &usual, &patch);
        self.wait_for("patch a pod", patched).map(drop)
    }

    /// Whether the run's objects stay.
    pub(super) fn keeps(&self) -> bool {
        self.keep
    }

    /// An interrupt, as an error.
    pub(super) fn interrupted(&self) -> Result<()> {
        self.stop.check()
    }

    /// Removes a Job with its pod and its ConfigMaps.
    pub(super) fn remove(&self, job: &str) -> Result<()> {
        if self.keep {
            return Ok(());
        }
        let jobs = self.api::<Job>();
        self.wait_for(
            "remove a Job",
            jobs.delete(job, &DeleteParams::background()),
        )
        .map(drop)
    }

    /// Removes all that is left, and waits until it is gone. In an interrupted run, too.
    fn clean(&self) -> Result<()> {
        let calm = Stop::default();
        let ours = ListParams::default().labels(&format!("{LABEL}={}", self.run));
        let jobs = self.api::<Job>();
        // Background: a foreground deletion waits for pods, which may take their grace.
        let background = DeleteParams::background();
        let gone = jobs.delete_collection(&background, &ours);
        self.answered(&calm, gone)?
            .map_err(|err| self.trouble("remove Jobs", &err))?;
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let pods = ListParams::default().labels(&format!("{LABEL}={}", self.run));
            let left = self.answered(&calm, self.api::<Pod>().list(&pods))?;
            let left = left.map_err(|err| self.trouble("list pods", &err))?;
            let maps = self.answered(&calm, self.api::<ConfigMap>().list(&pods))?;
            // Without permission to list ConfigMaps only pods are waited for.
            let maps = maps.map_or(0, |maps| maps.items.len());
            if left.items.is_empty() && maps == 0 {
                return Ok(());
            }
            if Instant::now() > until {
                return cannot(format!(
                    "{} pods of this run are still ending: kubectl --namespace {} get pods --selector {LABEL}={}",
                    left.items.len(),
                    self.namespace,
                    self.run
                ));
            }
            std::thread::park_timeout(Duration::from_millis(300));
        }
    }

    /// The label by which a pod of this run is found.
    pub(super) fn labels(&self) -> Value {
        json!({LABEL: self.run})
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let notice = if self.keep {
            format!(
                "the Jobs of this run are kept; to remove them: kubectl --namespace {} delete jobs --selector {LABEL}={}",
                self.namespace, self.run
            )
        } else if let Err(why) = self.clean() {
            why.to_string()
        } else {
            return;
        };
        // `drop` cannot return an error.
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("lyftlearn-conformance: {notice}\n").as_bytes(),
        );
    }
}

/// The kubeconfig's context; inside of a pod without a kubeconfig its own cluster.
async fn config(context: Option<&str>) -> Result<Config> {
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let known = match Kubeconfig::read() {
        Ok(known) => known,
        Err(KubeconfigError::FindPath | KubeconfigError::ReadConfig(..)) if context.is_none() => {
            return Config::incluster().map_err(|_| {
                Trouble::Cannot(
                    "found no kubeconfig: set KUBECONFIG to its path, or put it into ~/.kube/config".to_owned(),
                )
            });
        }
        Err(KubeconfigError::FindPath | KubeconfigError::ReadConfig(..)) => {
            return cannot(
                "found no kubeconfig: set KUBECONFIG to its path, or put it into ~/.kube/config",
            );
        }
        Err(err) => return cannot(format!("cannot use the kubeconfig: {}", causes(&err))),
    };
    let mut names: Vec<String> = known
        .contexts
        .iter()
        .map(|context| context.name.clone())
        .collect();
    names.sort();
    let wanted = context
        .or(known.current_context.as_deref())
        .unwrap_or_default();
    if !names.iter().any(|name| name == wanted) {
        let there = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        };
        return cannot(match context {
            Some(context) => {
                format!("the kubeconfig does not have the context {context}: it has {there}")
            }
            None => format!(
                "the kubeconfig has no current context: name one with --context; it has {there}"
            ),
        });
    }
    Config::from_custom_kubeconfig(known, &options)
        .await
        .map_err(|err| Trouble::Cannot(format!("cannot use the kubeconfig: {}", causes(&err))))
}

/// An error and what it came from.
fn causes(err: &dyn std::error::Error) -> String {
    let mut text = err.to_string();
    let mut source = err.source();
    while let Some(err) = source {
        let cause = err.to_string();
        // Some repeat their source.
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = err.source();
    }
    text
}

/// An object of the API from its JSON.
fn typed<K: DeserializeOwned>(object: Value) -> Result<K> {
    serde_json::from_value(object)
        .map_err(|err| Trouble::Cannot(format!("cannot describe an object of Kubernetes: {err}")))
}
