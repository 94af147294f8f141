//! Pods that train together: bare `torchrun` below a headless Service, with Debian's PyTorch, which the node has.

use std::path::Path;

use serde_json::{Value, json};

use crate::cluster::{Namespace, merged, pod, rest};

/// Debian's PyTorch and all that it needs: the image is the same release of Debian.
const TORCH: [&str; 3] = ["/usr/bin/torchrun", "/usr/lib", "/etc/alternatives"];

/// Two pods of an Indexed Job.
struct Pair {
    /// Of the Job; a pod's host name is this and its index.
    name: &'static str,
    /// Of the headless Service.
    service: &'static str,
    /// Processes in each pod.
    processes: u64,
    /// Where the pods meet.
    master: &'static str,
    /// Fields of the pods' metadata beside the label `app`.
    metadata: Value,
    /// Fields of their container, and of their `spec`.
    container: Value,
    spec: Value,
}

impl Pair {
    /// Makes the Service and the Job.
    fn start(&self, namespace: &Namespace, args: &[&str]) {
        namespace.apply(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": self.service},
            "spec": {
                "clusterIP": "None", "selector": {"app": self.name}, "publishNotReadyAddresses": true,
                "ports": [{"port": 7777}],
            },
        }));
        let variable = |name: &str, value: &str| json!({"name": name, "value": value});
        let numbered = || TORCH.iter().enumerate();
        let mounts: Vec<Value> = numbered()
            .map(|(number, path)| {
                json!({"name": format!("torch-{number}"), "mountPath": path, "readOnly": true})
            })
            .collect();
        let volumes: Vec<Value> = numbered()
            .map(|(number, path)| {
                json!({"name": format!("torch-{number}"), "hostPath": {"path": path}})
            })
            .collect();
        let own = json!({
            "volumeMounts": mounts,
            "env": [
                // Before pip's packages: this torch wants the numpy that it was built for.
                variable("PYTHONPATH", "/usr/lib/python3/dist-packages"),
                variable("LYFTLEARN_RUNTIME_TOPOLOGY_NODES", "2"),
                variable("LYFTLEARN_RUNTIME_ROLE", "training"),
                variable("PET_NPROC_PER_NODE", &self.processes.to_string()),
                variable("OMP_NUM_THREADS", "1"),
                // Debian's torch cannot read the default of these two under its Python: a rank that is not there.
                variable("PET_REDIRECTS", "9:1"),
                variable("PET_TEE", "9:1"),
            ],
        });
        let spec = json!({"subdomain": self.service, "volumes": volumes});
        let spec = merged(spec, self.spec.clone());
        let container = merged(own, self.container.clone());
        let mut template = json!({"spec": pod("unused", args, container, spec)["spec"]});
        template["metadata"] = self.metadata.clone();
        template["metadata"]["labels"]["app"] = json!(self.name);
        namespace.apply(&json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": self.name},
            "spec": {
                "completions": 2, "parallelism": 2, "completionMode": "Indexed", "template": template,
            },
        }));
    }

    /// The newest pod with an index, once there is one that is not being deleted.
    fn pod(&self, namespace: &Namespace, index: u64) -> Option<Value> {
        let pods = namespace.get("pods");
        let index = json!(index.to_string());
        let mut own: Vec<&Value> = pods["items"]
            .as_array()?
            .iter()
            .filter(|pod| {
                let labels = &pod["metadata"]["labels"];
                labels["app"] == self.name
                    && labels["batch.kubernetes.io/job-completion-index"] == index
                    && pod["metadata"]["deletionTimestamp"].is_null()
            })
            .collect();
        own.sort_by_key(|pod| pod["metadata"]["creationTimestamp"].as_str());
        own.pop().cloned()
    }

    fn pod_name(&self, namespace: &Namespace, index: u64) -> String {
        let pod = namespace.until("a pod", || self.pod(namespace, index));
        pod["metadata"]["name"].as_str().unwrap().to_owned()
    }

    /// Waits for the end of the Job, and compares what each worker reports of itself.
    #[track_caller]
    fn check_met(&self, namespace: &Namespace) {
        namespace.wait_for("condition=Complete", &format!("job/{}", self.name));
        let world = 2 * self.processes;
        for node in [0, 1] {
            let name = self.pod_name(namespace, node);
            let log = namespace.ok(&["logs", &name]);
            let mut found: Vec<Value> = log
                .lines()
                .filter_map(|line| serde_json::from_str(line.strip_prefix("TRAINED ")?).ok())
                .collect();
            found.sort_by_key(|one| one["rank"].as_u64());
            let of = |local: u64| {
                json!({
                    "rank": self.processes * node + local,
                    "world": world,
                    "node": node,
                    "nodes": 2,
                    "local": local,
                    "master": self.master,
                    // A bit for each process that took part.
                    "sum": (1 << world) - 1,
                })
            };
            let expected: Vec<Value> = (0..self.processes).map(of).collect();
            assert_eq!(found, expected, "{name}: {log}");
        }
    }
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn torchrun_without_an_argument_meets_its_peers() {
    let namespace = Namespace::new("torchrun");
    let all_reduce = include_str!("../distributed/programs/all_reduce.py");
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "program"},
        "data": {"all_reduce.py": all_reduce},
    }));
    let mounts = json!({"volumeMounts": [{"name": "program", "mountPath": "/opt/program"}]});
    let volume = json!({"name": "program", "configMap": {"name": "program"}});
    let indexed = Pair {
        name: "line",
        service: "line",
        processes: 1,
        master: "line-0.line.torchrun.svc.cluster.local",
        metadata: json!({}),
        container: mounts,
        spec: json!({"volumes": [volume]}),
    };
    // As the controller of a JobSet makes its pods: the coordinator is an annotation, which a downwardAPI volume shows.
    let set = Pair {
        name: "ranker-worker-0",
        service: "ranker",
        processes: 2,
        master: "ranker-worker-0-0.ranker",
        metadata: json!({"annotations": {
            "jobset.sigs.k8s.io/jobset-name": "ranker",
            "jobset.sigs.k8s.io/job-index": "0",
            "jobset.sigs.k8s.io/job-global-index": "0",
            "jobset.sigs.k8s.io/coordinator": "ranker-worker-0-0.ranker",
        }}),
        container: json!({"volumeMounts": [
            {"name": "program", "mountPath": "/opt/program"},
            {"name": "podinfo", "mountPath": "/etc/podinfo"},
        ]}),
        spec: json!({"volumes": [volume, {
            "name": "podinfo",
            "downwardAPI": {"items": [
                {"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations"}},
            ]},
        }]}),
    };
    for pair in [&indexed, &set] {
        pair.start(&namespace, &["torchrun", "/opt/program/all_reduce.py"]);
    }
    for pair in [&indexed, &set] {
        pair.check_met(&namespace);
    }
}

/// The last step that a log says was saved before an end of this kind.
fn saved_before(log: &[String], reason: &str) -> Option<u64> {
    let end = format!(" before a {reason}");
    log.iter().rev().find_map(|line| {
        line.strip_prefix("saved step ")?
            .strip_suffix(&end)?
            .parse()
            .ok()
    })
}

/// The step at which a round of both pods begins.
fn round_of_both(log: &str) -> Option<u64> {
    let mut lines = log.lines();
    lines.find_map(|line| {
        line.strip_prefix("round of 2 begins at step ")?
            .parse()
            .ok()
    })
}

/// The class of the outcome in a pod's run directory.
fn class(run: &Path, index: u64) -> Value {
    let path = run.join(format!("{index}/outcome.json"));
    let outcome: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    outcome["class"].clone()
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn nodes_that_are_stopped_save_and_a_replaced_node_goes_on_from_there() {
    let namespace = Namespace::new("torchrun-stop");
    let [checkpoints, run] = [(), ()].map(|()| tempfile::tempdir().unwrap());
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "config"},
        "data": {"hyperparameters.json": r#"{"steps": "100000000", "save_every": "200"}"#},
    }));
    // What the image of the example has.
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "elastic"},
        "data": {
            "runtime.toml": include_str!("../../../examples/elastic/runtime.toml"),
            "train.py": include_str!("../../../examples/elastic/train.py"),
        },
    }));
    let pair = Pair {
        name: "line",
        service: "line",
        processes: 1,
        master: "line-0.line.torchrun-stop.svc.cluster.local",
        metadata: json!({}),
        container: json!({"volumeMounts": [
            {"name": "config", "mountPath": "/etc/lyftlearn/config"},
            {"name": "elastic", "mountPath": "/etc/lyftlearn/runtime.toml", "subPath": "runtime.toml"},
            {"name": "elastic", "mountPath": "/opt/elastic-example"},
            {"name": "checkpoints", "mountPath": "/opt/ml/checkpoints"},
            {"name": "run", "mountPath": "/run/lyftlearn", "subPathExpr": "$(JOB_COMPLETION_INDEX)"},
        ]}),
        spec: json!({
            // That of the image's runtime.toml.
            "terminationGracePeriodSeconds": 120,
            "volumes": [
                {"name": "config", "configMap": {"name": "config"}},
                {"name": "elastic", "configMap": {"name": "elastic"}},
                {"name": "checkpoints", "hostPath": {"path": checkpoints.path()}},
                {"name": "run", "hostPath": {"path": run.path()}},
            ],
        }),
    };
    pair.start(&namespace, &["train"]);
    let before = [0, 1].map(|index| pair.pod_name(&namespace, index));
    for pod in &before {
        let log = namespace.until_logged(pod, "round of 2 begins at step ");
        assert_eq!(round_of_both(&log), Some(0));
    }

    // A node is drained. Its rank saves with its peer, which torchrun cannot go on without.
    let logs = before.each_ref().map(|pod| namespace.follow(pod));
    namespace.post(
        &format!("pods/{}/eviction", before[1]),
        &json!({
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": before[1]},
        }),
    );
    let logs = logs.map(rest);
    let saved = saved_before(&logs[1], "stop");
    assert!(saved.is_some(), "{logs:#?}");
    assert_eq!(saved_before(&logs[0], "new round"), saved, "{logs:#?}");

    // The Job replaces both, and they go on. A pod that meets a peer which is about to end fails, and is replaced, too.
    let after = [0, 1].map(|index: usize| {
        namespace.until("a round of both", || {
            let pod = pair.pod(&namespace, index as u64)?;
            let name = pod["metadata"]["name"].as_str()?.to_owned();
            let step = round_of_both(&namespace.log(&name))?;
            (name != before[index]).then_some((name, step))
        })
    });
    assert_eq!(after.each_ref().map(|(_, step)| Some(*step)), [saved; 2]);

    // The job is stopped.
    let logs = after.each_ref().map(|(pod, _)| namespace.follow(pod));
    namespace.ok(&["delete", "job", "line", "--wait=false"]);
    let logs = logs.map(rest);
    let saved = logs.each_ref().map(|log| saved_before(log, "stop"));
    assert!(saved[0].is_some() && saved[0] == saved[1], "{logs:#?}");
    for index in [0, 1] {
        assert_eq!(class(run.path(), index), "stopped", "{logs:#?}");
    }
}
