//! One container: started as a platform starts it, stopped, and examined afterwards.
//!
//! These containers are made by hand and not by a place. Each has its own settings, programs of this checkout, limits and
//! files that change while it runs, by bind mounts, which a place never makes. And a kubelet's mounts are evidence here.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lyftlearn_conformance::canary::Canary;
use lyftlearn_conformance::command;
use lyftlearn_conformance::kubelet::{Manifest, Pod};
use lyftlearn_conformance::sagemaker::TrainingJob;
use lyftlearn_conformance::{programs, wait};
use serde_json::{Value, json};

use crate::load::Target;
use crate::place::{IMAGE, Place};

const RUN: &str = "/run/lyftlearn";

/// The variable in which every container is given a secret.
pub(crate) const SECRET: &str = "FEATURE_STORE_TOKEN";

/// As what a container is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum As {
    /// SageMaker's training job.
    Training,
    /// A pod's container, by its mounts.
    Pod,
    /// The engine's own.
    Container,
}

/// A container to start, in the words of `podman run`.
#[derive(Clone, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) name: &'a str,
    pub(crate) made: As,
    /// The image's `runtime.toml`.
    pub(crate) settings: &'a str,
    pub(crate) options: &'a [&'a str],
    pub(crate) argv: &'a [&'a str],
}

/// A running container.
pub(crate) struct Container {
    pub(crate) place: &'static Place,
    pub(crate) name: String,
    pub(crate) work: tempfile::TempDir,
    canary: Canary,
    /// What `kube play` was given.
    yaml: Option<PathBuf>,
    /// Where its platform looks for a reason, on this side.
    reason_file: Option<PathBuf>,
    reason_file_before: Option<u64>,
}

/// A container that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit_code: i32,
    /// `outcome.json`.
    pub(crate) outcome: Value,
    /// The content of the platform's file for a reason; `None` if it does not exist.
    pub(crate) reason: Option<String>,
    pub(crate) log: String,
}

impl Case<'_> {
    /// Lays its world out and starts it; `None` where podman cannot.
    pub(crate) fn start(&self) -> Option<Container> {
        self.prepared(|_| {})
    }

    /// The same, when more of its world than usual has to be prepared.
    pub(crate) fn prepared(&self, prepare: impl FnOnce(&Path)) -> Option<Container> {
        let place = Place::found()?;
        let work = tempfile::tempdir().unwrap();
        let canary = Canary::plant();
        let settings = work.path().join("runtime.toml");
        std::fs::write(&settings, self.settings).unwrap();
        let programs = programs::repository().join("conformance/tests/image/programs");
        let mut volumes = vec![
            (settings, "/etc/lyftlearn/runtime.toml:ro"),
            (programs, "/opt/tests:ro"),
        ];
        let mut variables = vec![(SECRET.to_owned(), canary.value().to_owned())];
        let mut reason_file = None;
        match self.made {
            As::Training => {
                let ml = work.path().join("ml");
                let hyperparameters = json!({"epochs": "3"});
                let job = TrainingJob::lay_out(&ml, self.name, &hyperparameters, &["train"]);
                variables.extend(job.variables());
                reason_file = Some(ml.join("output/failure"));
                volumes.push((ml, "/opt/ml"));
            }
            As::Pod => {
                let pod = Pod::lay_out(&work.path().join("kubelet"), self.name, "main");
                variables.extend(pod.variables());
                reason_file = Some(pod.termination_log());
                volumes.push((pod.hosts(), "/etc/hosts"));
                volumes.push((pod.termination_log(), "/dev/termination-log"));
            }
            As::Container => {}
        }
        prepare(work.path());
        let volumes = volumes
            .iter()
            .map(|(source, target)| format!("--volume={}:{target}", source.display()));
        let variables = variables
            .iter()
            .map(|(name, value)| format!("--env={name}={value}"));
        let ours = ["run", "--detach", "--name", self.name].map(str::to_owned);
        let options = self
            .options
            .iter()
            .map(|option| option.replace("@WORK@", &work.path().to_string_lossy()));
        let argv = self.argv.iter().map(|word| (*word).to_owned());
        let words: Vec<String> = ours
            .into_iter()
            .chain(volumes)
            .chain(variables)
            .chain(options)
            .chain([IMAGE.to_owned()])
            .chain(argv)
            .collect();
        let reason_file_before = reason_file.as_deref().and_then(inode);
        place.podman(&words);
        Some(Container {
            place,
            name: self.name.to_owned(),
            canary,
            yaml: None,
            reason_file_before,
            reason_file,
            work,
        })
    }
}

impl Container {
    /// The container of a pod by `kube play`; `model` is a Python program that writes one
    /// to `/model`.
    pub(crate) fn played(
        name: &str,
        settings: &str,
        args: &[&str],
        model: Option<&str>,
    ) -> Option<Self> {
        let place = Place::found()?;
        let work = tempfile::tempdir().unwrap();
        let canary = Canary::plant();
        let pod = Pod::lay_out(&work.path().join("kubelet"), name, "main");
        let model_dir = work.path().join("model");
        std::fs::create_dir(&model_dir).unwrap();
        if let Some(model) = model {
            let volume = format!("--volume={}:/model", model_dir.display());
            let words = [
                "run",
                "--rm",
                &volume,
                "--entrypoint=python3",
                IMAGE,
                "-c",
                model,
            ];
            place.podman(&words);
        }
        let yaml = work.path().join("pod.yaml");
        let manifest = Manifest {
            image: IMAGE,
            args,
            settings,
            variables: &[(SECRET, canary.value())],
            model: &model_dir,
        };
        std::fs::write(&yaml, pod.manifest(&manifest)).unwrap();
        place.podman(&["kube", "play", yaml.to_str().unwrap()]);
        Some(Self {
            place,
            name: format!("{name}-main"),
            work,
            canary,
            yaml: Some(yaml),
            reason_file_before: inode(&pod.termination_log()),
            reason_file: Some(pod.termination_log()),
        })
    }

    /// Where it serves: a pod's address is its first container's.
    pub(crate) fn target(&self) -> Target {
        let pod = self.name.trim_end_matches("-main");
        let infra = self
            .place
            .podman(&["pod", "inspect", "-f", "{{.InfraContainerID}}", pod]);
        let address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}:8080";
        let address = self.place.podman(&["inspect", "-f", address, &infra]);
        Target {
            network: self.place.network(),
            address: address.parse().unwrap(),
        }
    }

    /// What it has printed until now.
    pub(crate) fn log(&self) -> String {
        self.streams().concat()
    }

    /// Its stdout and its stderr.
    fn streams(&self) -> [String; 2] {
        let output = command::output(&mut self.place.command("podman", &["logs", &self.name]));
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned())
    }

    /// Waits until it has printed a line that begins so, so often; the last of them.
    #[track_caller]
    pub(crate) fn says(&self, beginning: &str, times: usize) -> String {
        let said = wait::until(|| {
            // Unbuffered, Python writes a line and its end one after the other.
            let lines = self.streams().map(|stream| {
                let whole = stream.rfind('\n').map_or("", |end| &stream[..end]);
                whole.lines().map(str::to_owned).collect::<Vec<_>>()
            });
            let mut begun = lines
                .into_iter()
                .flatten()
                .filter(|line| line.starts_with(beginning));
            begun.nth(times - 1)
        });
        said.unwrap_or_else(|| panic!("{beginning:?} is not in\n{}", self.log()))
    }

    /// Runs a command in it, as another user if need be; whether it succeeded, and what
    /// it printed.
    pub(crate) fn exec(&self, user: &str, argv: &[&str]) -> (bool, String) {
        let ours = ["exec", "--user", user, &self.name];
        let words = [&ours, argv].concat();
        let output = command::output(&mut self.place.command("podman", &words));
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    /// `podman stop` with the platform's grace, and how long it took. The engine must not
    /// have had to kill.
    #[track_caller]
    pub(crate) fn stop(&self, grace: u32) -> Duration {
        let started = Instant::now();
        let words = ["stop", "--time", &grace.to_string(), &self.name];
        let output = command::output(&mut self.place.command("podman", &words));
        let took = started.elapsed();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        // "… failed to stop container … in 6 seconds, resorting to SIGKILL"
        assert!(!said.contains("SIGKILL"), "{said}\n{}", self.log());
        took
    }

    /// Starts it again, with the files that it left.
    pub(crate) fn start_again(&self) {
        self.place.podman(&["start", &self.name]);
    }

    /// Waits for its end and reads what it left. No place shows the secret.
    #[track_caller]
    pub(crate) fn end(&self) -> Ended {
        let exit_code = self.place.podman(&["wait", &self.name]);
        let exit_code = exit_code.parse().unwrap();
        let log = self.log();
        self.canary.assert_unseen("the log", log.as_bytes());
        let left = self.work.path().join("left");
        let from = format!("{}:{RUN}/.", self.name);
        self.place.podman(&["cp", &from, left.to_str().unwrap()]);
        // Not those below: what a program said of its exceptions is redacted when it leaves.
        for entry in std::fs::read_dir(&left).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let name = path.display().to_string();
                self.canary
                    .assert_unseen(&name, &std::fs::read(&path).unwrap());
                let mode = path.metadata().unwrap().mode() & 0o777;
                assert_eq!(mode, 0o600, "{name} is not for its owner only");
            }
        }
        let outcome = std::fs::read(left.join("outcome.json"))
            .unwrap_or_else(|err| panic!("no outcome.json: {err}\n{log}"));
        std::fs::remove_dir_all(&left).unwrap();
        let reason = self.reason();
        if let Some(reason) = &reason {
            self.canary.assert_unseen("the reason", reason.as_bytes());
        }
        Ended {
            exit_code,
            outcome: serde_json::from_slice(&outcome).unwrap(),
            reason,
            log,
        }
    }

    /// The platform's file for a reason; one that was there is still the same one.
    #[track_caller]
    fn reason(&self) -> Option<String> {
        let path = self.reason_file.as_deref()?;
        let before = self.reason_file_before;
        assert!(before.is_none() || before == inode(path), "replaced");
        std::fs::read_to_string(path).ok()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // A test that failed must not leave it running; one that passed has seen it end.
        let yaml = self.yaml.as_ref().map(|yaml| yaml.to_string_lossy());
        let words = match &yaml {
            Some(yaml) => vec!["kube", "down", yaml],
            None => vec!["rm", "--force", "--time", "0", &self.name],
        };
        let mut removing = self.place.command("podman", &words);
        let _ = command::tried(&mut removing, wait::PATIENCE);
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn check(&self, exit_code: i32, class: &str, reason: Option<&str>) {
        let shown = format!("{:#}\n{}", self.outcome, self.log);
        assert_eq!(self.exit_code, exit_code, "{shown}");
        assert_eq!(self.outcome["class"], class, "{shown}");
        assert_eq!(self.outcome["exit_code"], exit_code, "{shown}");
        assert_eq!(self.reason.as_deref(), reason, "{shown}");
    }
}

/// Which file it is.
pub(crate) fn inode(path: &Path) -> Option<u64> {
    path.metadata().ok().map(|meta| meta.ino())
}

/// Gives a file the mode that a platform gives it.
pub(crate) fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
