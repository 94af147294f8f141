//! The checks of a pod, a Job and a restricted pod. They have the ids of those that an engine's containers go through.
//!
//! The image's files are not read, and nothing of the checker is in the pods: the image's own runtime says what it sees.

use std::path::Path;
use std::time::{Duration, Instant};

use k8s_openapi::ByteString;
use serde_json::{Map, Value, json};

use super::cluster::Cluster;
use super::job::{Ended, Running, deadline, is_ready};
use crate::check::{self, Choice, Finding, Seen};
use crate::image_toml::{ImageToml, ServedModel, Train};
use crate::place::Place;
use crate::trouble::{Result, Trouble};

/// The user of a restricted pod; images have no passwd entry for it.
const NOBODY_KNOWN: i64 = 48_213;

/// In which a container that only looks about ends.
const LOOK: Duration = Duration::from_secs(120);

/// The bytes that a ConfigMap can have; the API allows a little more in all.
const MAP: usize = 1_000_000;

/// An image in a cluster.
struct Checked<'a> {
    cluster: &'a Cluster,
    image: &'a str,
    toml: &'a ImageToml,
    limit: Option<Duration>,
}

impl Checked<'_> {
    /// The command line's time limit, or else that of the check.
    fn limit(&self, usual: Duration) -> Duration {
        self.limit.unwrap_or(usual)
    }
}

/// One check: its id, and what runs it.
type Look = fn(&Checked<'_>) -> Result<Vec<Seen>>;

const LOOKS: &[(&str, Look)] = &[
    ("start.kubernetes-pod", start_pod),
    ("start.kubernetes-job", start_job),
    ("outcome.classes", outcome),
    ("restricted.start", start_restricted),
    ("train.completes", train_completes),
    ("train.failure", train_failure),
    ("serve.ready", serve),
];

/// Runs the chosen checks that a cluster can answer, one after the other, and gives their findings.
///
/// # Errors
///
/// On an interrupt, and when the cluster cannot run the image at all.
pub fn run(
    cluster: &Cluster,
    image: &str,
    toml: &ImageToml,
    choice: &Choice,
    limit: Option<Duration>,
    today: &str,
    progress: &dyn Fn(&'static str),
) -> Result<Vec<Finding>> {
    let checked = Checked {
        cluster,
        image,
        toml,
        limit,
    };
    let mut all = Vec::new();
    for check in choice.checks() {
        let Some((_, look)) = LOOKS.iter().find(|(id, _)| *id == check.id) else {
            continue;
        };
        progress(check.id);
        let began = Instant::now();
        // What the cluster refuses once it refuses always: it is no finding of the image's.
        let seen = look(&checked)?;
        let seconds = began.elapsed().as_secs_f64();
        for (number, seen) in seen.into_iter().enumerate() {
            let seconds = if number == 0 { seconds } else { 0.0 };
            all.push(check::finding(check, seen, seconds, &toml.waived, today));
        }
    }
    Ok(all)
}

/// How many checks there are for it.
#[must_use]
pub fn count(choice: &Choice) -> usize {
    let checks = choice.checks();
    checks
        .iter()
        .filter(|check| LOOKS.iter().any(|(id, _)| *id == check.id))
        .count()
}

/// A container `main` of the image; the fields of the pod's `spec` come on top.
fn job(checked: &Checked<'_>, container: Value, pod: Value, limit: Duration) -> Value {
    let mut main =
        json!({"name": "main", "image": checked.image, "imagePullPolicy": "IfNotPresent"});
    laid_over(&mut main, container);
    let mut spec = json!({
        "restartPolicy": "Never", "terminationGracePeriodSeconds": 30, "enableServiceLinks": false,
        "automountServiceAccountToken": false, "containers": [main],
    });
    laid_over(&mut spec, pod);
    let mut job = json!({
        "backoffLimit": 0,
        "activeDeadlineSeconds": deadline(limit),
        "template": {"metadata": {"labels": checked.cluster.labels()}, "spec": spec},
    });
    if !checked.cluster.keeps() {
        // What a run leaves that was killed is removed by the cluster.
        job["ttlSecondsAfterFinished"] = json!(60);
    }
    job
}

fn laid_over(object: &mut Value, more: Value) {
    if let Value::Object(more) = more {
        for (name, value) in more {
            object[name] = value;
        }
    }
}

fn variable(name: &str, value: impl Into<String>) -> Value {
    json!({"name": name, "value": value.into()})
}

/// Has the runtime show what it sees in the program's place.
fn looking(word: &str) -> Value {
    let command = r#"["lyftlearn-runtime", "inspect", "--json"]"#;
    json!({
        "args": [word],
        "env": [variable(&format!("LYFTLEARN_RUNTIME_COMMANDS_{}", word.to_uppercase()), command)],
    })
}

fn last(log: &str) -> String {
    check::start::last(log)
}

/// The document that `inspect` printed, among the lines of the runtime.
fn view(log: &str) -> Option<Value> {
    let lines: Vec<&str> = log.lines().collect();
    let first = lines.iter().position(|line| *line == "{")?;
    let last = lines.iter().rposition(|line| *line == "}")?;
    serde_json::from_str(&lines.get(first..=last)?.join("\n")).ok()
}

fn judged(ended: &Ended, place: Place) -> Seen {
    let seen = match (ended.code, view(&ended.log)) {
        (None, _) => Seen::failed("it did not end", "a start in which the program runs"),
        (Some(0), None) => Seen::failed(
            format!(
                "lyftlearn-runtime did not run in the program's place: {}",
                last(&ended.log)
            ),
            "an image whose entry point is lyftlearn-runtime run",
        ),
        (Some(0), Some(view)) => seen_in(&view, &ended.uid),
        (Some(code), _) => Seen::failed(
            format!(
                "it ended with exit code {code}: {}",
                last(&format!("{}\n{}", ended.log, ended.message))
            ),
            "a start in which the program runs",
        ),
    };
    seen.at(place)
        .with_log(&ended.log)
        .with_figure("seconds", ended.seconds)
}

/// What the runtime must say in a pod of this UID.
fn seen_in(view: &Value, uid: &str) -> Seen {
    let problems: Vec<&str> = view["problems"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if view["platform"] != "kubernetes" {
        Seen::failed(
            format!("the platform is {}", view["platform"]),
            "\"kubernetes\"",
        )
    } else if view["job"]["id"] != uid {
        Seen::failed(
            format!("the pod is {}", view["job"]["id"]),
            format!("{uid:?}, its UID"),
        )
    } else if view["job"]["container"] != "main" {
        Seen::failed(
            format!("the container is {}", view["job"]["container"]),
            "\"main\"",
        )
    } else if problems.is_empty() {
        Seen::passed()
    } else {
        Seen::failed(problems.join("; "), "a start without problems")
    }
}

fn started(checked: &Checked<'_>, place: Place, spec: &Value) -> Result<Vec<Seen>> {
    let ended = Running::start(checked.cluster, spec, &[])?.end(checked.limit(LOOK))?;
    Ok(vec![judged(&ended, place)])
}

fn start_pod(checked: &Checked<'_>) -> Result<Vec<Seen>> {
    let spec = job(checked, looking("serve"), json!({}), checked.limit(LOOK));
    started(checked, Place::KubernetesPod, &spec)
}

fn start_job(checked: &Checked<'_>) -> Result<Vec<Seen>> {
    let mut container = looking("train");
    if let Some(list) = container["env"].as_array_mut() {
        list.push(variable("NNODES", "1"));
    }
    let mut spec = job(checked, container, json!({}), checked.limit(LOOK));
    spec["completionMode"] = json!("Indexed");
    spec["completions"] = json!(1);
    started(checked, Place::KubernetesJob, &spec)
}

fn start_restricted(checked: &Checked<'_>) -> Result<Vec<Seen>> {
    let mut container = looking("serve");
    container["securityContext"] = json!({
        "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
    });
    container["volumeMounts"] = json!([{"name": "tmp", "mountPath": "/tmp"}]);
    let pod = json!({
        "securityContext": {
            "runAsNonRoot": true, "runAsUser": NOBODY_KNOWN, "runAsGroup": NOBODY_KNOWN,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    });
    let spec = job(checked, container, pod, checked.limit(LOOK));
    started(checked, Place::KubernetesRestricted, &spec)
}

/// A program that is not there: the exit code and the termination message of the pod's status.
fn outcome(checked: &Checked<'_>) -> Result<Vec<Seen>> {
    const MISSING: &str = "/no/such/program-of-conformance";
    let spec = job(
        checked,
        json!({"args": [MISSING]}),
        json!({}),
        checked.limit(LOOK),
    );
    let ended = Running::start(checked.cluster, &spec, &[])?.end(checked.limit(LOOK))?;
    let seen = if ended.code != Some(127) {
        Seen::failed(
            format!("the exit code is {:?}", ended.code),
            "127, as from a shell: the program does not exist",
        )
    } else if ended.message.contains(MISSING) {
        Seen::passed()
    } else {
        Seen::failed(
            format!("the termination message is {:?}", ended.message),
            format!("a message that contains {MISSING}"),
        )
    };
    Ok(vec![seen.at(Place::KubernetesPod).with_log(&ended.log)])
}

/// A file's name and bytes.
type File = (String, Vec<u8>);

/// What can be done in a pod; `Err` has the reason for which it cannot, and the check is skipped.
type Possible<T> = std::result::Result<T, String>;

/// What a training is given: the ConfigMaps, and the pod's part with their mounts.
struct Given {
    maps: Vec<Value>,
    volumes: Vec<Value>,
    mounts: Vec<Value>,
}

impl Given {
    /// Hyperparameters and channels.
    fn of(train: &Train, hyperparameters: &[(String, String)]) -> Result<Possible<Self>> {
        let texts: Map<String, Value> = hyperparameters
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let document = Value::Object(texts).to_string().into_bytes();
        let mut given = Self {
            maps: Vec::new(),
            volumes: vec![json!({"name": "ml", "emptyDir": {}})],
            mounts: vec![json!({"name": "ml", "mountPath": "/opt/ml"})],
        };
        let files = [("hyperparameters.json".to_owned(), document)];
        given.add("/etc/lyftlearn/config", files.into_iter());
        for (channel, directory) in &train.channels {
            let files = match files_of(directory)? {
                Ok(files) => files,
                Err(why) => return Ok(Err(why)),
            };
            given.add(&format!("/opt/ml/input/data/{channel}"), files.into_iter());
        }
        Ok(Ok(given))
    }

    fn add(&mut self, target: &str, files: impl Iterator<Item = File>) {
        let number = self.maps.len();
        let data: Map<String, Value> = files
            .filter_map(|(name, bytes)| Some((name, serde_json::to_value(ByteString(bytes)).ok()?)))
            .collect();
        self.maps.push(Value::Object(data));
        let name = format!("map-{number}");
        self.volumes
            .push(json!({"name": name, "configMap": {"name": format!("@NAME-{number}")}}));
        self.mounts
            .push(json!({"name": name, "mountPath": target, "readOnly": true}));
    }
}

/// The files of a directory, as a ConfigMap takes them.
fn files_of(directory: &Path) -> Result<Possible<Vec<File>>> {
    let unreadable = |err: std::io::Error| {
        Trouble::Cannot(format!("cannot read {}: {err}", directory.display()))
    };
    let mut files = Vec::new();
    let mut size = 0;
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            let why = "has directories, which a ConfigMap cannot have";
            return Ok(Err(format!("{} {why}", directory.display())));
        }
        let bytes = std::fs::read(&path).map_err(unreadable)?;
        size += bytes.len();
        if size > MAP {
            let why = "has more than a megabyte, which a ConfigMap cannot have";
            return Ok(Err(format!("{} {why}", directory.display())));
        }
        files.push((name, bytes));
    }
    Ok(Ok(files))
}

fn training(
    checked: &Checked<'_>,
    train: &Train,
    hyperparameters: &[(String, String)],
) -> Result<Possible<Ended>> {
    let given = match Given::of(train, hyperparameters)? {
        Ok(given) => given,
        Err(why) => return Ok(Err(why)),
    };
    let container = json!({
        "args": ["train"],
        "env": [variable("NNODES", "1"), variable("LYFTLEARN_RUNTIME_JOB_NAME", crate::place::JOB)],
        "volumeMounts": given.mounts,
    });
    let pod = json!({"volumes": given.volumes});
    let limit = checked.limit(Duration::from_secs(train.timeout_seconds));
    let mut spec = job(checked, container, pod, limit);
    spec["completionMode"] = json!("Indexed");
    spec["completions"] = json!(1);
    let ended = Running::start(checked.cluster, &spec, &given.maps)?.end(limit)?;
    Ok(Ok(ended))
}

/// Of a Job, with the reason for which it was not run.
fn skipped(reason: impl Into<String>) -> Result<Vec<Seen>> {
    Ok(vec![Seen::skipped(reason).at(Place::KubernetesJob)])
}

fn train_completes(checked: &Checked<'_>) -> Result<Vec<Seen>> {
    let Some(train) = &checked.toml.train else {
        return skipped("image.toml has no [train]");
    };
    let ended = match training(checked, train, &train.hyperparameters)? {
        Ok(ended) => ended,
        Err(why) => return skipped(why),
    };
    let missing = train.log.iter().find(|pattern| {
        !regex::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(&ended.log))
    });
    let seen = match (ended.code, missing) {
        (Some(0), None) if train.files.is_empty() => Seen::passed(),
        (Some(0), None) => Seen::noted(
            "train.expect.files was not checked: a pod's volumes are deleted with the pod",
        ),
        (Some(0), Some(pattern)) => Seen::failed(
            "no log line matches",
            format!("a line that matches {pattern}"),
        ),
        (Some(code), _) => Seen::failed(
            format!("it ended with exit code {code}: {}", last(&ended.log)),
            "a training that ends with 0",
        ),
        (None, _) => Seen::failed(
            format!("it was still running after {:.0} s", ended.seconds),
            "a training that ends within train.timeout_seconds",
        ),
    };
    Ok(vec![
        seen.at(Place::KubernetesJob)
            .with_log(&ended.log)
            .with_figure("seconds", ended.seconds),
    ])
}

fn train_failure(checked: &Checked<'_>) -> Result<Vec<Seen>> {
    let Some((train, failure)) = checked
        .toml
        .train
        .as_ref()
        .and_then(|train| Some((train, train.failure.as_ref()?)))
    else {
        return skipped("image.toml has no train.expect.failure");
    };
    let mut hyperparameters = train.hyperparameters.clone();
    hyperparameters.retain(|(name, _)| {
        !failure
            .hyperparameters
            .iter()
            .any(|(other, _)| other == name)
    });
    hyperparameters.extend(failure.hyperparameters.iter().cloned());
    let ended = match training(checked, train, &hyperparameters)? {
        Ok(ended) => ended,
        Err(why) => return skipped(why),
    };
    let seen = if ended.code == Some(0) {
        Seen::failed("it ended with exit code 0", "a training that fails")
    } else if ended.message.contains(&failure.reason) {
        Seen::passed()
    } else {
        Seen::failed(
            format!("the termination message is {:?}", ended.message),
            format!("a message that contains {:?}", failure.reason),
        )
    };
    Ok(vec![seen.at(Place::KubernetesJob).with_log(&ended.log)])
}

fn serve(checked: &Checked<'_>) -> Result<Vec<Seen>> {
    let at = |seen: Seen| Ok(vec![seen.at(Place::KubernetesPod)]);
    let Some(serve) = &checked.toml.serve else {
        return at(Seen::skipped("image.toml has no [serve]"));
    };
    let mut pod = json!({"volumes": [{"name": "ml", "emptyDir": {}}]});
    let mut model =
        json!([{"name": "ml", "mountPath": "/opt/ml/model", "subPath": "model", "readOnly": true}]);
    let mut maps = Vec::new();
    let mut seconds = serve.ready_seconds;
    match (&serve.model, &checked.toml.train) {
        (None, _) => model = json!([]),
        (Some(ServedModel::Trained), None) => {
            return at(Seen::skipped(
                "serve.model is trained, but there is no [train] section",
            ));
        }
        // The training is an init container: what it leaves is the server's.
        (Some(ServedModel::Trained), Some(train)) => {
            let given = match Given::of(train, &train.hyperparameters)? {
                Ok(given) => given,
                Err(why) => return at(Seen::skipped(why)),
            };
            seconds += train.timeout_seconds;
            pod = json!({
                "volumes": given.volumes,
                "initContainers": [{
                    "name": "model", "image": checked.image, "imagePullPolicy": "IfNotPresent",
                    "args": ["train"], "volumeMounts": given.mounts,
                }],
            });
            maps = given.maps;
        }
        (Some(ServedModel::Directory(directory)), _) => {
            let files = match files_of(directory)? {
                Ok(files) => files,
                Err(why) => return at(Seen::skipped(why)),
            };
            let mut given = Given {
                maps: Vec::new(),
                volumes: Vec::new(),
                mounts: Vec::new(),
            };
            given.add("/opt/ml/model", files.into_iter());
            pod["volumes"] = given.volumes.into();
            model = given.mounts.into();
            maps = given.maps;
        }
    }
    let container = json!({
        "args": ["serve"], "volumeMounts": model,
        "readinessProbe": {
            "httpGet": {"path": serve.ready_pod, "port": 8080}, "periodSeconds": 1, "timeoutSeconds": 2,
        },
    });
    let limit = checked.limit(Duration::from_secs(seconds));
    let spec = job(checked, container, pod, limit);
    let running = Running::start(checked.cluster, &spec, &maps)?;
    let over = |pod: &Value| {
        matches!(
            pod["status"]["phase"].as_str(),
            Some("Failed" | "Succeeded")
        )
    };
    let ready = running.until(limit, |pod| {
        (is_ready(pod) || over(pod)).then(|| is_ready(pod))
    })?;
    if ready != Some(true) {
        // One that does not end by itself is asked to.
        if ready.is_none() {
            running.ask_to_end()?;
        }
        let ended = running.end(Duration::from_secs(40))?;
        let seen = match ready {
            None => format!(
                "it was not ready within {} s; log: {}",
                limit.as_secs(),
                last(&ended.log)
            ),
            Some(_) => format!("it ended before it became ready: {}", last(&ended.log)),
        };
        return at(Seen::failed(seen, "200 within serve.ready_seconds").with_log(&ended.log));
    }
    running.ask_to_end()?;
    let asked = Instant::now();
    let ended = running.end(Duration::from_secs(40))?;
    let took = asked.elapsed().as_secs_f64();
    let seen = match ended.code {
        Some(0 | 143) => Seen::passed(),
        Some(137) | None => Seen::failed(
            format!("it was killed after {took:.0} s"),
            "an end within 30 s of SIGTERM",
        ),
        Some(code) => Seen::failed(
            format!(
                "it ended with exit code {code} when it was stopped: {}",
                last(&ended.log)
            ),
            "a server that ends with 0 after SIGTERM",
        ),
    };
    at(seen.with_log(&ended.log).with_figure("stop_seconds", took))
}
