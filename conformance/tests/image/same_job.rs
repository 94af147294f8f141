//! The jobs of `jobs/` in real containers: once with SageMaker's mounts and variables, once
//! with a pod's, and compared by what a program finds inside.

use std::collections::BTreeMap;
use std::path::Path;

use lyftlearn_conformance::case::{self, Case};
use lyftlearn_conformance::command;
use lyftlearn_conformance::kubelet::Pod;
use lyftlearn_conformance::same_job::PLACE_VARIABLES;
use serde_json::{Value, json};

use crate::container::set_mode;
use crate::place::{IMAGE, Place};

/// What the image's words start.
const COMMANDS: &str = "\n[commands]\ntrain = [\"python3\", \"/opt/tests/seen.py\"]\nserve = [\"python3\", \"/opt/tests/seen.py\"]\n";

/// What the engine sets, and an image.
const ENGINES: &[&str] = &["HOME", "HOSTNAME", "PATH", "container"];

/// A hardened container: only mounts are writable.
const READ_ONLY: &[&str] = &[
    "--read-only",
    "--read-only-tmpfs=false",
    "--tmpfs=/tmp:mode=1777",
];

/// Anybody may use what a platform mounts.
fn opened(directory: &Path) {
    set_mode(directory, 0o777);
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            opened(&path);
        } else {
            set_mode(&path, 0o666);
        }
    }
}

/// Runs a job's description as a container to its end; what its program found.
fn inside(place: &Place, case: &Case, in_a_pod: bool, options: &[&str]) -> Value {
    let work = tempfile::tempdir().unwrap();
    let directory = |name: &str| {
        let path = case.root().join(name);
        std::fs::create_dir_all(&path).unwrap();
        opened(&path);
        path
    };
    let settings = directory("etc/lyftlearn").join("runtime.toml");
    let own = std::fs::read_to_string(&settings).unwrap_or_default();
    std::fs::write(&settings, own + COMMANDS).unwrap();
    let seen = work.path().join("seen");
    std::fs::create_dir(&seen).unwrap();
    opened(&seen);
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/image/programs");
    let mut volumes = vec![
        (directory("opt/ml"), "/opt/ml"),
        (directory("etc/lyftlearn"), "/etc/lyftlearn:ro"),
        (programs, "/opt/tests:ro"),
        (seen.clone(), "/seen"),
    ];
    if in_a_pod {
        let pod = Pod::lay_out(&work.path().join("kubelet"), "ranker", "main");
        volumes.push((pod.hosts(), "/etc/hosts"));
        volumes.push((pod.termination_log(), "/dev/termination-log"));
    }
    let volumes = volumes
        .iter()
        .map(|(source, target)| format!("--volume={}:{target}", source.display()));
    let variables = case
        .environment
        .iter()
        .filter(|(name, _)| *name != "PATH")
        .map(|(name, value)| format!("--env={name}={value}"));
    let words: Vec<String> = ["run".to_owned(), "--detach".to_owned()]
        .into_iter()
        .chain(volumes)
        .chain(variables)
        // The other nodes of these jobs do not exist.
        .chain(["--env=LYFTLEARN_RUNTIME_TOPOLOGY_WAIT_SECONDS=0".to_owned()])
        .chain(options.iter().map(|option| (*option).to_owned()))
        .chain([IMAGE.to_owned()])
        .chain(case.argv.iter().cloned())
        .collect();
    let id = place.podman(&words);
    let code = place.podman(&["wait", &id]);
    let output = command::output(&mut place.command("podman", &["logs", &id]));
    place.podman(&["rm", &id]);
    let log = [output.stdout, output.stderr].concat();
    case.canary.assert_unseen(&case.name, &log);
    let log = String::from_utf8_lossy(&log);
    assert_eq!(code, "0", "{}: {log}", case.name);
    let bytes = std::fs::read(seen.join("seen.json"))
        .unwrap_or_else(|err| panic!("{}: {err}\n{log}", case.name));
    serde_json::from_slice(&bytes).unwrap()
}

/// What both must have: all but what names the place, and what only one platform sets.
fn variables(case: &Case, other: &Case, seen: &Value) -> BTreeMap<String, Value> {
    let mut all: BTreeMap<String, Value> =
        serde_json::from_value(seen["variables"].clone()).unwrap();
    all.retain(|name, _| {
        let set = |case: &Case| case.environment.contains_key(name);
        let place = PLACE_VARIABLES.iter().any(|place| name.starts_with(place));
        let only_here = set(case) && !set(other) && !delivered(name);
        !(only_here || place || ENGINES.contains(&name.as_str()))
    });
    all
}

/// Whether both starts set this variable.
fn delivered(name: &str) -> bool {
    ["LYFTLEARN_", "SM_", "PET_", "MASTER_", "AWS_REGION"]
        .iter()
        .any(|beginning| name.starts_with(beginning))
}

/// Runs both descriptions and compares; what the program of either found.
#[track_caller]
fn check(name: &str, options: &[&str]) -> Option<Value> {
    let place = Place::found()?;
    let job = case::jobs().into_iter().find(|job| job.name == name);
    let job = job.unwrap();
    let (one, other) = (&job.sagemaker, &job.kubernetes);
    let a = inside(place, one, false, options);
    let b = inside(place, other, true, options);
    let of_a = variables(one, other, &a);
    let of_b = variables(other, one, &b);
    let differing: Vec<_> = of_a
        .keys()
        .chain(of_b.keys())
        .filter(|name| of_a.get(*name) != of_b.get(*name))
        .collect();
    assert!(differing.is_empty(), "{name}: {differing:?} differ");
    for what in [
        "user",
        "hyperparameters",
        "by the package",
        "directories",
        "channels",
    ] {
        assert_eq!(a[what], b[what], "{name}: {what}");
    }
    assert!(of_a.len() > 30, "{name}: only {of_a:?}");
    Some(a)
}

#[test]
fn the_same_job_finds_the_same_in_real_containers() {
    for name in [
        "second_of_three_hosts",
        "staged_and_overridden",
        "five_thousand_variables",
        "tuning_child",
        "serving",
    ] {
        let Some(seen) = check(name, &[]) else { return };
        if name == "five_thousand_variables" {
            let variables = seen["variables"].as_object().unwrap();
            assert!(variables.len() > 5000, "{}", variables.len());
        }
    }
}

#[track_caller]
fn check_usable(options: &[&str], user: &Value) {
    let Some(seen) = check("one_host", options) else {
        return;
    };
    assert_eq!(seen["user"], *user);
    for name in ["MODEL", "OUTPUT", "OUTPUT_DATA", "CHECKPOINT", "TMP", "RUN"] {
        let name = format!("LYFTLEARN_{name}_DIR");
        assert_eq!(seen["directories"][&name], "written", "{name}");
    }
    assert_eq!(seen["by the package"]["zip"], "02139");
}

#[test]
fn the_same_job_as_root_and_as_others() {
    check_usable(&[], &json!([0, 0]));
    check_usable(&["--user=1000:1000"], &json!([1000, 1000]));
    // Without the entry in /etc/passwd that podman would add.
    check_usable(
        &["--user=48213:0", "--passwd=false", "--cap-drop=ALL"],
        &json!([48213, 0]),
    );
}

#[test]
fn the_same_job_on_a_read_only_root() {
    check_usable(READ_ONLY, &json!([0, 0]));
    let hardened = [
        READ_ONLY,
        &[
            "--user=48213:48213",
            "--passwd=false",
            "--cap-drop=ALL",
            "--security-opt=no-new-privileges",
        ],
    ];
    check_usable(&hardened.concat(), &json!([48213, 48213]));
}
