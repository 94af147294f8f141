//! The story in real containers.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Server, Stage, example};
use crate::engine::{Engine, Outcome};
use crate::kubelet::{Manifest, Pod};
use crate::programs;
use crate::sagemaker::{TrainingJob, platform_variables};

const IMAGE: &str = "localhost/digits:latest";
const TRAINING: &str = "digits-training";
const ENDPOINT: &str = "digits-endpoint";
const WORKLOAD: &str = "/run/lyftlearn/workload.json";

pub(super) struct Containers {
    engine: Engine,
}

/// The kubelet's part of the story's pod.
pub(super) fn pod_of(work: &Path) -> Pod {
    Pod::lay_out(&work.join("kubelet"), "digits", "server")
}

impl Containers {
    pub(super) fn build(engine: Engine, progress: &mut dyn FnMut(&str)) -> Outcome<Self> {
        let layer = programs::repository().join("target/image-layer");
        progress(&format!("building the image with {}", engine.program()));
        engine.build(&layer.join("base.tar"), &layer.join("context"), IMAGE)?;
        Ok(Self { engine })
    }
}

/// `-v source:target[:ro]`.
fn volume(source: &Path, target: &str, read_only: bool) -> String {
    format!(
        "{}:{target}{}",
        source.display(),
        if read_only { ":ro" } else { "" }
    )
}

fn settings(variables: Vec<(String, String)>) -> Vec<String> {
    variables
        .into_iter()
        .flat_map(|(name, value)| ["-e".to_owned(), format!("{name}={value}")])
        .collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Stage for Containers {
    fn data(&self, directory: &Path) -> Outcome<()> {
        let source = volume(&example(), "/example", true);
        let target = volume(directory, "/data", false);
        let run = [
            "run",
            "--rm",
            "--network",
            "none",
            "-v",
            &source,
            "-v",
            &target,
            "--entrypoint",
            "python3",
            IMAGE,
        ];
        let program = ["/example/make_data.py", "/data"];
        self.engine
            .call(&[run.as_slice(), program.as_slice()].concat())
            .map(drop)
    }

    fn train(&self, ml: &Path, job: &TrainingJob) -> Outcome<(i32, Value, String)> {
        let engine = self.engine;
        let mut command = words(&["run", "--name", TRAINING, "--memory", "1g", "--cpus", "1"]);
        command.extend(["-v".to_owned(), volume(ml, "/opt/ml", false)]);
        command.extend(settings(job.variables()));
        command.extend(words(&[IMAGE, "train"]));
        let output = engine.output(&command)?;
        let log = [output.stdout, output.stderr].concat();
        let copy = tempfile::tempdir().map_err(|err| err.to_string())?;
        let target = copy.path().join("workload.json");
        let view = engine.call(&[
            "cp",
            &format!("{TRAINING}:{WORKLOAD}"),
            &target.to_string_lossy(),
        ]);
        engine.call(&["rm", TRAINING])?;
        let log = String::from_utf8_lossy(&log).into_owned();
        let view = view.and_then(|_| std::fs::read(&target).map_err(|err| err.to_string()));
        let view =
            view.map_err(|err| format!("cannot read the view of the training: {err}\n{log}"))?;
        let view = serde_json::from_slice(&view).map_err(|err| err.to_string())?;
        Ok((output.status.code().unwrap_or(-1), view, log))
    }

    fn pod(&self, work: &Path, model: &Path) -> Outcome<Box<dyn Server>> {
        let pod = pod_of(work);
        match self.engine {
            Engine::Podman => played(work, model, &pod),
            Engine::Docker => alone(self.engine, &pod, model),
        }
    }

    fn endpoint(&self, model: &Path) -> Outcome<Box<dyn Server>> {
        let mut command = words(&[
            "run", "-d", "--name", ENDPOINT, "--memory", "1g", "--cpus", "1",
        ]);
        command.extend(["-v".to_owned(), volume(model, "/opt/ml/model", true)]);
        command.extend(settings(platform_variables()));
        command.extend(words(&[IMAGE, "serve"]));
        self.engine.call(&command)?;
        Ok(Box::new(Container {
            engine: self.engine,
            name: ENDPOINT,
            url: url(self.engine, ENDPOINT)?,
            yaml: None,
        }))
    }

    fn left_behind(&self) -> Outcome<String> {
        let list = |words: &[&str]| self.engine.call(words);
        let volumes = list(&["volume", "ls", "--format", "{{.Name}}"])?;
        let (containers, pods) = match self.engine {
            // With those that a build works in.
            Engine::Podman => (
                list(&["ps", "--all", "--external", "--format", "{{.Names}}"])?,
                list(&["pod", "ls", "--format", "{{.Name}}"])?,
            ),
            Engine::Docker => (
                list(&["ps", "--all", "--format", "{{.Names}}"])?,
                String::new(),
            ),
        };
        Ok([containers, pods, volumes].concat())
    }
}

fn url(engine: Engine, container: &str) -> Outcome<String> {
    Ok(format!("http://{}:8080", engine.address(container)?))
}

/// From the YAML, by `podman kube play`.
fn played(work: &Path, model: &Path, pod: &Pod) -> Outcome<Box<dyn Server>> {
    let text = pod.manifest(&Manifest {
        image: IMAGE,
        args: &["serve"],
        settings: "",
        variables: &[],
        model,
    });
    let yaml = work.join("pod.yaml");
    std::fs::write(&yaml, text).map_err(|err| err.to_string())?;
    let engine = Engine::Podman;
    engine.call(&["kube", "play", &yaml.to_string_lossy()])?;
    // The pod's address is its infra container's.
    let infra = engine.call(&["pod", "inspect", "-f", "{{.InfraContainerID}}", "digits"])?;
    Ok(Box::new(Container {
        engine,
        name: "digits-server",
        url: url(engine, &infra)?,
        yaml: Some(yaml),
    }))
}

/// Without a player of YAML: the pod's one container, with the pod's mounts.
fn alone(engine: Engine, pod: &Pod, model: &Path) -> Outcome<Box<dyn Server>> {
    let name = "digits-pod";
    let config = pod.volume(
        "configmap",
        "config",
        &[
            ("runtime.toml", ""),
            (
                "hyperparameters.json",
                "{\"C\": \"0.5\", \"max_iter\": \"300\"}\n",
            ),
        ],
    );
    let mut command = words(&[
        "run", "-d", "--name", name, "--memory", "512m", "--cpus", "1",
    ]);
    for (source, target, read_only) in [
        (pod.hosts().as_path(), "/etc/hosts", false),
        (
            pod.termination_log().as_path(),
            "/dev/termination-log",
            false,
        ),
        (config.as_path(), "/etc/lyftlearn/config", true),
        (model, "/opt/ml/model", true),
    ] {
        command.extend(["-v".to_owned(), volume(source, target, read_only)]);
    }
    command.extend(settings(pod.variables()));
    command.extend(words(&[IMAGE, "serve"]));
    engine.call(&command)?;
    Ok(Box::new(Container {
        engine,
        name,
        url: url(engine, name)?,
        yaml: None,
    }))
}

struct Container {
    engine: Engine,
    name: &'static str,
    url: String,
    /// What `kube play` was given, and is to take down.
    yaml: Option<PathBuf>,
}

impl Server for Container {
    fn url(&self) -> &str {
        &self.url
    }

    fn view(&self) -> Outcome<Value> {
        self.engine.json_file(self.name, WORKLOAD)
    }

    fn beside(&self) -> Outcome<Value> {
        let text =
            self.engine
                .call(&["exec", self.name, "lyftlearn-runtime", "inspect", "--json"])?;
        serde_json::from_str(&text).map_err(|err| format!("inspect in {}: {err}", self.name))
    }

    fn stop(self: Box<Self>) -> Outcome<(i32, String)> {
        let engine = self.engine;
        // As a kubelet does, the containers before what gives them their network; `kube
        // down` kills at once (podman#22397, until 5.1), `pod stop` ends all at the same time.
        engine.call(&["stop", "-t", "30", self.name])?;
        let logs = engine.output(&["logs", self.name])?;
        let code = engine.exit_code(self.name)?;
        match &self.yaml {
            Some(yaml) => {
                engine.call(&["kube", "down", &yaml.to_string_lossy()])?;
                // `down` leaves the ConfigMap's volume.
                engine.output(&["volume", "rm", "digits"])?;
            }
            None => drop(engine.call(&["rm", self.name])?),
        }
        Ok((
            code,
            String::from_utf8_lossy(&[logs.stdout, logs.stderr].concat()).into_owned(),
        ))
    }
}
