//! What is usual on a platform, as far as code asks that cannot tell where it runs.

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
    /// Whether somebody may have wanted metrics that go nowhere. On a developer's own machine
    /// nobody is surprised.
    pub(crate) expects_metrics: bool,
    /// Whether the platform sends the states of its jobs by itself.
    pub(crate) tells_states: bool,
    /// How many seconds the platform waits between its stop signal and SIGKILL, and who says so,
    /// unless `lifecycle.grace_seconds` says otherwise. `None` where each kind of job has its own.
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
