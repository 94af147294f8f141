//! The image's own training.

use std::time::Duration;

use super::running::{self, Trained};
use super::start::{ended, last};
use super::{Seen, Subject};
use crate::place::{Place, Word};
use crate::trouble::Result;

/// The exit code of a container that SIGKILL ended.
pub(super) const KILLED: i32 = 137;

/// How a reason begins that only has the class and the exit code.
const WITHOUT_EXCEPTION: &str = "user error: ";

/// SageMaker shows so much of a reason.
const REASON: usize = 1024;

const EXPECTED: &str = "exit code 0, and the files and log lines of train.expect";

fn completes_in(subject: &Subject, place: Place) -> Result<Seen> {
    let trained = subject.trained(place)?;
    let train = subject.toml.train.clone().unwrap_or_default();
    let code = trained.ended.code;
    let mut wrong = Vec::new();
    if code == Some(0) {
        for file in &train.files {
            if !trained
                .files
                .contains_key(file.trim_start_matches("/opt/ml/").trim_matches('/'))
            {
                wrong.push(format!("/opt/ml/{file} does not exist"));
            }
        }
        for pattern in &train.log {
            let found = regex::Regex::new(pattern)
                .is_ok_and(|pattern| pattern.is_match(&trained.ended.log));
            if !found {
                wrong.push(format!("no log line matches {pattern}"));
            }
        }
    } else {
        wrong.push(format!("{}: {}", ended(code), last(&trained.ended.log)));
    }
    let runtime = super::image::has_runtime(&subject.image.config.config);
    let expected = if runtime || place == Place::SagemakerTraining {
        EXPECTED.to_owned()
    } else {
        format!(
            "{EXPECTED}; here a program for SageMaker gets its documents and variables from lyftlearn-runtime"
        )
    };
    let seen = if wrong.is_empty() {
        Seen::passed()
    } else {
        Seen::failed(wrong.join("; "), expected)
    };
    let seen = seen.with_figure("seconds", trained.ended.seconds);
    Ok(seen.at(place).with_log(&trained.ended.log))
}

pub(super) fn completes(subject: &Subject) -> Result<Vec<Seen>> {
    Ok(vec![
        completes_in(subject, Place::SagemakerTraining)?,
        completes_in(subject, Place::KubernetesJob)?,
    ])
}

pub(super) fn restricted(subject: &Subject) -> Result<Vec<Seen>> {
    Ok(vec![completes_in(subject, Place::KubernetesRestricted)?])
}

pub(super) fn failure(subject: &Subject) -> Result<Vec<Seen>> {
    let Some(failure) = subject
        .toml
        .train
        .as_ref()
        .and_then(|train| train.failure.clone())
    else {
        return Ok(vec![Seen::skipped(
            "image.toml has no train.expect.failure",
        )]);
    };
    let mut all = Vec::new();
    for place in [Place::SagemakerTraining, Place::KubernetesJob] {
        let trained = subject.failed(place)?;
        all.push(
            judged(trained, place, &failure.reason)
                .at(place)
                .with_log(&trained.ended.log),
        );
    }
    Ok(all)
}

fn judged(trained: &Trained, place: Place, part: &str) -> Seen {
    if trained.ended.code == Some(0) {
        return Seen::failed(
            "the training that should fail exited with 0",
            "an exit code other than 0, with a reason",
        );
    }
    if trained.ended.code.is_none() {
        return Seen::failed(ended(None), "an end with a reason");
    }
    let (reason, place_of) = if place == Place::SagemakerTraining {
        (trained.failure.clone(), "/opt/ml/output/failure")
    } else {
        // No engine mounts a termination log; what would be in it is in the outcome.
        let reason = trained
            .outcome
            .as_ref()
            .and_then(|outcome| outcome["reason"].as_str().map(str::to_owned));
        (reason, "outcome.json in the run directory")
    };
    let Some(reason) = reason.filter(|reason| !reason.trim().is_empty()) else {
        return Seen::failed(
            format!("no reason in {place_of}"),
            format!("a reason that contains {part:?}"),
        );
    };
    let first = reason.lines().next().unwrap_or_default();
    if !reason.contains(part) {
        let noted = if first.starts_with(WITHOUT_EXCEPTION) {
            "; no exception is noted: in Python this needs the package lyftlearn-runtime, installed by pip or uv"
        } else {
            ""
        };
        Seen::failed(
            format!("{place_of} has: {}{noted}", last(first)),
            format!("a reason that contains {part:?}"),
        )
    } else if place == Place::SagemakerTraining && reason.chars().count() > REASON {
        Seen::failed(
            format!("the reason has {} characters", reason.chars().count()),
            "at most 1024 characters: SageMaker shows no more",
        )
    } else {
        Seen::passed()
    }
}

pub(super) fn stop(subject: &Subject) -> Result<Vec<Seen>> {
    Ok(vec![
        stop_in(subject, Place::SagemakerTraining)?,
        stop_in(subject, Place::KubernetesJob)?,
    ])
}

/// Stops a training as soon as its program runs.
pub(super) fn stop_in(subject: &Subject, place: Place) -> Result<Seen> {
    let session = subject.session()?;
    let order = running::order(subject, place, Word::Train, &subject.job(None)?);
    let (container, mut following) = session.begin(&order, subject.limit(300))?;
    // The runtime's own line comes just before the program; without it the first line of the program's.
    following.until(Duration::from_secs(60), &subject.stop, |log| {
        log.contains('\n')
    })?;
    let (running, _) = session.state(&container)?;
    if !running {
        session.end(&container, following)?;
        return Ok(Seen::skipped("the training ended before the checker could stop it").at(place));
    }
    let took = session.stop(&container, place.patience())?.as_secs_f64();
    let end = session.end(&container, following)?;
    let trained = running::ended_training(subject, container, end)?;
    let runtime = super::image::has_runtime(&subject.image.config.config);
    let class = trained
        .outcome
        .as_ref()
        .map(|outcome| outcome["class"].as_str().unwrap_or_default().to_owned());
    let patience = place.patience() as f64;
    // The runtime kills a program before the engine would. In a restricted pod only the exit code tells.
    let seen = if trained.ended.code == Some(KILLED) {
        Seen::failed(
            format!("it was killed after {took:.0} s"),
            format!("an end by itself within {patience:.0} s of SIGTERM"),
        )
    } else if runtime && place != Place::KubernetesRestricted && class.is_none() {
        Seen::failed(
            "outcome.json does not exist",
            "an outcome.json with class and reason",
        )
    } else {
        Seen::passed()
    };
    Ok(seen
        .with_figure("seconds", took)
        .at(place)
        .with_log(&trained.ended.log))
}

pub(super) fn restricted_stop(subject: &Subject) -> Result<Vec<Seen>> {
    Ok(vec![stop_in(subject, Place::KubernetesRestricted)?])
}
