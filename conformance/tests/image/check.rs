//! The image checker with real containers: the example passes, a small image passes everything, and
//! each check has a small image that fails it and nothing else of its family.

mod platform;
mod rootless;
mod strangers;

use std::path::PathBuf;
use std::process::Output;
use std::time::{Duration, Instant};

use lyftlearn_conformance::{command, programs};
use serde_json::Value;

use crate::place::{IMAGE, Place};

/// A check of the example takes a minute and a half on two quiet processors.
const TIME: Duration = Duration::from_secs(900);

/// Runs the checker where podman runs.
pub(crate) fn checker(place: &Place, words: &[&str]) -> Output {
    let checker = programs::checker();
    let mut command = place.command(checker.to_str().unwrap(), words);
    command::output_within(&mut command, TIME)
}

/// The failed checks of a report, and the number of passed checks.
pub(crate) fn wrong(output: &Output) -> (Vec<String>, usize) {
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|err| panic!("{err}\n{}", String::from_utf8_lossy(&output.stderr)));
    let findings = report["findings"].as_array().unwrap();
    let mut wrong: Vec<String> = Vec::new();
    for finding in findings {
        if finding["result"] == "failed" || finding["result"] == "unknown" {
            let seen = finding["seen"]
                .as_str()
                .or(finding["why"].as_str())
                .unwrap_or_default();
            wrong.push(format!("{}: {seen}", finding["check"].as_str().unwrap()));
        }
    }
    let passed = findings
        .iter()
        .filter(|finding| finding["result"] == "passed")
        .count();
    (wrong, passed)
}

/// Whether the checks that take minutes are run, too: `make check-images`.
fn at_length() -> bool {
    std::env::var_os("LYFTLEARN_CONFORMANCE_AT_LENGTH").is_some()
}

#[test]
fn the_example_passes_the_check() {
    let Some(place) = Place::found() else { return };
    let toml = programs::repository().join("examples/digits/image.toml");
    let mut words = vec![
        "check",
        IMAGE,
        "--file",
        toml.to_str().unwrap(),
        "--format",
        "json",
    ];
    if !at_length() {
        for pattern in ["image.*", "view.*", "restricted.*", "train.failure"] {
            words.extend(["--only", pattern]);
        }
    }
    let began = Instant::now();
    let output = checker(place, &words);
    eprintln!("the check of the example took {:.1?}", began.elapsed());
    let (wrong, passed) = wrong(&output);
    assert_eq!((output.status.code(), wrong), (Some(0), vec![]));
    assert!(passed > if at_length() { 50 } else { 25 }, "{passed}");
}

/// Imports an image of the runtime, the actor and a settings file, and nothing else.
pub(crate) fn image(place: &Place, name: &str, settings: &str, changes: &[&str]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let archive = directory.path().join("image.tar");
    let mut builder = tar::Builder::new(std::fs::File::create(&archive).unwrap());
    let actor: PathBuf = programs::actor();
    for (source, path) in [
        (programs::binary(), "usr/local/bin/lyftlearn-runtime"),
        (actor, "usr/local/bin/actor"),
    ] {
        builder.append_path_with_name(source, path).unwrap();
    }
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(settings.len() as u64);
    builder
        .append_data(
            &mut header,
            "etc/lyftlearn/runtime.toml",
            settings.as_bytes(),
        )
        .unwrap();
    builder.into_inner().unwrap();
    let tag = format!("localhost/check-{name}:latest");
    let mut words = vec!["import"];
    let path = format!("ENV PATH={}", "/usr/local/bin");
    let usual = [
        path.as_str(),
        "ENTRYPOINT [\"lyftlearn-runtime\", \"run\", \"--\"]",
    ];
    for change in usual.iter().chain(changes) {
        words.extend(["--change", change]);
    }
    words.extend([archive.to_str().unwrap(), &tag]);
    place.podman(&words);
    tag
}

pub(crate) fn settings(train: &str, serve: &str) -> String {
    format!(
        "[commands]\ntrain = [\"actor\", \"train\", \"{train}\"]\nserve = [\"actor\", \"serve\", \"{serve}\"]\n"
    )
}

/// How long a training may take, in seconds.
pub(crate) const TRAINING: u32 = 20;

/// A team's file for such an image.
pub(crate) fn toml(directory: &std::path::Path, hyperparameters: &str, seconds: u32) -> String {
    std::fs::create_dir_all(directory.join("train")).unwrap();
    std::fs::create_dir_all(directory.join("model")).unwrap();
    std::fs::write(directory.join("train/rows"), "1\n").unwrap();
    std::fs::write(directory.join("request.json"), "{\"rows\": [3, 4]}").unwrap();
    std::fs::write(directory.join("answer.json"), "{\"sum\": 7.0}").unwrap();
    let text = format!(
        "[train]\nhyperparameters = {{ {hyperparameters} }}\nchannels.train = \"train\"\ntimeout_seconds = {seconds}\n\
         expect.files = [\"model/model.txt\"]\nexpect.log = ['accuracy=([0-9.]+)']\nexpect.resume = 'resumed from'\n\
         expect.failure = {{ hyperparameters = {{ code = \"9\" }}, reason = \"exit code 9\" }}\n\
         [serve]\nmodel = \"model\"\nready_seconds = 4\nrequest = {{ path = \"/invocations\", body = \"request.json\" }}\n\
         expect.body = \"answer.json\"\ntolerance = 1e-9\n"
    );
    let path = directory.join("image.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Checks an image; the ids that are wrong, each once, and everything that was said of them.
fn checked(
    name: &str,
    settings: &str,
    changes: &[&str],
    hyperparameters: &str,
    only: &[&str],
) -> Option<(Vec<String>, String)> {
    let place = Place::found()?;
    let directory = tempfile::tempdir().unwrap();
    // A hundred thousand files are not written in that time on a busy machine.
    let seconds = if name == "litters" { 120 } else { TRAINING };
    let toml = toml(directory.path(), hyperparameters, seconds);
    let tag = image(place, name, settings, changes);
    let mut words = vec![
        "check",
        &tag,
        "--file",
        &toml,
        "--format",
        "json",
        "--offline",
    ];
    for pattern in only {
        words.extend(["--only", pattern]);
    }
    // Figures of a small image say nothing; lazy.rs has images for them.
    for pattern in ["budget.*", "lazy.*"] {
        words.extend(["--skip", pattern]);
    }
    let output = checker(place, &words);
    place.podman(&["rmi", "-f", &tag]);
    let (wrong, passed) = wrong(&output);
    assert!(passed + wrong.len() > 0, "{name}: nothing was checked");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(
        !report.contains("canary-"),
        "{name}: the report has a secret: {report}"
    );
    if name == "good" {
        is_as_published(&report);
    }
    let mut ids: Vec<String> = wrong
        .iter()
        .map(|one| one.split(':').next().unwrap().to_owned())
        .collect();
    ids.dedup();
    Some((ids, wrong.join("\n")))
}

/// Compares a report, which has views, with its JSON schema, by the functions of the package's tests.
#[track_caller]
fn is_as_published(report: &str) {
    const CODE: &str = "import json, sys
sys.path.insert(0, sys.argv[1])
from test_schemas import check
with open(sys.argv[2]) as file:
    document = json.load(file)
assert document['views'], 'no views'
assert any(one['view']['identity']['endpoint'] for one in document['views']), 'no credentials'
check('report', document, 'an image')";
    let Some(python) = programs::python_with_wheel() else {
        return;
    };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), report).unwrap();
    let tests = programs::repository().join("lyftlearn-runtime-py/tests");
    let mut command = std::process::Command::new(python);
    command.args(["-c", CODE]).arg(tests).arg(file.path());
    let output = command::output(&mut command);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A small image fails these checks of its family and no other.
#[track_caller]
fn check_fails(
    name: &str,
    image: (&str, &[&str]),
    hyperparameters: &str,
    only: &[&str],
    ids: &[&str],
    said: &str,
) {
    let Some((wrong, seen)) = checked(name, image.0, image.1, hyperparameters, only) else {
        return;
    };
    assert_eq!(wrong, ids, "{name}: {seen}");
    assert!(seen.contains(said), "{name}: {seen}");
}

/// What a small image is held to in `make test`.
const QUICKLY: &[&str] = &[
    "image.*",
    "start.sagemaker-training",
    "start.kubernetes-pod",
    "start.bare",
    "start.off",
    "view.*",
    "train.completes",
    "train.failure",
    "train.same-model",
    "serve.*",
    "signals.*",
    "outcome.*",
    "identity.one",
    "identity.none",
    "metrics.*",
    "secrets.*",
    "quiet",
    "restricted.*",
];

#[test]
fn a_small_image_passes_everything() {
    let label = "LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true";
    let all: &[&str] = if at_length() { &["*"] } else { QUICKLY };
    if let Some((wrong, seen)) = checked(
        "good",
        &settings("ok", "ok"),
        &[label],
        "seconds = \"1\"",
        all,
    ) {
        assert_eq!(wrong, [""; 0], "{seen}");
    }
}

/// The checks of a server's life.
const SERVE: &[&str] = &[
    "serve.ready",
    "serve.ping",
    "serve.answers",
    "serve.drain",
    "serve.exit-zero",
];

/// A server that behaves in one way, the checks that it is held to, the one that it fails, and why.
const SERVERS: &[(&str, &[&str], &str, &str)] = &[
    ("exit-143", SERVE, "serve.exit-zero", "exit code 143"),
    (
        "drops",
        &["serve.ready", "serve.answers", "serve.drain"],
        "serve.drain",
        "requests were lost",
    ),
];

/// The same, at length.
const MORE_SERVERS: &[(&str, &[&str], &str, &str)] = &[
    (
        "wrong",
        SERVE,
        "serve.answers",
        "another answer: {\"sum\": 7.5}",
    ),
    ("not-ready", SERVE, "serve.ready", "status 503"),
    ("slow-ping", SERVE, "serve.ready", "no status 200"),
    (
        "nonsense-500",
        SERVE,
        "serve.answers",
        "status 500 to a body of nonsense",
    ),
    (
        "dies",
        &["serve.ready", "serve.answers"],
        "serve.answers",
        "no answer to a body of nonsense",
    ),
    (
        "fixed-port",
        &["serve.*"],
        "serve.bind-to-port",
        "port 8081",
    ),
];

fn check_servers(servers: &[(&str, &[&str], &str, &str)]) {
    for (mode, only, id, said) in servers {
        check_fails(
            &format!("serve-{mode}"),
            (&settings("ok", mode), &[]),
            "",
            only,
            &[id],
            said,
        );
    }
}

#[test]
fn a_server_that_fails_in_one_way_fails_one_check() {
    check_servers(SERVERS);
    if at_length() {
        check_servers(MORE_SERVERS);
    }
}

#[test]
fn a_training_that_fails_in_one_way_fails_one_check() {
    let train = |mode: &str, hyperparameters: &str, id: &str, said: &str| {
        let name = format!("train-{mode}");
        check_fails(
            &name,
            (&settings(mode, "ok"), &[]),
            hyperparameters,
            &["train.*"],
            &[id],
            said,
        );
    };
    train("ok", "code = \"4\"", "train.completes", "exit code 4");
    if at_length() {
        // It is given the two minutes that the platform gives.
        let stop = ["train.stop"];
        let image = (settings("deaf", "ok"), [].as_slice());
        check_fails(
            "train-deaf",
            (&image.0, image.1),
            "seconds = \"300\"",
            &stop,
            &stop,
            "was killed",
        );
    }
}

#[test]
#[ignore = "make check-images"]
fn half_an_init_fails_the_half_that_it_leaves_out() {
    let init = |mode: &str, id: &str, said: &str| {
        let entry = format!("ENTRYPOINT [\"actor\", \"init\", \"{mode}\"]");
        check_fails(
            &format!("init-{mode}"),
            ("", &[&entry]),
            "",
            &["signals.*"],
            &[id],
            said,
        );
    };
    init("forwards", "signals.orphans", "were still zombies");
    init("reaps", "signals.forwarded", "SIGHUP did not reach it");
}

#[test]
fn a_start_that_fails_in_one_way_fails_that_check() {
    let entry = "ENTRYPOINT [\"actor\", \"silent\"]";
    check_fails(
        "silent",
        ("", &[entry]),
        "",
        &["start.*"],
        &["start.bare"],
        "it printed nothing",
    );
    if at_length() {
        let problem = "ENV LYFTLEARN_RUNTIME_PORT=tcp://10.0.0.1:80";
        let ids = [
            "start.sagemaker-training",
            "start.sagemaker-hosting",
            "start.kubernetes-pod",
            "start.kubernetes-job",
            "start.sagemaker-multi-container",
            "start.sagemaker-transform",
            "start.sagemaker-processing",
            "start.sagemaker-local",
            "start.sagemaker-isolated",
        ];
        check_fails(
            "problem",
            (&settings("ok", "ok"), &[problem]),
            "",
            &["start.*"],
            &ids,
            "LYFTLEARN_RUNTIME_PORT",
        );
    }
}

/// Starts the checker, interrupts it when a container of the image exists, and prints what is left.
const INTERRUPTED: &str = r#"
checker=$1 tag=$2 toml=$3 signal=$4 later=$5
"$checker" check "$tag" --offline --file "$toml" >/dev/null 2>&1 &
pid=$!
until name=$(podman ps -a --filter "ancestor=$tag" --format '{{.Names}}' | head -n 1) && [ -n "$name" ]; do
    kill -0 "$pid" || exit 9
done
sleep "$later"
kill "-$signal" "$pid"
wait "$pid" && code=0 || code=$?
prefix=${name%-*-*}
left() {
    podman ps -a --filter "name=$prefix" --format '{{.Names}}'
    podman volume ls --filter "name=$prefix" --format '{{.Name}}'
    podman images --filter "reference=localhost/$prefix" --format '{{.Repository}}'
}
# What was killed is cleaned up by another process.
attempts=60
while [ "$signal" = KILL ] && [ "$attempts" -gt 0 ] && [ -n "$(left)" ]; do
    sleep 0.5
    attempts=$((attempts - 1))
done
echo "$code $(left)"
"#;

#[test]
fn an_interrupted_check_leaves_nothing_behind() {
    let Some(place) = Place::found() else { return };
    let directory = tempfile::tempdir().unwrap();
    let toml = toml(directory.path(), "", TRAINING);
    let tag = image(place, "interrupted", &settings("ok", "ok"), &[]);
    let checker = programs::checker();
    // At ten moments of a run that takes a minute.
    let moments = [
        "0.3", "1.1", "2.4", "4", "6.5", "9.3", "13", "19.2", "27", "35",
    ];
    let mut signals = vec![("TERM", "143", "0")];
    if at_length() {
        signals.push(("INT", "130", "0"));
        signals.push(("TERM", "143", "7"));
        signals.extend(moments.map(|later| ("KILL", "137", later)));
    }
    for (signal, code, later) in signals {
        let words = [
            "-uc",
            INTERRUPTED,
            "sh",
            checker.to_str().unwrap(),
            &tag,
            &toml,
            signal,
            later,
        ];
        let output = command::output_within(&mut place.command("sh", &words), TIME);
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            said.trim(),
            code,
            "{signal} after {later} s: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    place.podman(&["rmi", "-f", &tag]);
}
