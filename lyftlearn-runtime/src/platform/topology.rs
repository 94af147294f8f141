//! Nodes, ranks and where they meet.

use std::num::NonZeroU16;

use super::World;
use super::fault::ContractFault;
use crate::contract::{kubernetes, linux, sagemaker, worker};
use crate::error::Error;
use crate::settings::topology::bounds;
use crate::workload::{Bounds, Group, Resources, Topology};

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

/// torchrun's port and number of processes, where the user sets them: they stay in the program's
/// environment, and torchrun obeys them. torchrun itself refuses what is not a number.
pub(super) fn obey_the_users(world: &World<'_>, topology: &mut Topology) {
    let port = |name| whole::<NonZeroU16>(world, name);
    if let Some(port) = port(kubernetes::PET_MASTER_PORT).or_else(|| port(kubernetes::MASTER_PORT))
    {
        topology.master_port = port.get();
    }
    if let Some(count) = whole(world, kubernetes::PET_LOCAL) {
        topology.local_devices = count;
    }
}

/// Says where torchrun is told something else about the nodes than this runtime knows.
pub(super) fn contradictions(world: &World<'_>, topology: &Topology) -> Vec<String> {
    // A worker has the variables of its round, which count as they are.
    if world.facts.text(kubernetes::TORCHRUN_ID).is_some() {
        return Vec::new();
    }
    let by_rank = world
        .effective(kubernetes::PET_BACKEND)
        .is_none_or(|backend| backend.trim() == kubernetes::STATIC_BACKEND);
    let nodes = world
        .effective(kubernetes::PET_NODES)
        .and_then(|text| bounds(&text))
        .zip(topology.nodes)
        .filter(|(Bounds { least, most }, nodes)| !(*least..=*most).contains(nodes))
        .map(|_| kubernetes::PET_NODES);
    let rank = whole::<u32>(world, kubernetes::PET_NODE_RANK)
        .zip(topology.node_rank)
        .filter(|(set, rank)| by_rank && set != rank)
        .map(|_| kubernetes::PET_NODE_RANK);
    let master = world
        .effective(kubernetes::PET_MASTER_ADDR)
        .zip(topology.master_addr.as_ref())
        .filter(|(set, master)| by_rank && topology.is_distributed() && set.trim() != *master)
        .map(|_| kubernetes::PET_MASTER_ADDR);
    let known = [
        (nodes, topology.nodes.map(|nodes| nodes.to_string())),
        (rank, topology.node_rank.map(|rank| rank.to_string())),
        (master, topology.master_addr.clone()),
    ];
    let contradicted = known.into_iter().filter_map(|(name, known)| {
        let (name, known) = name.zip(known)?;
        Some(format!(
            "{name} in the environment is not {known}, which the runtime delivers: torchrun obeys the variable; remove it or correct it"
        ))
    });
    contradicted.collect()
}

fn whole<T: std::str::FromStr>(world: &World<'_>, name: &str) -> Option<T> {
    world.effective(name)?.trim().parse().ok()
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
