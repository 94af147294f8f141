//! The documents of all platforms, nearly as these write them: a workload that holds together, or
//! a report that quotes nothing.

use std::path::Path;

use serde_json::{Value, json};

use super::{Resolved, resolve};
use crate::facts::Facts;
use crate::fuzz::{CANARY, Draw, check_report, target};
use crate::workload::{Texts, Workload};

const WORDS: &[&str] = &[
    "algo-1",
    "algo-2",
    "train",
    "File",
    "Pipe",
    "ml.m5.large",
    "eth0",
    "/opt/ml/checkpoints",
    "0",
    "2",
    "current_host",
    "hosts",
    "\u{0}",
    "..",
    "/",
    "arn:aws:sagemaker:eu-west-1:123456789012:training-job/x",
];

fn resourceconfig(draw: &mut Draw<'_>) -> Value {
    let hosts: Vec<String> = (1..=1 + draw.below(3))
        .map(|n| format!("algo-{n}"))
        .collect();
    let current = draw.below(hosts.len());
    let config = json!({
        "current_host": hosts[current],
        "hosts": hosts,
        "current_instance_type": "ml.m5.large",
        "current_group_name": "group",
        "instance_groups": [{"instance_group_name": "group", "instance_type": "ml.m5.large", "hosts": hosts}],
        "network_interface_name": "eth0",
        "topology": null,
    });
    draw.spoilt(config, WORDS)
}

fn inputdataconfig(draw: &mut Draw<'_>) -> Value {
    let mut channels = serde_json::Map::new();
    for _ in 0..draw.below(4) {
        let channel = json!({
            "TrainingInputMode": draw.pick(&["File", "Pipe", "FastFile", "Other"]),
            "ContentType": "text/csv",
            "S3DistributionType": draw.pick(&["ShardedByS3Key", "FullyReplicated"]),
            "RecordWrapperType": "None",
        });
        channels.insert(
            draw.text(&["train", "test", "lyftlearn", "/", ".."], 2),
            channel,
        );
    }
    draw.spoilt(Value::Object(channels), WORDS)
}

fn processing(draw: &mut Draw<'_>) -> Value {
    let input = json!({
        "InputName": draw.pick(&["data", "lyftlearn", ""]),
        "S3Input": {"LocalPath": "/opt/ml/processing/input/data", "S3InputMode": "File",
            "S3DataDistributionType": "ShardedByS3Key"},
        "DatasetDefinition": null,
    });
    let config = json!({
        "ProcessingJobArn": "arn:aws:sagemaker:eu-west-1:123456789012:processing-job/x",
        "ProcessingJobName": "x",
        "ProcessingInputs": [input],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "o",
            "S3Output": {"LocalPath": "/opt/ml/processing/output"}}]},
    });
    draw.spoilt(config, WORDS)
}

fn hyperparameters(draw: &mut Draw<'_>) -> Value {
    let mut values = serde_json::Map::new();
    for _ in 0..draw.below(6) {
        let name = draw.text(
            &[
                "epochs",
                "lr",
                "sagemaker_program",
                "a.b",
                "\"",
                "\u{1f600}",
            ],
            2,
        );
        let value = if draw.once_in(2) {
            draw.json(WORDS, 3)
        } else {
            draw.text(&["1", "\"x\"", "[1]", "\n"], 2).into()
        };
        values.insert(name, value);
    }
    Value::Object(values)
}

fn mountinfo(draw: &mut Draw<'_>) -> String {
    let mut lines = String::new();
    for n in 0..draw.below(8) {
        let root = draw.pick(&[
            "/",
            "/var/lib/kubelet/pods/1f0a2b3c-0000-4000-8000-000000000000/etc-hosts",
            "/docker/containers/0123456789abcdef/hosts",
            "/x/..2026_01_31/a",
            r"/a\040b",
            r"/\777",
            "//deleted",
        ]);
        let point = draw.pick(&[
            "/",
            "/etc/hosts",
            "/opt/ml",
            "/opt/ml/model",
            "/etc/lyftlearn/live/a",
            "/dev/termination-log",
        ]);
        let kind = draw.pick(&[
            "ext4",
            "tmpfs",
            "nfs4",
            "fuse.s3fs",
            "cgroup2",
            "overlay",
            "-",
        ]);
        lines.push_str(&format!(
            "{n} 1 0:{n} {root} {point} rw,relatime shared:1 - {kind} none rw\n"
        ));
    }
    lines
}

fn podinfo(draw: &mut Draw<'_>) -> String {
    let mut lines = String::new();
    for _ in 0..draw.below(5) {
        let key = draw.pick(&[
            "app",
            "example.com/job",
            "training.kubeflow.org/job-name",
            "",
        ]);
        let value = draw.text(
            &["x", "\\\"", "\\n", "\\u00e9", "\\xff", "=", "\\U0001f600"],
            3,
        );
        lines.push_str(&format!("{key}=\"{value}\"\n"));
    }
    lines
}

fn write(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(&path[1..]);
    std::fs::create_dir_all(path.parent().expect("it is below the root")).expect("there is room");
    std::fs::write(path, bytes).expect("there is room");
}

/// Each variable, and values that it has or has not.
const VARIABLES: &[(&str, &[&str])] = &[
    ("TRAINING_JOB_NAME", &["job", ""]),
    (
        "TRAINING_JOB_ARN",
        &[
            "arn:aws:sagemaker:eu-west-1:123456789012:training-job/x",
            "x",
        ],
    ),
    ("KUBERNETES_SERVICE_HOST", &["10.0.0.1", ""]),
    ("RANK", &["0", "1", "-1", "canary7391qzx", "4294967296"]),
    ("WORLD_SIZE", &["2", "0", "canary7391qzx"]),
    ("JOB_COMPLETION_INDEX", &["0", "3", "canary7391qzx"]),
    ("PET_NNODES", &["2", "1:3", "canary7391qzx"]),
    ("PET_NODE_RANK", &["0", "1", "canary7391qzx"]),
    (
        "LYFTLEARN_RUNTIME_PLATFORM",
        &["sagemaker", "kubernetes", "local", "canary7391qzx"],
    ),
    (
        "LYFTLEARN_RUNTIME_HYPERPARAMETERS_ENCODING",
        &["json", "text"],
    ),
    ("STATSD_HOST", &["statsd", "canary7391qzx", "[::1]"]),
    ("STATSD_PORT", &["8125", "canary7391qzx", "0"]),
    ("SM_HPS", &["{}", "canary7391qzx"]),
];

fn worlds(draw: &mut Draw<'_>) {
    let root = tempfile::tempdir().expect("a temporary directory");
    let root = root.path();
    let json = |draw: &mut Draw<'_>, path: &str, of: fn(&mut Draw<'_>) -> Value| {
        if !draw.once_in(3) {
            let document = of(draw).to_string();
            write(root, path, &draw.damaged(document));
        }
    };
    let platform = draw.below(4);
    match platform {
        0 => {
            json(
                draw,
                "/opt/ml/input/config/resourceconfig.json",
                resourceconfig,
            );
            json(
                draw,
                "/opt/ml/input/config/inputdataconfig.json",
                inputdataconfig,
            );
            json(
                draw,
                "/opt/ml/input/config/hyperparameters.json",
                hyperparameters,
            );
            json(draw, "/opt/ml/input/config/checkpointconfig.json", |draw| {
                let config = json!({"LocalPath": "/opt/ml/checkpoints", "S3Uri": "s3://x"});
                draw.spoilt(config, WORDS)
            });
        }
        1 => {
            json(draw, "/opt/ml/config/processingjobconfig.json", processing);
            json(draw, "/opt/ml/config/resourceconfig.json", resourceconfig);
        }
        2 => {
            json(
                draw,
                "/etc/lyftlearn/config/hyperparameters.json",
                hyperparameters,
            );
            write(root, "/etc/podinfo/labels", &podinfo(draw).into_bytes());
            let lines = podinfo(draw);
            write(root, "/etc/podinfo/annotations", &draw.damaged(lines));
        }
        _ => json(draw, "/opt/ml/metadata/resource-metadata.json", |draw| {
            draw.json(WORDS, 3)
        }),
    }
    let table = mountinfo(draw);
    write(root, "/proc/self/mountinfo", &draw.damaged(table));
    let mut facts = Facts::empty()
        .with_root(root)
        .with_argv([draw.pick(&["train", "serve", "x"])]);
    for _ in 0..draw.below(5) {
        let (name, values) = draw.pick(VARIABLES);
        facts = facts.with_var(name, draw.pick(values));
    }
    match resolve(&facts) {
        Err(error) => check_report(&error),
        Ok(resolved) => holds_together(&resolved, root),
    }
}

fn holds_together(resolved: &Resolved, root: &Path) {
    let workload = &resolved.workload;
    let topology = &workload.topology;
    assert!(
        topology.node_rank.is_none() || topology.node_rank < topology.nodes,
        "{topology:?}"
    );
    // A delivered view is read back unchanged.
    let delivered = serde_json::to_vec(workload).expect("plain data has no failure to report");
    let read: Workload = serde_json::from_slice(&delivered).expect("it was written here");
    assert_eq!(read, *workload);
    for problem in resolved
        .problems
        .iter()
        .chain(resolved.evidence.iter().map(|one| &one.found))
    {
        assert!(!problem.contains(CANARY), "{problem}");
    }
    // So are hyperparameters, and once more they are the same.
    let document = resolved.values.to_document();
    let read: std::collections::BTreeMap<String, String> =
        serde_json::from_slice(&document).expect("it was written here");
    let values = resolved.values.iter();
    assert!(
        values.eq(read
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())))
    );
    write(
        root,
        "/again/etc/lyftlearn/config/hyperparameters.json",
        &document,
    );
    let again = Facts::empty()
        .with_root(root.join("again"))
        .with_var("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    let again = resolve(&again).expect("it was understood before");
    let texts = |values: &Texts| -> Vec<(String, String)> {
        let values = values.iter();
        values
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    };
    assert_eq!(texts(&again.values), texts(&resolved.values));
}

#[test]
fn fuzz_worlds() {
    target!(600, worlds);
}
