//! The conventions of each platform, one row each. Code that uses the model reads a row and does
//! not ask which platform this is.

use crate::contract::{kubernetes, runtime, statsd};
use crate::workload::{Conventions, Platform};

const SAGEMAKER: Conventions = Conventions {
    config_dir: runtime::CONFIG_CHANNEL_DIR,
    live_dir: runtime::LIVE_NAME,
    statsd_port: Some(statsd::DEFAULT_PORT),
    is_pod: false,
    scraped: false,
    jobs_push: true,
    always_has_credentials: true,
    metadata_service: true,
    injects_secrets: false,
    expects_metrics: true,
    tells_states: true,
    grace: None,
    raise_open_files: "SageMaker sets this limit: open fewer files at once",
    raise_shared_memory: "SageMaker has no setting for it: use fewer workers, or torch.multiprocessing's file_system strategy",
};

const KUBERNETES: Conventions = Conventions {
    config_dir: runtime::CONFIG_DIR,
    live_dir: runtime::LIVE_DIR,
    statsd_port: None,
    is_pod: true,
    scraped: true,
    jobs_push: false,
    always_has_credentials: false,
    metadata_service: true,
    injects_secrets: true,
    expects_metrics: true,
    tells_states: false,
    // The kubelet tells no container its pod's own value.
    grace: Some((kubernetes::GRACE_SECONDS, "Kubernetes' default")),
    raise_open_files: "the node's container runtime sets this limit: raise it to 1024 or more there",
    raise_shared_memory: "mount an emptyDir with medium: Memory at /dev/shm",
};

const LOCAL: Conventions = Conventions {
    config_dir: runtime::CONFIG_DIR,
    live_dir: runtime::LIVE_DIR,
    statsd_port: Some(statsd::DEFAULT_PORT),
    is_pod: false,
    scraped: false,
    jobs_push: false,
    always_has_credentials: false,
    metadata_service: false,
    injects_secrets: false,
    expects_metrics: false,
    tells_states: false,
    // Docker and Podman.
    grace: Some((10, "the container engine's default")),
    raise_open_files: "raise it to 1024 or more: docker run --ulimit nofile=65536",
    raise_shared_memory: "docker run --shm-size=1g, or shm_size in a compose file",
};

/// The row of a platform.
pub(crate) const fn of(platform: Platform) -> &'static Conventions {
    match platform {
        Platform::SageMaker => &SAGEMAKER,
        Platform::Kubernetes => &KUBERNETES,
        Platform::Local => &LOCAL,
    }
}
