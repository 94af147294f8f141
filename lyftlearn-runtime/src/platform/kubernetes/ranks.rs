//! Ranks, from whichever controller made the pod.

use crate::contract::{kubernetes, sagemaker};
use crate::error::Error;
use crate::platform::World;
use crate::platform::fault::ContractFault;
use crate::platform::topology::{alone, number};
use crate::workload::{Resources, Topology};

/// A pair of variables that place a node.
struct Pair {
    rank: &'static str,
    nodes: &'static str,
}

/// In order of who knows best: torchrun about its own children, then the launchers'
/// variables, then those that count pods.
const PAIRS: &[Pair] = &[
    Pair {
        rank: kubernetes::GROUP_RANK,
        nodes: kubernetes::GROUP_WORLD_SIZE,
    },
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

pub(super) fn read(world: &World<'_>, resources: &Resources) -> Result<Topology, Error> {
    let mut topology = alone(world, resources)?;
    for pair in PAIRS {
        // A group's rank means something to torchrun's children only.
        if pair.rank == kubernetes::GROUP_RANK
            && world.facts.text(kubernetes::TORCHRUN_ID).is_none()
        {
            continue;
        }
        let (Some(rank), Some(nodes)) =
            (number::<u32>(world, pair.rank)?, nodes(world, pair.nodes)?)
        else {
            continue;
        };
        if rank >= nodes {
            return Err(ContractFault::RankOutOfRange {
                rank: pair.rank,
                nodes: pair.nodes,
            }
            .into());
        }
        topology.node_rank = rank;
        topology.nodes = nodes;
        break;
    }
    if topology.nodes > 1 {
        topology.hosts = Vec::new();
        topology.master_addr = master(world).unwrap_or_default();
    } else if let Some(address) = master(world) {
        topology.master_addr = address;
    }
    topology.master_port = match number(world, kubernetes::PET_MASTER_PORT)? {
        Some(port) => port,
        None => master_port(world)?.unwrap_or(sagemaker::MASTER_PORT),
    };
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

/// A count, or torchrun's `least:most`, of which the most is what ranks are below.
fn nodes(world: &World<'_>, variable: &'static str) -> Result<Option<u32>, Error> {
    let Some(text) = world.facts.text(variable) else {
        return Ok(None);
    };
    let most = text.rsplit(':').next().unwrap_or(&text);
    most.trim()
        .parse()
        .map(Some)
        .map_err(|_| ContractFault::NotANumber { variable }.into())
}

fn master(world: &World<'_>) -> Option<String> {
    [
        kubernetes::PET_MASTER_ADDR,
        kubernetes::LWS_LEADER,
        kubernetes::MASTER_ADDR,
    ]
    .into_iter()
    .find_map(|name| world.facts.text(name))
    .map(std::borrow::Cow::into_owned)
}

/// A Service called `master` makes `MASTER_PORT=tcp://…`: that is no port.
fn master_port(world: &World<'_>) -> Result<Option<u16>, Error> {
    match world.facts.text(kubernetes::MASTER_PORT) {
        Some(text) if text.contains("://") => Ok(None),
        _ => number(world, kubernetes::MASTER_PORT),
    }
}
