//! Pods that are stopped: by deletion, eviction, a deadline or a failing probe.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cluster::{Namespace, pod, rest, terminated};
use crate::told::Job;

/// Says when it is asked, and takes its time.
const STOPS: &str = "
import signal, sys, time

def stop(*_):
    print('asked', flush=True)
    time.sleep(float(sys.argv[1]))
    print('saved', flush=True)
    sys.exit(0)

signal.signal(signal.SIGTERM, stop)
print('working', flush=True)
while True:
    time.sleep(0.01)
";

/// The pod stays in the API when it has ended, for its status.
fn kept(mut pod: Value) -> Value {
    pod["metadata"]["finalizers"] = json!(["lyft.net/read"]);
    pod
}

impl Namespace {
    /// Lets the API forget a pod.
    fn release(&self, pod: &str) {
        self.patch(pod, &json!({"metadata": {"finalizers": null}}));
    }

    #[track_caller]
    fn patch(&self, what: &str, patch: &Value) {
        self.ok(&["patch", what, "--type=merge", "--patch", &patch.to_string()]);
    }
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_deleted_pod_ends_after_its_hook_and_within_its_grace() {
    let namespace = Namespace::new("deleted");
    let job = Job::new("deleted");
    let hook = "echo the hook begins >/proc/1/fd/1; sleep 3; echo the hook ends >/proc/1/fd/1";
    namespace.start(&kept(job.of(pod(
        "main",
        &["python3", "-c", STOPS, "1"],
        json!({"lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", hook]}}}}),
        json!({"terminationGracePeriodSeconds": 20}),
    ))));
    namespace.until_logged("main", "working");
    let log = namespace.follow("main");
    namespace.ok(&["delete", "pod", "main", "--wait=false"]);
    let lines = rest(log);
    let order: Vec<_> = [
        "working",
        "the hook begins",
        "the hook ends",
        "asked",
        "saved",
    ]
    .iter()
    .map(|line| lines.iter().position(|said| said == line))
    .collect();
    assert!(
        order.iter().all(Option::is_some) && order.is_sorted(),
        "{lines:#?}"
    );
    let ended = namespace.ended("main");
    assert_eq!(
        (ended.exit_code, ended.reason.as_str()),
        (0, "Completed"),
        "{ended:?}"
    );
    job.check("stopped", "Stopped", None);
    namespace.release("pod/main");
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_program_that_does_not_end_is_ended_before_the_kubelet_does_it() {
    let namespace = Namespace::new("stubborn");
    let job = Job::new("stubborn");
    let settings = json!({"env": [
        {"name": "LYFTLEARN_RUNTIME_LIFECYCLE_GRACE_SECONDS", "value": "8"},
    ]});
    let argv = ["python3", "-c", STOPS, "600"];
    let spec = json!({"terminationGracePeriodSeconds": 8});
    namespace.start(&kept(job.of(pod("main", &argv, settings, spec))));
    namespace.until_logged("main", "working");
    let log = namespace.follow("main");
    namespace.ok(&["delete", "pod", "main", "--wait=false"]);
    let lines = rest(log);
    assert!(lines.iter().any(|line| line == "asked"), "{lines:#?}");
    // PID 1 logged the end, so the kubelet did not kill the container.
    let last = lines.last().unwrap();
    assert!(last.starts_with("lyftlearn-runtime: "), "{lines:#?}");
    let ended = namespace.ended("main");
    assert_eq!(ended.exit_code, 137, "{ended:?}");
    assert!(!ended.message.is_empty(), "{ended:?}");
    job.check("budget-exceeded", "Stopped", None);
    namespace.release("pod/main");
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn an_evicted_pod_saves_and_the_api_says_why() {
    let namespace = Namespace::new("evicted");
    let job = Job::new("evicted");
    let argv = ["python3", "-c", STOPS, "0"];
    namespace.start(&kept(job.of(pod("main", &argv, json!({}), json!({})))));
    namespace.until_logged("main", "working");
    let log = namespace.follow("main");
    namespace.post(
        "pods/main/eviction",
        &json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "main"}}),
    );
    let lines = rest(log);
    assert!(lines.iter().any(|line| line == "saved"), "{lines:#?}");
    let ended = namespace.ended("main");
    assert_eq!(
        (
            ended.exit_code,
            ended.reason.as_str(),
            ended.message.as_str()
        ),
        (0, "Completed", ""),
        "{ended:?}"
    );
    job.check("stopped", "Stopped", None);
    let object = namespace.get("pod/main");
    let conditions = object["status"]["conditions"].as_array().unwrap();
    let disrupted = conditions
        .iter()
        .find(|condition| condition["type"] == "DisruptionTarget");
    assert_eq!(
        disrupted.unwrap()["reason"],
        "EvictionByEvictionAPI",
        "{object:#}"
    );
    namespace.release("pod/main");
}

/// Deletes `main` by force; its log until its end, and how long that took.
#[track_caller]
fn forced(namespace: &Namespace) -> (Vec<String>, Duration) {
    namespace.until_logged("main", "working");
    let log = namespace.follow("main");
    let begun = Instant::now();
    namespace.ok(&["delete", "pod", "main", "--grace-period=0", "--force"]);
    // The API has forgotten it at once; the kubelet has not.
    assert!(
        namespace
            .refused(&["get", "pod", "main"])
            .contains("NotFound")
    );
    let lines = rest(log);
    let took = begun.elapsed();
    assert!(lines.iter().any(|line| line == "asked"), "{lines:#?}");
    (lines, took)
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_pod_that_is_deleted_by_force_is_still_asked() {
    let namespace = Namespace::new("forced");
    let job = Job::new("forced");
    let argv = ["python3", "-c", STOPS, "0"];
    namespace.start(&job.of(pod("main", &argv, json!({}), json!({}))));
    let (lines, took) = forced(&namespace);
    eprintln!("deleted by force: asked and saved within {took:?}");
    assert!(lines.iter().any(|line| line == "saved"), "{lines:#?}");
    job.until("Stopped");
    job.check("stopped", "Stopped", None);
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_pod_that_is_deleted_by_force_has_two_seconds() {
    let namespace = Namespace::new("forced-slow");
    let job = Job::new("forced-slow");
    let lease = json!({"env": [
        {"name": "LYFTLEARN_RUNTIME_EVENTS_HEARTBEAT_SECONDS", "value": "1"},
        {"name": "LYFTLEARN_RUNTIME_EVENTS_LEASE_SECONDS", "value": "3"},
    ]});
    let argv = ["python3", "-c", STOPS, "10"];
    namespace.start(&job.of(pod("main", &argv, lease, json!({}))));
    job.until("InProgress");
    let (lines, took) = forced(&namespace);
    eprintln!("deleted by force: killed after {took:?}");
    // The kubelet kills all at once: nothing is reported, and the lease ends.
    assert!(!lines.iter().any(|line| line == "saved"), "{lines:#?}");
    assert_eq!(job.outcome(), None);
    job.until("Lost");
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_job_past_its_deadline_is_stopped_and_saves() {
    let namespace = Namespace::new("deadline");
    let job = Job::new("late");
    let argv = ["python3", "-c", STOPS, "0"];
    let template = pod("unused", &argv, json!({}), json!({}));
    namespace.apply(&json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "late"},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": {"app": "late"}, "finalizers": ["lyft.net/read"]},
                "spec": job.in_spec(template["spec"].clone()),
            },
        },
    }));
    namespace.wait_for("jsonpath={.status.active}=1", "job/late");
    let name = namespace.ok(&["get", "pods", "--selector=app=late", "--output=name"]);
    let name = name.trim();
    let pod = name.trim_start_matches("pod/");
    namespace.until_logged(pod, "working");
    let log = namespace.follow(pod);
    namespace.patch("job/late", &json!({"spec": {"activeDeadlineSeconds": 1}}));
    let lines = rest(log);
    assert!(lines.iter().any(|line| line == "saved"), "{lines:#?}");
    namespace.wait_for("condition=Failed", "job/late");
    let object = namespace.get("job/late");
    let conditions = object["status"]["conditions"].as_array().unwrap();
    assert!(
        conditions
            .iter()
            .any(|condition| condition["reason"] == "DeadlineExceeded"),
        "{object:#}"
    );
    let ended = namespace.ended(pod);
    assert_eq!(ended.exit_code, 0, "{ended:?}");
    assert_eq!(
        terminated(&namespace.get(name), "main")["reason"],
        "Completed"
    );
    job.check("stopped", "Stopped", None);
    namespace.release(name);
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_pod_past_its_own_deadline_is_stopped_and_its_status_says_why() {
    let namespace = Namespace::new("own-deadline");
    let job = Job::new("own-deadline");
    let argv = ["python3", "-c", STOPS, "0"];
    namespace.start(&job.of(pod("main", &argv, json!({}), json!({}))));
    namespace.until_logged("main", "working");
    let log = namespace.follow("main");
    namespace.patch("pod/main", &json!({"spec": {"activeDeadlineSeconds": 1}}));
    let lines = rest(log);
    assert!(lines.iter().any(|line| line == "saved"), "{lines:#?}");
    let ended = namespace.ended("main");
    assert_eq!(ended.exit_code, 0, "{ended:?}");
    let object = namespace.get("pod/main");
    assert_eq!(
        (&object["status"]["phase"], &object["status"]["reason"]),
        (&json!("Failed"), &json!("DeadlineExceeded")),
        "{object:#}"
    );
    job.check("stopped", "Stopped", None);
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_probe_that_fails_stops_a_program_which_then_starts_again() {
    let namespace = Namespace::new("alive");
    let probe = json!({"exec": {"command": ["test", "!", "-e", "/state/hung"]}, "periodSeconds": 1, "failureThreshold": 2});
    let script = "trap 'rm -f /state/hung; echo asked; exit 0' TERM; echo working; while :; do sleep 0.1; done";
    namespace.start(&pod(
        "main",
        &["sh", "-c", script],
        json!({
            "livenessProbe": probe,
            "volumeMounts": [{"name": "state", "mountPath": "/state"}],
        }),
        json!({"restartPolicy": "Always", "volumes": [{"name": "state", "emptyDir": {}}]}),
    ));
    namespace.until_logged("main", "working");
    let begun = Instant::now();
    // The runtime starts probes; PID 1 reaps them.
    let zombies = "cat /proc/[0-9]*/stat | grep -c ') Z ' || :";
    // Many probes later.
    namespace.until("the time of three probes", || {
        (begun.elapsed() > Duration::from_secs(4)).then_some(())
    });
    assert_eq!(
        namespace.exec("main", "main", &["sh", "-c", zombies]),
        "0\n"
    );
    namespace.exec("main", "main", &["touch", "/state/hung"]);
    namespace.wait_for(
        "jsonpath={.status.containerStatuses[0].restartCount}=1",
        "pod/main",
    );
    let before = namespace.ok(&["logs", "main", "--previous"]);
    assert!(before.contains("asked"), "{before}");
}
