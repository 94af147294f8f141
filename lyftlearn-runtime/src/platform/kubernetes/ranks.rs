//! Ranks, from whichever controller made the pod.

use crate::contract::kubernetes;
use crate::error::Error;
use crate::platform::World;
use crate::platform::fault::ContractFault;
use crate::platform::topology::{alone, number};
use crate::problems::Problems;
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

pub(super) fn read(
    world: &World<'_>,
    resources: &Resources,
    problems: &mut Problems,
) -> Result<Topology, Error> {
    let mut topology = alone(world, resources)?;
    if let Some((rank, nodes)) = place(world, problems)? {
        topology.node_rank = rank;
        topology.nodes = nodes;
    }
    if topology.nodes > 1 {
        topology.hosts = Vec::new();
        topology.master_addr = master(world).unwrap_or_default();
    } else if let Some(address) = master(world) {
        topology.master_addr = address;
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

/// This node's rank and how many there are, from the first pair that is whole.
fn place(world: &World<'_>, problems: &mut Problems) -> Result<Option<(u32, u32)>, Error> {
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
        return Ok(Some((rank, nodes)));
    }
    let index: Option<u32> = number(world, kubernetes::COMPLETION_INDEX)?;
    if let Some(index) = index {
        // The Job controller tells a pod its index and nobody the count.
        problems.push(format!(
            "{} is set without a count: nodes is the least that it can be; set {} to the Job's completions",
            kubernetes::COMPLETION_INDEX,
            kubernetes::PET_NODES
        ));
        return Ok(Some((index, index.saturating_add(1))));
    }
    if nodes(world, kubernetes::PET_NODES)?.is_some_and(|nodes| nodes > 1) {
        problems.push(format!(
            "{} is set without {}: this node is taken for one alone until torchrun ranks it",
            kubernetes::PET_NODES,
            kubernetes::PET_NODE_RANK
        ));
    }
    Ok(None)
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

/// A port. A Service called `master` makes `MASTER_PORT=tcp://…`: that is none.
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
