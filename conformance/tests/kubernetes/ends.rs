//! How containers end, and what the API says of it.

use serde_json::json;

use crate::cluster::{Namespace, pod, status, terminated};

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn the_termination_message_says_why() {
    let namespace = Namespace::new("message");
    let raises = "raise ValueError('no rows in the table of rides')";
    let ended = namespace.run(&pod(
        "raises",
        &["python3", "-c", raises],
        json!({}),
        json!({}),
    ));
    assert_eq!(
        (ended.exit_code, ended.reason.as_str()),
        (1, "Error"),
        "{ended:?}"
    );
    assert!(
        ended
            .message
            .contains("ValueError: no rows in the table of rides"),
        "{ended:?}"
    );

    // At another path. The container only sees the mount.
    let elsewhere = json!({"terminationMessagePath": "/var/log/why"});
    let ended = namespace.run(&pod(
        "elsewhere",
        &["python3", "-c", raises],
        elsewhere,
        json!({}),
    ));
    assert!(
        ended
            .message
            .contains("ValueError: no rows in the table of rides"),
        "{ended:?}"
    );

    // The kubelet knows the exit code; its choice then is the log.
    let policy = json!({"terminationMessagePolicy": "FallbackToLogsOnError"});
    let script = "echo a line that only the log has; exit 7";
    let ended = namespace.run(&pod("falls-back", &["sh", "-c", script], policy, json!({})));
    assert_eq!(ended.exit_code, 7, "{ended:?}");
    assert!(
        ended.message.contains("a line that only the log has"),
        "{ended:?}"
    );

    let ended = namespace.run(&pod("completes", &["true"], json!({}), json!({})));
    assert_eq!(
        (ended.exit_code, ended.reason.as_str()),
        (0, "Completed"),
        "{ended:?}"
    );
    assert_eq!(ended.message, "", "{ended:?}");

    // More than the kubelet takes: the cause must be in what it keeps.
    let long = "raise ValueError('the cause: ' + 'x' * 9000)";
    let ended = namespace.run(&pod("long", &["python3", "-c", long], json!({}), json!({})));
    assert!(ended.message.contains("ValueError: the cause"), "{ended:?}");
    assert!(ended.message.len() <= 4096, "{}", ended.message.len());
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_signal_is_an_exit_code_and_a_bad_start_is_one() {
    let namespace = Namespace::new("codes");
    // The kubelet makes one dollar sign of two.
    let ended = namespace.run(&pod(
        "killed",
        &["sh", "-c", "kill -KILL $$$$"],
        json!({}),
        json!({}),
    ));
    assert_eq!(
        (ended.exit_code, ended.reason.as_str()),
        (137, "Error"),
        "{ended:?}"
    );
    let ended = namespace.run(&pod("missing", &["no-such-program"], json!({}), json!({})));
    assert_eq!(ended.exit_code, 127, "{ended:?}");
    assert!(ended.message.contains("no-such-program"), "{ended:?}");
    // What never began has a code of the engine's own.
    let never = json!({"command": ["/no/such/entrypoint"]});
    let ended = namespace.run(&pod("never", &[], never, json!({})));
    assert_eq!(
        (ended.exit_code, ended.reason.as_str()),
        (128, "StartError"),
        "{ended:?}"
    );
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_program_that_runs_out_of_memory_is_told_in_all_places() {
    let namespace = Namespace::new("memory");
    let beside = json!({
        "name": "beside", "image": crate::cluster::IMAGE, "imagePullPolicy": "Never",
        "command": ["sleep", "600"],
        "volumeMounts": [{"name": "run", "mountPath": "/seen"}],
    });
    let ended = namespace.run(&pod(
        "main",
        &["python3", "-c", "held = bytearray(1 << 30)"],
        json!({
            "resources": {"limits": {"memory": "96Mi"}},
            "volumeMounts": [{"name": "run", "mountPath": "/run/lyftlearn"}],
        }),
        json!({"containers": [beside], "volumes": [{"name": "run", "emptyDir": {}}]}),
    ));
    assert_eq!(
        (ended.exit_code, ended.reason.as_str()),
        (137, "OOMKilled"),
        "{ended:?}"
    );
    assert!(ended.message.contains("memory"), "{ended:?}");
    let outcome = namespace.exec("main", "beside", &["cat", "/seen/outcome.json"]);
    let outcome: serde_json::Value = serde_json::from_str(&outcome).unwrap();
    assert_eq!(outcome["class"], "out-of-memory", "{outcome:#}");
    assert_eq!(outcome["exit_code"], 137, "{outcome:#}");
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_child_that_runs_out_of_memory_leaves_its_mark_on_a_program_that_goes_on() {
    let namespace = Namespace::new("memory-of-a-child");
    let script = "python3 -c 'held = bytearray(1 << 30)'; echo the child ended with $?; exit 0";
    let limits = json!({"resources": {"limits": {"memory": "96Mi"}}});
    let ended = namespace.run(&pod("main", &["sh", "-c", script], limits, json!({})));
    assert!(ended.log.contains("the child ended with 137"), "{ended:?}");
    // containerd reports an OOM kill of any process in the container, even if PID 1 exits with 0.
    assert_eq!(
        (ended.exit_code, ended.reason.as_str()),
        (0, "OOMKilled"),
        "{ended:?}"
    );
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_container_that_fails_is_started_again() {
    let namespace = Namespace::new("again");
    let script = "echo attempt >>/state/attempts; [ \"`wc -l </state/attempts`\" -ge 2 ]";
    namespace.apply(&pod(
        "main",
        &["sh", "-c", script],
        json!({"volumeMounts": [
            {"name": "state", "mountPath": "/state"},
            // What the first attempt left is no outcome of the second.
            {"name": "run", "mountPath": "/run/lyftlearn"},
        ]}),
        json!({
            "restartPolicy": "OnFailure",
            "volumes": [{"name": "state", "emptyDir": {}}, {"name": "run", "emptyDir": {}}],
        }),
    ));
    namespace.wait_for("jsonpath={.status.phase}=Succeeded", "pod/main");
    let object = namespace.get("pod/main");
    let status = status(&object, "main");
    assert_eq!(status["restartCount"], 1, "{status:#}");
    assert_eq!(
        terminated(&object, "main")["reason"],
        "Completed",
        "{status:#}"
    );
}
