//! Each starter's pods or hosts, and bare `torchrun` in all of them alike: whatever it was that told
//! the ranks, all processes meet.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lyftlearn_conformance::bridged::Hosts;
use lyftlearn_conformance::sandbox::{self, Running, Sandbox};
use lyftlearn_conformance::world::World;
use lyftlearn_conformance::{programs, wait};
use serde_json::{Value, json};

/// torchrun as an image's `train` calls it: no address, no rank, no number of nodes.
const TORCHRUN: [&str; 3] = ["-m", "torch.distributed.run", "/opt/all_reduce.py"];

/// A busy machine takes a while to import torch six times.
const WHOLE: Duration = Duration::from_secs(240);

/// What one host finds in its environment.
type Variables = Vec<(&'static str, String)>;

/// A kind of job, on `names.len()` hosts.
struct Starter {
    /// As `/etc/hosts` has them: the first is the host's own name, others may follow.
    names: &'static [&'static str],
    /// The variables of the host with this number; on SageMaker it reads documents.
    variables: fn(usize) -> Variables,
    sagemaker: bool,
    /// The number of the host with rank 0, and so on.
    ranked: &'static [usize],
    /// Where all of them meet.
    master: &'static str,
}

impl Starter {
    fn host(&self, at: usize) -> &'static str {
        let name = self.names[at].split('\t').next_back();
        name.unwrap_or_default()
    }

    /// A container of it.
    fn container(&self, world: &World, hosts: &Hosts, at: usize, python: &Path) -> Sandbox {
        let file = hosts.file();
        let container = if self.sagemaker {
            let container = world.training("", &json!({}));
            let names: Vec<&str> = (0..self.names.len()).map(|at| self.host(at)).collect();
            let resources = json!({
                "current_host": self.host(at),
                "hosts": names,
                "network_interface_name": "eth0",
            });
            let document = "ml/input/config/resourceconfig.json";
            std::fs::write(world.path(document), resources.to_string()).unwrap();
            container.mount_read_only(world.file("hosts", &file), "/etc/hosts")
        } else {
            let pod = world.pod("", "{}");
            std::fs::write(world.pod_hosts(), &file).unwrap();
            pod.variable("HOSTNAME", self.host(at))
        };
        let all_reduce = include_str!("programs/all_reduce.py");
        let mut container = programs::mount_python(container, python)
            .namespace(hosts.namespace(at))
            .hostname(self.host(at))
            .mount_read_only(
                world.file("all_reduce.py", all_reduce),
                "/opt/all_reduce.py",
            )
            .variable("LYFTLEARN_RUNTIME_ROLE", "training")
            .variable("PYTHONPATH", "/usr/lib/python3/dist-packages")
            .variable("OMP_NUM_THREADS", "1")
            .variable("PET_NPROC_PER_NODE", "2")
            // Debian's torch cannot read the default of these two under its Python: a rank that
            // is not there.
            .variable("PET_REDIRECTS", "9:1")
            .variable("PET_TEE", "9:1");
        for (name, value) in (self.variables)(at) {
            container = container.variable(name, value);
        }
        container
    }

    /// Runs torchrun on all hosts, and compares what its workers report.
    #[track_caller]
    fn trains(&self) {
        let Some((hosts, python)) = self.hosts() else {
            return;
        };
        let worlds: Vec<World> = self.names.iter().map(|_| World::new()).collect();
        let nodes: Vec<Running> = worlds
            .iter()
            .enumerate()
            .map(|(at, world)| start(&self.container(world, &hosts, at, &python), &python))
            .collect();
        self.all_met(nodes);
    }

    fn hosts(&self) -> Option<(Hosts, PathBuf)> {
        if !sandbox::possible() {
            return None;
        }
        let _torch = programs::python_with_torch()?;
        Some((Hosts::called(self.names), programs::python_with_wheel()?))
    }

    #[track_caller]
    fn all_met(&self, nodes: Vec<Running>) {
        let outputs: Vec<_> = nodes
            .into_iter()
            .map(|node| node.end_within(WHOLE))
            .collect();
        let world = 2 * self.names.len();
        for (rank, host) in self.ranked.iter().enumerate() {
            let output = &outputs[*host];
            let said = String::from_utf8_lossy(&output.stdout);
            let mut found: Vec<Value> = said
                .lines()
                .filter_map(|line| serde_json::from_str(line.strip_prefix("TRAINED ")?).ok())
                .collect();
            found.sort_by_key(|one| one["rank"].as_u64());
            let of = |local: usize| {
                json!({
                    "rank": 2 * rank + local,
                    "world": world,
                    "node": rank,
                    "nodes": self.names.len(),
                    "local": local,
                    "master": self.master,
                    // A bit for each process that took part.
                    "sum": (1 << world) - 1,
                })
            };
            assert_eq!(found, [of(0), of(1)], "host {host}: {outputs:#?}");
            assert!(output.status.success(), "host {host}: {outputs:#?}");
        }
    }
}

fn start(container: &Sandbox, python: &Path) -> Running {
    let python = python.to_str().unwrap();
    container.run(&[&[python], &TORCHRUN[..]].concat())
}

/// Three hosts that are not in alphabetical order.
#[test]
#[ignore = "torchrun on several nodes takes minutes: make test-distributed"]
fn sagemaker() {
    let starter = Starter {
        names: &["algo-1", "algo-10", "algo-2"],
        variables: |_| Vec::new(),
        sagemaker: true,
        ranked: &[0, 1, 2],
        master: "algo-1",
    };
    starter.trains();
}

/// Kubeflow's training operator; `WORLD_SIZE` counts processes, and says it otherwise than of old.
const PYTORCH_JOB: Starter = Starter {
    names: &["line-master-0", "line-worker-0"],
    variables: |at| {
        vec![
            ("MASTER_ADDR", "line-master-0".to_owned()),
            ("MASTER_PORT", "23456".to_owned()),
            ("RANK", at.to_string()),
            ("WORLD_SIZE", "4".to_owned()),
            ("PET_NNODES", "2".to_owned()),
            ("PET_NODE_RANK", at.to_string()),
        ]
    },
    sagemaker: false,
    ranked: &[0, 1],
    master: "line-master-0",
};

#[test]
#[ignore = "torchrun on several nodes takes minutes: make test-distributed"]
fn pytorch_job() {
    PYTORCH_JOB.trains();
}

/// Nothing but pods was counted.
#[test]
#[ignore = "torchrun on several nodes takes minutes: make test-distributed"]
fn pytorch_job_of_old() {
    let starter = Starter {
        variables: |at| {
            vec![
                ("MASTER_ADDR", "line-master-0".to_owned()),
                ("MASTER_PORT", "23456".to_owned()),
                ("RANK", at.to_string()),
                ("WORLD_SIZE", "2".to_owned()),
            ]
        },
        ..PYTORCH_JOB
    };
    starter.trains();
}

/// The master's pod comes late, and until then no route leads to its address.
#[test]
#[ignore = "torchrun on several nodes takes minutes: make test-distributed"]
fn a_master_that_comes_late() {
    let Some((hosts, python)) = PYTORCH_JOB.hosts() else {
        return;
    };
    let worlds = [World::new(), World::new()];
    let [master, worker] = [0, 1].map(|at| PYTORCH_JOB.container(&worlds[at], &hosts, at, &python));
    hosts.unplug(0);
    let errors = worlds[1].path("errors");
    let file = std::fs::File::create(&errors).unwrap();
    let argv = [sandbox::BINARY, "run", "--", python.to_str().unwrap()];
    let argv: Vec<_> = argv.into_iter().chain(TORCHRUN).map(Into::into).collect();
    let streams = [
        std::process::Stdio::null(),
        std::process::Stdio::piped(),
        file.into(),
    ];
    let worker = worker.start_on(&argv, streams);
    let waits = || {
        let said = std::fs::read_to_string(&errors).ok()?;
        said.contains("for the node with rank 0").then_some(())
    };
    assert!(wait::until(waits).is_some());
    hosts.plug_in(0);
    PYTORCH_JOB.all_met(vec![start(&master, &python), worker]);
}

#[test]
#[ignore = "torchrun on several nodes takes minutes: make test-distributed"]
fn train_job() {
    let starter = Starter {
        names: &[
            "line-node-0-0.line\tline-node-0-0",
            "line-node-0-1.line\tline-node-0-1",
        ],
        variables: |at| {
            vec![
                ("JOB_COMPLETION_INDEX", at.to_string()),
                ("PET_NNODES", "2".to_owned()),
                ("PET_NODE_RANK", at.to_string()),
                ("PET_MASTER_ADDR", "line-node-0-0.line".to_owned()),
                ("PET_MASTER_PORT", "29500".to_owned()),
            ]
        },
        sagemaker: false,
        ranked: &[0, 1],
        master: "line-node-0-0.line",
    };
    starter.trains();
}

#[test]
#[ignore = "torchrun on several nodes takes minutes: make test-distributed"]
fn leader_worker_set() {
    let starter = Starter {
        names: &["llm-0.llm.team\tllm-0", "llm-0-1.llm.team\tllm-0-1"],
        variables: |at| {
            vec![
                ("LWS_LEADER_ADDRESS", "llm-0.llm.team".to_owned()),
                ("LWS_GROUP_SIZE", "2".to_owned()),
                ("LWS_WORKER_INDEX", at.to_string()),
            ]
        },
        sagemaker: false,
        ranked: &[0, 1],
        master: "llm-0.llm.team",
    };
    starter.trains();
}

/// Its count is a setting, its master the pod with index 0 below the same Service.
#[test]
#[ignore = "torchrun on several nodes takes minutes: make test-distributed"]
fn indexed_job() {
    let starter = Starter {
        names: &[
            "line-0.line.team.svc.cluster.local\tline-0",
            "line-1.line.team.svc.cluster.local\tline-1",
        ],
        variables: |at| {
            vec![
                ("JOB_COMPLETION_INDEX", at.to_string()),
                ("LYFTLEARN_RUNTIME_TOPOLOGY_NODES", "2".to_owned()),
            ]
        },
        sagemaker: false,
        ranked: &[0, 1],
        master: "line-0.line.team.svc.cluster.local",
    };
    starter.trains();
}

#[test]
#[ignore = "torchrun on several nodes takes minutes: make test-distributed"]
fn volcano() {
    let starter = Starter {
        names: &["line-master-0", "line-worker-0"],
        variables: |at| {
            vec![
                ("VC_TASK_INDEX", "0".to_owned()),
                ("MASTER_ADDR", "line-master-0".to_owned()),
                ("MASTER_PORT", "23456".to_owned()),
                ("WORLD_SIZE", "2".to_owned()),
                ("RANK", at.to_string()),
            ]
        },
        sagemaker: false,
        ranked: &[0, 1],
        master: "line-master-0",
    };
    starter.trains();
}
