//! The image's own training once more: with the same input, on its own checkpoints, on what a failed
//! one left, and with the cache of a warm pool.

use std::collections::BTreeMap;
use std::time::Duration;

use super::running::{self, Trained};
use super::serve::answers_alike;
use super::start::{ended, last};
use super::{Seen, Subject};
use crate::place::{Copied, Order, Place, Word};
use crate::trouble::{Result, Trouble};

/// All of this is done as SageMaker does.
const PLACE: Place = Place::SagemakerTraining;

/// Where a warm pool keeps its cache, below `/opt/ml`.
const CACHE: &str = "sagemaker/warmpoolcache";

/// A first and a second job of a warm pool.
#[derive(Debug)]
pub struct Warm {
    /// On an empty cache.
    pub first: Trained,
    /// With what the first one kept; `None` when it kept nothing.
    pub second: Option<Trained>,
}

fn order(subject: &Subject) -> Result<Order> {
    let input = subject.job(None)?;
    Ok(running::planted(
        subject,
        running::order(subject, PLACE, Word::Train, &input),
    ))
}

fn limit(subject: &Subject) -> Duration {
    let train = subject.toml.train.as_ref();
    subject.limit(train.map_or(300, |train| train.timeout_seconds))
}

fn run(subject: &Subject, order: &Order) -> Result<Trained> {
    let (container, end) = subject.session()?.run(order, limit(subject))?;
    running::ended_training(subject, container, end)
}

/// Files of `train.expect` that are missing.
fn missing(subject: &Subject, trained: &Trained) -> Vec<String> {
    let mut wrong = Vec::new();
    if trained.ended.code != Some(0) {
        wrong.push(format!(
            "{}: {}",
            ended(trained.ended.code),
            last(&trained.ended.log)
        ));
        return wrong;
    }
    for file in subject.toml.train.iter().flat_map(|train| &train.files) {
        let path = file.trim_start_matches("/opt/ml/").trim_matches('/');
        if !trained.files.contains_key(path) {
            wrong.push(format!("/opt/ml/{file} does not exist"));
        }
    }
    wrong
}

fn model(subject: &Subject, place: Place) -> Result<Option<BTreeMap<String, String>>> {
    let trained = subject.trained(place)?;
    if trained.ended.code != Some(0) {
        return Ok(None);
    }
    let said = subject
        .session()?
        .ask(&trained.container, &["hashes", "/v/0/model"], &[])?;
    let mut files: BTreeMap<String, String> = serde_json::from_slice(&said)
        .map_err(|err| Trouble::Cannot(format!("cannot read a model: {err}")))?;
    // The runtime's own snapshot says which place it is.
    files.retain(|path, _| !path.starts_with(".lyftlearn/"));
    Ok(Some(files))
}

/// Whether a file of both models has the same numbers.
fn near(subject: &Subject, path: &str) -> Result<bool> {
    let tolerance = subject
        .toml
        .train
        .as_ref()
        .map_or(0.0, |train| train.tolerance);
    let mut texts = Vec::new();
    for place in [PLACE, Place::KubernetesJob] {
        let container = &subject.trained(place)?.container;
        let path = format!("/v/0/model/{path}");
        let bytes = subject.session()?.ask(container, &["read", &path], &[])?;
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    Ok(answers_alike(&texts[0], &texts[1], tolerance))
}

/// The models of two trainings with one input.
pub(super) fn same_model(subject: &Subject) -> Result<Vec<Seen>> {
    let (Some(one), Some(other)) = (
        model(subject, PLACE)?,
        model(subject, Place::KubernetesJob)?,
    ) else {
        return Ok(vec![Seen::skipped(FAILED)]);
    };
    if one.is_empty() && other.is_empty() {
        return Ok(vec![Seen::skipped(
            "the training leaves nothing in /opt/ml/model",
        )]);
    }
    let mut wrong = Vec::new();
    for path in one
        .keys()
        .chain(other.keys().filter(|path| !one.contains_key(*path)))
    {
        match (one.get(path), other.get(path)) {
            (Some(a), Some(b)) if a == b || near(subject, path)? => {}
            (Some(_), Some(_)) => wrong.push(format!("{path} differs")),
            _ => wrong.push(format!("{path} exists in only one of them")),
        }
    }
    Ok(vec![if wrong.is_empty() {
        Seen::passed()
    } else {
        let shown: Vec<_> = wrong.iter().take(8).cloned().collect();
        Seen::failed(
            format!("in two trainings with the same input: {}", shown.join(", ")),
            "equal files in /opt/ml/model, or equal numbers within train.tolerance",
        )
    }])
}

/// Stops a training once it has checkpoints, and starts it again on them.
pub(super) fn resume(subject: &Subject) -> Result<Vec<Seen>> {
    let whole = subject.trained(PLACE)?;
    let of_checkpoints = |path: &String| path.starts_with("checkpoints/");
    if !whole.files.keys().any(of_checkpoints) {
        return Ok(vec![
            Seen::skipped("the training leaves no checkpoints").at(PLACE),
        ]);
    }
    let session = subject.session()?;
    let (container, following) = session.begin(&order(subject)?, limit(subject))?;
    let found = || -> Result<bool> {
        let listed = session.ask(&container, &["list", "/v/0/checkpoints"], &[])?;
        let listed: BTreeMap<String, serde_json::Value> =
            serde_json::from_slice(&listed).unwrap_or_default();
        Ok(!listed.is_empty())
    };
    let mut failure = None;
    // It also ends with the training itself, which may be a short one.
    let _ = crate::wait::within(limit(subject), || {
        match (found(), session.state(&container)) {
            (Ok(false), Ok((true, _))) => None,
            (Err(err), _) | (_, Err(err)) => {
                failure = Some(err);
                Some(())
            }
            _ => Some(()),
        }
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    let (running, _) = session.state(&container)?;
    if !running {
        session.end(&container, following)?;
        let why = "the training ended before the checker could stop it after its first checkpoint";
        return Ok(vec![Seen::skipped(why).at(PLACE)]);
    }
    session.stop(&container, PLACE.patience())?;
    session.end(&container, following)?;
    let mut again = order(subject)?;
    again.mounts[0].from = Some(Copied {
        volume: container.volumes[0].clone(),
        directory: "checkpoints".to_owned(),
        into: "checkpoints".to_owned(),
    });
    let trained = run(subject, &again)?;
    let mut wrong = missing(subject, &trained);
    let pattern = subject
        .toml
        .train
        .as_ref()
        .and_then(|train| train.resume.clone());
    if let Some(pattern) = &pattern {
        let found =
            regex::Regex::new(pattern).is_ok_and(|found| found.is_match(&trained.ended.log));
        if !found {
            wrong.push(format!("no line of the second log matches {pattern}"));
        }
    }
    let seen = if !wrong.is_empty() {
        Seen::failed(
            wrong.join("; "),
            "a training that resumes from its checkpoints",
        )
    } else if pattern.is_none() {
        Seen::noted(
            "image.toml has no train.expect.resume: only the end of the second training was checked",
        )
    } else {
        Seen::passed()
    };
    Ok(vec![seen.at(PLACE).with_log(&trained.ended.log)])
}

/// A good training on everything that a failed one left.
pub(super) fn dirty(subject: &Subject) -> Result<Vec<Seen>> {
    if subject.trained(PLACE)?.ended.code != Some(0) {
        return Ok(vec![Seen::skipped(FAILED).at(PLACE)]);
    }
    let failure = subject
        .toml
        .train
        .as_ref()
        .and_then(|train| train.failure.as_ref());
    let first = match failure {
        Some(_) => subject.failed(PLACE)?,
        None => subject.trained(PLACE)?,
    };
    let mut second = order(subject)?;
    second.mounts[0].from = Some(Copied {
        volume: first.container.volumes[0].clone(),
        directory: ".".to_owned(),
        into: ".".to_owned(),
    });
    let trained = run(subject, &second)?;
    let mut wrong = missing(subject, &trained);
    if let Some(failure) = &trained.failure {
        let whose = if first.failure.as_ref() == Some(failure) {
            "the first job's"
        } else {
            "a"
        };
        wrong.push(format!(
            "/opt/ml/output/failure has {whose} reason: {}",
            last(failure)
        ));
    }
    let class = trained
        .outcome
        .as_ref()
        .and_then(|outcome| outcome["class"].as_str());
    if class.is_some_and(|class| class != "completed") && trained.ended.code == Some(0) {
        wrong.push(format!(
            "the second job is reported as {}",
            class.unwrap_or_default()
        ));
    }
    let seen = if wrong.is_empty() {
        Seen::passed()
    } else {
        Seen::failed(
            wrong.join("; "),
            "a second job that completes and reports its own outcome",
        )
    };
    Ok(vec![seen.at(PLACE).with_log(&trained.ended.log)])
}

/// Two jobs of one warm pool.
pub(super) fn warm(subject: &Subject) -> Result<Warm> {
    let cached = |from: Option<&Trained>| -> Result<Trained> {
        let mut order = order(subject)?;
        order.variables.push((
            "SAGEMAKER_MANAGED_WARMPOOL_CACHE_DIRECTORY".to_owned(),
            format!("/opt/ml/{CACHE}"),
        ));
        let made = &mut order.mounts[0];
        for directory in ["sagemaker", CACHE] {
            made.entries
                .push(crate::files::Entry::directory(directory, 0o777));
        }
        made.from = from.map(|from| Copied {
            volume: from.container.volumes[0].clone(),
            directory: "sagemaker".to_owned(),
            into: "sagemaker".to_owned(),
        });
        run(subject, &order)
    };
    let first = cached(None)?;
    let second = if first.ended.code == Some(0) && !kept(&first).is_empty() {
        Some(cached(Some(&first))?)
    } else {
        None
    };
    Ok(Warm { first, second })
}

/// Files that a job kept in the cache, with their sizes.
fn kept(trained: &Trained) -> BTreeMap<&str, u64> {
    let below = format!("{CACHE}/");
    let files = trained.files.iter();
    files
        .filter_map(|(path, listed)| Some((path.strip_prefix(&below)?, listed.bytes)))
        .collect()
}

/// A check of the second training does not run if the first one fails.
const FAILED: &str = "the training failed: see train.completes";

const NOTHING_KEPT: &str = "the training keeps nothing in the cache directory of a warm pool";

pub(super) fn warm_second(subject: &Subject) -> Result<Vec<Seen>> {
    if subject.trained(PLACE)?.ended.code != Some(0) {
        return Ok(vec![Seen::skipped(FAILED).at(PLACE)]);
    }
    let warm = subject.warm()?;
    let first = missing(subject, &warm.first);
    let seen = match &warm.second {
        _ if !first.is_empty() => Seen::failed(
            format!("with an empty cache, {}", first.join("; ")),
            "a first job that completes",
        )
        .with_log(&warm.first.ended.log),
        None => Seen::skipped(NOTHING_KEPT),
        Some(second) => {
            let wrong = missing(subject, second);
            if wrong.is_empty() {
                Seen::passed()
            } else {
                Seen::failed(
                    format!("with the first job's cache, {}", wrong.join("; ")),
                    "a second job that completes as the first one did",
                )
                .with_log(&second.ended.log)
            }
        }
    };
    Ok(vec![seen.at(PLACE)])
}

pub(super) fn warm_secrets(subject: &Subject) -> Result<Vec<Seen>> {
    let warm = subject.warm()?;
    let below = format!("/v/0/{CACHE}");
    let found = subject.session()?.ask(
        &warm.first.container,
        &["search", &below, &subject.canary()],
        &[],
    )?;
    let found: Vec<String> = serde_json::from_slice(&found)
        .map_err(|err| Trouble::Cannot(format!("cannot search a cache: {err}")))?;
    let seen = if found.is_empty() {
        Seen::passed()
    } else {
        let shown: Vec<_> = found.iter().take(5).cloned().collect();
        Seen::failed(
            format!("the secret is in {}", shown.join(", ")),
            "a cache without secrets: the next job may belong to another team",
        )
    };
    Ok(vec![seen.at(PLACE)])
}

/// Figures alone: it never fails.
pub(super) fn warm_used(subject: &Subject) -> Result<Vec<Seen>> {
    let warm = subject.warm()?;
    let files = kept(&warm.first);
    let Some(second) = &warm.second else {
        return Ok(vec![Seen::skipped(NOTHING_KEPT).at(PLACE)]);
    };
    let bytes: u64 = files.values().sum();
    let gain = warm.first.ended.seconds - second.ended.seconds;
    Ok(vec![
        Seen::noted(format!(
            "{bytes} bytes kept; the second job took {gain:.1} s less"
        ))
        .with_figure("bytes", bytes as f64)
        .with_figure("gain_seconds", gain)
        .at(PLACE),
    ])
}
