//! Variables that a place sets.

use super::{JOB, LOCAL_KEY, POD_IDENTITY, Place, TOKEN, Word};
use crate::kubelet;
use crate::sagemaker;

/// What the SDK sets in a container that serves, and by which such a container is known where the
/// platform sets nothing.
const SDK: &[(&str, &str)] = &[
    ("SAGEMAKER_CONTAINER_LOG_LEVEL", "20"),
    ("SAGEMAKER_PROGRAM", "inference.py"),
    ("SAGEMAKER_REGION", "eu-west-1"),
    ("SAGEMAKER_SUBMIT_DIRECTORY", "/opt/ml/model/code"),
];

impl Place {
    /// Variables of the place.
    pub(super) fn variables(self, word: Option<Word>, canary: &str) -> Vec<(String, String)> {
        let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        match self {
            Self::SagemakerTraining => sagemaker::training_variables(JOB),
            Self::SagemakerHosting => sagemaker::platform_variables(),
            Self::SagemakerTransform => {
                let mut variables = sagemaker::platform_variables();
                let arn = format!("arn:aws:sagemaker:eu-west-1:111111111111:transform-job/{JOB}");
                variables.extend(own(&[
                    ("TRANSFORM_JOB_ARN", &arn),
                    ("SAGEMAKER_BATCH", "true"),
                    ("SAGEMAKER_BATCH_STRATEGY", "MULTI_RECORD"),
                    ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "6"),
                ]));
                variables
            }
            Self::SagemakerProcessing => own(&[
                (
                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                    sagemaker::CREDENTIALS,
                ),
                ("AWS_REGION", "eu-west-1"),
            ]),
            // The caller passes keys of an account.
            Self::SagemakerLocal => {
                let mut variables = own(&[
                    ("AWS_REGION", "eu-west-1"),
                    ("AWS_ACCESS_KEY_ID", LOCAL_KEY),
                    ("AWS_SECRET_ACCESS_KEY", canary),
                ]);
                variables.extend(match word {
                    Some(Word::Serve) => own(SDK),
                    _ => own(&[("TRAINING_JOB_NAME", JOB)]),
                });
                variables
            }
            Self::SagemakerIsolated if word == Some(Word::Serve) => own(SDK),
            Self::SagemakerIsolated => {
                let mut variables = sagemaker::training_variables(JOB);
                let of_a_network = [
                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                    "ECS_CONTAINER_METADATA_URI",
                ];
                variables.retain(|(name, _)| !of_a_network.contains(&name.as_str()));
                variables
            }
            Self::SagemakerMultiContainer => {
                let mut variables = sagemaker::platform_variables();
                variables.extend(own(&[
                    ("SAGEMAKER_BIND_TO_PORT", "8081"),
                    ("SAGEMAKER_SAFE_PORT_RANGE", "8081-8999"),
                ]));
                variables
            }
            Self::KubernetesPod | Self::KubernetesJob | Self::KubernetesRestricted => {
                let mut variables = kubelet::service_variables(JOB);
                variables.extend(own(&[
                    ("LYFTLEARN_RUNTIME_PLATFORM", "kubernetes"),
                    // As EKS Pod Identity's webhook sets them.
                    (
                        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                        "http://169.254.170.23/v1/credentials",
                    ),
                    (
                        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                        &format!("{POD_IDENTITY}/{TOKEN}"),
                    ),
                    ("AWS_REGION", "eu-west-1"),
                ]));
                if self == Self::KubernetesJob {
                    variables.extend(own(&[
                        ("JOB_COMPLETION_INDEX", "0"),
                        ("NNODES", "1"),
                        ("LYFTLEARN_RUNTIME_JOB_NAME", JOB),
                        // The value of `terminationGracePeriodSeconds`, which a pod cannot read.
                        ("LYFTLEARN_RUNTIME_LIFECYCLE_GRACE_SECONDS", "120"),
                    ]));
                }
                variables
            }
            Self::Bare => Vec::new(),
        }
    }
}
