//! Where each platform looks for the reason why a container failed, and how much it takes.

use std::path::Path;

use crate::contract::{kubernetes as kubernetes_words, sagemaker as sagemaker_words};
use crate::facts::Facts;

/// How much a file takes in which a platform looks for a failure's reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReasonLimit {
    Characters(usize),
    Bytes(usize),
}

impl ReasonLimit {
    pub(crate) fn of(file: &Path) -> Self {
        match file.to_str() {
            Some(sagemaker_words::FAILURE) => Self::Characters(sagemaker_words::FAILURE_CHARACTERS),
            Some(sagemaker_words::PROCESSING_MESSAGE) => {
                Self::Bytes(sagemaker_words::MESSAGE_BYTES)
            }
            _ => Self::Bytes(kubernetes_words::TERMINATION_MESSAGE_BYTES),
        }
    }
}

/// Whether the platform shows the last lines of the log if this file stays empty: a pod's
/// `terminationMessagePolicy: FallbackToLogsOnError`, which a container cannot see.
pub(crate) fn shows_the_log_instead(file: &Path) -> bool {
    !matches!(
        file.to_str(),
        Some(sagemaker_words::FAILURE | sagemaker_words::PROCESSING_MESSAGE)
    )
}

/// Where a reason goes when nothing could be understood: by the files that are there.
pub(crate) fn reason_file(facts: &Facts) -> Option<&'static Path> {
    let found = [
        (
            kubernetes_words::TERMINATION_LOG,
            kubernetes_words::TERMINATION_LOG,
        ),
        (
            sagemaker_words::PROCESSING_CONFIG,
            sagemaker_words::PROCESSING_MESSAGE,
        ),
        (sagemaker_words::RESOURCE_CONFIG, sagemaker_words::FAILURE),
    ]
    .into_iter()
    .find(|(sign, _)| facts.exists(Path::new(sign)));
    found.map(|(_, file)| Path::new(file))
}
