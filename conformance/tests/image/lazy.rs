//! Lazy loading of the example's image, with the tools that a team has: the layout that podman pushes,
//! and the index that `soci` makes of it. By request: `make check-images`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lyftlearn_conformance::{command, programs};
use serde_json::Value;

use crate::check::{self, Small};
use crate::place::{IMAGE, Place};

const TIME: Duration = Duration::from_secs(300);

/// The directory with `soci`; `None` where there was no Go to build it with.
fn soci() -> Option<std::path::PathBuf> {
    let directory = programs::repository().join("target/soci");
    if directory.join("soci").is_file() {
        Some(directory)
    } else {
        programs::skipped("soci was not built: conformance/engine/soci.sh needs Go")
    }
}

/// A command with `soci` on PATH, and what it said.
fn said(program: &Path, words: &[&str], soci: &Path) -> (Option<i32>, String) {
    let path = format!("{}:/usr/bin:/bin", soci.display());
    let mut command = Command::new(program);
    command.args(words).env("PATH", path);
    let output = command::output_within(&mut command, TIME);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    eprint!("{stderr}");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), stdout)
}

/// The result of a check, and its message.
fn finding(report: &str, id: &str) -> (String, String) {
    let report: Value = serde_json::from_str(report).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let one = findings.iter().find(|one| one["check"] == id).unwrap();
    let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
    (text("result"), text("note") + &text("seen"))
}

#[test]
#[ignore = "needs soci and podman, and compresses the image: make check-images"]
fn what_soci_makes_of_the_example_is_found_and_whole() {
    let (Some(place), Some(soci)) = (Place::found(), soci()) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let pushed = format!("oci:{}", path("pushed"));
    let mut push = place.command("podman", &["push", "--quiet", IMAGE, &pushed]);
    let pushing = command::output_within(&mut push, TIME);
    assert!(pushing.status.success(), "{pushing:?}");
    std::fs::write(path("image.toml"), "[lazy]\nrequire = true\n").unwrap();

    let checker = programs::checker();
    let toml = path("image.toml");
    let check = |image: &str, more: &[&str]| {
        let words = ["check", image, "--only", "l*", "--format", "json"];
        said(&checker, &[&words[..], more].concat(), &soci)
    };
    let (code, report) = check(&pushed, &[]);
    let (result, seen) = finding(&report, "lazy.index");
    assert_eq!(
        (code, result.as_str(), seen.as_str()),
        (Some(0), "passed", "no index")
    );
    let (result, seen) = finding(&report, "lazy.compression");
    assert!(
        result == "passed" && seen.contains("layers are gzip"),
        "{seen}"
    );
    let (code, report) = check(&pushed, &["--file", &toml]);
    assert_eq!(
        (code, finding(&report, "lazy.index").0.as_str()),
        (Some(1), "failed")
    );

    let words = ["convert", "--standalone", "--format", "oci-dir"];
    let layouts = [path("pushed"), path("converted")];
    let layouts: Vec<&str> = layouts.iter().map(String::as_str).collect();
    let (code, printed) = said(&soci.join("soci"), &[&words[..], &layouts].concat(), &soci);
    assert_eq!(code, Some(0), "{printed}");
    let tables = printed.matches("-> ztoc ").count();
    assert!(tables > 0, "{printed}");
    let expected = format!("version 2, {tables} tables of contents, spans of 4.0 MiB");
    let converted = format!("oci:{}", path("converted"));
    for (image, more) in [(&converted, vec![]), (&pushed, vec!["--with-soci"])] {
        let (code, report) = check(image, &[&["--file", toml.as_str()][..], &more].concat());
        let (result, seen) = finding(&report, "lazy.index");
        assert_eq!(
            (code, result.as_str(), &seen),
            (Some(0), "passed", &expected)
        );
    }
}

/// A budget that a small image exceeds, and the figure that is measured for it.
pub(crate) const BUDGETS: &[(&str, &str)] = &[
    ("runtime_ms = 0.001", "budget.runtime.ms"),
    ("runtime_files = 1", "budget.runtime.files"),
    ("ready_seconds = 0.0001", "budget.ready.seconds"),
    ("lazy_files = 1", "lazy.files"),
    ("lazy_bytes_percent = 1", "lazy.bytes"),
    ("lazy_spans_percent = 1", "lazy.spans"),
];

/// Large enough for an index.
const FILLER: usize = 16 << 20;

#[test]
#[ignore = "starts some fifty containers: make check-images"]
fn each_figure_of_a_start_has_its_own_budget() {
    let Some(place) = Place::found() else { return };
    let small = Small {
        name: "figures",
        settings: &check::settings("ok", "ok"),
        filler: FILLER,
        ..Small::default()
    };
    let tag = small.import(place);
    let wrong = |budget: &str| {
        let directory = tempfile::tempdir().unwrap();
        let toml = check::toml(directory.path(), "", check::TRAINING);
        let text = std::fs::read_to_string(&toml).unwrap();
        // A small image is read whole.
        let usual = [
            "runtime_ms = 1000",
            "runtime_files = 25",
            "ready_seconds = 60",
            "lazy_files = 10",
            "lazy_bytes_percent = 100",
            "lazy_spans_percent = 100",
        ];
        let key = budget.split(' ').next().filter(|key| !key.is_empty());
        let kept: Vec<&str> = usual
            .into_iter()
            .filter(|one| key.is_none_or(|key| !one.starts_with(key)))
            .collect();
        let budgets = format!("{text}[budget]\n{}\n{budget}\n", kept.join("\n"));
        std::fs::write(&toml, budgets).unwrap();
        let mut words = vec![
            "check",
            &tag,
            "--file",
            &toml,
            "--format",
            "json",
            "--offline",
        ];
        for (_, id) in BUDGETS {
            words.extend(["--only", id]);
        }
        let (wrong, passed) = check::wrong(&check::checker(place, &words));
        assert_eq!(wrong.len() + passed, BUDGETS.len(), "{wrong:?}");
        let ids = wrong
            .iter()
            .map(|one| one.split(':').next().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(wrong(""), [""; 0]);
    for (budget, id) in BUDGETS {
        assert_eq!(wrong(budget), [*id]);
    }
    place.podman(&["rmi", "-f", &tag]);
}

/// A figure of a training's start: its value, and where it was measured.
fn of_training(mode: &str, id: &str) -> Option<(f64, String, Vec<String>)> {
    let place = Place::found()?;
    let settings = format!("[commands]\ntrain = [\"actor\", \"train\", \"{mode}\"]\n");
    let small = Small {
        name: &format!("training-{mode}"),
        settings: &settings,
        filler: FILLER,
        ..Small::default()
    };
    let tag = small.import(place);
    let directory = tempfile::tempdir().unwrap();
    let toml = check::toml(directory.path(), "seconds = \"60\"", 90);
    let prefetch = directory.path().join("prefetch.json");
    let words = [
        "check",
        &tag,
        "--file",
        &toml,
        "--format",
        "json",
        "--offline",
        "--only",
        id,
        "--prefetch",
        prefetch.to_str().unwrap(),
    ];
    let output = check::checker(place, &words);
    place.podman(&["rmi", "-f", &tag]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let finding = &report["findings"][0];
    let value = finding["figure"]["value"].as_f64();
    let value = value.unwrap_or_else(|| panic!("{finding:#}"));
    let files = serde_json::from_slice(&std::fs::read(&prefetch).unwrap()).unwrap();
    let what = finding["note"].as_str().or(finding["seen"].as_str());
    let said = format!("{}: {}", finding["place"].as_str().unwrap(), what.unwrap());
    Some((value, said, files))
}

#[test]
#[ignore = "needs soci and podman: make check-images"]
fn the_start_of_a_training_lasts_until_its_first_output() {
    // It reads a large file after its first line, and before.
    let Some((early, said, files)) = of_training("reads", "lazy.spans") else {
        return;
    };
    assert!(
        said.starts_with("sagemaker-training: ") && said.ends_with(" read until its first output"),
        "{said}"
    );
    assert!(
        files.contains(&"/usr/local/bin/actor".to_owned()),
        "{files:?}"
    );
    assert!(!files.contains(&"/opt/filler".to_owned()), "{files:?}");
    let (late, _, files) = of_training("reads-first", "lazy.spans").unwrap();
    assert!(files.contains(&"/opt/filler".to_owned()), "{files:?}");
    assert!(late > early, "{early} and {late} %");
    let (count, said, files) = of_training("reads", "lazy.files").unwrap();
    assert!(
        count as usize == files.len() && count < 10.0,
        "{said}: {files:?}"
    );
}

#[test]
#[ignore = "needs soci and podman: make check-images"]
fn the_start_of_a_silent_training_lasts_until_its_end() {
    if let Some((_, said, files)) = of_training("silent", "lazy.files") {
        assert!(
            said.ends_with(" opened until its end, without any output"),
            "{said}"
        );
        assert!(files.contains(&"/opt/filler".to_owned()), "{files:?}");
    }
}

#[test]
#[ignore = "needs soci and podman: make check-images"]
fn files_of_the_examples_start_are_found_in_its_layers_and_prefetched_by_soci() {
    let (Some(place), Some(soci)) = (Place::found(), soci()) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let example = programs::repository().join("examples/digits/image.toml");
    let budget = |lines: &str| {
        let text = std::fs::read_to_string(&example).unwrap();
        let here = example.parent().unwrap().display();
        let text = text.replace("\"sample/", &format!("\"{here}/sample/"));
        std::fs::write(path("image.toml"), format!("{text}\n[budget]\n{lines}\n")).unwrap();
    };
    let (toml, prefetch) = (path("image.toml"), path("prefetch.json"));
    let mut words = vec![
        "check",
        IMAGE,
        "--file",
        &toml,
        "--format",
        "json",
        "--prefetch",
        &prefetch,
    ];
    words.extend(["--only", "lazy.files", "--only", "lazy.spans"]);
    let check = || check::checker(place, &words);
    budget("lazy_spans_percent = 100");
    let output = check();
    assert_eq!(check::wrong(&output), (vec![], 2));
    budget("lazy_spans_percent = 1");
    let (wrong, _) = check::wrong(&check());
    assert!(
        wrong.len() == 1 && wrong[0].starts_with("lazy.spans: "),
        "{wrong:?}"
    );

    let files: Vec<String> = serde_json::from_slice(&std::fs::read(&prefetch).unwrap()).unwrap();
    for file in ["/usr/local/bin/lyftlearn-runtime", "/opt/program/serve.py"] {
        let compiled = file.replace("serve.py", "__pycache__/serve.cpython-311.pyc");
        assert!(
            files.iter().any(|one| one == file || *one == compiled),
            "{file}: {files:?}"
        );
    }
    let pushed = format!("oci:{}", path("pushed"));
    let mut push = place.command("podman", &["push", "--quiet", IMAGE, &pushed]);
    assert!(command::output_within(&mut push, TIME).status.success());
    let (pushed, converted) = (path("pushed"), path("converted"));
    let words = [
        "convert",
        "--standalone",
        "--format",
        "oci-dir",
        "--prefetch-files-json",
    ];
    let words = [&words[..], &[&prefetch, &pushed, &converted]].concat();
    let (code, printed) = said(&soci.join("soci"), &words, &soci);
    assert_eq!(code, Some(0), "{printed}");
    let tables = printed.matches("-> ztoc ").count();
    let converted = format!("oci:{converted}");
    let words = [
        "check",
        &converted,
        "--only",
        "lazy.index",
        "--format",
        "json",
    ];
    let (_, report) = said(&programs::checker(), &words, &soci);
    let expected = format!("version 2, {tables} tables of contents, spans of 4.0 MiB");
    assert_eq!(
        finding(&report, "lazy.index"),
        ("passed".to_owned(), expected)
    );
}
