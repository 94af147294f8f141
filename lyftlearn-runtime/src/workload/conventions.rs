//! Platform conventions, for code that must not know where it runs.

use std::path::{Path, PathBuf};

/// One platform's row. `platform/conventions.rs` has a row for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conventions {
    /// The deployment's own documents, unless the setting `config_dir` moves them.
    pub(crate) config_dir: &'static str,
    /// Live configuration, unless `live.dirs` names directories. Relative: in the config directory.
    pub(crate) live_dir: &'static str,
    /// The StatsD port to listen on, unless `statsd.listen` names one. `None` where a sidecar may
    /// bind the usual port later than this runtime, and would fail.
    pub(crate) statsd_port: Option<u16>,
    /// Whether this container is part of a pod, whose UID is the job's id.
    pub(crate) is_pod: bool,
    /// Whether a Prometheus server is expected to scrape this container.
    pub(crate) scraped: bool,
    /// Whether jobs send their metrics to the server that the environment names: nothing scrapes
    /// them, and that server is theirs.
    pub(crate) jobs_push: bool,
    /// Whether every job has credentials, so that none means network isolation.
    pub(crate) always_has_credentials: bool,
    /// Whether SDKs may ask the metadata service for a role that is not this container's.
    pub(crate) metadata_service: bool,
    /// Whether a webhook may have set a secret's variables before the start.
    pub(crate) injects_secrets: bool,
    /// Whether metrics without a route deserve a warning. On a developer's machine they do not.
    pub(crate) expects_metrics: bool,
    /// Whether the platform sends the states of its jobs by itself.
    pub(crate) tells_states: bool,
    /// Seconds between the platform's stop signal and SIGKILL, and the source of this value, unless
    /// `lifecycle.grace_seconds` overrides it. `None` if each kind of job has its own.
    pub(crate) grace: Option<(u32, &'static str)>,
    /// What to do about too few open files.
    pub(crate) raise_open_files: &'static str,
    /// What to do about a small /dev/shm.
    pub(crate) raise_shared_memory: &'static str,
}

impl Conventions {
    /// Where live configuration is, with the config directory at `config_dir`.
    pub(crate) fn live_dir_in(&self, config_dir: &str) -> PathBuf {
        Path::new(config_dir).join(self.live_dir)
    }
}
