//! The image layer: real containers of the example's image, and the same story in
//! namespaces, where no engine is needed.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "reads what the story left; a test fails by panicking"
)]

use std::path::PathBuf;
use std::process::{Command, Stdio};

use lyftlearn_conformance::{programs, sandbox};
use serde_json::{Value, json};

const STORY: &str = env!("CARGO_BIN_EXE_lyftlearn-conformance");

fn engine(script: &str) -> PathBuf {
    programs::repository()
        .join("conformance/engine")
        .join(script)
}

/// A command in the namespaces in which podman runs.
fn entered() -> Command {
    let mut command = Command::new(engine("enter.sh"));
    command.arg(programs::repository().join("target/image-layer/storage"));
    command
}

fn podman_runs() -> bool {
    let usable = Command::new(engine("usable.sh"))
        .status()
        .is_ok_and(|status| status.success());
    let built = programs::repository()
        .join("target/image-layer/context/Dockerfile")
        .is_file();
    (usable && built)
        || programs::skipped::<()>("podman cannot run here, or `make context` was not run")
            .is_some()
}

fn told(mut command: Command) -> Value {
    let output = command.stderr(Stdio::piped()).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn check_scene(told: &Value, number: usize, expected: &Value) {
    let view = &told["scenes"][number]["view"];
    for (pointer, expected) in expected.as_object().unwrap() {
        assert_eq!(
            view.pointer(pointer).unwrap_or(&Value::Null),
            expected,
            "{pointer} in {view:#}"
        );
    }
}

/// What both layers' stories must have told. That the predictions are equal and that
/// the servers ended in time and with 0 is part of the telling.
#[track_caller]
fn check_story(told: &Value) {
    check_scene(
        told,
        0,
        &json!({
            "/platform": "sagemaker", "/flavor": "training", "/role": "training",
            "/job/name": "digits-2026-01-01",
            "/job/arn": "arn:aws:sagemaker:eu-west-1:111111111111:training-job/digits-2026-01-01",
            "/paths/model": "/opt/ml/model", "/paths/output_data": "/opt/ml/output/data",
            "/paths/failure": "/opt/ml/output/failure",
            "/channels/train/path": "/opt/ml/input/data/train", "/channels/train/mode": "file",
            "/hyperparameters/count": 2, "/topology/host": "algo-1", "/topology/groups/0/current": true,
            "/lifecycle/grace_seconds": 110, "/credentials/source": "container",
        }),
    );
    check_scene(
        told,
        1,
        &json!({
            "/platform": "kubernetes", "/flavor": "pod", "/role": "serving",
            "/job/id": "6f1d8a52-3c0b-4b7e-9a51-0d2f6c9e7b14", "/job/container": "server", "/job/name": "digits",
            "/paths/model": "/opt/ml/model", "/paths/output": null, "/paths/failure": "/dev/termination-log",
            "/hyperparameters/count": 2, "/hyperparameters/sources": ["/etc/lyftlearn/config/hyperparameters.json"],
            "/lifecycle/grace_seconds": 25, "/credentials/source": "none", "/credentials/isolated": false,
        }),
    );
    check_scene(
        told,
        2,
        &json!({
            "/platform": "sagemaker", "/flavor": "hosting", "/role": "serving",
            "/paths/model": "/opt/ml/model", "/paths/output": null, "/paths/failure": null,
            "/lifecycle/grace_seconds": 25, "/credentials/source": "container",
        }),
    );
    let log = told["scenes"][0]["log"].as_str().unwrap();
    for line in [
        "lyftlearn-runtime: sagemaker (training), training, job digits-2026-01-01",
        "validation:accuracy=0.97",
    ] {
        assert!(
            log.contains(line),
            "{line:?} is not in the log of training:\n{log}"
        );
    }
    assert!(told["evaluation"]["accuracy"].as_f64().unwrap() > 0.95);
    assert_eq!(told["evaluation"]["hyperparameters"]["C"], 0.5);
    assert_eq!(told["left_behind"], "");
    for scene in [1, 2] {
        let scene = &told["scenes"][scene];
        for field in [
            "platform",
            "flavor",
            "role",
            "job",
            "resources",
            "lifecycle",
        ] {
            assert_eq!(
                scene["beside"][field], scene["view"][field],
                "{field} beside {}",
                scene["title"]
            );
        }
    }
}

#[test]
fn one_image_trains_and_serves_in_real_containers() {
    if !podman_runs() {
        return;
    }
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let mut command = entered();
    command.args([STORY, "demo", "--layer", "image", "--json"]);
    let told = told(command);
    check_story(&told);
    // The engine's limits, not the machine's numbers.
    check_scene(
        &told,
        0,
        &json!({"/resources/cpus": 1.0, "/resources/memory_bytes": 1_u64 << 30}),
    );
    check_scene(
        &told,
        1,
        &json!({"/resources/cpus": 1.0, "/resources/memory_bytes": 512_u64 << 20}),
    );
    assert_eq!(
        std::fs::read_to_string("/proc/self/mounts").unwrap(),
        mounts,
        "mounts are left"
    );

    // The image is there now: the same one under the restrictions of a hardened pod.
    let mut command = entered();
    command.args([
        "podman",
        "run",
        "--rm",
        "--read-only",
        "--user",
        "12345:12345",
        "--cap-drop",
        "ALL",
    ]);
    command.args([
        "--security-opt",
        "no-new-privileges",
        "-e",
        "KUBERNETES_SERVICE_HOST=10.96.0.1",
    ]);
    command.args(["localhost/digits:latest", "python3", "-c"]);
    command.arg("import json, lyftlearn_runtime as rt; print(json.dumps([rt.platform, rt.role, rt.paths.output is None]))");
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    // podman's own /etc/hosts says that no kubelet made this container.
    assert_eq!(shown, json!(["local", "job", true]));
}

#[test]
fn the_same_story_is_told_in_namespaces() {
    if !sandbox::possible() || programs::python_with_wheel().is_none() {
        return;
    }
    let mut command = Command::new(STORY);
    command.args(["demo", "--layer", "process", "--json"]);
    check_story(&told(command));
}
