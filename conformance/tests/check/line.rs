//! The command line and `image.toml`: every mistake at once, and the exit codes.

use std::path::Path;
use std::process::Command;

use expect_test::expect;
use lyftlearn_conformance::command;
use lyftlearn_conformance::image_toml;
use lyftlearn_conformance::place::Place;

use crate::layout::Image;

/// Checks that can be waived.
const IDS: &[&str] = &["image.cmd", "image.healthcheck"];

pub(crate) fn said(words: &[&str]) -> (Option<i32>, String, String) {
    let mut checker = Command::new(env!("CARGO_BIN_EXE_lyftlearn-conformance"));
    let output = command::output(checker.args(words).env_remove("NO_COLOR"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn all_mistakes_of_image_toml_are_reported_with_their_places() {
    let text = "\
[image]
role = [\"training\"]
roles = [\"traning\"]
[train]
hyperparameters = { lr = 0.1 }
channels.train = \"not/there\"
timeout_seconds = 0
expect.failure = { hyperparameters = {} }
[serve]
tolerance = -1
request = { path = \"/x\" }
[[waive]]
check = \"image.nothing\"
until = \"2027-03-31\"
[budget]
layers_order = 3
layers_waste_percent = \"5\"
[lazy]
require = 1
required = true
[lazzy]
";
    let mistakes = image_toml::parse(text, "image.toml", Path::new(""), IDS).unwrap_err();
    expect![[r#"
        image.toml:2:1: image.role is not a key of image.toml; did you mean image.roles?
        image.toml:3:9: image.roles: expected only training, serving
        image.toml:5:26: train.hyperparameters.lr: expected a string, as on the platforms: put it in quotes
        image.toml:6:18: train.channels.train: the directory not/there does not exist
        image.toml:7:19: train.timeout_seconds: expected whole seconds from 1 to 86400
        image.toml:8:1: train.expect.failure.reason is missing: set it to a part of the expected reason
        image.toml:10:13: serve.tolerance: expected a number from 0
        image.toml:11:11: serve.request.body is missing: set it to a file with the request's body
        image.toml:12:1: waive.reason is missing
        image.toml:13:9: waive.check: there is no check image.nothing; `list` shows all
        image.toml:14:9: waive.until: expected a date, such as 2027-03-31
        image.toml:16:1: budget.layers_order is not a key of image.toml; did you mean budget.layers_order_mib?
        image.toml:17:24: budget.layers_waste_percent: expected a number from 0
        image.toml:19:11: lazy.require: expected true or false
        image.toml:20:1: lazy.required is not a key of image.toml; did you mean lazy.require?
        image.toml:21:2: lazzy is not a key of image.toml; did you mean lazy?"#]]
    .assert_eq(&mistakes.join("\n"));
}

#[test]
fn malformed_toml_is_reported_with_its_place() {
    let mistakes =
        image_toml::parse("[image\nroles = 1\n", "image.toml", Path::new(""), IDS).unwrap_err();
    assert!(mistakes[0].starts_with("image.toml:1:"), "{mistakes:?}");
}

#[test]
fn the_exit_codes_of_an_archive() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, image: &Image| {
        let path = directory.path().join(name);
        std::fs::create_dir(&path).unwrap();
        image.write(&path);
        format!("oci:{}", path.display())
    };
    let good = write("good", &Image::good());
    let mut other = Image::good();
    other.set("StopSignal", serde_json::json!("SIGINT"));
    let bad = write("bad", &other);
    let mut other = Image::good();
    other.set("Cmd", serde_json::json!(["serve"]));
    let odd = write("odd", &other);

    let (code, stdout, stderr) = said(&["check", &good]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{stdout}");
    assert!(
        stdout.ends_with("\n13 passed, 0 failed, 42 skipped\n"),
        "{stdout}"
    );
    assert!(!stdout.contains('\u{1b}'), "colours in a pipe: {stdout}");
    let (code, stdout, _) = said(&["check", &bad, "--only", "image.stopsignal"]);
    assert_eq!(code, Some(1), "{stdout}");
    let only = ["--only", "image.cmd"];
    assert_eq!(said(&[&["check", &odd][..], &only].concat()).0, Some(0));
    assert_eq!(
        said(&[&["check", &odd, "--strict"][..], &only].concat()).0,
        Some(1)
    );
    let (code, _, stderr) = said(&["check", "oci:/nowhere"]);
    assert_eq!(
        (code, stderr.as_str()),
        (
            Some(3),
            "lyftlearn-conformance: /nowhere is not an OCI layout: it has no index.json\n"
        )
    );
    let (code, _, stderr) = said(&["check", &good, "--only", "image.nothing"]);
    assert_eq!(
        (code, stderr.as_str()),
        (
            Some(2),
            "lyftlearn-conformance: there is no check image.nothing; `list` shows all\n"
        )
    );
    assert_eq!(said(&["check", &good, "--jobs", "0"]).0, Some(2));
    assert_eq!(said(&["chekc"]).0, Some(2));
    assert_eq!(
        said(&["explain", "image.usr"]).2,
        "lyftlearn-conformance: there is no check image.usr; did you mean image.user?\n"
    );
}

#[test]
fn an_unwritable_or_impossible_output_is_reported_first() {
    let directory = tempfile::tempdir().unwrap();
    Image::good().write(directory.path());
    let good = format!("oci:{}", directory.path().display());
    let error = |words: &[&str], code| {
        let (found, _, stderr) = said(&[&["check"][..], words].concat());
        assert_eq!(found, Some(code), "{stderr}");
        stderr
    };
    expect![[r#"
        lyftlearn-conformance: --sarif needs a file to attach its findings to: give --dockerfile FILE, or --file FILE
        lyftlearn-conformance: cannot read /not/there: No such file or directory (os error 2)
        lyftlearn-conformance: --with-soci converts an OCI layout: give oci:DIR or oci-archive:FILE (create one with podman push IMAGE oci:DIR)
    "#]].assert_eq(
        &[
            error(&[&good, "--sarif", "a.sarif"], 2),
            error(&[&good, "--dockerfile", "/not/there"], 2),
            error(&["app:1", "--with-soci"], 2),
        ]
        .concat(),
    );
    let mut checker = Command::new(env!("CARGO_BIN_EXE_lyftlearn-conformance"));
    checker
        .args(["check", &good, "--with-soci"])
        .env("PATH", "/nowhere");
    let output = command::output(&mut checker);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "lyftlearn-conformance: --with-soci needs soci, from soci-snapshotter, on PATH\n"
    );
}

#[test]
fn sarif_and_githubs_summary_are_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let mut image = Image::good();
    image.set("Cmd", serde_json::json!(["serve"]));
    let layout = directory.path().join("layout");
    std::fs::create_dir(&layout).unwrap();
    image.write(&layout);
    std::fs::write(path("Dockerfile"), "FROM base\nCMD [\"serve\"]\n").unwrap();
    std::fs::write(path("summary.md"), "before\n").unwrap();
    let mut checker = Command::new(env!("CARGO_BIN_EXE_lyftlearn-conformance"));
    checker
        .args([
            "check",
            "oci:layout",
            "--only",
            "image.c*",
            "--format",
            "github",
        ])
        .args([
            "--sarif",
            "a.sarif",
            "--json",
            "a.json",
            "--dockerfile",
            &path("Dockerfile"),
        ])
        .env("GITHUB_STEP_SUMMARY", path("summary.md"))
        .current_dir(directory.path());
    let output = command::output(&mut checker);
    assert!(output.status.success(), "{output:?}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let expected = "::warning file=Dockerfile,line=2,title=image.cmd::CMD is [\"serve\"]%0A";
    assert!(stdout.starts_with(expected), "{stdout}");
    let summary = std::fs::read_to_string(path("summary.md")).unwrap();
    assert!(
        summary.starts_with("before\n### oci:layout passes\n"),
        "{summary}"
    );
    let location = |name: &str| {
        let sarif = std::fs::read(path(name)).unwrap();
        let sarif: serde_json::Value = serde_json::from_slice(&sarif).unwrap();
        sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"].clone()
    };
    let expected =
        serde_json::json!({"artifactLocation": {"uri": "Dockerfile"}, "region": {"startLine": 2}});
    assert_eq!(location("a.sarif"), expected);
    let (code, _, _) = said(&[
        "report",
        &path("a.json"),
        "--sarif",
        &path("b.sarif"),
        "--dockerfile",
        &path("Dockerfile"),
    ]);
    assert_eq!(code, Some(0));
    assert_eq!(location("b.sarif")["region"]["startLine"], 2);
}

#[test]
fn an_option_has_a_variable() {
    let directory = tempfile::tempdir().unwrap();
    Image::good().write(directory.path());
    let mut checker = Command::new(env!("CARGO_BIN_EXE_lyftlearn-conformance"));
    checker
        .args(["check", &format!("oci:{}", directory.path().display())])
        .env("LYFTLEARN_CONFORMANCE_ONLY", "image.user")
        .env("LYFTLEARN_CONFORMANCE_FORMAT", "json");
    let output = command::output(&mut checker);
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["format"], 1);
    assert_eq!(report["findings"].as_array().unwrap().len(), 1);
    assert_eq!(report["findings"][0]["result"], "passed");
}

#[test]
fn what_init_writes_is_understood() {
    let directory = tempfile::tempdir().unwrap();
    Image::good().write(directory.path());
    let (code, stdout, _) = said(&["init", &format!("oci:{}", directory.path().display())]);
    assert_eq!(code, Some(0));
    assert!(
        stdout.contains("roles = [\"training\", \"serving\"]"),
        "{stdout}"
    );
    image_toml::parse(&stdout, "image.toml", Path::new(""), IDS).unwrap();
    // Every key that is only shown is a real one, too.
    let shown: String = stdout
        .lines()
        .map(|line| {
            line.strip_prefix("# ")
                .filter(|rest| rest.contains(" = ") || rest.starts_with('['))
                .unwrap_or(line)
        })
        .fold(String::new(), |text, line| text + line + "\n");
    let mistakes = image_toml::parse(&shown, "image.toml", Path::new(""), IDS)
        .err()
        .unwrap_or_default();
    assert!(
        mistakes
            .iter()
            .all(|mistake| mistake.contains(" does not exist")),
        "{mistakes:?}"
    );
}

#[test]
fn list_and_explain_know_every_check() {
    let (_, list, _) = said(&["list"]);
    let (_, json, _) = said(&["list", "--format", "json"]);
    let all: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(list.lines().count(), all.len());
    for check in &all {
        let id = check["id"].as_str().unwrap();
        let (code, text, _) = said(&["explain", id]);
        assert_eq!(code, Some(0));
        assert!(text.starts_with(id) && text.contains("to do: "), "{text}");
    }
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            said(&["completions", shell])
                .1
                .contains("lyftlearn-conformance")
        );
    }
}

#[test]
fn the_example_of_the_guide_is_understood() {
    let page = include_str!("../../../docs/conformance.md");
    let text = page
        .split("```toml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let mistakes = image_toml::parse(text, "image.toml", Path::new(""), IDS)
        .err()
        .unwrap_or_default();
    assert!(
        mistakes
            .iter()
            .all(|mistake| mistake.contains(" does not exist")),
        "{mistakes:?}"
    );
    // Every command and every place that it names is there.
    let help = said(&["--help"]).1;
    for command in [
        "check",
        "run",
        "list",
        "explain",
        "init",
        "report",
        "completions",
    ] {
        assert!(
            help.contains(&format!("  {command} ")) && page.contains(&format!("| `{command}")),
            "{command}"
        );
    }
    for place in lyftlearn_conformance::place::Place::ALL {
        assert!(
            page.contains(&format!("| `{}` |", place.name())),
            "{}",
            place.name()
        );
    }
}

#[test]
fn the_scripts_of_the_guide_run() {
    // A command may go on in a second line.
    let page = include_str!("../../../docs/conformance.md").replace("\\\n", "");
    let scripts: Vec<&str> = page
        .lines()
        .map(|line| line.trim().trim_start_matches("- "))
        .filter(|line| line.starts_with("lyftlearn-conformance check \"$IMAGE\""))
        .collect();
    assert_eq!(scripts.len(), 2, "{scripts:?}");
    let binary = Path::new(env!("CARGO_BIN_EXE_lyftlearn-conformance"));
    for script in scripts {
        let directory = tempfile::tempdir().unwrap();
        let layout = directory.path().join("layout");
        std::fs::create_dir(&layout).unwrap();
        Image::good().write(&layout);
        std::fs::write(directory.path().join("image.toml"), "").unwrap();
        std::fs::write(directory.path().join("Dockerfile"), "FROM base\n").unwrap();
        let mut shell = Command::new("sh");
        shell
            .args(["-euc", script])
            .current_dir(directory.path())
            .env(
                "PATH",
                format!("{}:/usr/bin:/bin", binary.parent().unwrap().display()),
            )
            .env("IMAGE", format!("oci:{}", layout.display()))
            .env("GITHUB_STEP_SUMMARY", directory.path().join("summary.md"));
        let output = command::output(&mut shell);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let github: &[&str] = if script.contains("github") {
            &["report.sarif", "summary.md"]
        } else {
            &[]
        };
        for file in ["report.xml", "report.html"].iter().chain(github) {
            assert!(
                directory.path().join(file).is_file(),
                "{script} writes no {file}"
            );
        }
    }
}

#[test]
fn help_and_a_wrong_place_name_every_place() {
    let names: Vec<&str> = Place::ALL.iter().map(|place| place.name()).collect();
    let (code, help, _) = said(&["run", "--help"]);
    let help: Vec<&str> = help
        .split(|letter: char| letter.is_whitespace() || letter == ',')
        .collect();
    assert_eq!(code, Some(0));
    for name in &names {
        assert!(help.contains(name), "{name}: {help:?}");
    }
    let (code, _, error) = said(&["run", "nowhere", "app:1"]);
    let expected = format!(
        "lyftlearn-conformance: there is no place nowhere; the places are {}\n",
        names.join(", ")
    );
    assert_eq!((code, error), (Some(2), expected));
}

#[test]
fn options_of_a_cluster_go_with_a_cluster_alone() {
    let (code, _, stderr) = said(&["check", "app:1", "--namespace", "team"]);
    assert_eq!(code, Some(2));
    expect![[r#"
        lyftlearn-conformance: --context and --namespace need --engine kubernetes
    "#]]
    .assert_eq(&stderr);

    let words = [
        "--engine",
        "kubernetes",
        "--with-soci",
        "--platform",
        "linux/arm64",
    ];
    let (code, _, stderr) = said(&[&["check", "oci:app"], &words[..]].concat());
    assert_eq!(code, Some(2));
    expect![[r#"
        lyftlearn-conformance: --with-soci cannot be used with --engine kubernetes: it converts an OCI layout
        lyftlearn-conformance: --platform cannot be used with --engine kubernetes: the pod's node sets the platform
        lyftlearn-conformance: oci:app is on this machine: --engine kubernetes needs a reference that the cluster can pull
    "#]]
    .assert_eq(&stderr);

    let (code, _, stderr) = said(&["init", "app:1", "--engine", "kubernetes"]);
    assert_eq!(code, Some(2));
    expect![[r#"
        lyftlearn-conformance: --engine kubernetes works only with check: other commands start or read an image on this machine
    "#]]
    .assert_eq(&stderr);
}

#[cfg(not(feature = "kubernetes"))]
#[test]
fn a_build_without_a_client_of_kubernetes_says_so() {
    let (code, _, stderr) = said(&["check", "app:1", "--engine", "kubernetes"]);
    assert_eq!(code, Some(3));
    expect![[r#"
        lyftlearn-conformance: this build has no Kubernetes client: build it with --features kubernetes
    "#]]
    .assert_eq(&stderr);
}
