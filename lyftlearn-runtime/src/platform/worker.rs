//! What a launcher tells each of the processes that it has started.

use super::fault::ContractFault;
use crate::contract::{kubernetes, worker};
use crate::error::Error;
use crate::facts::Facts;
use crate::workload::{Process, Topology};

/// The variables of one launcher.
struct Words {
    /// Only this launcher sets it.
    mark: &'static str,
    rank: &'static str,
    world_size: &'static str,
    local_rank: &'static str,
    local_world_size: Option<&'static str>,
    restarts: Option<&'static str>,
}

/// The most reliable source first. `RANK` alone comes from a PyTorchJob, which counts pods.
const LAUNCHERS: &[Words] = &[
    Words {
        mark: kubernetes::TORCHRUN_ID,
        rank: kubernetes::RANK,
        world_size: kubernetes::WORLD_SIZE,
        local_rank: worker::LOCAL_RANK,
        local_world_size: Some(worker::LOCAL_WORLD_SIZE),
        restarts: Some(worker::RESTARTS),
    },
    Words {
        mark: worker::MPI_RANK,
        rank: worker::MPI_RANK,
        world_size: worker::MPI_SIZE,
        local_rank: worker::MPI_LOCAL_RANK,
        local_world_size: Some(worker::MPI_LOCAL_SIZE),
        restarts: None,
    },
    // DeepSpeed's.
    Words {
        mark: worker::LOCAL_RANK,
        rank: kubernetes::RANK,
        world_size: kubernetes::WORLD_SIZE,
        local_rank: worker::LOCAL_RANK,
        local_world_size: None,
        restarts: None,
    },
];

/// This process's place; `None` where no launcher has started it.
pub(crate) fn process(facts: &Facts) -> Result<Option<Process>, Error> {
    for words in LAUNCHERS {
        if facts.text(words.mark).is_none() {
            continue;
        }
        let (Some(rank), Some(world_size), Some(local_rank)) = (
            number(facts, words.rank)?,
            number(facts, words.world_size)?,
            number(facts, words.local_rank)?,
        ) else {
            continue;
        };
        let optional = |name: Option<&'static str>| match name {
            Some(name) => number(facts, name),
            None => Ok(None),
        };
        return Ok(Some(Process {
            rank,
            world_size,
            local_rank,
            local_world_size: optional(words.local_world_size)?,
            restarts: optional(words.restarts)?,
        }));
    }
    Ok(None)
}

/// The nodes as torchrun's present round has them: in its workers that is what counts, whatever
/// was known when the container was started.
pub(crate) fn in_its_round(facts: &Facts, topology: &mut Topology) -> Result<(), Error> {
    if facts.text(kubernetes::TORCHRUN_ID).is_none() {
        return Ok(());
    }
    let nodes = match hyperpods_nodes(facts)? {
        Some(nodes) => Some(nodes),
        None => number(facts, kubernetes::GROUP_WORLD_SIZE)?,
    };
    let (Some(rank), Some(nodes)) = (number(facts, kubernetes::GROUP_RANK)?, nodes) else {
        return Ok(());
    };
    if (topology.node_rank, topology.nodes) != (Some(rank), Some(nodes)) {
        topology.hosts = Vec::new();
    }
    topology.node_rank = Some(rank);
    topology.nodes = Some(nodes);
    if let Some(master) = facts.text(kubernetes::MASTER_ADDR) {
        topology.master_addr = Some(master.into_owned());
    }
    if let Some(port) = number(facts, kubernetes::MASTER_PORT)? {
        topology.master_port = port;
    }
    Ok(())
}

/// The number of nodes below HyperPod's agent, whose `GROUP_WORLD_SIZE` counts processes
/// (hyperpod-elastic-agent 1.1.3, `get_rdzv_info`); `None` below any other launcher.
pub(super) fn hyperpods_nodes(facts: &Facts) -> Result<Option<u32>, Error> {
    if facts.text(worker::HYPERPOD_SOCKET).is_none() {
        return Ok(None);
    }
    let processes: Option<u32> = number(facts, kubernetes::WORLD_SIZE)?;
    let local: Option<u32> = number(facts, worker::LOCAL_WORLD_SIZE)?;
    Ok(processes
        .zip(local)
        .and_then(|(processes, local)| processes.checked_div(local)))
}

fn number<T: std::str::FromStr>(facts: &Facts, variable: &'static str) -> Result<Option<T>, Error> {
    let Some(text) = facts.text(variable) else {
        return Ok(None);
    };
    let number = text.trim().parse().map(Some);
    number.map_err(|_| ContractFault::NotANumber { variable }.into())
}

#[cfg(test)]
mod tests {
    use super::{in_its_round, process};
    use crate::facts::Facts;
    use crate::workload::{Process, Topology};

    fn facts(variables: &[(&str, &str)]) -> Facts {
        let variables = variables.iter();
        variables.fold(Facts::empty(), |facts, (name, value)| {
            facts.with_var(name, value)
        })
    }

    #[track_caller]
    fn check(variables: &[(&str, &str)], expected: Option<Process>) {
        assert_eq!(process(&facts(variables)).unwrap(), expected);
    }

    const TORCHRUN: &[(&str, &str)] = &[
        ("TORCHELASTIC_RUN_ID", "none"),
        ("RANK", "3"),
        ("WORLD_SIZE", "4"),
        ("LOCAL_RANK", "1"),
        ("LOCAL_WORLD_SIZE", "2"),
        ("TORCHELASTIC_RESTART_COUNT", "5"),
        ("GROUP_RANK", "1"),
        ("GROUP_WORLD_SIZE", "2"),
        ("MASTER_ADDR", "algo-2"),
        ("MASTER_PORT", "29401"),
    ];

    #[test]
    fn each_launcher_tells_a_process_its_place() {
        let of = |local_world_size, restarts| {
            Some(Process {
                rank: 3,
                world_size: 4,
                local_rank: 1,
                local_world_size,
                restarts,
            })
        };
        check(TORCHRUN, of(Some(2), Some(5)));
        let mpi = [
            ("OMPI_COMM_WORLD_RANK", "3"),
            ("OMPI_COMM_WORLD_SIZE", "4"),
            ("OMPI_COMM_WORLD_LOCAL_RANK", "1"),
            ("OMPI_COMM_WORLD_LOCAL_SIZE", "2"),
        ];
        check(&mpi, of(Some(2), None));
        let deepspeed = [("RANK", "3"), ("WORLD_SIZE", "4"), ("LOCAL_RANK", "1")];
        check(&deepspeed, of(None, None));
    }

    #[test]
    fn a_pods_rank_is_no_processs() {
        check(&[], None);
        check(&[("RANK", "3"), ("WORLD_SIZE", "4")], None);
        check(&[("TORCHELASTIC_RUN_ID", "none")], None);
        check(&[("LOCAL_RANK", "")], None);
    }

    #[test]
    fn a_rank_that_is_not_a_number_is_reported() {
        let mut wrong = TORCHRUN.to_vec();
        wrong[1] = ("RANK", "first");
        let report = process(&facts(&wrong)).unwrap_err().to_string();
        assert_eq!(report, "cannot parse $RANK: expected a whole number");
    }

    #[test]
    fn in_a_worker_the_nodes_are_those_of_the_round() {
        let before = Topology {
            host: "pod-a".to_owned(),
            hosts: vec!["pod-a".to_owned()],
            node_rank: None,
            nodes: None,
            bounds: None,
            local_devices: 0,
            master_addr: None,
            master_port: 7777,
            local_addr: None,
            network_interface: None,
            groups: Vec::new(),
        };
        let mut topology = before.clone();
        in_its_round(&facts(&[("GROUP_RANK", "1")]), &mut topology).unwrap();
        assert_eq!(topology, before);
        in_its_round(&facts(TORCHRUN), &mut topology).unwrap();
        assert_eq!((topology.node_rank, topology.nodes), (Some(1), Some(2)));
        assert_eq!(topology.master_addr.as_deref(), Some("algo-2"));
        assert_eq!(topology.master_port, 29_401);
        assert!(topology.hosts.is_empty());
        // HyperPod's agent says four, which is how many processes there are.
        let socket = ("HYPERPOD_ELASTICAGENT_SOCKET_SERVER_PATH", "/tmp/agent");
        let mut hyperpod = facts(TORCHRUN).with_var(socket.0, socket.1);
        hyperpod = hyperpod.with_var("GROUP_WORLD_SIZE", "4");
        in_its_round(&hyperpod, &mut topology).unwrap();
        assert_eq!((topology.node_rank, topology.nodes), (Some(1), Some(2)));
    }
}
