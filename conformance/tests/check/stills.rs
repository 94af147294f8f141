//! Checks of an image's files and configuration: one image passes them all, and each has one that
//! fails it and nothing else.

use lyftlearn_conformance::check::{self, CHECKS, Choice, Need, Subject, Verdict};
use lyftlearn_conformance::image_toml::ImageToml;
use lyftlearn_conformance::layout;
use serde_json::json;

use crate::layout::{Image, executable};

/// The checks that need no start.
fn checks() -> Vec<&'static check::Check> {
    let choice = Choice {
        only: vec!["image.*".to_owned()],
        ..Choice::default()
    };
    let all = choice.checks();
    all.into_iter()
        .filter(|check| !check.needs.contains(&Need::Engine))
        .collect()
}

fn subject(image: &Image, toml: ImageToml) -> Subject {
    let directory = tempfile::tempdir().unwrap();
    let read = layout::of_directory(&image.write(directory.path()), "amd64");
    Subject::new(read.unwrap(), toml, "amd64")
}

/// The ids that fail, with the observed text, and the ids that are skipped.
fn failing(image: &Image) -> (Vec<(String, String)>, Vec<String>) {
    let subject = subject(image, ImageToml::default());
    let findings = check::run(&subject, &checks(), 2, &|_| {}).unwrap();
    let (mut failed, mut skipped) = (Vec::new(), Vec::new());
    for finding in findings {
        match finding.verdict {
            Verdict::Failed {
                seen,
                expected,
                mend,
            } => {
                assert!(
                    !seen.is_empty() && !expected.is_empty() && !mend.is_empty(),
                    "{}",
                    finding.check
                );
                failed.push((finding.check, seen));
            }
            Verdict::Skipped { .. } => skipped.push(finding.check),
            _ => {}
        }
    }
    (failed, skipped)
}

#[test]
fn a_good_image_passes_every_still_check() {
    let (failed, skipped) = failing(&Image::good());
    assert_eq!((failed, skipped), (vec![], vec![]));
}

type Change = fn(&mut Image);

/// A check, a change that makes only this check fail, and its message.
const FAILURES: &[(&str, Change, &str)] = &[
    (
        "image.entrypoint",
        |image| {
            image.set(
                "Entrypoint",
                json!(["/bin/sh", "-c", "lyftlearn-runtime run -- $0"]),
            )
        },
        "a shell is started first",
    ),
    (
        "image.entrypoint",
        |image| {
            image.set(
                "Entrypoint",
                json!(["/usr/bin/tini", "--", "lyftlearn-runtime", "run", "--"]),
            )
        },
        "tini is started first",
    ),
    (
        "image.runtime-static",
        |image| {
            image.file(
                "usr/local/bin/lyftlearn-runtime",
                0o755,
                executable(62, true),
            )
        },
        "/usr/local/bin/lyftlearn-runtime needs /lib64/ld-linux-x86-64.so.2",
    ),
    (
        "image.runtime-static",
        |image| {
            image.file(
                "usr/local/bin/lyftlearn-runtime",
                0o755,
                executable(183, false),
            )
        },
        "/usr/local/bin/lyftlearn-runtime is for arm64, the image is for amd64",
    ),
    (
        "image.runtime-static",
        |image| {
            image.file(
                "usr/local/bin/lyftlearn-runtime",
                0o750,
                executable(62, false),
            )
        },
        "/usr/local/bin/lyftlearn-runtime has mode 0750",
    ),
    (
        "image.runtime-versions",
        |image| {
            let metadata =
                "usr/lib/python3/dist-packages/lyftlearn_runtime-0.1.0.dist-info/METADATA";
            image.file(metadata, 0o644, "Version: 0.2.0\n");
        },
        "the binary is 0.1.0, the Python package in /usr/lib",
    ),
    (
        "image.settings",
        |image| {
            let settings = "lifecycle.grace_secs = 3\n[commands]\ntrain = [\"python3\", \"/opt/program/train.py\"]\n";
            image.file("etc/lyftlearn/runtime.toml", 0o644, settings);
        },
        "grace_secs",
    ),
    (
        "image.commands",
        |image| {
            let settings = "[commands]\ntrain = [\"python4\", \"/opt/program/train.py\"]\n";
            image.file("etc/lyftlearn/runtime.toml", 0o644, settings);
        },
        "`train` runs python4, which is not an executable in the image",
    ),
    (
        "image.cmd",
        |image| image.set("Cmd", json!(["serve"])),
        "CMD is [\"serve\"]",
    ),
    (
        "image.stopsignal",
        |image| image.set("StopSignal", json!("SIGINT")),
        "STOPSIGNAL is SIGINT",
    ),
    (
        "image.user",
        |image| image.set("User", json!("app")),
        "USER is app",
    ),
    (
        "image.volume",
        |image| image.set("Volumes", json!({"/opt": {}})),
        "VOLUME /opt",
    ),
    (
        "image.healthcheck",
        |image| image.set("Healthcheck", json!({"Test": ["CMD", "curl", "localhost"]})),
        "the image has a HEALTHCHECK",
    ),
    (
        "image.env",
        |image| {
            image.set(
                "Env",
                json!([
                    "PATH=/usr/local/bin:/usr/bin",
                    "AWS_REGION=x",
                    "https_proxy=y",
                    "LYFTLEARN_HOST=z"
                ]),
            )
        },
        "ENV sets AWS_REGION, https_proxy, LYFTLEARN_HOST",
    ),
    (
        "image.secrets",
        |image| image.file("root/.netrc", 0o600, "machine x"),
        "looks like a secret: /root/.netrc",
    ),
    (
        "image.secrets",
        |image| image.config["history"] = json!([{"created_by": format!("RUN export K={}", "AKIA".to_owned() + "IOSFODNN7EXAMPLE")}]),
        "looks like a secret: step 1 of the build's history",
    ),
    (
        "image.unreadable",
        |image| image.file("opt/program/train.py", 0o600, "print(1)\n"),
        "/opt/program/train.py (0600)",
    ),
    (
        "image.python.compiled",
        |image| image.file("opt/program/new.py", 0o644, "print(1)\n"),
        "not compiled: /opt/program/new.py",
    ),
];

#[test]
fn each_still_check_has_an_image_that_fails_it_and_nothing_else() {
    for (id, change, said) in FAILURES {
        let mut image = Image::good();
        change(&mut image);
        let (failed, _) = failing(&image);
        let ids: Vec<&str> = failed.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, [*id], "{failed:?}");
        assert!(failed[0].1.contains(said), "{id}: {}", failed[0].1);
    }
    for check in checks() {
        assert!(
            FAILURES.iter().any(|(id, _, _)| *id == check.id),
            "no image fails {}",
            check.id
        );
    }
}

#[test]
fn an_unrelated_image_fails_only_the_checks_of_missing_parts() {
    for entry in [
        json!(["python3", "/srv/app.py"]),
        json!(["/sbin/tini", "--", "python3"]),
        json!(["/entrypoint.sh"]),
        json!(null),
    ] {
        let mut image = Image::good();
        image.layers = vec![Vec::new()];
        image.file("srv/app.py", 0o644, "print(1)\n");
        image.file("entrypoint.sh", 0o755, "#!/bin/sh\n");
        image.set("WorkingDir", json!("/"));
        image.set("Entrypoint", entry);
        let (failed, skipped) = failing(&image);
        let ids: Vec<&str> = failed.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!(ids, ["image.entrypoint"], "{failed:?}");
        for id in [
            "image.runtime-static",
            "image.settings",
            "image.commands",
            "image.user",
        ] {
            assert!(
                skipped.iter().any(|skipped| skipped == id),
                "{id} is not among {skipped:?}"
            );
        }
    }
}

#[test]
fn later_layers_replace_and_remove_what_earlier_ones_brought() {
    let mut image = Image::good();
    image.file("root/.netrc", 0o600, "machine x");
    image.file("etc/keys/.netrc", 0o600, "machine x");
    image.layers.push(Vec::new());
    image.file("root/.wh..netrc", 0o600, "");
    image.file("etc/keys/.wh..wh..opq", 0o600, "");
    image.gzip = false;
    assert_eq!(failing(&image), (vec![], vec![]));
}

#[test]
fn a_waiver_holds_until_its_day() {
    let mut image = Image::good();
    image.set("Cmd", json!(["serve"]));
    let toml = |until: &str| {
        let text =
            format!("[[waive]]\ncheck = \"image.c*d\"\nreason = \"for docker run\"\n{until}");
        lyftlearn_conformance::image_toml::parse(
            &text,
            "image.toml",
            std::path::Path::new("."),
            &["image.cmd"],
        )
        .unwrap()
    };
    let verdict = |until: &str| {
        let mut subject = subject(&image, toml(until));
        subject.today = "2027-03-31".to_owned();
        let findings = check::run(&subject, &checks(), 1, &|_| {}).unwrap();
        findings
            .into_iter()
            .find(|finding| finding.check == "image.cmd")
            .unwrap()
            .verdict
    };
    for until in ["", "until = 2027-03-31\n"] {
        assert!(matches!(verdict(until), Verdict::Waived { .. }), "{until}");
    }
    let Verdict::Failed { seen, .. } = verdict("until = 2027-03-30\n") else {
        panic!("a waiver that is over holds")
    };
    assert_eq!(
        seen,
        "CMD is [\"serve\"] (waived until 2027-03-30, line 1 of image.toml; the waiver has expired)"
    );
}

#[test]
fn every_check_is_explained() {
    let mut ids: Vec<&str> = CHECKS.iter().map(|check| check.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), CHECKS.len(), "an id is there twice");
    for check in CHECKS {
        for text in [check.passes, check.why, check.how, check.mend] {
            assert!(text.len() > 10, "{}: {text:?}", check.id);
        }
    }
}
