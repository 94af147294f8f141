//! How a platform ends a container, and where it looks for the reason.

use std::path::Path;

use crate::contract::{kubernetes as kubernetes_words, sagemaker as sagemaker_words};
use crate::error::Error;
use crate::facts::Facts;
use crate::settings::Settings;
use crate::signal;
use crate::workload::Lifecycle;

/// How long a platform waits between its stop signal and SIGKILL, and who says so.
pub(super) struct Grace {
    pub(super) seconds: u32,
    pub(super) source: String,
}

/// What the platform's end of a container is like, beyond what programs need to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The signals by which it asks for a stop.
    pub(crate) asked_by: Vec<i32>,
    /// Between the first of them and SIGKILL.
    pub(crate) grace_seconds: u32,
    /// Of these the time until the program hears of it.
    pub(crate) drain_seconds: u32,
}

impl End {
    /// What of the grace is not the program's: 10 s of SageMaker's 120, 5 s of
    /// Kubernetes' and an endpoint's 30.
    pub(crate) fn reserve_seconds(&self) -> u32 {
        self.grace_seconds.div_ceil(6).min(10)
    }
}

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

/// Whether the platform shows the log's last lines where this file stays empty: a pod's
/// `terminationMessagePolicy: FallbackToLogsOnError`, which no pod is told.
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

/// The stop signal and what of the platform's grace is left for the program: the
/// rest is ours, to say why it ended and to get that out.
pub(super) fn lifecycle(
    end: &End,
    grace_source: String,
    settings: &Settings,
) -> Result<Lifecycle, Error> {
    let grace_seconds = (end.grace_seconds - end.reserve_seconds())
        .checked_sub(end.drain_seconds)
        .filter(|left| *left > 0 || end.drain_seconds == 0)
        .ok_or_else(|| settings.leaves_no_time("lifecycle.drain_seconds"))?;
    Ok(Lifecycle {
        stop_signal: signal::name(settings.stop_signal),
        grace_seconds,
        grace_source,
    })
}
