//! Nodes, ranks and where they meet.

use super::World;
use super::fault::ContractFault;
use crate::contract::{kubernetes, linux, sagemaker, worker};
use crate::error::Error;
use crate::workload::{Group, Resources, Topology};

/// One node alone.
pub(super) fn alone(world: &World<'_>, resources: &Resources) -> Result<Topology, Error> {
    let host = world.facts.hostname()?;
    Ok(Topology {
        hosts: vec![host.clone()],
        master_addr: Some(host.clone()),
        host,
        node_rank: Some(0),
        nodes: Some(1),
        bounds: None,
        local_devices: devices(resources),
        master_port: sagemaker::MASTER_PORT,
        local_addr: None,
        network_interface: only_interface(world)?,
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

/// Says what a word for a number of processes becomes: torchrun would count the processors of
/// the node.
pub(super) fn processes(
    world: &World<'_>,
    topology: &Topology,
    resources: &Resources,
) -> Option<String> {
    let asked = world.effective(kubernetes::PET_LOCAL)?;
    let replaced = topology.local_devices == 0 && worker::AS_PROCESSORS.contains(&asked.as_str());
    replaced.then(|| {
        format!(
            "{} is {asked}: as many processes as this container has processors, which is {}",
            kubernetes::PET_LOCAL,
            resources.whole_cpus()
        )
    })
}

/// The only interface besides loopback. If there are several, it is unknown which one leads to the
/// other nodes.
fn only_interface(world: &World<'_>) -> Result<Option<String>, Error> {
    let mut names = world.facts.entries(linux::INTERFACES)?;
    names.retain(|name| name != linux::LOOPBACK);
    let only = names.pop().filter(|_| names.is_empty());
    Ok(only.and_then(|name| name.into_string().ok()))
}

/// The nodes of the groups on which a distribution runs (SageMaker's heterogeneous clusters):
/// those rank among each other, and any other node works alone.
pub(super) fn keep_distribution(topology: &mut Topology, groups: &[String]) {
    let taking_part = |group: &&Group| groups.contains(&group.name);
    let hosts: Vec<String> = topology
        .groups
        .iter()
        .filter(taking_part)
        .flat_map(|group| group.hosts.iter().cloned())
        .collect();
    if hosts.is_empty() {
        return;
    }
    let place = hosts.iter().position(|host| *host == topology.host);
    topology.hosts = match place {
        Some(_) => hosts,
        None => vec![topology.host.clone()],
    };
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    topology.node_rank = Some(count(place.unwrap_or_default()));
    topology.nodes = Some(count(topology.hosts.len()));
    topology.master_addr = topology.hosts.first().cloned();
}
