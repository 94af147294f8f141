//! An image's configuration, as far as a check reads it.
//!
//! Own types: what `oci-spec` has leaves out Docker's `Healthcheck`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The configuration of an OCI image or a Docker image.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Config {
    /// `amd64`, `arm64`, …
    #[serde(default)]
    pub architecture: String,
    /// How a container of it is started.
    #[serde(default)]
    pub config: Started,
    /// One line for each step of its build.
    #[serde(default)]
    pub history: Vec<Step>,
}

/// How a container is started.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Started {
    /// `ENTRYPOINT`
    #[serde(default)]
    pub entrypoint: Option<Vec<String>>,
    /// `CMD`
    #[serde(default)]
    pub cmd: Option<Vec<String>>,
    /// `ENV`
    #[serde(default)]
    pub env: Option<Vec<String>>,
    /// `USER`
    #[serde(default)]
    pub user: Option<String>,
    /// `WORKDIR`
    #[serde(default)]
    pub working_dir: Option<String>,
    /// `VOLUME`
    #[serde(default)]
    pub volumes: Option<BTreeMap<String, Value>>,
    /// `STOPSIGNAL`
    #[serde(default)]
    pub stop_signal: Option<String>,
    /// `HEALTHCHECK`
    #[serde(default)]
    pub healthcheck: Option<Value>,
    /// `LABEL`
    #[serde(default)]
    pub labels: Option<BTreeMap<String, String>>,
}

/// A step of the build.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Step {
    /// The instruction.
    #[serde(default)]
    pub created_by: String,
}

impl Started {
    /// A variable of `ENV`.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        let all = self.env.iter().flatten();
        all.filter_map(|pair| pair.split_once('='))
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// The whole command that a container without arguments runs.
    #[must_use]
    pub fn command(&self) -> Vec<String> {
        self.entrypoint
            .iter()
            .flatten()
            .chain(self.cmd.iter().flatten())
            .cloned()
            .collect()
    }
}
