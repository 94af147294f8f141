//! Images that are unrelated to this project, and a hostile one: the report is correct, without a
//! crash or a hang.

use std::time::Instant;

use lyftlearn_conformance::{command, programs};

use super::cases::{Case, GOOD, check};
use super::{checker, wrong};
use crate::place::Place;

/// A server that ignores its arguments, as PID 1 ignores SIGTERM.
const SERVER: &str = "
import http.server, os
port = int(os.environ.get('SAGEMAKER_BIND_TO_PORT', '8080'))
http.server.ThreadingHTTPServer(('', port), http.server.SimpleHTTPRequestHandler).serve_forever()
";

/// Entry points of other products. Each fails because it is not the runtime, and does not end with
/// 0.
const STRANGERS: &[(&str, &str)] = &[
    ("python", r#"ENTRYPOINT ["python3", "/server.py"]"#),
    (
        "tini",
        r#"ENTRYPOINT ["/catatonit", "--", "python3", "/server.py"]"#,
    ),
    ("shell", "ENTRYPOINT exec python3 /server.py"),
];

#[test]
#[ignore = "starts containers for minutes: make check-images"]
fn an_unrelated_image_gets_a_list_of_missing_parts() {
    let Some(place) = Place::found() else { return };
    for (name, entry) in STRANGERS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("Dockerfile");
        std::fs::copy("/usr/bin/catatonit", directory.path().join("catatonit")).unwrap();
        std::fs::write(directory.path().join("server.py"), SERVER).unwrap();
        let text = format!(
            "FROM localhost/lyftlearn-base:latest\nCOPY catatonit server.py /\n\
             LABEL com.amazonaws.sagemaker.capabilities.accept-bind-to-port=true\n{entry}\n"
        );
        std::fs::write(path, text).unwrap();
        let toml = directory.path().join("image.toml");
        let text = "[image]\nroles = [\"serving\"]\n[serve]\nready = \"/\"\nready_seconds = 20\n";
        std::fs::write(&toml, text).unwrap();
        let tag = format!("localhost/stranger-{name}:latest");
        place.podman(&[
            "build",
            "--network",
            "none",
            "-t",
            &tag,
            directory.path().to_str().unwrap(),
        ]);
        let words = [
            "check",
            &tag,
            "--offline",
            "--format",
            "json",
            "--file",
            toml.to_str().unwrap(),
        ];
        let output = checker(place, &words);
        place.podman(&["rmi", "-f", &tag]);
        let (wrong, _) = wrong(&output);
        let mut ids: Vec<&str> = wrong
            .iter()
            .map(|one| one.split(':').next().unwrap())
            .collect();
        ids.dedup();
        assert_eq!(
            ids,
            ["image.entrypoint", "serve.exit-zero"],
            "{name}: {}",
            wrong.join("\n")
        );
        assert_eq!(output.status.code(), Some(1), "{name}");
    }
}

#[test]
#[ignore = "starts containers for minutes: make check-images"]
fn a_hostile_image_costs_bounded_time_and_touches_nothing() {
    // It prints for its twenty seconds in each place; then it is killed.
    let began = Instant::now();
    check(&Case {
        name: "floods",
        train: "floods",
        only: &["train.completes"],
        fails: &["train.completes"],
        said: "it was still running when its time limit ended",
        ..GOOD
    });
    eprintln!(
        "the check of an image that prints without end took {:.1?}",
        began.elapsed()
    );
    // 100,000 files, links that lead outside, pipes in the place of files, a terminal's commands.
    let before =
        command::output(std::process::Command::new("stat").args(["-c", "%Z", "/etc", "/"]));
    let began = Instant::now();
    check(&Case {
        name: "litters",
        train: "litters",
        only: &[
            "train.completes",
            "train.dirty",
            "train.same-model",
            "train.resume",
            "secrets.unseen",
            "quiet",
            "warm.*",
        ],
        // Its links are checkpoints, too, and it does not go on from them.
        fails: &["train.resume", "secrets.unseen"],
        said: "the secret is in its log",
        ..GOOD
    });
    eprintln!(
        "the check of an image that litters took {:.1?}",
        began.elapsed()
    );
    let after = command::output(std::process::Command::new("stat").args(["-c", "%Z", "/etc", "/"]));
    assert_eq!(
        before.stdout,
        after.stdout,
        "{}",
        programs::repository().display()
    );
}
