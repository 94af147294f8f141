//! How containers end, and what the API says of it.

use std::process::Command;

use lyftlearn_conformance::command;
use serde_json::{Value, json};

use crate::cluster::{Namespace, pod, status, terminated};
use crate::told::Job;

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn the_termination_message_says_why() {
    let namespace = Namespace::new("message");
    let raises = "raise ValueError('no rows in the table of rides')";
    let job = Job::new("raises");
    let argv = ["python3", "-c", raises];
    let ended = namespace.run(&job.of(pod("raises", &argv, json!({}), json!({}))));
    assert_eq!(
        (ended.exit_code, ended.reason.as_str()),
        (1, "Error"),
        "{ended:?}"
    );
    let cause = "ValueError: no rows in the table of rides";
    assert!(ended.message.contains(cause), "{ended:?}");
    job.check("user-error", "Failed", Some(cause));

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

    let job = Job::new("completes");
    let ended = namespace.run(&job.of(pod("completes", &["true"], json!({}), json!({}))));
    assert_eq!(
        (ended.exit_code, ended.reason.as_str()),
        (0, "Completed"),
        "{ended:?}"
    );
    assert_eq!(ended.message, "", "{ended:?}");
    job.check("completed", "Completed", None);

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
    let job = Job::new("memory");
    let argv = ["python3", "-c", "held = bytearray(1 << 30)"];
    let limits = json!({"resources": {"limits": {"memory": "96Mi"}}});
    let ended = namespace.run(&job.of(pod("main", &argv, limits, json!({}))));
    assert_eq!(
        (ended.exit_code, ended.reason.as_str()),
        (137, "OOMKilled"),
        "{ended:?}"
    );
    assert!(ended.message.contains("out of memory"), "{ended:?}");
    job.check("out-of-memory", "Failed", Some("out of memory"));
    assert_eq!(job.outcome().unwrap()["exit_code"], 137);
}

/// Kills PID 1 from the node: no process of the container sees a signal. So does the kernel with all of a container
/// whose `memory.oom.group` is set.
fn kill_all_of(pod: &Value) {
    let id = status(pod, "main")["containerID"].as_str().unwrap();
    let id = id.trim_start_matches("containerd://");
    let words = [
        "--namespace",
        "k8s.io",
        "task",
        "kill",
        "--signal",
        "SIGKILL",
    ];
    let killed = command::succeeds(Command::new("ctr").args(words).arg(id));
    assert!(killed, "{id} is not killed");
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_container_that_is_killed_as_a_whole_has_a_status_and_a_lease_that_ends() {
    let namespace = Namespace::new("whole");
    let job = Job::new("whole");
    let container = json!({
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "env": [
            {"name": "LYFTLEARN_RUNTIME_EVENTS_HEARTBEAT_SECONDS", "value": "1"},
            {"name": "LYFTLEARN_RUNTIME_EVENTS_LEASE_SECONDS", "value": "3"},
        ],
    });
    let argv = ["sh", "-c", "echo the last line; sleep 600"];
    namespace.start(&job.of(pod("main", &argv, container, json!({}))));
    job.until("InProgress");
    kill_all_of(&namespace.get("pod/main"));
    let ended = namespace.ended("main");
    assert_eq!(
        (ended.exit_code, ended.reason.as_str()),
        (137, "Error"),
        "{ended:?}"
    );
    // The runtime wrote no message, so the kubelet takes the log's last lines.
    assert!(ended.message.contains("the last line"), "{ended:?}");
    assert_eq!(job.outcome(), None);
    let row = job.until("Lost");
    assert_eq!(
        row["reason"], "no event has arrived since the lease ended",
        "{row:#}"
    );
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn an_exec_that_runs_out_of_memory_is_told_by_the_status_alone() {
    let namespace = Namespace::new("memory-of-pid-1");
    // The program is PID 1: the kernel kills the container with it.
    let container = json!({
        "command": ["lyftlearn-runtime", "exec", "--"],
        "resources": {"limits": {"memory": "96Mi"}},
    });
    let argv = ["python3", "-c", "held = bytearray(1 << 30)"];
    let ended = namespace.run(&pod("main", &argv, container, json!({})));
    assert_eq!(
        (ended.exit_code, ended.reason.as_str()),
        (137, "OOMKilled"),
        "{ended:?}"
    );
    assert_eq!(ended.message, "", "{ended:?}");
}

/// A program that fills a volume in memory. Files there count as the container's, and stay when the kernel has killed
/// the program for them.
fn filling(argv: &[&str], lease: Value) -> Value {
    let container = json!({
        "env": lease,
        "resources": {"limits": {"memory": "96Mi"}},
        "volumeMounts": [{"name": "shm", "mountPath": "/dev/shm"}],
    });
    let volumes = json!({"volumes": [{"name": "shm", "emptyDir": {"medium": "Memory"}}]});
    pod("main", argv, container, volumes)
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_program_that_fills_a_volume_in_memory_is_told_in_all_places() {
    let namespace = Namespace::new("memory-of-a-volume");
    let job = Job::new("memory-of-a-volume");
    let fill = "part = bytes(1 << 20)\nwith open('/dev/shm/file', 'wb') as file:\n while True: file.write(part)";
    let main = filling(&["python3", "-c", fill], json!([]));
    let ended = namespace.run(&job.of(main));
    assert_eq!(
        (ended.exit_code, ended.reason.as_str()),
        (137, "OOMKilled"),
        "{ended:?}"
    );
    assert!(ended.message.contains("out of memory"), "{ended:?}");
    job.check("out-of-memory", "Failed", Some("out of memory"));
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_small_program_that_fills_a_volume_in_memory_may_take_pid_1_along() {
    let namespace = Namespace::new("memory-of-all");
    let job = Job::new("memory-of-all");
    let lease = json!([
        {"name": "LYFTLEARN_RUNTIME_EVENTS_HEARTBEAT_SECONDS", "value": "1"},
        {"name": "LYFTLEARN_RUNTIME_EVENTS_LEASE_SECONDS", "value": "3"},
    ]);
    // Its end frees next to nothing: the kernel kills one process after the other.
    let main = filling(&["sh", "-c", "exec cat /dev/zero >/dev/shm/file"], lease);
    let ended = namespace.run(&job.of(main));
    assert_eq!(
        (ended.exit_code, ended.reason.as_str()),
        (137, "OOMKilled"),
        "{ended:?}"
    );
    eprintln!("a full volume in memory: {:?}", ended.message);
    if let Some(outcome) = job.outcome() {
        assert_eq!(outcome["class"], "out-of-memory", "{outcome:#}");
        return;
    }
    assert_eq!(ended.message, "", "{ended:?}");
    // Without a first event there is only the lease of the job's submission.
    let row = namespace.until("the lease's end", || {
        let row = job.row();
        (row["status"] != "InProgress").then_some(row)
    });
    assert!(row.is_null() || row["status"] == "Lost", "{row:#}");
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_child_that_runs_out_of_memory_leaves_its_mark_on_a_program_that_goes_on() {
    let namespace = Namespace::new("memory-of-a-child");
    let job = Job::new("memory-of-a-child");
    let script = "python3 -c 'held = bytearray(1 << 30)'; echo the child ended with $?; exit 0";
    let limits = json!({"resources": {"limits": {"memory": "96Mi"}}});
    let main = pod("main", &["sh", "-c", script], limits, json!({}));
    let ended = namespace.run(&job.of(main));
    assert!(ended.log.contains("the child ended with 137"), "{ended:?}");
    // containerd reports an OOM kill of any process in the container, even if PID 1 exits with 0.
    assert_eq!(
        (
            ended.exit_code,
            ended.reason.as_str(),
            ended.message.as_str()
        ),
        (0, "OOMKilled", ""),
        "{ended:?}"
    );
    job.check("completed", "Completed", None);
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_container_that_fails_is_started_again() {
    let namespace = Namespace::new("again");
    let job = Job::new("again");
    // Each attempt waits to be let go; the first one fails.
    let script = "echo attempt >>/state/attempts; number=`wc -l </state/attempts`; \
        until [ -e /state/go-$number ]; do sleep 0.1; done; [ $number -ge 2 ]";
    namespace.apply(&job.of(pod(
        "main",
        &["sh", "-c", script],
        json!({"volumeMounts": [{"name": "state", "mountPath": "/state"}]}),
        json!({
            "restartPolicy": "OnFailure",
            "volumes": [{"name": "state", "emptyDir": {}}],
        }),
    )));
    let first = job.until("InProgress");
    namespace.exec("main", "main", &["touch", "/state/go-1"]);
    // What the first attempt left in the run directory is no outcome of the second.
    let second = namespace.until("the second attempt", || {
        let row = job.row();
        (row["attempt"] != first["attempt"] && row["status"] == "InProgress").then_some(row)
    });
    assert!(first["attempt"].as_str() < second["attempt"].as_str());
    assert_eq!(job.outcome(), None);
    // Only while the second one runs.
    let object = namespace.get("pod/main");
    let before = &status(&object, "main")["lastState"]["terminated"];
    assert_eq!(before["exitCode"], 1, "{object:#}");
    namespace.exec("main", "main", &["touch", "/state/go-2"]);
    namespace.wait_for("jsonpath={.status.phase}=Succeeded", "pod/main");
    let object = namespace.get("pod/main");
    let status = status(&object, "main");
    assert_eq!(status["restartCount"], 1, "{status:#}");
    assert_eq!(
        terminated(&object, "main")["reason"],
        "Completed",
        "{status:#}"
    );
    job.check("completed", "Completed", None);
    assert_eq!(job.row()["attempt"], second["attempt"]);
}
