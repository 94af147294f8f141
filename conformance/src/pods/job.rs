//! One Job of one pod: started, followed to its end, and read.

use std::cell::Cell;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cluster::Cluster;
use crate::trouble::{Result, cannot};

/// How long a pod may wait for a node, and a Job for its pod.
const PLACED: Duration = Duration::from_secs(60);

/// How long a node may take to pull the image and to mount volumes.
const CREATED: Duration = Duration::from_secs(900);

/// What a run needs beyond the time limit of a container: to see it begin, to read it and to end it.
const SPARE: Duration = Duration::from_secs(60);

/// The deadline of a Job whose container has this time limit: a pull may take most of it. Without a checker the Job
/// ends then.
pub(super) fn deadline(limit: Duration) -> u64 {
    (PLACED + CREATED + limit + SPARE).as_secs()
}

/// A container's image that will not come, and a container that will not start, by the kubelet's reasons.
const PULL: &[&str] = &["ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"];
const BROKEN: &[&str] = &["CreateContainerConfigError", "CreateContainerError"];

/// How the container `main` of a Job's pod ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// `None` when it was still running when its time limit ended.
    pub(super) code: Option<i64>,
    /// The termination message.
    pub(super) message: String,
    pub(super) log: String,
    /// The pod's UID.
    pub(super) uid: String,
    pub(super) seconds: f64,
}

/// A Job that was started. Removed when it is not needed any more.
#[derive(Debug)]
pub(super) struct Running<'a> {
    cluster: &'a Cluster,
    name: String,
    began: Instant,
    /// Whether the pod has a deadline of its own.
    limited: Cell<bool>,
}

impl<'a> Running<'a> {
    pub(super) fn start(cluster: &'a Cluster, spec: &Value, maps: &[Value]) -> Result<Self> {
        Ok(Self {
            cluster,
            name: cluster.start(spec, maps)?,
            began: Instant::now(),
            limited: Cell::new(false),
        })
    }

    /// Waits until `found` gives a value of the pod; `None` when it has run for `limit` without one.
    pub(super) fn until<T>(
        &self,
        limit: Duration,
        found: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let mut runs_since = None;
        loop {
            self.cluster.interrupted()?;
            let pod = self.cluster.pod(&self.name)?;
            match &pod {
                None if self.began.elapsed() > PLACED => {
                    let why = self.cluster.last_event(&self.name)?;
                    let why = why.unwrap_or_else(|| "the cluster reported no reason".to_owned());
                    return cannot(format!("the cluster created no pod: {why}"));
                }
                None => {}
                Some(pod) => {
                    if let Some(value) = found(pod) {
                        return Ok(Some(value));
                    }
                    self.stuck(pod)?;
                    if runs_since.is_none() && begun(pod) {
                        runs_since = Some(Instant::now());
                        self.limit(pod, limit);
                    }
                }
            }
            if runs_since.is_some_and(|since: Instant| since.elapsed() > limit) {
                return Ok(None);
            }
            if runs_since.is_none() && self.began.elapsed() > CREATED {
                let why = "run again with --keep, then see kubectl describe pod";
                return cannot(format!(
                    "no container started within {} s: {why}",
                    CREATED.as_secs()
                ));
            }
            std::thread::park_timeout(Duration::from_millis(250));
        }
    }

    /// The image is there: from now on the cluster need not wait for a pull before it ends what a killed run leaves.
    fn limit(&self, pod: &Value, limit: Duration) {
        if !self.cluster.keeps() && !self.limited.replace(true) {
            let name = pod["metadata"]["name"].as_str().unwrap_or_default();
            // Without it the Job's own deadline does the same later.
            let _ = self
                .cluster
                .limit(name, self.began.elapsed() + limit + SPARE);
        }
    }

    /// Fails if waiting cannot help: the image cannot be pulled, or no node takes the pod.
    fn stuck(&self, pod: &Value) -> Result<()> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = &pod["metadata"]["name"];
        for status in statuses(pod) {
            let waiting = &status["state"]["waiting"];
            let (reason, message) = (text(&waiting["reason"]), text(&waiting["message"]));
            if PULL.contains(&reason.as_str()) {
                return cannot(format!(
                    "the cluster cannot pull {}: {reason}: {message}; push it, or give the namespace's service account \
                     imagePullSecrets",
                    text(&status["image"])
                ));
            }
            if BROKEN.contains(&reason.as_str()) {
                return cannot(format!(
                    "pod {} does not start: {reason}: {message}",
                    text(name)
                ));
            }
        }
        let conditions = pod["status"]["conditions"].as_array();
        let unplaced = conditions.into_iter().flatten().find(|condition| {
            condition["type"] == "PodScheduled" && condition["status"] == "False"
        });
        match unplaced {
            Some(condition) if self.began.elapsed() > PLACED => cannot(format!(
                "pod {} is still Pending after {} s: {}; add a node that can run it, or free one",
                text(name),
                PLACED.as_secs(),
                text(&condition["message"])
            )),
            _ => Ok(()),
        }
    }

    /// Waits for the end of the container `main`.
    pub(super) fn end(self, limit: Duration) -> Result<Ended> {
        let pod = self.until(limit, |pod| ended(pod).map(|_| pod.clone()))?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let Some(pod) = pod else {
            return self.late();
        };
        let name = text(&pod["metadata"]["name"]);
        let state = ended(&pod).unwrap_or_default();
        let log = self.cluster.log(&name, "main")?;
        let seconds = self.began.elapsed().as_secs_f64();
        self.cluster.remove(&self.name)?;
        Ok(Ended {
            code: state["exitCode"].as_i64(),
            message: text(&state["message"]),
            log,
            uid: text(&pod["metadata"]["uid"]),
            seconds,
        })
    }

    /// What there is of one that did not end.
    fn late(self) -> Result<Ended> {
        let pod = self.cluster.pod(&self.name)?.unwrap_or_default();
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        let log = self.cluster.log(name, "main").unwrap_or_default();
        self.cluster.remove(&self.name)?;
        Ok(Ended {
            code: None,
            message: String::new(),
            log,
            uid: String::new(),
            seconds: self.began.elapsed().as_secs_f64(),
        })
    }

    /// Asks the pod to end, as a deletion does.
    pub(super) fn ask_to_end(&self) -> Result<()> {
        match self.cluster.pod(&self.name)? {
            Some(pod) => self
                .cluster
                .end(pod["metadata"]["name"].as_str().unwrap_or_default()),
            None => cannot("the pod was deleted"),
        }
    }
}

fn statuses(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .filter_map(|kind| pod["status"][kind].as_array())
        .flatten()
}

/// Whether any container has begun.
fn begun(pod: &Value) -> bool {
    statuses(pod).any(|status| {
        status["state"]["running"].is_object() || status["state"]["terminated"].is_object()
    })
}

/// The end of `main`, or of an init container that failed before it.
fn ended(pod: &Value) -> Option<Value> {
    let over = |name: &str| {
        let status = statuses(pod).find(|status| status["name"] == name)?;
        let state = &status["state"]["terminated"];
        state.is_object().then(|| state.clone())
    };
    over("main").or_else(|| {
        let failed = pod["status"]["phase"] == "Failed";
        over("model").filter(|state| failed && state["exitCode"] != 0)
    })
}

/// Whether the pod is ready.
pub(super) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
