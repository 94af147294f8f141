//! What a test of a container begins with and ends with.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::canary::Canary;
use crate::kubelet::Pod;
use crate::sagemaker::TrainingJob;
use crate::sandbox::Sandbox;
use crate::wait;

/// A directory of this test's own, and a secret that must not be seen.
#[derive(Debug)]
pub struct World {
    directory: tempfile::TempDir,
    /// Planted in every container.
    pub canary: Canary,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// An empty one.
    ///
    /// # Panics
    ///
    /// When no temporary directory can be made.
    #[must_use]
    pub fn new() -> Self {
        Self {
            directory: tempfile::tempdir().expect("a temporary directory can be made"),
            canary: Canary::plant(),
        }
    }

    /// A path below the world's directory.
    #[must_use]
    pub fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    /// A file below the world's directory.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        let parent = path.parent().expect("a file has a directory");
        std::fs::create_dir_all(parent).expect("directories can be made");
        std::fs::write(&path, text).expect("files can be written");
        path
    }

    /// A container with the planted secret and `runtime.toml` of an image.
    #[must_use]
    pub fn container(&self, settings: &str) -> Sandbox {
        let settings = self.file("image/runtime.toml", settings);
        Sandbox::new()
            .mount_read_only(settings, "/etc/lyftlearn/runtime.toml")
            .variable("DB_PASSWORD", self.canary.value())
    }

    /// The same, with a directory at `/shared` that the test sees, too.
    ///
    /// # Panics
    ///
    /// When the directory cannot be made.
    #[must_use]
    pub fn sharing(&self, settings: &str) -> Sandbox {
        std::fs::create_dir_all(self.path("shared")).expect("directories can be made");
        self.container(settings)
            .mount(self.path("shared"), "/shared")
    }

    /// A SageMaker training job, mounted.
    #[must_use]
    pub fn training(&self, settings: &str, hyperparameters: &Value) -> Sandbox {
        let job = TrainingJob::lay_out(&self.path("ml"), "digits-1", hyperparameters, &["train"]);
        let container = self.container(settings).mount(self.path("ml"), "/opt/ml");
        job.variables()
            .into_iter()
            .fold(container, |container, (name, value)| {
                container.variable(name, value)
            })
    }

    /// The hosts file of [`pod`](Self::pod).
    #[must_use]
    pub fn pod_hosts(&self) -> PathBuf {
        Pod::lay_out(&self.path("kubelet"), "digits-1", "trainer").hosts()
    }

    /// A pod with the same job on volumes.
    #[must_use]
    pub fn pod(&self, settings: &str, hyperparameters: &str) -> Sandbox {
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
            .mount_read_only(data, "/opt/ml/input/data/train")
            // Containers of a pod share their ports, and tests those of the machine.
            .variable("LYFTLEARN_RUNTIME_METRICS_LISTEN", "127.0.0.1:0");
        pod.variables()
            .into_iter()
            .fold(container, |container, (name, value)| {
                container.variable(name, value)
            })
    }
}

/// A container whose agent has the longest time for its last export: two seconds of SageMaker's
/// grace. Of an engine's ten seconds it has 0.4 s, which a busy machine may use up before all
/// totals are sent.
#[must_use]
pub fn unhurried(container: Sandbox) -> Sandbox {
    container.variable("LYFTLEARN_RUNTIME_LIFECYCLE_GRACE_SECONDS", "120")
}

/// Runs `argv` under the runtime, to its end.
pub fn ended<W: AsRef<OsStr>>(container: &Sandbox, argv: &[W]) -> Output {
    container.run(argv).end()
}

/// # Panics
///
/// When it ended with another code.
#[track_caller]
pub fn check_end(output: &Output, code: i32) {
    assert_eq!(
        output.status.code(),
        Some(code),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What each of them says. An `expect!` is rewritten wherever it is asserted, and so once only:
/// never in a loop.
///
/// # Panics
///
/// When they differ.
#[track_caller]
pub fn the_same(messages: impl IntoIterator<Item = String>) -> String {
    let mut messages = messages.into_iter();
    let first = messages.next().unwrap_or_default();
    for other in messages {
        assert_eq!(first, other);
    }
    first
}

/// Waits for a file.
///
/// # Panics
///
/// When it does not come within two minutes.
#[track_caller]
pub fn appears(path: &Path) {
    assert!(
        wait::until(|| path.exists().then_some(())).is_some(),
        "{} does not appear",
        path.display()
    );
}

/// The machine's own Python is below /usr, which a sandbox can read.
///
/// # Panics
///
/// When it is not installed.
#[must_use]
pub fn find_python() -> OsString {
    ["/usr/bin/python3"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("python3 is installed")
        .into()
}
