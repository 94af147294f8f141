//! What the kernel and the container allow.

use super::{Finding, Patient, Verdict};
use crate::platform::conventions;

/// Below this, data loaders and servers run out.
const FILES: u64 = 1024;
/// An engine's own /dev/shm; PyTorch's data loaders want more.
const SHM_BYTES: u64 = 64 << 20;

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let conventions = conventions(patient.resolved.workload.platform);
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let files = match files {
        Some(files) if files < FILES => {
            Finding::new("limits", Verdict::Failed, format!("{files} open files"))
                .fix(conventions.raise_open_files)
        }
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
        .fix(conventions.raise_shared_memory),
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
