//! The story without a container engine: the same programs in namespaces.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::containers::pod_of;
use super::{Server, Stage, example};
use crate::command;
use crate::engine::Outcome;
use crate::programs;
use crate::sagemaker::{TrainingJob, platform_variables};
use crate::sandbox::{self, BINARY, Running, Sandbox};
use crate::wait;

const PROGRAM: &str = "/opt/program";

pub(super) struct Namespaces {
    python: PathBuf,
    /// Where that Python's own files lie: the environment's, and its interpreter's.
    prefixes: Vec<PathBuf>,
}

impl Namespaces {
    pub(super) fn new() -> Outcome<Self> {
        if !sandbox::possible() {
            return Err("this user may not create namespaces here: run as root".to_owned());
        }
        let python =
            programs::python_with_wheel().ok_or("found no Python with the wheel: make build")?;
        let code = "import sys; print(sys.prefix); print(sys.base_prefix)";
        let prefixes = programs::asked(&python, code);
        let prefixes = prefixes.lines().map(PathBuf::from).collect();
        Ok(Self { python, prefixes })
    }

    fn container(&self) -> Sandbox {
        let bin = self.python.parent().unwrap_or(Path::new("/usr/bin"));
        let sandbox = Sandbox::new()
            .mount_read_only(example(), PROGRAM)
            .mount_read_only(
                example().join("runtime.toml"),
                "/etc/lyftlearn/runtime.toml",
            )
            .mount("/dev/shm", "/dev/shm")
            .variable(
                "PATH",
                format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()),
            )
            .variable("PYTHONUNBUFFERED", "1")
            .variable("PYTHONDONTWRITEBYTECODE", "1")
            .working_directory(PROGRAM);
        // A Python of the distribution's is there already.
        let own = self
            .prefixes
            .iter()
            .filter(|prefix| !prefix.starts_with("/usr"));
        own.fold(sandbox, |sandbox, prefix| {
            sandbox.mount_read_only(prefix, prefix)
        })
    }

    fn serve(
        &self,
        sandbox: Sandbox,
        port_variable: &str,
        work: &Path,
    ) -> Outcome<Box<dyn Server>> {
        // The network is the machine's: 8080 may be somebody's.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = port
            .map_err(|err| format!("cannot find a free port: {err}"))?
            .port();
        let run = work.join(format!("run-{port}"));
        std::fs::create_dir_all(&run).map_err(|err| err.to_string())?;
        let sandbox = sandbox
            .variable(port_variable, port.to_string())
            .mount(&run, "/run");
        let running = sandbox.run(&["serve"]);
        Ok(Box::new(Process {
            running,
            run,
            url: format!("http://127.0.0.1:{port}"),
        }))
    }
}

impl Stage for Namespaces {
    fn data(&self, directory: &Path) -> Outcome<()> {
        let mut making = Command::new(&self.python);
        making.arg(example().join("make_data.py")).arg(directory);
        let output = command::tried(&mut making, wait::PATIENCE)?;
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn train(&self, ml: &Path, job: &TrainingJob) -> Outcome<(i32, Value, String)> {
        let run = ml.with_file_name("run-training");
        std::fs::create_dir_all(&run).map_err(|err| err.to_string())?;
        let container = self.container().mount(ml, "/opt/ml").mount(&run, "/run");
        let variables = job.variables().into_iter();
        let container = variables.fold(container, |container, (name, value)| {
            container.variable(name, value)
        });
        let output = container.run(&["train"]).end();
        let log = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        let view = view(&run).map_err(|err| format!("{err}\n{log}"))?;
        Ok((output.status.code().unwrap_or(-1), view, log))
    }

    fn pod(&self, work: &Path, model: &Path) -> Outcome<Box<dyn Server>> {
        let pod = pod_of(work);
        let hyperparameters = "{\"C\": \"0.5\", \"max_iter\": \"300\"}\n";
        let config = pod.volume(
            "configmap",
            "config",
            &[
                ("runtime.toml", ""),
                ("hyperparameters.json", hyperparameters),
            ],
        );
        let container = self
            .container()
            .mount(pod.hosts(), "/etc/hosts")
            .mount(pod.termination_log(), "/dev/termination-log")
            .mount_read_only(config, "/etc/lyftlearn/config")
            .mount_read_only(model, "/opt/ml/model");
        let variables = pod.variables().into_iter();
        let container = variables.fold(container, |container, (name, value)| {
            container.variable(name, value)
        });
        self.serve(container, "PORT", work)
    }

    fn endpoint(&self, model: &Path) -> Outcome<Box<dyn Server>> {
        let container = self.container().mount_read_only(model, "/opt/ml/model");
        let variables = platform_variables().into_iter();
        let container = variables.fold(container, |container, (name, value)| {
            container.variable(name, value)
        });
        self.serve(
            container,
            "SAGEMAKER_BIND_TO_PORT",
            model.parent().and_then(Path::parent).unwrap_or(model),
        )
    }

    /// Every process ended with its namespace.
    fn left_behind(&self) -> Outcome<String> {
        Ok(String::new())
    }
}

fn view(run: &Path) -> Outcome<Value> {
    let path = run.join("lyftlearn/workload.json");
    let bytes = std::fs::read(&path).map_err(|err| format!("{}: {err}", path.display()))?;
    serde_json::from_slice(&bytes).map_err(|err| format!("{}: {err}", path.display()))
}

struct Process {
    running: Running,
    run: PathBuf,
    url: String,
}

impl Server for Process {
    fn url(&self) -> &str {
        &self.url
    }

    fn view(&self) -> Outcome<Value> {
        view(&self.run)
    }

    fn beside(&self) -> Outcome<Value> {
        let output = self.running.enter(&[BINARY, "inspect", "--json"])?;
        serde_json::from_slice(&output.stdout).map_err(|err| {
            format!(
                "inspect: {err}: {}",
                String::from_utf8_lossy(&output.stderr)
            )
        })
    }

    fn stop(self: Box<Self>) -> Outcome<(i32, String)> {
        self.running.signal(Signal::SIGTERM);
        let output = self.running.end();
        let log = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ok((output.status.code().unwrap_or(-1), log))
    }
}
