//! Containers that share a pod.

use serde_json::{Value, json};

use crate::cluster::{IMAGE, Namespace, pod, rest, terminated};

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_runtime_that_is_not_pid_1_reaps_and_stops() {
    let namespace = Namespace::new("shared");
    // The orphan's parent exits at once; the runtime must reap it as a subreaper.
    let script =
        "trap 'echo asked; exit 0' TERM; (sleep 0.1 &) ; echo working; while :; do sleep 0.1; done";
    namespace.start(&pod(
        "main",
        &["sh", "-c", script],
        json!({}),
        json!({"shareProcessNamespace": true}),
    ));
    namespace.until_logged("main", "working");
    let first = namespace.exec("main", "main", &["cat", "/proc/1/comm"]);
    assert_eq!(first, "pause\n");
    let view = namespace.inspect("main", "main");
    assert_eq!(view["platform"], "kubernetes", "{view:#}");
    assert_eq!(view["job"]["container"], "main", "{view:#}");
    let zombies = "cat /proc/[0-9]*/stat | grep -c ') Z ' || :";
    namespace.until("no zombie", || {
        (namespace.exec("main", "main", &["sh", "-c", zombies]) == "0\n").then_some(())
    });
    let log = namespace.follow("main");
    namespace.ok(&["delete", "pod", "main", "--wait=false"]);
    let lines = rest(log);
    assert!(lines.iter().any(|line| line == "asked"), "{lines:#?}");
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn two_containers_of_one_image_have_a_runtime_each() {
    let namespace = Namespace::new("two");
    let second = json!({"name": "second", "image": IMAGE, "imagePullPolicy": "Never", "args": ["sleep", "600"]});
    namespace.start(&pod(
        "main",
        &["sleep", "600"],
        json!({}),
        json!({"containers": [second]}),
    ));
    let views: Vec<Value> = ["main", "second"]
        .map(|name| namespace.inspect("main", name))
        .into();
    for (name, view) in ["main", "second"].iter().zip(&views) {
        assert_eq!(view["job"]["container"], *name, "{view:#}");
        assert_eq!(view["job"]["id"], views[0]["job"]["id"], "{view:#}");
    }
    // They share addresses: one of them has the port of metrics, and the other knows that it has not.
    let mut holders: Vec<_> = views
        .iter()
        .map(|view| view["listeners"][0]["holder"].as_str().unwrap())
        .collect();
    holders.sort_unstable();
    assert_eq!(holders, ["another", "ours"], "{views:#?}");
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn init_containers_and_sidecars_end_in_their_order() {
    let namespace = Namespace::new("sidecar");
    let mounts = json!([{"name": "state", "mountPath": "/state"}]);
    let init = json!({
        "name": "prepare", "image": IMAGE, "imagePullPolicy": "Never",
        "args": ["sh", "-c", "echo prepared >/state/model"], "volumeMounts": mounts,
    });
    let serve = "trap 'echo sidecar asked >>/state/order; cat /state/order; exit 0' TERM; while :; do sleep 0.1; done";
    let sidecar = json!({
        "name": "sidecar", "image": IMAGE, "imagePullPolicy": "Never", "restartPolicy": "Always",
        "args": ["sh", "-c", serve], "volumeMounts": mounts,
        // One port of metrics is enough.
        "env": [{"name": "LYFTLEARN_RUNTIME_METRICS_LISTEN", "value": "off"}],
    });
    let ended = namespace.run(&pod(
        "main",
        &[
            "sh",
            "-c",
            "cat /state/model && echo main ended >>/state/order",
        ],
        json!({"volumeMounts": mounts}),
        json!({"initContainers": [init, sidecar], "volumes": [{"name": "state", "emptyDir": {}}]}),
    ));
    assert_eq!(ended.exit_code, 0, "{ended:?}");
    assert!(ended.log.contains("prepared"), "{ended:?}");
    // The sidecar does not keep the pod.
    namespace.wait_for("jsonpath={.status.phase}=Succeeded", "pod/main");
    let object = namespace.get("pod/main");
    assert_eq!(terminated(&object, "prepare")["exitCode"], 0, "{object:#}");
    assert_eq!(terminated(&object, "sidecar")["exitCode"], 0, "{object:#}");
    let order = namespace.ok(&["logs", "main", "--container=sidecar"]);
    assert!(order.contains("main ended\nsidecar asked\n"), "{order}");
}
