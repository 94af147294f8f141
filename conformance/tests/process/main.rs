//! The process layer: the real binary as PID 1, in namespaces laid out as the
//! platforms lay them out.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the emulated world is written and read back; a test fails by panicking"
)]

macro_rules! needs_namespaces {
    () => {
        if !sandbox::possible() {
            return;
        }
    };
}

mod agent;
mod delivery;
mod documents;
mod identity;
mod lifecycle;
mod outcome;
mod start;
mod stopping;
mod toolkit;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use lyftlearn_conformance::canary::Canary;
use lyftlearn_conformance::kubelet::Pod;
use lyftlearn_conformance::sagemaker::TrainingJob;
use lyftlearn_conformance::sandbox::{self, BINARY, Sandbox};
use lyftlearn_conformance::wait;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// Prints the environment, a NUL after each variable.
const SHOW: &[&str] = &["env", "-0"];

struct World {
    directory: tempfile::TempDir,
    canary: Canary,
}

impl World {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            canary: Canary::plant(),
        }
    }

    fn path(&self, below: &str) -> std::path::PathBuf {
        self.directory.path().join(below)
    }

    /// A file below the world's directory.
    fn file(&self, name: &str, text: &str) -> std::path::PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A container with the planted secret and `runtime.toml` of an image.
    fn container(&self, settings: &str) -> Sandbox {
        let settings = self.file("image/runtime.toml", settings);
        Sandbox::new()
            .mount_read_only(settings, "/etc/lyftlearn/runtime.toml")
            .variable("DB_PASSWORD", self.canary.value())
    }

    /// A SageMaker training job, mounted.
    fn training(&self, settings: &str, hyperparameters: &Value) -> Sandbox {
        let job = TrainingJob::lay_out(&self.path("ml"), "digits-1", hyperparameters, &["train"]);
        let container = self.container(settings).mount(self.path("ml"), "/opt/ml");
        job.variables()
            .into_iter()
            .fold(container, |container, (name, value)| {
                container.variable(name, value)
            })
    }

    /// A pod with the same job on volumes.
    fn pod(&self, settings: &str, hyperparameters: &str) -> Sandbox {
        let pod = Pod::lay_out(&self.path("kubelet"), "digits-1", "trainer");
        let config = pod.volume(
            "configmap",
            "config",
            &[("hyperparameters.json", hyperparameters)],
        );
        let data = pod.volume("empty-dir", "train", &[]);
        let container = self
            .container(settings)
            .mount(pod.hosts(), "/etc/hosts")
            .mount(pod.termination_log(), "/dev/termination-log")
            .mount_read_only(config, "/etc/lyftlearn/config")
            .mount_read_only(data, "/opt/ml/input/data/train");
        pod.variables()
            .into_iter()
            .fold(container, |container, (name, value)| {
                container.variable(name, value)
            })
    }
}

fn ended<W: AsRef<OsStr>>(container: &Sandbox, argv: &[W]) -> Output {
    container.run(argv).end()
}

#[track_caller]
fn check_end(output: &Output, code: i32) {
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn variables(output: &Output) -> BTreeMap<String, String> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[track_caller]
fn check_variables(output: &Output, expected: &[(&str, &str)]) {
    let found = variables(output);
    for (name, value) in expected {
        assert_eq!(
            found.get(*name).map(String::as_str),
            Some(*value),
            "{name} in {found:#?}"
        );
    }
}

/// What a program would read: the document in the run directory.
fn workload(container: &Sandbox) -> Value {
    let output = ended(
        container,
        &["sh", "-c", "cat $LYFTLEARN_RUN_DIR/workload.json"],
    );
    check_end(&output, 0);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn appears(path: &Path) {
    assert!(
        wait::until(Duration::from_secs(20), || path.exists().then_some(())).is_some(),
        "{} does not appear",
        path.display()
    );
}

/// The machine's own Python lies below /usr, which a sandbox sees.
fn find_python() -> OsString {
    ["/usr/bin/python3"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("python3 is installed")
        .into()
}
