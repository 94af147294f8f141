//! Whether a program sees the same on both platforms.

use super::compare;
use super::running;
use super::{Seen, Subject};
use crate::place::{Input, Model, Place, Word};
use crate::trouble::Result;

fn same(subject: &Subject, one: Place, other: Place, word: Word) -> Result<Vec<Seen>> {
    let (a, b) = (subject.started(one, word)?, subject.started(other, word)?);
    let (Some(a), Some(b)) = (&a.view, &b.view) else {
        return Ok(vec![Seen::skipped(
            "the program did not run in both places: see start.*",
        )]);
    };
    let different = compare::undeclared(a, b);
    let shown: Vec<String> = different
        .iter()
        .take(8)
        .map(|row| {
            let value = |at: usize| {
                row.values[at]
                    .as_deref()
                    .unwrap_or("-")
                    .chars()
                    .take(60)
                    .collect::<String>()
            };
            format!(
                "{}: {} in {}, {} in {}",
                row.field,
                value(0),
                one.name(),
                value(1),
                other.name()
            )
        })
        .collect();
    let more = different.len() - shown.len();
    let more = if more == 0 {
        String::new()
    } else {
        format!("; and {more} more")
    };
    Ok(vec![if different.is_empty() {
        Seen::passed()
    } else {
        Seen::failed(
            format!("{}{more}", shown.join("; ")),
            "equal values, except those that name the place",
        )
    }])
}

pub(super) fn job(subject: &Subject) -> Result<Vec<Seen>> {
    same(
        subject,
        Place::SagemakerTraining,
        Place::KubernetesJob,
        Word::Train,
    )
}

pub(super) fn server(subject: &Subject) -> Result<Vec<Seen>> {
    same(
        subject,
        Place::SagemakerHosting,
        Place::KubernetesPod,
        Word::Serve,
    )
}

/// The Python package against the delivered file.
pub(super) fn python(subject: &Subject) -> Result<Vec<Seen>> {
    let mut all = Vec::new();
    for word in &subject.roles {
        let places = match word {
            Word::Train => [Place::SagemakerTraining, Place::KubernetesJob],
            Word::Serve => [Place::SagemakerHosting, Place::KubernetesPod],
        };
        for place in places {
            let Some(view) = &subject.started(place, *word)?.view else {
                continue;
            };
            let Some(python) = &view.python else {
                return Ok(vec![Seen::skipped(
                    "python3 of this image cannot import lyftlearn_runtime",
                )]);
            };
            let different = super::compare::contradictions(python, &view.workload);
            all.push(if different.is_empty() {
                Seen::passed().at(place)
            } else {
                Seen::failed(
                    format!("the package differs in {}", different.join(", ")),
                    "the values of workload.json",
                )
                .at(place)
            });
        }
    }
    if all.is_empty() {
        all.push(Seen::skipped("the program did not run: see start.*"));
    }
    Ok(all)
}

pub(super) fn beside(subject: &Subject) -> Result<Vec<Seen>> {
    let mut all = Vec::new();
    for (word, place) in [
        (Word::Train, Place::SagemakerTraining),
        (Word::Serve, Place::KubernetesPod),
    ] {
        if subject.roles.contains(&word) {
            all.extend(super::start::beside(subject, place, word)?);
        }
    }
    if all.is_empty() {
        all.push(Seen::skipped("the image claims no role"));
    }
    Ok(all)
}

/// A server with the model that this image trained.
pub(super) fn skew(subject: &Subject) -> Result<Vec<Seen>> {
    let place = Place::SagemakerHosting;
    let trained = subject.trained(Place::SagemakerTraining)?;
    if trained.ended.code != Some(0) {
        return Ok(vec![Seen::skipped(
            "the training failed: see train.completes",
        )]);
    }
    if !trained.files.contains_key("model/.lyftlearn/snapshot.json") {
        return Ok(vec![Seen::skipped(
            "the training left no snapshot: skew.guard is \"off\" in this image's settings",
        )]);
    }
    let input = Input {
        model: Model::Trained(trained.container.volumes[0].clone()),
        canary: subject.canary(),
        ..Input::default()
    };
    let mut order = running::order(subject, place, Word::Serve, &input);
    order.probe = true;
    order
        .variables
        .extend(running::probe_variables(&["exit", "0"]));
    let session = subject.session()?;
    let (container, end) = session.run(&order, subject.limit(60))?;
    let outcome = session.file(&container, "/run/lyftlearn/outcome.json")?;
    let outcome: serde_json::Value = outcome
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let skew = &outcome["skew"];
    let differences: Vec<&str> = skew["differences"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_str)
        .take(5)
        .collect();
    let seen = if let Some(why) = skew["unreadable"].as_str() {
        Seen::failed(why, "the snapshot that the training left")
    } else if skew["undeclared"].as_u64().unwrap_or_default() > 0 {
        Seen::failed(
            format!(
                "differences from the environment that trained it: {}",
                differences.join(", ")
            ),
            "the environment that trained the model",
        )
    } else if end.code != Some(0) {
        Seen::failed(
            format!(
                "the server does not start: {}",
                super::start::last(&end.log)
            ),
            "a server that starts with the trained model",
        )
    } else {
        Seen::passed()
    };
    Ok(vec![seen.at(place).with_log(&end.log)])
}
