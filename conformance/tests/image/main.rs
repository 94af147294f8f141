//! The image layer: real containers of the example's image, and the same story in
//! namespaces, where no engine is needed.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "reads what containers left, tells how long they took; a test fails by panicking"
)]

mod account;
mod check;
mod container;
mod events;
mod failure;
mod lazy;
mod load;
mod local_mode;
mod place;
mod pod;
mod ran;
mod same_job;
mod script_mode;
mod spark;
mod stop;

use std::process::Command;

use lyftlearn_conformance::command;
use lyftlearn_conformance::{programs, sandbox};
use place::Place;
use serde_json::{Value, json};

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

// Of all tests this name is the first: the others run beside it.
#[test]
fn a_checkpoint_of_a_hundred_seconds_is_written_to_its_end() {
    stop::check_checkpoint("long-checkpoint", "100");
}

#[test]
fn one_image_trains_and_serves_in_real_containers() {
    let Some(place) = Place::found() else { return };
    let told = &place.told;
    check_story(told);
    // The engine's limits, not the machine's numbers.
    check_scene(
        told,
        0,
        &json!({"/resources/cpus": 1.0, "/resources/memory_bytes": 1_u64 << 30}),
    );
    check_scene(
        told,
        1,
        &json!({"/resources/cpus": 1.0, "/resources/memory_bytes": 512_u64 << 20}),
    );
    assert_eq!(place::mounts(), place.mounts_before, "mounts show outside");
}

#[test]
fn the_same_story_runs_in_namespaces() {
    if !sandbox::possible() || programs::python_with_wheel().is_none() {
        return;
    }
    let words = ["demo", "--layer", "process", "--json"];
    let mut telling = Command::new(place::STORY);
    let told = command::output_within(telling.args(words), place::STORYS_TIME);
    check_story(&place::told_by(&told));
}
