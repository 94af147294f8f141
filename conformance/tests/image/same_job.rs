//! The jobs of `jobs/` in real containers: once with SageMaker's mounts and variables, once
//! with a pod's, and compared by what a program finds inside.
//!
//! A place describes one job of each platform. The directory of a job describes any job, with its own mounts and
//! variables, so these containers are made from the directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use lyftlearn_conformance::case::{self, Case, Holds, Job};
use lyftlearn_conformance::command;
use lyftlearn_conformance::kubelet::Pod;
use lyftlearn_conformance::same_job::PLACE_VARIABLES;
use serde_json::{Value, json};

use crate::container::set_mode;
use crate::place::{IMAGE, Place};

/// What the image's words start.
const COMMANDS: &str = "\n[commands]\ntrain = [\"python3\", \"/opt/tests/seen.py\"]\nserve = [\"python3\", \"/opt/tests/seen.py\"]\n";

/// What the engine sets, and an image.
const ENGINES: &[&str] = &["HOME", "HOSTNAME", "PATH", "PYTHONUNBUFFERED", "container"];

/// Ports of a start's own listeners, which are free ones.
const OWN_PORTS: &[&str] = &["DD_DOGSTATSD_", "STATSD_PORT"];

/// What follows from the CPUs of the cgroup: a job's description has files for it, and podman
/// makes its own.
const BY_CGROUP: &[&str] = &["LYFTLEARN_CPUS", "PET_NPROC_PER_NODE"];

/// A hardened container: only mounts are writable.
const READ_ONLY: &[&str] = &[
    "--read-only",
    "--read-only-tmpfs=false",
    "--tmpfs=/tmp:mode=1777",
];

/// A pod of the strictest kind: a random user, a root that is only read, no capability.
const RESTRICTED: &[&str] = &[
    "--read-only",
    "--read-only-tmpfs=false",
    "--user=48213:48213",
    "--passwd=false",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
];

/// Volumes of some jobs, besides those that every container has.
const MORE_VOLUMES: &[&str] = &[
    "/data",
    "/etc/podinfo",
    "/etc/secrets",
    "/mnt/models",
    "/scratch",
];

/// Jobs that are compared only outside containers, each with the reason.
const UNFIT: &[(&str, &str)] = &[
    ("input_by_environment", "its command is not in the image"),
    ("pipe_and_fastfile", "nothing writes into the FIFOs"),
    ("required_credentials", "no credentials are served here"),
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
    for target in MORE_VOLUMES {
        let source = case.root().join(target.trim_start_matches('/'));
        if source.is_dir() {
            opened(&source);
            volumes.push((source, *target));
        }
    }
    if in_a_pod {
        let pod = Pod::lay_out(&work.path().join("kubelet"), "ranker", "main");
        // A pod below a Service has a name of its own there.
        let own = case.root().join("etc/hosts");
        if own.is_file() {
            std::fs::copy(own, pod.hosts()).unwrap();
        }
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
    let has_command = matches!(case.argv[0].as_str(), "train" | "serve");
    let argv = if has_command {
        case.argv.clone()
    } else {
        ["python3", "/opt/tests/seen.py"]
            .map(ToOwned::to_owned)
            .to_vec()
    };
    let words: Vec<String> = ["run".to_owned(), "--detach".to_owned()]
        .into_iter()
        .chain(volumes)
        .chain(variables)
        // The other nodes of these jobs do not exist.
        .chain(["--env=LYFTLEARN_RUNTIME_TOPOLOGY_WAIT_SECONDS=0".to_owned()])
        .chain(options.iter().map(|option| (*option).to_owned()))
        .chain([IMAGE.to_owned()])
        .chain(argv)
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
fn variables(case: &Case, other: &Case, seen: [&Value; 2]) -> BTreeMap<String, Value> {
    let mut all: BTreeMap<String, Value> =
        serde_json::from_value(seen[0]["variables"].clone()).unwrap();
    all.retain(|name, _| {
        let set = |case: &Case| case.environment.contains_key(name);
        let mut places = PLACE_VARIABLES.iter().chain(OWN_PORTS);
        let place = places.any(|place| name.starts_with(place));
        let is_elsewhere = seen[1]["variables"].get(name).is_some();
        let only_here = set(case) && !set(other) && !delivered(name) && !is_elsewhere;
        !(only_here || place || ENGINES.contains(&name.as_str()))
    });
    all
}

/// Whether both starts set this variable.
fn delivered(name: &str) -> bool {
    let is_a_setting = name.starts_with("LYFTLEARN_RUNTIME_");
    !is_a_setting
        && ["LYFTLEARN_", "SM_", "PET_", "MASTER_", "AWS_REGION"]
            .iter()
            .any(|beginning| name.starts_with(beginning))
}

/// Variables that are not what is special to the job.
fn missing(holds: &Holds, seen: &Value) -> Vec<String> {
    // `explain` shows a hash of what may be a secret.
    let is_hidden = |text: &String| text.starts_with("sha256:");
    let shown = holds.variables.iter().filter(|(name, expected)| {
        !BY_CGROUP.contains(&name.as_str()) && !expected.as_ref().is_some_and(is_hidden)
    });
    shown
        .filter(|(name, expected)| seen["variables"][name.as_str()].as_str() != expected.as_deref())
        .map(|(name, expected)| {
            let found = &seen["variables"][name.as_str()];
            format!("{name} is {found}, expected {expected:?}")
        })
        .collect()
}

/// Runs both descriptions and compares; what the program of either found.
#[track_caller]
fn check(name: &str, options: &[&str]) -> Option<Value> {
    let place = Place::found()?;
    let job = case::jobs().into_iter().find(|job| job.name == name);
    let (seen, differing) = compared(place, &job.unwrap(), options);
    assert!(differing.is_empty(), "{name}: {differing:?}");
    Some(seen)
}

/// What the program of a job found, and what it found only on one platform.
fn compared(place: &Place, job: &Job, options: &[&str]) -> (Value, Vec<String>) {
    let (one, other) = (&job.sagemaker, &job.kubernetes);
    let a = inside(place, one, false, options);
    let b = inside(place, other, true, options);
    let of_a = variables(one, other, [&a, &b]);
    let of_b = variables(other, one, [&b, &a]);
    assert!(of_a.len() > 30, "{}: only {of_a:?}", job.name);
    let names: BTreeSet<_> = of_a.keys().chain(of_b.keys()).collect();
    let mut differing: Vec<String> = names
        .into_iter()
        .filter(|name| of_a.get(*name) != of_b.get(*name) && !job.may_differ(name))
        .map(|name| format!("{name}: {:?}, {:?}", of_a.get(name), of_b.get(name)))
        .collect();
    for ((_, holds), seen) in job.sides().into_iter().zip([&a, &b]) {
        differing.extend(holds.into_iter().flat_map(|holds| missing(holds, seen)));
    }
    let usable = |seen: &Value| {
        let mut usable = seen["directories"].as_object().unwrap().clone();
        usable.retain(|name, _| !job.may_differ(name));
        usable
    };
    if usable(&a) != usable(&b) {
        differing.push(format!("directories: {:?}, {:?}", usable(&a), usable(&b)));
    }
    let kinds = ["user", "hyperparameters", "by the package", "channels"];
    let kinds = kinds.into_iter().filter(|what| a[what] != b[what]);
    differing.extend(kinds.map(|what| format!("{what}: {}, {}", a[what], b[what])));
    (a, differing)
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
    let hardened = [RESTRICTED, &["--tmpfs=/tmp:mode=1777"]];
    check_usable(&hardened.concat(), &json!([48213, 48213]));
}

#[test]
#[ignore = "starts some eighty containers: make check-images"]
fn every_job_in_real_containers() {
    let Some(place) = Place::found() else { return };
    let jobs = case::jobs();
    for (name, reason) in UNFIT {
        assert!(jobs.iter().any(|job| job.name == *name), "{name}: {reason}");
    }
    let fit = jobs
        .iter()
        .filter(|job| UNFIT.iter().all(|(name, _)| *name != job.name));
    let wrong: Vec<String> = fit
        .flat_map(|job| {
            let options = if job.name == "restricted" {
                RESTRICTED
            } else {
                &[]
            };
            let (_, differing) = compared(place, job, options);
            differing
                .into_iter()
                .map(|what| format!("{}: {what}", job.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
