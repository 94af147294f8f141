//! Volumes that a place mounts, with the platform's files in them.

use serde_json::{Value, json};

use super::{Copied, Input, JOB, Model, Mount, Place};
use crate::files::Entry;
use crate::kubelet;
use crate::sagemaker;

impl Place {
    pub(super) fn training(self, input: &Input) -> Vec<Mount> {
        // A pod's volumes belong to its fsGroup.
        let mode = if self == Self::KubernetesRestricted {
            0o777
        } else {
            0o755
        };
        let mut ml = vec![Entry::directory(".", mode)];
        for directory in [
            "input",
            "input/data",
            "model",
            "output",
            "output/data",
            "checkpoints",
        ] {
            ml.push(Entry::directory(directory, mode));
        }
        for (channel, files) in &input.channels {
            let below = format!("input/data/{channel}");
            ml.push(Entry::directory(&below, mode));
            ml.extend(files.iter().map(|entry| entry.below(&below)));
        }
        let texts = input.hyperparameters.iter();
        let hyperparameters: Value = texts
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let mount = |target: &str, entries, read_only| Mount {
            target: target.to_owned(),
            entries,
            read_only,
            ..Mount::default()
        };
        if self.is_kubernetes() {
            return vec![
                mount("/opt/ml", ml, false),
                mount("/etc/lyftlearn/config", config_map(&hyperparameters), true),
            ];
        }
        let channels: Vec<&str> = input
            .channels
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        for (name, mut document) in sagemaker::documents(&hyperparameters, &channels) {
            if self == Self::SagemakerLocal && name == "resourceconfig.json" {
                document = json!({
                    "current_host": "algo-1",
                    "hosts": ["algo-1"],
                    "network_interface_name": "eth0",
                    "current_instance_type": "local",
                });
            }
            ml.push(Entry::file(
                &format!("input/config/{name}"),
                0o644,
                document.to_string(),
            ));
        }
        // After its files: without the search bit only root gets through, as on real jobs.
        ml.push(Entry::directory("input/config", 0o644));
        vec![mount("/opt/ml", ml, false)]
    }

    pub(super) fn serving(self, input: &Input) -> Vec<Mount> {
        let (entries, from) = match &input.model {
            Model::None => (vec![Entry::directory(".", 0o755)], None),
            Model::Files(entries) => (entries.clone(), None),
            Model::Trained(volume) => (
                Vec::new(),
                Some(Copied {
                    volume: volume.clone(),
                    directory: "model".to_owned(),
                    into: ".".to_owned(),
                }),
            ),
        };
        let model = Mount {
            target: "/opt/ml/model".to_owned(),
            entries,
            // The SDK's local mode mounts it as it is.
            read_only: self != Self::SagemakerLocal,
            from,
            ..Mount::default()
        };
        let mut mounts = vec![model];
        if self.is_kubernetes() {
            mounts.push(Mount {
                target: "/etc/lyftlearn/config".to_owned(),
                entries: config_map(&json!({})),
                read_only: true,
                ..Mount::default()
            });
        }
        mounts
    }
}

/// A processing job's directories and documents.
pub(super) fn processing() -> Mount {
    let input = json!({
        "InputName": "input-1",
        "S3Input": {"LocalPath": "/opt/ml/processing/input/input-1", "S3Uri": "s3://bucket/input",
            "S3DataDistributionType": "FullyReplicated", "S3DataType": "S3Prefix", "S3InputMode": "File"},
    });
    let output = json!({
        "OutputName": "output-1",
        "S3Output": {"LocalPath": "/opt/ml/processing/output/output-1", "S3Uri": "s3://bucket/output", "S3UploadMode": "EndOfJob"},
    });
    let job = json!({
        "ProcessingJobArn": format!("arn:aws:sagemaker:eu-west-1:111111111111:processing-job/{JOB}"),
        "ProcessingJobName": JOB,
        "Environment": {},
        "ProcessingInputs": [input],
        "ProcessingOutputConfig": {"Outputs": [output], "KmsKeyId": null},
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}},
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
    });
    let resources = json!({"current_host": "algo-1", "hosts": ["algo-1"]});
    let directories = [
        ".",
        "config",
        "output",
        "processing",
        "processing/input",
        "processing/input/input-1",
        "processing/output",
        "processing/output/output-1",
    ];
    let mut entries: Vec<Entry> = directories
        .map(|path| Entry::directory(path, 0o755))
        .to_vec();
    for (name, document) in [("processingjobconfig", job), ("resourceconfig", resources)] {
        entries.push(Entry::file(
            &format!("config/{name}.json"),
            0o644,
            document.to_string(),
        ));
    }
    Mount {
        target: "/opt/ml".to_owned(),
        entries,
        read_only: false,
        ..Mount::default()
    }
}

/// A ConfigMap's volume in the kubelet's layout.
fn config_map(hyperparameters: &Value) -> Vec<Entry> {
    let generation = kubelet::GENERATION;
    vec![
        Entry::directory(".", 0o755),
        Entry::directory(generation, 0o755),
        Entry::file(
            &format!("{generation}/hyperparameters.json"),
            0o644,
            hyperparameters.to_string(),
        ),
        Entry::link("..data", generation),
        Entry::link("hyperparameters.json", "..data/hyperparameters.json"),
    ]
}
