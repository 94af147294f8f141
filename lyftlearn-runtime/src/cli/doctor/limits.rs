//! What the kernel and the container allow.

use super::{Finding, Patient, Verdict};
use crate::workload::Platform;

/// Below this, data loaders and servers run out.
const FILES: u64 = 1024;
/// An engine's own /dev/shm; PyTorch's data loaders want more.
const SHM_BYTES: u64 = 64 << 20;

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let platform = patient.resolved.workload.platform;
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let files = match files {
        Some(files) if files < FILES => Finding::new(
            "limits",
            Verdict::Failed,
            format!("{files} open files"),
        )
        .fix(match platform {
            Platform::SageMaker => "SageMaker sets this limit: open fewer files at once",
            Platform::Kubernetes => {
                "the node's container runtime sets this limit: raise it to 1024 or more there"
            }
            Platform::Local => "raise it to 1024 or more: docker run --ulimit nofile=65536",
        }),
        Some(files) => Finding::new("limits", Verdict::Ok, format!("{files} open files")),
        None => Finding::new("limits", Verdict::Ok, "any number of open files"),
    };
    let resources = &patient.resolved.workload.resources;
    let shm = match resources.shm_bytes {
        None => Finding::new("limits", Verdict::Note, "no /dev/shm"),
        Some(bytes) if bytes <= SHM_BYTES => Finding::new(
            "limits",
            Verdict::Note,
            format!(
                "{} MiB of /dev/shm: little for data loaders with workers",
                bytes >> 20
            ),
        )
        .fix(match platform {
            Platform::SageMaker => {
                "SageMaker has no setting for it: use fewer workers, or torch.multiprocessing's file_system strategy"
            }
            Platform::Kubernetes => "mount an emptyDir with medium: Memory at /dev/shm",
            Platform::Local => "docker run --shm-size=1g, or shm_size in a compose file",
        }),
        Some(bytes) => Finding::new(
            "limits",
            Verdict::Ok,
            format!("{} MiB of /dev/shm", bytes >> 20),
        ),
    };
    let memory = resources
        .memory_bytes
        .map_or("no memory limit".to_owned(), |bytes| {
            format!("{} MiB of memory", bytes >> 20)
        });
    let machine = format!("{} processors, {memory}", resources.cpus);
    vec![Finding::new("limits", Verdict::Ok, machine), files, shm]
}
