//! Lazy loading of the example's image, with the tools that a team has: the layout that podman pushes,
//! and the index that `soci` makes of it. By request: `make check-images`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lyftlearn_conformance::{command, programs};
use serde_json::Value;

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

/// How a check went, and what was said of it.
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
