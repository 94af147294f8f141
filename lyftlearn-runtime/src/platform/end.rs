//! How a platform ends a container.

use crate::error::Error;
use crate::settings::Settings;
use crate::signal;
use crate::workload::{Conventions, Lifecycle};

/// Seconds between a platform's stop signal and SIGKILL, and the source of this value.
pub(super) struct Grace {
    pub(super) seconds: u32,
    pub(super) source: String,
}

impl Grace {
    /// The setting's, or the platform's default.
    pub(super) fn usual(settings: &Settings, conventions: &Conventions) -> Self {
        match (settings.grace_seconds, conventions.grace) {
            (Some(seconds), _) => Self {
                seconds,
                source: "setting lifecycle.grace_seconds".to_owned(),
            },
            (None, usual) => {
                let (seconds, source) = usual.expect("each kind of job has its own elsewhere");
                Self {
                    seconds,
                    source: source.to_owned(),
                }
            }
        }
    }
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
        resize_seconds: settings.resize_seconds,
    })
}
