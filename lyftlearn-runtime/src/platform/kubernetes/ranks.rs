//! Ranks, from whichever controller made the pod.
//!
//! An unknown rank is absent, because a node that guesses its rank trains alone and reports
//! success.

mod controllers;

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::contract::kubernetes;
use crate::error::Error;
#[cfg(feature = "cli")]
use crate::facts::Facts;
use crate::platform::World;
use crate::platform::fault::ContractFault;
use crate::platform::topology::{alone, number};
use crate::platform::worker;
use crate::problems::Problems;
use crate::settings::topology::bounds;
use crate::workload::{Bounds, Resources, Topology};

/// Where a node stands among the others.
enum Place {
    /// Its rank, the number of nodes, and their names if they are known.
    Ranked {
        rank: u32,
        nodes: u32,
        hosts: Vec<String>,
    },
    /// A launcher ranks the nodes anew in each round. The number of nodes, as far as it is known.
    ByLauncher {
        nodes: Option<u32>,
        bounds: Option<Bounds>,
    },
    Alone,
}

/// A pair of variables that place a node.
struct Pair {
    rank: &'static str,
    nodes: &'static str,
}

/// What torchrun tells the processes that it has started.
const ROUND: Pair = Pair {
    rank: kubernetes::GROUP_RANK,
    nodes: kubernetes::GROUP_WORLD_SIZE,
};

/// The most reliable source first: the launchers' variables, then those that count pods.
const PAIRS: &[Pair] = &[
    Pair {
        rank: kubernetes::PET_NODE_RANK,
        nodes: kubernetes::PET_NODES,
    },
    Pair {
        rank: kubernetes::LWS_INDEX,
        nodes: kubernetes::LWS_SIZE,
    },
    Pair {
        rank: kubernetes::RANK,
        nodes: kubernetes::WORLD_SIZE,
    },
    Pair {
        rank: kubernetes::COMPLETION_INDEX,
        nodes: kubernetes::HYPERPOD_NODES,
    },
    Pair {
        rank: kubernetes::COMPLETION_INDEX,
        nodes: kubernetes::PET_NODES,
    },
];

/// What a setting is called in a sentence.
const NODES: &str = "topology.nodes";

/// Whether a pod is one of several of an Indexed Job that are to meet: they have names of
/// their own.
#[cfg(feature = "cli")]
pub(crate) fn is_below_a_service(facts: &Facts, host: &str) -> Result<bool, Error> {
    Ok(controllers::first_of_job(facts, host)?.is_some())
}

pub(super) fn read(
    world: &World<'_>,
    resources: &Resources,
    annotations: &BTreeMap<String, String>,
    problems: &mut Problems,
) -> Result<Topology, Error> {
    let mut topology = alone(world, resources)?;
    let known = master(world);
    match place(world, &topology.host, problems)? {
        Place::Alone => topology.master_addr = known.or(topology.master_addr),
        Place::Ranked { nodes: 1, .. } => topology.master_addr = known.or(topology.master_addr),
        Place::Ranked { rank, nodes, hosts } => {
            topology.node_rank = Some(rank);
            topology.nodes = Some(nodes);
            topology.master_addr = known
                .or_else(|| hosts.first().cloned())
                .or_else(|| annotations.get(kubernetes::JOBSET_COORDINATOR).cloned());
            if topology.master_addr.is_none() {
                topology.master_addr = controllers::first_of_job(world.facts, &topology.host)?;
            }
            topology.hosts = hosts;
        }
        Place::ByLauncher { nodes, bounds } => {
            topology.node_rank = None;
            topology.nodes = nodes;
            topology.bounds = bounds;
            topology.master_addr = None;
            topology.hosts = Vec::new();
            topology.local_addr = controllers::own_address(world.facts, &topology.host)?;
        }
    }
    if topology.is_distributed()
        && let Some(interface) = &topology.network_interface
        && let Some(address) = controllers::own_loopback(world.facts, &topology.host)?
    {
        problems.push(format!(
            "this host's name resolves to {address}: peers get the address of {interface} instead"
        ));
    }
    for variable in [kubernetes::MASTER_PORT, kubernetes::PET_MASTER_PORT] {
        if let Some(port) = port(world, variable, problems)? {
            topology.master_port = port;
        }
    }
    for local in [kubernetes::PET_LOCAL, kubernetes::HYPERPOD_LOCAL] {
        // torchrun also takes the words auto, cpu and gpu here.
        let count = world
            .facts
            .text(local)
            .and_then(|text| text.trim().parse().ok());
        if let Some(count) = count {
            topology.local_devices = count;
            break;
        }
    }
    Ok(topology)
}

fn place(world: &World<'_>, host: &str, problems: &mut Problems) -> Result<Place, Error> {
    // A group's rank means something to torchrun's children only.
    if world.facts.text(kubernetes::TORCHRUN_ID).is_some() {
        let count = worker::hyperpods_nodes(world.facts)?;
        let count = count.map(|count| Bounds {
            least: count,
            most: count,
        });
        if let Some(found) = of_pair(world, &ROUND, count)? {
            return Ok(found);
        }
    }
    let set = world.settings.topology.nodes;
    if let Some(Bounds { most: 1, .. }) = set {
        return Ok(Place::Alone);
    }
    let known = match set {
        Some(bounds) => Some(bounds),
        None => nodes(world, kubernetes::PET_NODES)?,
    };
    if is_dynamic(world, known) {
        let fixed = known.filter(|known| known.least == known.most);
        let elastic = known.filter(|known| known.least < known.most);
        problems.push(match (fixed, elastic) {
            (_, Some(Bounds { least, most })) => format!(
                "torchrun ranks this node: {least} to {most} nodes; rank and number are known in its workers"
            ),
            (Some(Bounds { most, .. }), _) => format!(
                "torchrun ranks this node: {most} nodes; the rank is known in its workers"
            ),
            _ => "torchrun ranks this node: rank and number are known in its workers".to_owned(),
        });
        return Ok(Place::ByLauncher {
            nodes: fixed.map(|fixed| fixed.most),
            bounds: elastic,
        });
    }
    for pair in PAIRS {
        if let Some(found) = of_pair(world, pair, set)? {
            return Ok(found);
        }
    }
    if let Some((rank, hosts)) = controllers::volcano(world, host)? {
        return Ok(ranked(rank, hosts));
    }
    if let Some(hosts) = controllers::mpi(world)? {
        // mpirun ranks the processes, and the launcher's pod need not be among the nodes.
        return Ok(
            match hosts.iter().position(|known| is_called(known, host)) {
                Some(rank) => ranked(rank, hosts),
                None => Place::ByLauncher {
                    nodes: u32::try_from(hosts.len()).ok(),
                    bounds: None,
                },
            },
        );
    }
    if world.facts.text(kubernetes::HYPERPOD_NODES).is_some() {
        problems.push(format!(
            "{} is set without a rank: HyperPod's launcher ranks this node; rank and number are known in its workers",
            kubernetes::HYPERPOD_NODES
        ));
        return Ok(Place::ByLauncher {
            nodes: None,
            bounds: None,
        });
    }
    if number::<u32>(world, kubernetes::COMPLETION_INDEX)?.is_some() && set.is_none() {
        // The Job controller gives a pod its index, but not the number of pods.
        problems.push(format!(
            "{} is set, but not how many pods train together: this pod trains alone; set {NODES} to the Job's completions, or to 1",
            kubernetes::COMPLETION_INDEX
        ));
        return Ok(Place::Alone);
    }
    if let Some(Bounds { most: 2.., .. }) = known {
        let variable = if set.is_some() {
            NODES
        } else {
            kubernetes::PET_NODES
        };
        problems.push(format!(
            "{variable} is set, but not this node's rank: set {}, or a rendezvous by {}",
            kubernetes::PET_NODE_RANK,
            kubernetes::PET_BACKEND
        ));
        return Ok(Place::ByLauncher {
            nodes: known.map(|known| known.most),
            bounds: None,
        });
    }
    Ok(Place::Alone)
}

/// This node's rank and how many there are, where a pair is whole.
fn of_pair(world: &World<'_>, pair: &Pair, set: Option<Bounds>) -> Result<Option<Place>, Error> {
    let known = match set {
        Some(set) => Some(set),
        None => nodes(world, pair.nodes)?,
    };
    let (Some(rank), Some(Bounds { most: nodes, .. })) = (number::<u32>(world, pair.rank)?, known)
    else {
        return Ok(None);
    };
    if rank >= nodes {
        return Err(ContractFault::RankOutOfRange {
            rank: pair.rank,
            nodes: if set.is_some() { NODES } else { pair.nodes },
        }
        .into());
    }
    Ok(Some(Place::Ranked {
        rank,
        nodes,
        hosts: Vec::new(),
    }))
}

fn ranked(rank: usize, hosts: Vec<String>) -> Place {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Place::Ranked {
        rank: count(rank),
        nodes: count(hosts.len()),
        hosts,
    }
}

/// Whether the nodes find each other by a rendezvous in which a rank means nothing.
fn is_dynamic(world: &World<'_>, known: Option<Bounds>) -> bool {
    let backend = world.facts.text(kubernetes::PET_BACKEND);
    backend.is_some_and(|backend| backend.trim() != kubernetes::STATIC_BACKEND)
        || known.is_some_and(|known| known.least < known.most)
}

/// A count, or torchrun's `least:most`.
fn nodes(world: &World<'_>, variable: &'static str) -> Result<Option<Bounds>, Error> {
    let Some(text) = world.facts.text(variable) else {
        return Ok(None);
    };
    bounds(&text)
        .map(Some)
        .ok_or_else(|| ContractFault::NotANumber { variable }.into())
}

/// Whether a name is a node's own, in its short or its full spelling.
fn is_called(name: &str, host: &str) -> bool {
    name.strip_prefix(host)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn master(world: &World<'_>) -> Option<String> {
    let variable = || {
        [
            kubernetes::PET_MASTER_ADDR,
            kubernetes::LWS_LEADER,
            kubernetes::MASTER_ADDR,
        ]
        .into_iter()
        .find_map(|name| world.facts.text(name))
        .map(Cow::into_owned)
    };
    world.settings.topology.master.clone().or_else(variable)
}

/// A port. A Service named `master` sets `MASTER_PORT=tcp://…`, which is not a port.
fn port(
    world: &World<'_>,
    variable: &'static str,
    problems: &mut Problems,
) -> Result<Option<u16>, Error> {
    if world
        .facts
        .text(variable)
        .is_some_and(|text| text.contains("://"))
    {
        problems.push(format!(
            "{variable} is ignored: Kubernetes made it for a Service of that name; set enableServiceLinks: false"
        ));
        return Ok(None);
    }
    number(world, variable)
}
