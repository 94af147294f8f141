//! `lyftlearn-conformance check --engine kubernetes`: an image that passes, the messages when an image cannot be
//! checked, and an empty namespace afterwards.

use std::process::{Command, Output};
use std::time::Duration;

use lyftlearn_conformance::{command, programs, wait};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::cluster::{IMAGE, Namespace};

/// Longer than a pod may stay Pending.
const LONGEST: Duration = Duration::from_secs(180);

fn check(image: &str, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lyftlearn-conformance"));
    command
        .args(["check", image, "--engine", "kubernetes"])
        .args(words);
    command
}

#[track_caller]
fn said(output: &Output, code: i32) -> String {
    let text = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

/// Runs it to its end, which is not the image's.
#[track_caller]
fn refused(command: &mut Command) -> String {
    said(&command::output_within(command, LONGEST), 3)
}

impl Namespace {
    #[track_caller]
    fn check_empty(&self) {
        let left = self.ok(&["get", "jobs,pods", "--output=name"]);
        assert_eq!(left, "");
        let maps = self.ok(&["get", "configmaps", "--output=name"]);
        assert_eq!(maps, "configmap/kube-root-ca.crt\n");
    }

    #[track_caller]
    fn until_empty(&self) {
        self.until("an empty namespace", || {
            let left = self.ok(&["get", "jobs,pods,configmaps", "--output=name"]);
            (left == "configmap/kube-root-ca.crt\n").then_some(())
        });
    }
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn the_examples_image_passes_and_leaves_nothing() {
    let namespace = Namespace::new("check");
    // In a namespace that admits restricted pods alone, only they pass: this one admits all.
    let file = programs::repository().join("examples/digits/image.toml");
    let words = [
        "--namespace",
        "check",
        "--format",
        "json",
        "--file",
        file.to_str().unwrap(),
    ];
    let output = command::output_within(&mut check(IMAGE, &words), LONGEST);
    let report: Value = serde_json::from_str(&said(&output, 0)).unwrap();
    assert_eq!(report["engine"], "kubernetes");
    let findings = report["findings"].as_array().unwrap();
    let ids: Vec<_> = findings
        .iter()
        .map(|finding| finding["check"].as_str().unwrap())
        .collect();
    assert_eq!(
        ids,
        [
            "start.kubernetes-pod",
            "start.kubernetes-job",
            "train.completes",
            "train.failure",
            "serve.ready",
            "outcome.classes",
            "restricted.start",
        ]
    );
    for finding in findings {
        assert_eq!(finding["result"], "passed", "{finding:#}");
    }
    namespace.check_empty();
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn an_image_without_a_runtime_fails() {
    let namespace = Namespace::new("check-pause");
    let words = [
        "--namespace",
        "check-pause",
        "--only",
        "start.kubernetes-pod",
        "--timeout",
        "5",
    ];
    let output = command::output_within(&mut check("localhost/pause:latest", &words), LONGEST);
    let text = said(&output, 1);
    assert!(text.contains("FAIL   start.kubernetes-pod"), "{text}");
    assert!(text.contains("it did not end"), "{text}");
    namespace.check_empty();
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn what_keeps_a_check_from_running_is_named_with_what_to_do() {
    let namespace = Namespace::new("check-errors");
    let here = [
        "--namespace",
        "check-errors",
        "--only",
        "start.kubernetes-pod",
    ];

    let text = refused(check(IMAGE, &here).env("KUBECONFIG", "/nowhere/config"));
    assert!(
        text.contains("found no kubeconfig: set KUBECONFIG"),
        "{text}"
    );

    let text = refused(&mut check(IMAGE, &["--context", "staging"]));
    assert!(
        text.contains("the kubeconfig does not have the context staging: it has cluster"),
        "{text}"
    );

    let text = refused(&mut check(IMAGE, &["--namespace", "nowhere"]));
    assert!(text.contains("namespace nowhere does not exist"), "{text}");

    let image = "registry.invalid/team/app:1";
    let text = refused(&mut check(image, &here));
    assert!(
        text.contains(&format!("the cluster cannot pull {image}: ")),
        "{text}"
    );
    namespace.check_empty();

    // A service account that may do nothing.
    let token = namespace.ok(&["create", "token", "default"]);
    let admin: String = namespace.ok(&["config", "view", "--raw", "--output=json"]);
    let mut config: Value = serde_json::from_str(&admin).unwrap();
    config["users"][0]["user"] = json!({"token": token.trim()});
    let file = tempfile::NamedTempFile::new().unwrap();
    serde_json::to_writer(&file, &config).unwrap();
    let text = refused(check(IMAGE, &here).env("KUBECONFIG", file.path()));
    assert!(
        text.contains("not allowed to make a Job in namespace check-errors"),
        "{text}"
    );
    assert!(
        text.contains("it takes create, get, list, delete and deletecollection of jobs"),
        "{text}"
    );
    assert!(!text.contains(token.trim()), "the token is shown");

    config["users"][0]["user"] = json!({"token": "none"});
    serde_json::to_writer(std::fs::File::create(file.path()).unwrap(), &config).unwrap();
    let text = refused(check(IMAGE, &here).env("KUBECONFIG", file.path()));
    assert!(
        text.contains("does not accept the kubeconfig's credentials"),
        "{text}"
    );

    config["clusters"][0]["cluster"]["server"] = json!("https://127.0.0.1:9");
    serde_json::to_writer(std::fs::File::create(file.path()).unwrap(), &config).unwrap();
    let text = refused(check(IMAGE, &here).env("KUBECONFIG", file.path()));
    assert!(text.contains("cannot reach the cluster: "), "{text}");
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_pod_that_no_node_takes_is_named() {
    let namespace = Namespace::new("check-pending");
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "greedy"},
        "spec": {"limits": [{
            "type": "Container", "default": {"cpu": "1000"}, "defaultRequest": {"cpu": "1000"},
        }]},
    }));
    let words = [
        "--namespace",
        "check-pending",
        "--only",
        "start.kubernetes-pod",
    ];
    let text = refused(&mut check(IMAGE, &words));
    assert!(
        text.contains("is still Pending after 60 s: 0/1 nodes are available: 1 Insufficient cpu"),
        "{text}"
    );
    namespace.check_empty();
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn pods_that_are_not_admitted_are_named() {
    let namespace = Namespace::new("check-quota");
    namespace.ok(&["create", "quota", "none", "--hard=pods=0"]);
    let words = [
        "--namespace",
        "check-quota",
        "--only",
        "start.kubernetes-pod",
    ];
    let text = refused(&mut check(IMAGE, &words));
    assert!(
        text.contains("the cluster created no pod: ") && text.contains("exceeded quota: none"),
        "{text}"
    );
    namespace.check_empty();
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn an_interrupted_check_leaves_nothing() {
    let namespace = Namespace::new("check-interrupted");
    let file = programs::repository().join("examples/digits/image.toml");
    let words = [
        "--namespace",
        "check-interrupted",
        "--file",
        file.to_str().unwrap(),
    ];
    let mut running = check(IMAGE, &words).spawn().unwrap();
    namespace.until("a pod", || {
        let pods = namespace.ok(&["get", "pods", "--output=name"]);
        (!pods.is_empty()).then_some(())
    });
    kill(Pid::from_raw(running.id().cast_signed()), Signal::SIGINT).unwrap();
    let ended = wait::within(LONGEST, || running.try_wait().unwrap());
    assert_eq!(ended.unwrap().code(), Some(130));
    namespace.check_empty();
}

/// The words of a run that trains the example.
fn training(namespace: &str) -> Vec<String> {
    let file = programs::repository().join("examples/digits/image.toml");
    let words = ["--only", "train.completes", "--namespace", namespace];
    let file = ["--file", file.to_str().unwrap()];
    words.into_iter().chain(file).map(str::to_owned).collect()
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn the_cluster_removes_what_a_killed_check_leaves() {
    let namespace = Namespace::new("check-killed");
    let words = training("check-killed");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut running = check(IMAGE, &words).spawn().unwrap();
    // The image is there, so the pod has a deadline of its own.
    let limited = namespace.until("a pod with a deadline", || {
        let pods = namespace.get("pods");
        pods["items"][0]["spec"]["activeDeadlineSeconds"].as_u64()
    });
    running.kill().unwrap();
    command::reap(&mut running);
    // The training may take 120 s, and a minute more.
    assert!((180..240).contains(&limited), "{limited}");
    let jobs = namespace.get("jobs");
    let job = &jobs["items"][0];
    // A pull may take fifteen minutes.
    assert_eq!(job["spec"]["activeDeadlineSeconds"], 60 + 900 + 120 + 60);
    assert_eq!(job["spec"]["ttlSecondsAfterFinished"], 60);
    let maps = namespace.get("configmaps");
    let owned =
        |map: &&Value| map["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"];
    assert!(
        maps["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|map| owned(&map))
    );
    // The training ends by itself; a minute later nothing is left of it.
    namespace.until_empty();
}

#[test]
#[ignore = "needs a cluster: make test-kubernetes"]
fn a_kept_run_stays_until_its_label_is_deleted() {
    let namespace = Namespace::new("check-kept");
    let mut words = training("check-kept");
    words.push("--keep".to_owned());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = command::output_within(&mut check(IMAGE, &words), LONGEST);
    let text = said(&output, 0);
    let hint = "kubectl --namespace check-kept delete jobs --selector lyftlearn-conformance=";
    assert!(text.contains(hint), "{text}");
    let jobs = namespace.get("jobs");
    let spec = &jobs["items"][0]["spec"];
    assert!(spec["ttlSecondsAfterFinished"].is_null(), "{jobs:#}");
    let own = ["delete", "jobs", "--selector", "lyftlearn-conformance"];
    namespace.ok(&own);
    namespace.until_empty();
}
