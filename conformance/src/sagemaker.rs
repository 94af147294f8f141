//! SageMaker, as a container sees it: `/opt/ml`, its files with their real modes, and
//! the platform's variables.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// A training job's `/opt/ml` in a directory that is mounted there.
#[derive(Debug)]
pub struct TrainingJob {
    directory: PathBuf,
    name: String,
}

impl TrainingJob {
    /// Lays the job out below `directory` as a one-node job of one instance group.
    ///
    /// # Panics
    ///
    /// When the directory cannot be written.
    #[must_use]
    pub fn lay_out(
        directory: &Path,
        name: &str,
        hyperparameters: &Value,
        channels: &[&str],
    ) -> Self {
        for below in ["input/config", "input/data", "model", "output/data"] {
            std::fs::create_dir_all(directory.join(below))
                .expect("the job's directory can be made");
        }
        let job = Self {
            directory: directory.to_owned(),
            name: name.to_owned(),
        };
        for channel in channels {
            std::fs::create_dir_all(directory.join("input/data").join(channel))
                .expect("a channel can be made");
        }
        for (file, document) in documents(hyperparameters, channels) {
            job.config(file, &document);
        }
        // As seen on real jobs: the directory without the search bit, so that only
        // root gets through.
        let mode = std::fs::Permissions::from_mode(0o644);
        std::fs::set_permissions(directory.join("input/config"), mode).expect("a mode can be set");
        job
    }

    /// Writes one of `input/config`'s files, 0644 as the platform does.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn config(&self, name: &str, value: &Value) {
        let path = self.directory.join("input/config").join(name);
        std::fs::write(&path, value.to_string()).expect("a job's file can be written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644))
            .expect("a mode can be set");
    }

    /// What the platform sets in a training container.
    #[must_use]
    pub fn variables(&self) -> Vec<(String, String)> {
        training_variables(&self.name)
    }
}

/// The platform's documents of a one-node job of one instance group, by their names in
/// `input/config`.
#[must_use]
pub fn documents(hyperparameters: &Value, channels: &[&str]) -> [(&'static str, Value); 3] {
    let declared: serde_json::Map<String, Value> = channels
        .iter()
        .map(|channel| {
            let config = json!({
                "TrainingInputMode": "File",
                "S3DistributionType": "FullyReplicated",
                "RecordWrapperType": "None",
            });
            ((*channel).to_owned(), config)
        })
        .collect();
    let resources = json!({
        "current_host": "algo-1",
        "current_instance_type": "ml.c5.xlarge",
        "current_group_name": "homogeneousCluster",
        "hosts": ["algo-1"],
        "instance_groups": [{
            "instance_group_name": "homogeneousCluster",
            "instance_type": "ml.c5.xlarge",
            "hosts": ["algo-1"],
        }],
        "network_interface_name": "eth0",
        "topology": null,
    });
    [
        ("hyperparameters.json", hyperparameters.clone()),
        ("inputdataconfig.json", Value::Object(declared)),
        ("resourceconfig.json", resources),
    ]
}

/// What the platform sets in a training job's container.
#[must_use]
pub fn training_variables(job: &str) -> Vec<(String, String)> {
    let arn = format!("arn:aws:sagemaker:eu-west-1:111111111111:training-job/{job}");
    let mut variables = platform_variables();
    variables.push(("TRAINING_JOB_NAME".to_owned(), job.to_owned()));
    variables.push(("TRAINING_JOB_ARN".to_owned(), arn));
    variables
}

/// Where a container asks for its keys, below 169.254.170.2.
pub(crate) const CREDENTIALS: &str = "/v2/credentials/11111111-2222-3333-4444-555555555555";

/// What every container of the platform's gets: an ECS task's variables, too.
#[must_use]
pub fn platform_variables() -> Vec<(String, String)> {
    [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_EXECUTION_ENV", "AWS_ECS_EC2"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", CREDENTIALS),
        (
            "ECS_CONTAINER_METADATA_URI",
            "http://169.254.170.2/v3/11111111-2222-3333-4444-555555555555",
        ),
        ("DMLC_INTERFACE", "eth0"),
        ("NVIDIA_VISIBLE_DEVICES", "void"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}
