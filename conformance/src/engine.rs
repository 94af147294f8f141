//! A container engine by its command line: podman, or docker where that is what the
//! machine has.

pub mod call;
pub mod clean;
pub mod image;
pub mod session;
pub mod soci;

use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use crate::command;
use crate::wait;

/// The failure of a step of an emulation: a sentence for the user.
pub type Outcome<T> = Result<T, String>;

/// The address of a container under check by its own name. In its network every address leads to itself.
pub const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 131, 7);

/// The longest of its commands builds an image, with a wheelhouse to install from.
const LONGEST: Duration = Duration::from_secs(600);

/// An engine that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Plays Kubernetes YAML itself.
    Podman,
    /// Does not: a pod is run as its one container.
    Docker,
}

impl Engine {
    /// The engine that works here: podman inside `engine/enter.sh`, or a docker daemon.
    #[must_use]
    pub fn found() -> Option<Self> {
        [Self::Podman, Self::Docker]
            .into_iter()
            .find(|engine| engine.answers())
    }

    /// Its command.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }

    fn answers(self) -> bool {
        // `podman info` also answers where nothing could be started.
        let entered = std::env::var_os("CONTAINERS_CONF").is_some();
        (self == Self::Docker || entered) && self.call(&["info"]).is_ok()
    }

    /// Runs one command of the engine's and gives what it printed.
    ///
    /// # Errors
    ///
    /// When it fails, with the command and its own words.
    pub fn call<W: AsRef<OsStr>>(self, words: &[W]) -> Outcome<String> {
        let output = self.output(words)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        let line: Vec<_> = words
            .iter()
            .map(|word| word.as_ref().to_string_lossy())
            .collect();
        Err(format!(
            "{} {} failed:\n{}{}",
            self.program(),
            line.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))
    }

    /// The same, whatever its exit code.
    ///
    /// # Errors
    ///
    /// When it cannot be started, or does not end.
    pub fn output<W: AsRef<OsStr>>(self, words: &[W]) -> Outcome<Output> {
        command::tried(Command::new(self.program()).args(words), LONGEST)
    }

    /// Makes the base image from a tar unless it is there, and the image from its
    /// context.
    ///
    /// # Errors
    ///
    /// When the engine refuses.
    pub fn build(self, base: &Path, context: &Path, tag: &str) -> Outcome<()> {
        let base_tag = "localhost/lyftlearn-base:latest";
        if self.call(&["image", "inspect", base_tag]).is_err() {
            self.call(&[OsStr::new("import"), base.as_os_str(), base_tag.as_ref()])?;
        }
        let argument = format!("BASE_IMAGE={base_tag}");
        // A layer cache does not look into the wheelhouse, which is only mounted.
        let words = [
            "build",
            "--no-cache",
            "--network",
            "none",
            "--build-arg",
            &argument,
            "-t",
            tag,
        ];
        let words: Vec<&OsStr> = words
            .iter()
            .map(OsStr::new)
            .chain([context.as_os_str()])
            .collect();
        self.call(&words).map(drop)
    }

    /// Where a container listens.
    ///
    /// # Errors
    ///
    /// When it has no address.
    pub fn address(self, container: &str) -> Outcome<String> {
        let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
        let address = self.call(&["inspect", "-f", format, container])?;
        if address.is_empty() {
            Err(format!("{container} has no address"))
        } else {
            Ok(address)
        }
    }

    /// The exit code, once the container has ended.
    ///
    /// # Errors
    ///
    /// When it has not within two minutes.
    pub fn exit_code(self, container: &str) -> Outcome<i32> {
        wait::until(|| {
            let state = self
                .call(&[
                    "inspect",
                    "-f",
                    "{{.State.Status}} {{.State.ExitCode}}",
                    container,
                ])
                .ok()?;
            let (status, code) = state.split_once(' ')?;
            (status == "exited" || status == "stopped")
                .then(|| code.parse().ok())
                .flatten()
        })
        .ok_or_else(|| format!("{container} did not end in time"))
    }

    /// A JSON file of a running container.
    ///
    /// # Errors
    ///
    /// When it is not there or not JSON.
    pub fn json_file(self, container: &str, path: &str) -> Outcome<Value> {
        let text = self.call(&["exec", container, "cat", path])?;
        serde_json::from_str(&text).map_err(|err| format!("{path} in {container}: {err}"))
    }
}
