//! Variables about the nodes for launchers and communication libraries, unless they are set
//! already.

use std::ffi::OsStr;

use super::credentials::Changes;
use crate::contract::{torch, worker};
use crate::workload::{Role, Workload};

/// What torchrun needs to end by itself after its workers, in seconds.
const ENDING: u32 = 2;

/// `found` is every name and value that the program would have otherwise, low to high.
pub(crate) fn launchers<'a>(
    workload: &Workload,
    found: impl Iterator<Item = (&'a OsStr, &'a OsStr)> + Clone,
) -> Changes {
    let mut changes = Changes::default();
    if !matches!(workload.role, Role::Training | Role::Job | Role::Processing) {
        return changes;
    }
    let value = |name: &str| {
        let found = found.clone();
        let of_name = found.filter(|(found, value)| *found == name && !value.is_empty());
        of_name.last().map(|(_, value)| value)
    };
    let mut set = |name: &str, text: Option<String>| {
        if let Some(text) = text.filter(|_| value(name).is_none()) {
            changes.set(name, text);
        }
    };
    let topology = &workload.topology;
    if topology.is_distributed() {
        // Left alone, NCCL may take a link-local interface, and gloo the one that the node's own
        // name leads to.
        for name in torch::SOCKET_INTERFACES {
            set(name, topology.network_interface.clone());
        }
        let master = topology.master_addr.as_deref();
        set(
            torch::JAX_COORDINATOR,
            master.map(|master| at(master, topology.master_port)),
        );
    }
    if topology.is_ranked_by_launcher() && (topology.bounds.is_some() || topology.nodes.is_some()) {
        // A pod's name is unique: with it, the nodes would never meet.
        let name = workload.job.name.clone();
        set(
            torch::RENDEZVOUS_ID,
            name.filter(|name| *name != topology.host),
        );
        set(torch::LOCAL_ADDR, topology.local_addr.clone());
    }
    let grace = workload.lifecycle.grace_seconds;
    set(
        worker::SHUTDOWN_TIMEOUT,
        grace
            .checked_sub(ENDING)
            .filter(|left| *left > 0)
            .map(|left| left.to_string()),
    );
    // Without an accelerator torchrun counts the node's processors, whatever the container may
    // use of them.
    let asked = value(torch::NPROC_PER_NODE).and_then(OsStr::to_str);
    if topology.local_devices == 0
        && asked.is_some_and(|asked| worker::AS_PROCESSORS.contains(&asked))
    {
        let processors = workload.resources.whole_cpus();
        changes.set(torch::NPROC_PER_NODE, processors.to_string());
        changes.taken.push(torch::NPROC_PER_NODE.to_owned());
    }
    changes
}

/// An address and a port; an IPv6 address needs brackets.
fn at(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
