//! The image checker with real containers: the example passes, a small image passes everything, and
//! each check has a small image that fails it and nothing else of its family.

mod cases;
mod engines;
mod platform;
mod strangers;
mod toolkit;

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

/// An image of the runtime, the actor and a settings file, and nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Small<'a> {
    pub(crate) name: &'a str,
    /// The image's `runtime.toml`.
    pub(crate) settings: &'a str,
    /// Instructions of a Dockerfile.
    pub(crate) changes: &'a [&'a str],
    /// Bytes of `/opt/filler`: the layer is large enough for an index.
    pub(crate) filler: usize,
}

impl Small<'_> {
    /// Imports it; its name there.
    pub(crate) fn import(&self, place: &Place) -> String {
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
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Symlink);
        link.set_size(0);
        builder
            .append_link(&mut link, "usr/local/bin/python3", "actor")
            .unwrap();
        let mut file = |path: &str, bytes: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, path, bytes).unwrap();
        };
        file("etc/lyftlearn/runtime.toml", self.settings.as_bytes());
        if self.filler > 0 {
            file("opt/filler", &vec![0; self.filler]);
        }
        builder.into_inner().unwrap();
        let tag = format!("localhost/check-{}:latest", self.name);
        let mut words = vec!["import"];
        let path = format!("ENV PATH={}", "/usr/local/bin");
        let usual = [
            path.as_str(),
            "ENTRYPOINT [\"lyftlearn-runtime\", \"run\", \"--\"]",
        ];
        for change in usual.iter().chain(self.changes) {
            words.extend(["--change", change]);
        }
        words.extend([archive.to_str().unwrap(), &tag]);
        place.podman(&words);
        tag
    }
}

/// The same without a filler.
pub(crate) fn image(place: &Place, name: &str, settings: &str, changes: &[&str]) -> String {
    let small = Small {
        name,
        settings,
        changes,
        ..Small::default()
    };
    small.import(place)
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

/// What a check of a small image found.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Ids that failed, each once.
    pub(crate) wrong: Vec<String>,
    /// Ids that passed wherever they were run.
    pub(crate) passed: Vec<String>,
    /// Ids that were skipped.
    pub(crate) skipped: Vec<String>,
    /// The text of each failure.
    pub(crate) said: String,
}

/// Checks an image.
fn checked(small: &Small<'_>, hyperparameters: &str, only: &[&str]) -> Option<Checked> {
    let place = Place::found()?;
    let name = small.name;
    let directory = tempfile::tempdir().unwrap();
    // A hundred thousand files are not written in that time on a busy machine.
    let seconds = if name == "litters" { 120 } else { TRAINING };
    let toml = toml(directory.path(), hyperparameters, seconds);
    let tag = small.import(place);
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
    let (said, passed) = wrong(&output);
    assert!(passed + said.len() > 0, "{name}: nothing was checked");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(
        !report.contains("canary-"),
        "{name}: the report has a secret: {report}"
    );
    if name == "good" {
        is_as_published(&report);
    }
    let report: Value = serde_json::from_str(&report).unwrap();
    let with = |results: &[&str]| {
        let findings = report["findings"].as_array().unwrap().iter();
        let fits = findings.filter(|one| results.contains(&one["result"].as_str().unwrap()));
        let ids = fits.map(|one| one["check"].as_str().unwrap().to_owned());
        let mut ids: Vec<String> = ids.collect();
        ids.dedup();
        ids
    };
    let (wrong, skipped) = (with(&["failed", "unknown"]), with(&["skipped"]));
    let mut passed = with(&["passed"]);
    passed.retain(|id| !wrong.contains(id) && !skipped.contains(id));
    Some(Checked {
        wrong,
        passed,
        skipped,
        said: said.join("\n"),
    })
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

/// Checks that a small image in `make test` runs.
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

/// Checks that a small good image skips: without code, without checkpoints, with nothing in a cache. Each has
/// another image that passes it.
const SKIPPED: &[&str] = &[
    "image.runtime-versions",
    "image.python.compiled",
    "train.resume",
    "warm.second",
    "warm.cache-used",
    "layers.order",
];

#[test]
fn a_small_image_passes_everything() {
    let label = "LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true";
    let all: &[&str] = if at_length() { &["*"] } else { QUICKLY };
    let small = Small {
        name: "good",
        settings: &settings("ok", "ok"),
        changes: &[label],
        ..Small::default()
    };
    if let Some(checked) = checked(&small, "seconds = \"1\"", all) {
        assert_eq!(checked.wrong, [""; 0], "{}", checked.said);
        let mut skipped = checked.skipped;
        skipped.retain(|id| !SKIPPED.contains(&id.as_str()));
        assert_eq!(skipped, [""; 0]);
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
    podman network ls --filter "name=$prefix" --format '{{.Name}}'
    podman images --filter "reference=localhost/$prefix" --format '{{.Repository}}'
}
# The checker's own, and the engine's for its containers.
processes() {
    for process in /proc/[0-9]*; do
        line=$(tr '\0' ' ' <"$process/cmdline") 2>/dev/null || continue
        case $line in *"$prefix"*) echo "process $line" ;; esac
    done
}
# What was killed is cleaned up by another process.
attempts=180
while [ "$signal" = KILL ] && [ "$attempts" -gt 0 ] && [ -n "$(left)" ]; do
    sleep 0.5
    attempts=$((attempts - 1))
done
echo "$code $(left)"
# An engine's process ends a moment after its container is gone.
attempts=120
while [ "$attempts" -gt 0 ] && [ -n "$(processes)" ]; do
    sleep 0.5
    attempts=$((attempts - 1))
done
processes
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
