//! Whether a program sees the same on both platforms.

use super::compare;
use super::{Seen, Subject};
use crate::place::{Place, Word};
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
            "equal views, but for what names the place",
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
                    format!("the package has another {}", different.join(", ")),
                    "what workload.json says",
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
