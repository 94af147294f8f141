//! Nodes that train together: where a program finds its place, and when it may start.

use super::stopping::outcome;
use super::*;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

/// The second of two pods, with this master.
fn second_of_two(master: &str, settings: &str) -> (World, Sandbox) {
    let world = World::new();
    std::fs::create_dir(world.path("run")).unwrap();
    let container = world
        .pod(settings, "{}")
        .mount(world.path("run"), "/run")
        .variable("LYFTLEARN_RUNTIME_ROLE", "training")
        .variable("PET_NNODES", "2")
        .variable("PET_NODE_RANK", "1")
        .variable("PET_MASTER_ADDR", master)
        .own_network();
    (world, container)
}

#[test]
fn launchers_get_their_variables_and_users_values_stay() {
    needs_namespaces!();
    let (_world, container) = second_of_two("127.0.0.1", "[lifecycle]\ngrace_seconds = 120\n");
    let expected = [
        ("PET_NNODES", "2"),
        ("PET_NODE_RANK", "1"),
        ("MASTER_ADDR", "127.0.0.1"),
        ("JAX_COORDINATOR_ADDRESS", "127.0.0.1:7777"),
        ("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "108"),
    ];
    check_variables(&ended(&container, SHOW), &expected);
    let container = container
        .variable("JAX_COORDINATOR_ADDRESS", "elsewhere:1")
        .variable("GLOO_SOCKET_IFNAME", "ib0")
        .variable("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "5")
        .variable("PET_NPROC_PER_NODE", "auto")
        .variable("PET_LOCAL_ADDR", "");
    let output = ended(&container, SHOW);
    let cpus = variables(&output)["LYFTLEARN_CPUS"].clone();
    let expected = [
        ("JAX_COORDINATOR_ADDRESS", "elsewhere:1"),
        ("GLOO_SOCKET_IFNAME", "ib0"),
        ("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "5"),
        ("PET_NPROC_PER_NODE", &cpus),
    ];
    check_variables(&output, &expected);
}

#[test]
fn an_elastic_pod_gets_bounds_and_no_rank() {
    needs_namespaces!();
    let (_world, container) = second_of_two("127.0.0.1", "[job]\nname = \"ranking\"\n");
    let container = container
        .variable("PET_NNODES", "1:3")
        .variable("PET_NODE_RANK", "")
        .variable("PET_MASTER_ADDR", "")
        .variable("PET_RDZV_BACKEND", "c10d");
    let output = ended(&container, SHOW);
    let expected = [
        ("LYFTLEARN_NODES_LEAST", "1"),
        ("LYFTLEARN_NODES_MOST", "3"),
        ("PET_RDZV_ID", "ranking"),
        ("PET_NNODES", "1:3"),
    ];
    check_variables(&output, &expected);
    let found = variables(&output);
    assert!(found.contains_key("PET_LOCAL_ADDR"), "{found:#?}");
    for absent in [
        "LYFTLEARN_NODES",
        "LYFTLEARN_NODE_RANK",
        "LYFTLEARN_HOSTS",
        "LYFTLEARN_MASTER_ADDR",
        "MASTER_ADDR",
    ] {
        assert!(!found.contains_key(absent), "{absent} in {found:#?}");
    }
}

#[test]
fn a_start_waits_until_the_name_of_rank_0_resolves() {
    needs_namespaces!();
    let (world, container) = second_of_two("train-0", "");
    let hosts = world.pod_hosts();
    let running = container.run(&["true"]);
    // The agent's descriptors are there before: the start has begun to wait.
    let _ = running.pid_one();
    let mut text = std::fs::read_to_string(&hosts).unwrap();
    text.push_str("127.0.0.1\ttrain-0\n");
    std::fs::write(&hosts, text).unwrap();
    check_end(&running.end(), 0);
}

#[test]
fn a_start_that_cannot_reach_rank_0_fails_with_a_message() {
    needs_namespaces!();
    // Longer than the log stays quiet.
    let (world, container) = second_of_two("nobody.invalid", "[topology]\nwait_seconds = 6\n");
    let output = ended(&container, &["true"]);
    check_end(&output, 125);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("cannot meet the other nodes: nobody.invalid does not resolve after 6 s"),
        "{said}"
    );
    let waits = "waiting up to 6 s for the node with rank 0: nobody.invalid does not resolve";
    assert!(said.contains(waits), "{said}");
    assert_eq!(outcome(&world)["class"], "not-started");
    // No host has this address, and no route leads to it.
    let (_world, container) = second_of_two("192.0.2.1", "[topology]\nwait_seconds = 1\n");
    let output = ended(&container, &["true"]);
    check_end(&output, 125);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("192.0.2.1 (192.0.2.1:7777) has no route after 1 s"),
        "{said}"
    );
    // Not if a setting disables it.
    let (_world, container) = second_of_two("nobody.invalid", "[topology]\nwait_seconds = 0\n");
    check_end(&ended(&container, &["true"]), 0);
}

#[test]
fn a_stop_ends_the_wait_for_rank_0_at_once() {
    needs_namespaces!();
    let (_world, container) = second_of_two("nobody.invalid", "");
    let running = container.run(&["true"]);
    let status = format!("/proc/{}/status", running.pid_one());
    let blocks = || {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let mask = text
            .split("SigBlk:")
            .nth(1)?
            .split_whitespace()
            .next()?
            .to_owned();
        mask.contains('f').then_some(())
    };
    // Before that the kernel drops signals to PID 1.
    assert!(wait::until(blocks).is_some());
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
}

#[test]
fn a_launcher_of_an_indexed_job_without_a_pod_count_is_not_started() {
    needs_namespaces!();
    let world = World::new();
    let container = world
        .pod("", "{}")
        .variable("JOB_COMPLETION_INDEX", "1")
        .variable("HOSTNAME", "train-1");
    let hosts = world.pod_hosts();
    std::fs::write(&hosts, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n10.0.0.7\ttrain-1.train.team.svc.cluster.local\ttrain-1\n").unwrap();
    let output = ended(&container, &["torchrun", "train.py"]);
    check_end(&output, 125);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        said.contains("cannot place this node: $JOB_COMPLETION_INDEX is set, but not how many pods train together"),
        "{said}"
    );
    // Other programs do not wait, and a launcher does not if a setting says so.
    check_end(&ended(&container, &["true"]), 0);
    let alone = container.variable("LYFTLEARN_RUNTIME_TOPOLOGY_NODES", "1");
    check_end(&ended(&alone, &["torchrun", "--help"]), 0);
}

/// It writes each round's hosts beside the platform's documents.
#[test]
fn hyperpods_launcher_can_write_as_another_user() {
    needs_namespaces!();
    let world = World::new();
    let script = "#!/bin/sh\nid -u >/opt/ml/input/config/pod_resourceconfig.json && cat /opt/ml/input/config/pod_resourceconfig.json\n";
    let launcher = world.file("hyperpodrun", script);
    std::fs::set_permissions(&launcher, Permissions::from_mode(0o755)).unwrap();
    let container = world
        .pod("user = \"1000:1000\"\n", "{}")
        .mount_read_only(launcher, "/opt/hyperpodrun");
    let output = ended(&container, &["/opt/hyperpodrun", "train.py"]);
    check_end(&output, 0);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1000\n");
    // A volume that is not writable.
    std::fs::create_dir(world.path("config")).unwrap();
    let container = container.mount_read_only(world.path("config"), "/opt/ml/input/config");
    let output = ended(&container, &["/opt/hyperpodrun", "train.py"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("cannot give /opt/ml/input/config to the program's user, whose hyperpodrun writes there: read-only filesystem or storage medium"),
        "{said}"
    );
    // No other program gets it.
    let another = World::new();
    let container = another
        .pod("user = \"1000:1000\"\n", "{}")
        .mount(world.path("config"), "/opt/ml/input/config");
    check_end(&ended(&container, &["true"]), 0);
    assert_eq!(std::fs::metadata(world.path("config")).unwrap().uid(), 0);
}
