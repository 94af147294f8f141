//! Jobs of several pods.

use serde_json::{Value, json};

use crate::cluster::{Namespace, pod};

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn pods_of_an_indexed_job_know_their_rank_and_their_master() {
    let namespace = Namespace::new("indexed");
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "nodes"},
        "spec": {"clusterIP": "None", "selector": {"app": "train"}, "publishNotReadyAddresses": true,
            "ports": [{"port": 7777}]},
    }));
    let settings = json!({"env": [{"name": "LYFTLEARN_RUNTIME_TOPOLOGY_NODES", "value": "2"}]});
    let script = "echo seen $LYFTLEARN_NODE_RANK of $LYFTLEARN_NODES on $HOSTNAME; sleep 600";
    let template = pod(
        "unused",
        &["sh", "-c", script],
        settings,
        json!({"subdomain": "nodes"}),
    );
    namespace.apply(&json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train"},
        "spec": {
            "completions": 2, "parallelism": 2, "completionMode": "Indexed",
            "template": {"metadata": {"labels": {"app": "train"}}, "spec": template["spec"]},
        },
    }));
    namespace.wait_for("jsonpath={.status.ready}=2", "job/train");
    let pods: Value = namespace.get("pods");
    let pods = pods["items"].as_array().unwrap();
    assert_eq!(pods.len(), 2);
    for pod in pods {
        let index = &pod["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"];
        let rank: u64 = index.as_str().unwrap().parse().unwrap();
        let name = pod["metadata"]["name"].as_str().unwrap();
        let view = namespace.inspect(name, "main");
        let topology = &view["topology"];
        assert_eq!(
            (&topology["node_rank"], &topology["nodes"]),
            (&json!(rank), &json!(2)),
            "{view:#}"
        );
        let master = topology["master_addr"].as_str().unwrap();
        assert_eq!(
            master, "train-0.nodes.indexed.svc.cluster.local",
            "{view:#}"
        );
        namespace.until_logged(name, &format!("seen {rank} of 2 on train-{rank}"));
    }
    // The name is one that the Service has an address for.
    let slices = namespace.get("endpointslices");
    let endpoints = slices["items"][0]["endpoints"].as_array().unwrap();
    let mut hosts: Vec<_> = endpoints
        .iter()
        .map(|endpoint| endpoint["hostname"].as_str().unwrap())
        .collect();
    hosts.sort_unstable();
    assert_eq!(hosts, ["train-0", "train-1"], "{slices:#}");
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_jobs_policy_sees_the_programs_own_exit_code() {
    let namespace = Namespace::new("policy");
    let template = pod("unused", &["sh", "-c", "exit 42"], json!({}), json!({}));
    namespace.apply(&json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train"},
        "spec": {
            "backoffLimit": 6,
            "podFailurePolicy": {"rules": [{
                "action": "FailJob",
                "onExitCodes": {"containerName": "main", "operator": "In", "values": [42]},
            }]},
            "template": {"metadata": {"labels": {"app": "train"}}, "spec": template["spec"]},
        },
    }));
    namespace.wait_for("condition=Failed", "job/train");
    let job = namespace.get("job/train");
    let conditions = job["status"]["conditions"].as_array().unwrap();
    assert!(
        conditions
            .iter()
            .any(|condition| condition["reason"] == "PodFailurePolicy"),
        "{job:#}"
    );
    assert_eq!(job["status"]["failed"], 1, "{job:#}");
}
