//! The model as variables. Only what applies is set.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::contract::{delivered as names, torch};
use crate::workload::{Bounds, Role, Workload};

pub(super) fn variables(workload: &Workload) -> Vec<(String, OsString)> {
    let mut list = List::default();
    list.text(names::PLATFORM, workload.platform.as_str());
    list.text(names::FLAVOR, workload.flavor.as_str());
    list.text(names::ROLE, workload.role.as_str());
    list.some(names::JOB_NAME, workload.job.name.as_deref());
    list.some(names::JOB_ID, workload.job.id.as_deref());

    let paths = &workload.paths;
    list.path(names::MODEL_DIR, paths.model.as_ref());
    list.path(names::INPUT_DIR, paths.input.as_ref());
    list.path(names::OUTPUT_DIR, paths.output.as_ref());
    list.path(names::OUTPUT_DATA_DIR, paths.output_data.as_ref());
    list.path(names::CHECKPOINT_DIR, paths.checkpoints.as_ref());
    list.path(names::CODE_DIR, paths.code.as_ref());
    list.path(names::CACHE_DIR, paths.cache.as_ref());
    list.path(names::TMP_DIR, paths.tmp.as_ref());
    list.path(names::RUN_DIR, paths.run.as_ref());

    list.text(
        names::CHANNELS,
        json(&workload.channels.keys().collect::<Vec<_>>()),
    );
    let mut taken = BTreeSet::new();
    for (name, channel) in &workload.channels {
        // `a-b` and `a_b` share a variable: the first in the list has it, and
        // the list and `workload.json` name both.
        let variable = channel_variable(name);
        if taken.insert(variable.clone()) {
            list.path(&variable, Some(&channel.path));
        }
    }
    list.path(
        names::HYPERPARAMETERS_FILE,
        workload.hyperparameters.path.as_ref(),
    );

    let topology = &workload.topology;
    // A list that a launcher makes anew each round is not known here.
    if !topology.is_ranked_by_launcher() {
        list.text(names::HOSTS, json(&topology.hosts));
    }
    list.text(names::HOST, &topology.host);
    list.some(
        names::NODE_RANK,
        topology.node_rank.map(|rank| rank.to_string()),
    );
    list.some(names::NODES, topology.nodes.map(|nodes| nodes.to_string()));
    if let Some(Bounds { least, most }) = topology.bounds {
        list.text(names::NODES_LEAST, least.to_string());
        list.text(names::NODES_MOST, most.to_string());
    }
    list.some(names::MASTER_ADDR, topology.master_addr.as_deref());
    list.text(names::MASTER_PORT_NUMBER, topology.master_port.to_string());
    list.some(
        names::NETWORK_INTERFACE,
        topology.network_interface.as_deref(),
    );

    let resources = &workload.resources;
    list.text(names::CPUS, resources.whole_cpus().to_string());
    list.some(
        names::MEMORY_BYTES,
        resources.memory_bytes.map(|bytes| bytes.to_string()),
    );
    list.text(names::GPUS, resources.gpus.to_string());
    list.text(
        names::GRACE_SECONDS,
        workload.lifecycle.grace_seconds.to_string(),
    );
    list.some(
        names::RESIZE_SECONDS,
        workload
            .lifecycle
            .resize_seconds
            .map(|seconds| seconds.to_string()),
    );
    launcher(workload, &mut list);
    list.0
}

/// So that a bare `torchrun` finds its nodes. One node alone needs no meeting place, and
/// might not resolve its own name.
fn launcher(workload: &Workload, list: &mut List) {
    if !matches!(workload.role, Role::Training | Role::Job | Role::Processing) {
        return;
    }
    let topology = &workload.topology;
    let rank = topology.node_rank.map(|rank| rank.to_string());
    if rank.is_some() {
        list.some(torch::NNODES, topology.nodes.map(|nodes| nodes.to_string()));
    }
    list.some(torch::NODE_RANK, rank.as_deref());
    if topology.local_devices > 0 {
        list.text(torch::NPROC_PER_NODE, topology.local_devices.to_string());
    }
    if rank.is_some() && topology.is_distributed() {
        let port = topology.master_port.to_string();
        let master = topology.master_addr.as_deref();
        list.some(torch::MASTER_ADDR, master);
        list.text(torch::MASTER_PORT, &port);
        list.some(torch::PLAIN_MASTER_ADDR, master);
        list.text(torch::PLAIN_MASTER_PORT, port);
        list.some(torch::PLAIN_NODE_RANK, rank);
    }
}

/// `LYFTLEARN_CHANNEL_` and the name in upper case, every byte but `A-Z 0-9 _` as `_`.
fn channel_variable(name: &str) -> String {
    let safe = name.bytes().map(|byte| match byte.to_ascii_uppercase() {
        byte @ (b'A'..=b'Z' | b'0'..=b'9' | b'_') => char::from(byte),
        _ => '_',
    });
    format!("{}{}", names::CHANNEL_PREFIX, safe.collect::<String>())
}

fn json(list: &impl serde::Serialize) -> String {
    serde_json::to_string(list).expect("a list of strings has no failure to report")
}

#[derive(Default)]
struct List(Vec<(String, OsString)>);

impl List {
    fn text(&mut self, name: &str, value: impl Into<String>) {
        self.0.push((name.to_owned(), value.into().into()));
    }

    fn some(&mut self, name: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    fn path(&mut self, name: &str, path: Option<&PathBuf>) {
        if let Some(path) = path {
            self.0.push((name.to_owned(), path.clone().into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::channel_variable;

    #[test]
    fn a_channels_variable_is_one_that_a_shell_can_read() {
        assert_eq!(channel_variable("train"), "LYFTLEARN_CHANNEL_TRAIN");
        assert_eq!(channel_variable("eval-2.b"), "LYFTLEARN_CHANNEL_EVAL_2_B");
    }
}
