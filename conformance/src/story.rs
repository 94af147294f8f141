//! The story of one image: trained as SageMaker trains, served as Kubernetes serves,
//! served as SageMaker hosts, with the same answers everywhere.

mod containers;
mod namespaces;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use crate::engine::{Engine, Outcome};
use crate::programs;
use crate::sagemaker::TrainingJob;
use crate::wait;

/// Path of the image's program in the repository.
#[must_use]
pub fn example() -> PathBuf {
    programs::repository().join("examples/digits")
}

/// How containers are made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// Real containers.
    Image(Engine),
    /// Namespaces: the same programs without an image.
    Process,
}

/// One container's part in the story.
#[derive(Debug, Serialize)]
pub struct Scene {
    /// What the place is called.
    pub title: &'static str,
    /// The workload as the program read it.
    pub view: Value,
    /// The same, from a process next to the program (`kubectl exec POD -- lyftlearn-runtime
    /// inspect`); `None` if no process can run next to it.
    pub beside: Option<Value>,
    /// What it predicted for the sample.
    pub predictions: Value,
    /// What it ended with.
    pub exit_code: i32,
    /// What it printed.
    pub log: String,
}

/// The whole story.
#[derive(Debug, Serialize)]
pub struct Told {
    /// The evaluation that training left beside the model.
    pub evaluation: Value,
    /// Training, the pod, the endpoint.
    pub scenes: [Scene; 3],
    /// Containers, pods and volumes that are still there.
    pub left_behind: String,
}

/// What a way of making containers must be able to do.
trait Stage {
    /// The training data, written by the example's own `make_data.py`.
    fn data(&self, directory: &Path) -> Outcome<()>;
    /// A training job to its end: exit code, view, log.
    fn train(&self, ml: &Path, job: &TrainingJob) -> Outcome<(i32, Value, String)>;
    /// A pod from Kubernetes YAML, or as near to it as this stage comes.
    fn pod(&self, work: &Path, model: &Path) -> Outcome<Box<dyn Server>>;
    /// An endpoint's container.
    fn endpoint(&self, model: &Path) -> Outcome<Box<dyn Server>>;
    /// Files and processes that are left.
    fn left_behind(&self) -> Outcome<String>;
}

/// A container that serves.
trait Server {
    /// `http://host:port`.
    fn url(&self) -> &str;
    /// The workload as its program would read it.
    fn view(&self) -> Outcome<Value>;
    /// The workload as another process of the container sees it.
    fn beside(&self) -> Outcome<Value>;
    /// Asks it to stop, as the platform does; its exit code and log.
    fn stop(self: Box<Self>) -> Outcome<(i32, String)>;
}

/// Tells the story in `work`, saying each step as it begins.
///
/// # Errors
///
/// If a step fails or a response differs, with the observed text.
pub fn tell(layer: Layer, work: &Path, progress: &mut dyn FnMut(&str)) -> Outcome<Told> {
    let stage: Box<dyn Stage> = match layer {
        Layer::Image(engine) => Box::new(containers::Containers::build(engine, progress)?),
        Layer::Process => Box::new(namespaces::Namespaces::new()?),
    };
    let ml = work.join("ml");
    let hyperparameters = json!({"C": "0.5", "max_iter": "300"});
    let job = TrainingJob::lay_out(&ml, "digits-2026-01-01", &hyperparameters, &["train"]);
    progress("training as on SageMaker: run IMAGE train");
    stage.data(&ml.join("input/data/train"))?;
    let (exit_code, view, log) = stage.train(&ml, &job)?;
    if exit_code != 0 {
        return Err(format!("training exited with {exit_code}:\n{log}"));
    }
    let evaluation = std::fs::read(ml.join("model/evaluation.json"))
        .map_err(|err| format!("cannot read the evaluation: {err}"))?;
    let evaluation: Value =
        serde_json::from_slice(&evaluation).map_err(|err| format!("the evaluation: {err}"))?;
    let sample = &evaluation["sample"];
    let answers =
        json!({"predictions": sample["predictions"], "probabilities": sample["probabilities"]});
    let trained = Scene {
        title: "trained on SageMaker",
        view,
        beside: None,
        predictions: answers.clone(),
        exit_code,
        log,
    };

    let model = ml.join("model");
    progress("serving as a Kubernetes pod");
    let pod = stage.pod(work, &model)?;
    let pod = scene(
        "served on Kubernetes",
        pod,
        "/healthz/ready",
        &sample["instances"],
        &answers,
    )?;
    progress("serving as a SageMaker endpoint: run IMAGE serve");
    let endpoint = stage.endpoint(&model)?;
    let endpoint = scene(
        "served on SageMaker",
        endpoint,
        "/ping",
        &sample["instances"],
        &answers,
    )?;
    Ok(Told {
        evaluation,
        scenes: [trained, pod, endpoint],
        left_behind: stage.left_behind()?,
    })
}

/// Waits until the server is ready, asks it, compares, and stops it.
fn scene(
    title: &'static str,
    server: Box<dyn Server>,
    readiness: &str,
    instances: &Value,
    expected: &Value,
) -> Outcome<Scene> {
    let asked = (|| {
        ready(&format!("{}{readiness}", server.url()))?;
        let predictions = invoke(server.url(), &json!({ "instances": instances }))?;
        Ok::<_, String>((server.view()?, server.beside()?, predictions))
    })();
    let started = Instant::now();
    let (exit_code, log) = server.stop()?;
    let (view, beside, predictions) = asked.map_err(|err| format!("{title}: {err}\n{log}"))?;
    if predictions != *expected {
        return Err(format!(
            "{title}: other predictions than in training:\n{predictions}\n{expected}"
        ));
    }
    let grace = Duration::from_secs(view["lifecycle"]["grace_seconds"].as_u64().unwrap_or(0));
    if exit_code != 0 || started.elapsed() > grace {
        return Err(format!(
            "{title}: ended with {exit_code} after {:?}:\n{log}",
            started.elapsed()
        ));
    }
    Ok(Scene {
        title,
        view,
        beside: Some(beside),
        predictions,
        exit_code,
        log,
    })
}

/// Probes as a platform does: until 200, within SageMaker's four minutes.
fn ready(url: &str) -> Outcome<()> {
    let agent = agent();
    wait::within(Duration::from_secs(240), || {
        agent
            .get(url)
            .call()
            .ok()
            .filter(|answer| answer.status() == 200)
    })
    .map(drop)
    .ok_or_else(|| format!("{url} did not become ready in time"))
}

fn invoke(url: &str, body: &Value) -> Outcome<Value> {
    let url = format!("{url}/invocations");
    let mut answer = agent()
        .post(&url)
        .send_json(body)
        .map_err(|err| format!("{url}: {err}"))?;
    if answer.status() != 200 {
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        return Err(format!("{url}: {} {text}", answer.status()));
    }
    answer
        .body_mut()
        .read_json()
        .map_err(|err| format!("{url}: {err}"))
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        // SageMaker gives an invocation sixty seconds.
        .timeout_global(Some(Duration::from_secs(60)))
        .http_status_as_error(false)
        .build()
        .into()
}
