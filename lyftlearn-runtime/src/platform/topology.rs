//! Nodes, ranks and where they meet.

use super::World;
use super::fault::ContractFault;
use crate::contract::{linux, sagemaker};
use crate::error::Error;
use crate::workload::{Resources, Topology};

/// One node alone.
pub(super) fn alone(world: &World<'_>, resources: &Resources) -> Result<Topology, Error> {
    let host = world.facts.hostname()?;
    Ok(Topology {
        hosts: vec![host.clone()],
        master_addr: host.clone(),
        host,
        node_rank: 0,
        nodes: 1,
        local_devices: devices(resources),
        master_port: sagemaker::MASTER_PORT,
        network_interface: first_interface(world)?,
        groups: Vec::new(),
    })
}

/// Accelerators of this node.
pub(super) fn devices(resources: &Resources) -> u32 {
    if resources.gpus > 0 {
        resources.gpus
    } else {
        resources.neurons
    }
}

/// A variable that holds a whole number; `None` when it is unset or blank.
pub(super) fn number<T: std::str::FromStr>(
    world: &World<'_>,
    variable: &'static str,
) -> Result<Option<T>, Error> {
    let Some(text) = world.facts.text(variable) else {
        return Ok(None);
    };
    text.trim()
        .parse()
        .map(Some)
        .map_err(|_| ContractFault::NotANumber { variable }.into())
}

fn first_interface(world: &World<'_>) -> Result<Option<String>, Error> {
    let there = world
        .facts
        .exists(format!("{}/{}", linux::INTERFACES, linux::FIRST_INTERFACE));
    Ok(there.then(|| linux::FIRST_INTERFACE.to_owned()))
}
