//! Input that no platform makes is rejected early.

use expect_test::{Expect, expect};

use super::resolve;
use crate::error::the_same;
use crate::facts::Facts;

#[track_caller]
fn refused(path: &str, document: &str, says: Expect) {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join(&path[1..]);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(place, document).unwrap();
    let mut facts = Facts::empty().with_root(root.path()).with_argv(["train"]);
    if path.starts_with("/etc/podinfo") {
        facts = facts.with_var("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    } else if path.ends_with("inputdataconfig.json") {
        let arn = "arn:aws:sagemaker:eu-west-1:123456789012:training-job/x";
        facts = facts.with_var("TRAINING_JOB_ARN", arn);
    }
    says.assert_eq(&resolve(&facts).unwrap_err().report());
}

fn list(count: usize, each: impl Fn(usize) -> String) -> String {
    let all: Vec<String> = (0..count).map(each).collect();
    all.join(",")
}

#[test]
fn a_cluster_without_end_is_refused() {
    let path = "/opt/ml/input/config/resourceconfig.json";
    let hosts = list(100_000, |n| format!("\"algo-{n}\""));
    let config = format!("{{\"current_host\": \"algo-1\", \"hosts\": [{hosts}]}}");
    refused(
        path,
        &config,
        expect![[r#"
        lyftlearn-runtime: cannot use /opt/ml/input/config/resourceconfig.json: it has more than 10000 hosts
          hint: check which component writes it: no platform writes so many
    "#]],
    );
    let groups = list(100_000, |n| {
        format!("{{\"instance_group_name\": \"g{n}\", \"hosts\": []}}")
    });
    let config =
        format!("{{\"current_host\": \"a\", \"hosts\": [\"a\"], \"instance_groups\": [{groups}]}}");
    refused(
        path,
        &config,
        expect![[r#"
        lyftlearn-runtime: cannot use /opt/ml/input/config/resourceconfig.json: it has more than 10000 instance_groups
          hint: check which component writes it: no platform writes so many
    "#]],
    );
}

#[test]
fn channels_without_end_are_refused() {
    let channels = list(100_000, |n| format!("\"c{n}\": {{}}"));
    refused(
        "/opt/ml/input/config/inputdataconfig.json",
        &format!("{{{channels}}}"),
        expect![[r#"
            lyftlearn-runtime: cannot use /opt/ml/input/config/inputdataconfig.json: it has more than 1000 channels
              hint: check which component writes it: no platform writes so many
        "#]],
    );
    let inputs = list(100_000, |n| format!("{{\"InputName\": \"i{n}\"}}"));
    refused(
        "/opt/ml/config/processingjobconfig.json",
        &format!("{{\"ProcessingInputs\": [{inputs}]}}"),
        expect![[r#"
            lyftlearn-runtime: cannot use /opt/ml/config/processingjobconfig.json: it has more than 1000 ProcessingInputs
              hint: check which component writes it: no platform writes so many
        "#]],
    );
}

#[test]
fn labels_without_end_are_refused() {
    let labels: String = (0..500_000).map(|n| format!("l{n}=\"v\"\n")).collect();
    refused(
        "/etc/podinfo/labels",
        &labels,
        expect![[r#"
        lyftlearn-runtime: cannot use /etc/podinfo/labels: it has more than 10000 lines
          hint: check which component writes it: no platform writes so many
    "#]],
    );
}

/// As many mounts as the kernel lets a namespace have, and as many channels as there may be.
#[test]
fn each_channel_finds_its_mount_among_all() {
    use crate::workload::ChannelMode;

    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let place = root.path().join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, text).unwrap();
    };
    let mounts: String = (0..100_000)
        .map(|n| format!("1 1 0:1 / /m/{n} rw - nfs4 a rw\n"))
        .chain([
            "1 1 0:1 / /opt/ml/input/data/c7 rw - ext4 a rw\n".to_owned(),
            "1 1 0:1 / /opt/ml/input/data/c7 rw - lustre a rw\n".to_owned(),
            "1 1 0:1 / /opt/ml/input/data/c8/below rw - lustre a rw\n".to_owned(),
        ])
        .collect();
    write("proc/self/mountinfo", &mounts);
    let channels = list(1_000, |n| format!("\"c{n}\": {{}}"));
    let config = "opt/ml/input/config";
    write(
        &format!("{config}/inputdataconfig.json"),
        &format!("{{{channels}}}"),
    );
    write(
        &format!("{config}/resourceconfig.json"),
        "{\"current_host\": \"a\", \"hosts\": [\"a\"]}",
    );
    let facts = Facts::empty().with_root(root.path()).with_argv(["train"]);
    let channels = resolve(&facts).unwrap().workload.channels;
    let mounted = channels
        .iter()
        .filter(|(_, channel)| channel.mode == ChannelMode::Mount);
    let mounted: Vec<&String> = mounted.map(|(name, _)| name).collect();
    assert_eq!((channels.len(), mounted), (1_000, vec![&"c7".to_owned()]));
}

/// Otherwise a job would run without its documents.
#[test]
fn a_config_directory_that_the_deployment_names_is_there() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let place = root.path().join(path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, text).unwrap();
    };
    write("etc/file", "");
    write(
        "etc/config/runtime.toml",
        "config_dir = \"/x\"\nplatform = \"local\"\n",
    );
    let facts = Facts::empty().with_root(root.path());
    let report = |facts: &Facts| resolve(facts).unwrap_err().report();
    let named = |path: &str| facts.clone().with_var("LYFTLEARN_RUNTIME_CONFIG_DIR", path);
    let missing = [named("/etc/confg"), named("/etc/file")].map(|facts| report(&facts));
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          $LYFTLEARN_RUNTIME_CONFIG_DIR: expected the path of a directory that is there
    "#]]
    .assert_eq(&the_same(missing));
    // What decides where the file lies is refused in it at once.
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          platform in /etc/config/runtime.toml: cannot be set here: it decides where that file lies; set its variable or the image's runtime.toml instead
    "#]]
    .assert_eq(&report(&named("/etc/config")));
    // An image's own is on one of its platforms only.
    write(
        "etc/lyftlearn/runtime.toml",
        "config_dir = \"/etc/confg\"\n",
    );
    assert!(resolve(&facts).is_ok());
    write("etc/lyftlearn/runtime.toml", "config_dir = \"/etc/file\"\n");
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          config_dir in /etc/lyftlearn/runtime.toml: expected the path of a directory that is there
    "#]]
    .assert_eq(&report(&facts));
}
