//! How the runtime recognises a pod, and the view it delivers.

use serde_json::{Value, json};

use crate::cluster::{Namespace, pod};

const IDLE: &[&str] = &["sleep", "600"];

#[track_caller]
fn check_view(view: &Value, pod: &Value, evidence: &[&str]) {
    for (pointer, expected) in [
        ("/platform", &json!("kubernetes")),
        ("/flavor", &json!("pod")),
        ("/job/id", &pod["metadata"]["uid"]),
        ("/job/container", &json!("main")),
        ("/job/name", &pod["metadata"]["name"]),
        ("/job/namespace", &pod["metadata"]["namespace"]),
        ("/problems", &json!([])),
    ] {
        assert_eq!(view.pointer(pointer), Some(expected), "{pointer}: {view:#}");
    }
    let found: Vec<_> = view["evidence"].as_array().unwrap().iter().collect();
    for expected in evidence {
        assert!(
            found.iter().any(|fact| fact["found"] == *expected),
            "{expected} is not in {found:#?}"
        );
    }
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_pod_is_recognised_by_what_its_kubelet_made() {
    let namespace = Namespace::new("view");
    let hardened = json!({"automountServiceAccountToken": false, "enableServiceLinks": false});
    for (name, spec) in [("usual", json!({})), ("hardened", hardened)] {
        namespace.start(&pod(name, IDLE, json!({}), spec));
        let object = namespace.get(&format!("pod/{name}"));
        let evidence = [
            "mount /etc/hosts",
            "variable KUBERNETES_SERVICE_HOST",
            "file /etc/hosts",
        ];
        check_view(&namespace.inspect(name, "main"), &object, &evidence);
        // A wrapper that empties the environment leaves the mounts.
        let argv = [
            "env",
            "-i",
            "/usr/local/bin/lyftlearn-runtime",
            "inspect",
            "--json",
        ];
        let bare = serde_json::from_str(&namespace.exec(name, "main", &argv)).unwrap();
        check_view(&bare, &object, &["mount /etc/hosts"]);
    }
    // The eight variables of the API server come whatever is asked for.
    let variables = namespace.exec("hardened", "main", &["env"]);
    let count = variables
        .lines()
        .filter(|line| line.starts_with("KUBERNETES_"))
        .count();
    assert_eq!(count, 8, "{variables}");
    let mode = namespace.exec(
        "usual",
        "main",
        &["stat", "-c", "%a", "/dev/termination-log"],
    );
    assert_eq!(mode.trim(), "666");
    let found = namespace.exec(
        "usual",
        "main",
        &["sh", "-c", "ls -d /.dockerenv /run/.containerenv || :"],
    );
    assert_eq!(found, "");
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_pod_in_the_nodes_network_is_a_pod() {
    let namespace = Namespace::new("host-network");
    let settings = json!({"env": [{"name": "LYFTLEARN_RUNTIME_METRICS_LISTEN", "value": "off"}]});
    namespace.start(&pod("main", IDLE, settings, json!({"hostNetwork": true})));
    let hosts = namespace.exec("main", "main", &["head", "-n1", "/etc/hosts"]);
    assert_eq!(hosts, "# Kubernetes-managed hosts file (host network).\n");
    let view = namespace.inspect("main", "main");
    let object = namespace.get("pod/main");
    assert_eq!(view["platform"], "kubernetes", "{view:#}");
    assert_eq!(view["job"]["id"], object["metadata"]["uid"], "{view:#}");
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn limits_of_a_pod_are_its_resources() {
    let namespace = Namespace::new("limits");
    let limits = json!({"resources": {"limits": {"cpu": "500m", "memory": "256Mi"}}});
    namespace.start(&pod("main", IDLE, limits, json!({})));
    let view = namespace.inspect("main", "main");
    assert_eq!(view["resources"]["cpus"], 0.5, "{view:#}");
    assert_eq!(view["resources"]["memory_bytes"], 256 << 20, "{view:#}");
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn labels_of_a_downward_api_volume_follow_the_pod() {
    let namespace = Namespace::new("labels");
    let field =
        |name: &str| json!({"path": name, "fieldRef": {"fieldPath": format!("metadata.{name}")}});
    let items = [field("labels"), field("annotations")];
    let mut main = pod(
        "main",
        IDLE,
        json!({"volumeMounts": [{"name": "podinfo", "mountPath": "/etc/podinfo"}]}),
        json!({"volumes": [{"name": "podinfo", "downwardAPI": {"items": items}}]}),
    );
    // The kubelet writes Go's quotes.
    let note = "a \"quoted\" line\nand a tab\t, ü and \u{1f4a1}";
    main["metadata"]["annotations"] = json!({"lyft.net/note": note});
    namespace.start(&main);
    let view = namespace.inspect("main", "main");
    assert_eq!(view["job"]["labels"], json!({"app": "main"}), "{view:#}");
    assert_eq!(
        view["job"]["annotations"]["lyft.net/note"], note,
        "{view:#}"
    );

    namespace.ok(&["label", "pod/main", "team=ads"]);
    let argv = ["cat", "/etc/podinfo/labels"];
    let labels = namespace.until("the new label", || {
        let labels = namespace.exec("main", "main", &argv);
        labels.contains("team").then_some(labels)
    });
    assert_eq!(labels, "app=\"main\"\nteam=\"ads\"");
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn variables_of_a_service_that_is_called_like_ours_are_no_settings() {
    let namespace = Namespace::new("links");
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "lyftlearn-runtime"},
        "spec": {"selector": {"app": "none"}, "ports": [{"port": 80}]},
    }));
    // Links are made of what the kubelet's cache has: a pod that came too soon has none.
    let environment = namespace.until("links of the Service", || {
        namespace.start(&pod("main", IDLE, json!({}), json!({})));
        let environment = namespace.exec("main", "main", &["env"]);
        let linked = environment.contains("LYFTLEARN_RUNTIME_PORT=tcp://");
        if !linked {
            namespace.ok(&["delete", "pod", "main", "--grace-period=0", "--force"]);
        }
        linked.then_some(environment)
    });
    assert!(environment.contains("LYFTLEARN_RUNTIME_SERVICE_HOST=10.96."));
    // Each ignored variable is reported.
    let view = namespace.inspect("main", "main");
    let problems = view["problems"].as_array().unwrap();
    let named = "is ignored: Kubernetes made it for a Service of that name";
    assert_eq!(problems.len(), 7, "{view:#}");
    assert!(
        problems
            .iter()
            .all(|problem| problem.as_str().unwrap().contains(named)),
        "{view:#}"
    );
}
