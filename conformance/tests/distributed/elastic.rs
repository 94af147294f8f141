//! An elastic job: nodes that join and leave. The training is the example's, unmodified.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use lyftlearn_conformance::bridged::Hosts;
use lyftlearn_conformance::sandbox::{self, BINARY, Running};
use lyftlearn_conformance::world::World;
use lyftlearn_conformance::{programs, wait};
use nix::sys::signal::Signal;
use serde_json::Value;

const NAMES: [&str; 3] = ["line-worker-0", "line-worker-1", "line-worker-2"];

/// Three hosts, a directory that all of them see, and what each has said.
struct Job {
    hosts: Hosts,
    shared: World,
    worlds: [World; 3],
    python: PathBuf,
    /// Without this runtime: torchrun is PID 1.
    bare: bool,
}

/// A line that the example prints when a round begins.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Round {
    nodes: u64,
    step: u64,
}

impl Job {
    fn new(python: PathBuf, bare: bool) -> Self {
        let shared = World::new();
        std::fs::create_dir(shared.path("checkpoints")).unwrap();
        Self {
            hosts: Hosts::called(&NAMES),
            shared,
            worlds: std::array::from_fn(|_| World::new()),
            python,
            bare,
        }
    }

    /// Starts a host as an elastic PyTorchJob starts its pods: no rank, and one store.
    fn start(&self, host: usize) -> Running {
        let world = &self.worlds[host];
        for directory in ["run", "model"] {
            std::fs::create_dir(world.path(directory)).unwrap();
        }
        let hyperparameters = r#"{"steps": "100000000", "save_every": "200"}"#;
        let example = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/elastic");
        let container = world
            .pod("", hyperparameters)
            .mount(world.path("run"), "/run")
            .mount(world.path("model"), "/opt/ml/model")
            .mount(self.shared.path("checkpoints"), "/opt/ml/checkpoints")
            .mount_read_only(example, "/opt/elastic-example")
            .namespace(self.hosts.namespace(host))
            .hostname(NAMES[host])
            .variable("HOSTNAME", NAMES[host])
            .variable("LYFTLEARN_RUNTIME_ROLE", "training")
            .variable("PYTHONPATH", "/usr/lib/python3/dist-packages")
            .variable("OMP_NUM_THREADS", "1")
            .variable("PET_NNODES", "1:3")
            .variable("PET_NPROC_PER_NODE", "1")
            .variable("PET_RDZV_BACKEND", "c10d")
            .variable("PET_RDZV_ENDPOINT", "line-worker-0:29400")
            .variable("PET_RDZV_ID", "line")
            .variable("PET_RDZV_CONF", "last_call_timeout=1")
            .variable("PET_MONITOR_INTERVAL", "1")
            .variable("PET_MAX_RESTARTS", "100")
            // Debian's torch cannot read the default of these two under its Python: a rank that
            // is not there.
            .variable("PET_REDIRECTS", "9:1")
            .variable("PET_TEE", "9:1");
        let mut container = programs::mount_python(container, &self.python);
        if self.bare {
            container = container.variable("LYFTLEARN_RUNTIME", "off");
        }
        std::fs::write(world.pod_hosts(), self.hosts.file()).unwrap();
        let log = || Stdio::from(File::create(world.path("log")).unwrap());
        let errors = Stdio::from(File::create(world.path("errors")).unwrap());
        let argv = [
            BINARY.into(),
            "run".into(),
            "--".into(),
            self.python.clone().into_os_string(),
            "-m".into(),
            "torch.distributed.run".into(),
            "/opt/elastic-example/train.py".into(),
        ];
        container.start_on(&argv, [Stdio::null(), log(), errors])
    }

    fn log(&self, host: usize) -> String {
        std::fs::read_to_string(self.worlds[host].path("log")).unwrap_or_default()
    }

    /// All that a host has said, for a failure's report.
    fn errors(&self, host: usize) -> String {
        let errors = std::fs::read_to_string(self.worlds[host].path("errors"));
        format!("{}\n{}", self.log(host), errors.unwrap_or_default())
    }

    fn rounds(&self, host: usize) -> Vec<Round> {
        let log = self.log(host);
        let of = |line: &str| {
            let (nodes, step) = line
                .strip_prefix("round of ")?
                .split_once(" begins at step ")?;
            Some(Round {
                nodes: nodes.parse().ok()?,
                step: step.parse().ok()?,
            })
        };
        log.lines().filter_map(of).collect()
    }

    /// Waits for a round of so many nodes after the first `known` ones.
    #[track_caller]
    fn round_of(&self, nodes: u64, host: usize, known: usize) -> Round {
        let later = || {
            let rounds = self.rounds(host);
            rounds
                .into_iter()
                .skip(known)
                .find(|round| round.nodes == nodes)
        };
        wait::until(later).unwrap_or_else(|| {
            panic!(
                "no round of {nodes} on host {host}: {:?}\n{}",
                self.rounds(host),
                self.errors(host)
            )
        })
    }

    /// The last step of which a host said that it was saved before an end of this kind.
    #[track_caller]
    fn saved_before(&self, host: usize, reason: &str) -> u64 {
        let end = format!(" before a {reason}");
        let saved = || {
            let log = self.log(host);
            let mut lines = log.lines().rev();
            lines.find_map(|line| {
                line.strip_prefix("saved step ")?
                    .strip_suffix(&end)?
                    .parse()
                    .ok()
            })
        };
        wait::until(saved).unwrap_or_else(|| {
            let said = [0, 1, 2].map(|host| self.errors(host)).join("\n--\n");
            panic!("nothing saved on host {host}: {said}")
        })
    }

    fn outcome(&self, host: usize) -> Value {
        let text = std::fs::read(self.worlds[host].path("run/lyftlearn/outcome.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    fn class(&self, host: usize) -> Value {
        self.outcome(host)["class"].clone()
    }
}

/// How long the nodes that are there take until they train together, in seconds.
#[derive(Clone, Copy, Debug)]
struct Times {
    after_a_join: f64,
    after_a_leave: f64,
}

/// A third node joins, the second leaves, and the job is stopped.
fn joins_and_leaves(job: &Job) -> Times {
    let [first, second] = [0, 1].map(|host| job.start(host));
    job.round_of(2, 0, 0);
    let known = job.rounds(0).len();
    let asked = Instant::now();
    let third = job.start(2);
    let round = job.round_of(3, 0, known);
    let after_a_join = asked.elapsed().as_secs_f64();
    if !job.bare {
        // Every worker has saved, at one step, before torchrun ended it.
        assert_eq!(round.step, job.saved_before(0, "resize"));
        assert_eq!(round.step, job.saved_before(1, "resize"));
    }
    let known = job.rounds(0).len();
    let asked = Instant::now();
    second.signal(Signal::SIGTERM);
    let _ = second.end();
    // Those that stay save with the one that leaves, which says why it ends.
    let saved = (!job.bare).then(|| {
        assert_eq!(job.class(1), "stopped", "{}", job.errors(1));
        job.saved_before(1, "stop")
    });
    let round = job.round_of(2, 0, known);
    let after_a_leave = asked.elapsed().as_secs_f64();
    if let Some(saved) = saved {
        assert_eq!(round.step, saved);
    }
    for node in [&first, &third] {
        node.signal(Signal::SIGTERM);
    }
    for (host, node) in [(0, first), (2, third)] {
        let _ = node.end();
        assert!(
            job.bare || job.class(host) == "stopped",
            "{}",
            job.errors(host)
        );
    }
    Times {
        after_a_join,
        after_a_leave,
    }
}

/// A job, if this machine can run one.
fn job(bare: bool) -> Option<Job> {
    if !sandbox::possible() {
        return None;
    }
    programs::python_with_torch()?;
    Some(Job::new(programs::python_with_wheel()?, bare))
}

/// Sends a node the stop that it ends with, and waits for its end.
#[track_caller]
fn check_stopped(job: &Job, host: usize, node: Running) {
    node.signal(Signal::SIGTERM);
    let _ = node.end();
    assert_eq!(job.class(host), "stopped", "{}", job.errors(host));
}

#[test]
#[ignore = "torchrun on several nodes takes minutes: make test-distributed"]
fn two_nodes_leave_at_once_and_no_step_is_lost() {
    let Some(job) = job(false) else { return };
    let [first, second, third] = [0, 1, 2].map(|host| job.start(host));
    job.round_of(3, 0, 0);
    let known = job.rounds(0).len();
    for node in [&second, &third] {
        node.signal(Signal::SIGTERM);
    }
    for (host, node) in [(1, second), (2, third)] {
        let _ = node.end();
        assert_eq!(job.class(host), "stopped", "{}", job.errors(host));
    }
    let round = job.round_of(1, 0, known);
    for host in [1, 2] {
        assert_eq!(job.saved_before(host, "stop"), round.step);
    }
    check_stopped(&job, 0, first);
}

#[test]
#[ignore = "torchrun on several nodes takes minutes: make test-distributed"]
fn the_host_of_the_store_leaves() {
    let Some(job) = job(false) else { return };
    let [first, second] = [0, 1].map(|host| job.start(host));
    job.round_of(2, 1, 0);
    check_stopped(&job, 0, first);
    let saved = job.saved_before(0, "stop");
    // torchrun cannot go on without its store. Nothing is lost, and the reason is not the user's.
    let _ = second.end();
    let outcome = job.outcome(1);
    let reason = outcome["reason"].as_str().unwrap();
    let expected = "another node ended first: torch.distributed.elastic.rendezvous.api.";
    assert!(reason.starts_with(expected), "{outcome}");
    assert_eq!(outcome["program_exit_code"], 1);
    let step = format!("saved step {saved} before a ");
    assert!(job.log(1).contains(&step), "{}", job.errors(1));
    // Both are started anew by their platform, and go on from there.
    let job = Job {
        worlds: std::array::from_fn(|_| World::new()),
        ..job
    };
    let [first, second] = [0, 1].map(|host| job.start(host));
    assert_eq!(job.round_of(2, 0, 0).step, saved);
    second.signal(Signal::SIGTERM);
    check_stopped(&job, 0, first);
    let _ = second.end();
}

#[test]
#[ignore = "torchrun on several nodes takes minutes: make test-distributed"]
fn a_node_joins_while_the_job_is_stopped() {
    let Some(job) = job(false) else { return };
    let [first, second] = [0, 1].map(|host| job.start(host));
    job.round_of(2, 0, 0);
    for node in [&first, &second] {
        node.signal(Signal::SIGTERM);
    }
    let third = job.start(2);
    for (host, node) in [(0, first), (1, second)] {
        let _ = node.end();
        assert_eq!(job.class(host), "stopped", "{}", job.errors(host));
    }
    assert_eq!(job.saved_before(0, "stop"), job.saved_before(1, "stop"));
    check_stopped(&job, 2, third);
}

/// Waits some minutes for torchrun's rounds. The second time without this runtime, for the times.
#[test]
#[ignore = "torchrun on several nodes takes minutes: make test-distributed"]
fn a_node_joins_and_another_leaves_and_no_step_is_lost() {
    let (Some(ours), Some(bare)) = (job(false), job(true)) else {
        return;
    };
    let ours = joins_and_leaves(&ours);
    let bare = joins_and_leaves(&bare);
    for (what, ours, bare) in [
        (
            "three nodes after a join",
            ours.after_a_join,
            bare.after_a_join,
        ),
        (
            "two nodes after a leave",
            ours.after_a_leave,
            bare.after_a_leave,
        ),
    ] {
        eprintln!(
            "{what}: {ours:.1} s, bare torchrun {bare:.1} s, ratio {:.2}",
            ours / bare
        );
    }
}
