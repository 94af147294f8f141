//! The image's own server.

use super::running::Served;
use super::start::last;
use super::train::KILLED;
use super::{Seen, Subject};
use crate::place::Place;
use crate::probe::http::{Lost, PATIENCE};
use crate::trouble::Result;

const PLACES: [Place; 2] = [Place::SagemakerHosting, Place::KubernetesPod];

fn each(subject: &Subject, judge: impl Fn(&Served) -> Seen) -> Result<Vec<Seen>> {
    let mut all = Vec::new();
    for place in PLACES {
        let served = subject.served(place)?;
        all.push(judge(served).at(place).with_log(&served.log));
    }
    Ok(all)
}

/// What a check of a server that never became ready says.
fn not_ready() -> Seen {
    Seen::skipped("the server did not become ready: see serve.ready")
}

fn ready_of(served: &Served) -> Seen {
    match (served.ready.seconds, served.ready.slowest) {
        (None, _) => Seen::failed(
            format!(
                "no status 200; last: {}; log: {}",
                served.ready.before,
                last(&served.log)
            ),
            "200 within serve.ready_seconds",
        ),
        (Some(_), None) => Seen::failed(
            "after the first 200, a probe got another status",
            "200 once the server is ready, and never before",
        ),
        (Some(seconds), Some(_)) => Seen::passed().with_figure("ready_seconds", seconds),
    }
}

pub(super) fn ready(subject: &Subject) -> Result<Vec<Seen>> {
    each(subject, ready_of)
}

pub(super) fn ping(subject: &Subject) -> Result<Vec<Seen>> {
    each(subject, |served| match &served.load {
        None if served.ready.seconds.is_none() => not_ready(),
        None => Seen::skipped("image.toml has no serve.request to load the server with"),
        Some(load) if load.slowest_ping > PATIENCE.as_secs_f64() => Seen::failed(
            format!("a probe took {:.1} s under load", load.slowest_ping),
            "each within 2 s, which is SageMaker's patience",
        ),
        Some(load) => Seen::passed().with_figure("slowest_seconds", load.slowest_ping),
    })
}

/// Whether an answer is the expected one: the same bytes, or the same JSON with numbers within the
/// tolerance.
pub(super) fn answers_alike(got: &str, expected: &str, tolerance: f64) -> bool {
    if got == expected {
        return true;
    }
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    match (parse(got), parse(expected)) {
        (Some(got), Some(expected)) => near(&got, &expected, tolerance),
        _ => false,
    }
}

fn near(a: &serde_json::Value, b: &serde_json::Value, tolerance: f64) -> bool {
    use serde_json::Value::{Array, Number, Object};
    match (a, b) {
        (Number(x), Number(y)) => match (x.as_f64(), y.as_f64()) {
            (Some(x), Some(y)) => (x - y).abs() <= tolerance,
            _ => x == y,
        },
        (Array(x), Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(x, y)| near(x, y, tolerance))
        }
        (Object(x), Object(y)) => {
            x.len() == y.len()
                && x.iter()
                    .all(|(name, x)| y.get(name).is_some_and(|y| near(x, y, tolerance)))
        }
        _ => a == b,
    }
}

fn answers_of(subject: &Subject, served: &Served, reference: Option<&str>) -> Seen {
    let Some(serve) = &subject.toml.serve else {
        return not_ready();
    };
    let (Some(answer), Some((nonsense, lives))) = (&served.answer, &served.nonsense) else {
        return if served.ready.seconds.is_none() {
            not_ready()
        } else {
            Seen::skipped("image.toml has no serve.request")
        };
    };
    let expected = serve
        .body
        .as_ref()
        .and_then(|path| std::fs::read_to_string(path).ok());
    let shown: String = answer.body.chars().take(200).collect();
    if answer.status != 200 {
        Seen::failed(format!("status {}: {shown}", answer.status), "status 200")
    } else if expected
        .is_some_and(|expected| !answers_alike(&answer.body, &expected, serve.tolerance))
    {
        Seen::failed(
            format!("the answer differs from the expected one: {shown}"),
            "the bytes of serve.expect.body, or its numbers within the tolerance",
        )
    } else if reference.is_some_and(|other| !answers_alike(&answer.body, other, serve.tolerance)) {
        Seen::failed(
            format!(
                "the answer differs from that in {}: {shown}",
                PLACES[0].name()
            ),
            "equal answers in every place",
        )
    } else if !(400..500).contains(&nonsense.status) {
        let status = if nonsense.status == 0 {
            "no answer".to_owned()
        } else {
            format!("status {}", nonsense.status)
        };
        Seen::failed(
            format!("{status} for a malformed body"),
            "a status from 400 to 499",
        )
    } else if !lives {
        Seen::failed(
            "after a body of nonsense the server was not ready any more",
            "a server that lives on",
        )
    } else {
        Seen::passed()
    }
}

pub(super) fn answers(subject: &Subject) -> Result<Vec<Seen>> {
    let first = subject.served(PLACES[0])?;
    let reference = first.answer.as_ref().map(|answer| answer.body.clone());
    each(subject, |served| {
        answers_of(subject, served, reference.as_deref())
    })
}

fn drain_of(served: &Served) -> Seen {
    let Some(load) = &served.load else {
        return if served.ready.seconds.is_none() {
            not_ready()
        } else {
            Seen::skipped("image.toml has no serve.request to load the server with")
        };
    };
    let lost: Vec<&Lost> = load.lost.iter().filter(|lost| lost.taken).collect();
    let other = &load.other;
    let seen = if load.answered == 0 {
        Seen::failed(
            "no request was answered with 2xx under load",
            "answers, also while it is stopped",
        )
    } else if let Some(first) = lost.first() {
        Seen::failed(
            format!(
                "{} of {} requests were lost: {}",
                lost.len(),
                load.answered + lost.len(),
                first.why
            ),
            "an answer to each request that was taken",
        )
    } else if let Some((_, status)) = other.first() {
        Seen::failed(
            format!(
                "{} requests got another status, the first {status}",
                other.len()
            ),
            "a status from 200 to 299 to each request that is taken",
        )
    } else {
        Seen::passed()
    };
    let seconds = served
        .stopped
        .as_ref()
        .map_or(0.0, |stopped| stopped.seconds);
    seen.with_figure("answered", load.answered as f64)
        .with_figure("stop_seconds", seconds)
}

pub(super) fn drain(subject: &Subject) -> Result<Vec<Seen>> {
    each(subject, drain_of)
}

pub(super) fn exit_zero(subject: &Subject) -> Result<Vec<Seen>> {
    each(subject, |served| match &served.stopped {
        None => not_ready(),
        Some(stopped) if stopped.code == 0 => Seen::passed(),
        Some(stopped) => Seen::failed(format!("exit code {} after SIGTERM", stopped.code), "0"),
    })
}

pub(super) fn bind_to_port(subject: &Subject) -> Result<Vec<Seen>> {
    let place = Place::SagemakerMultiContainer;
    let served = subject.served(place)?;
    Ok(vec![
        match served.ready.seconds {
            Some(_) => Seen::passed(),
            None => Seen::failed(
                format!(
                    "nothing answers with 200 at port 8081: {}",
                    served.ready.before
                ),
                "a server at the port of SAGEMAKER_BIND_TO_PORT",
            ),
        }
        .at(place)
        .with_log(&served.log),
    ])
}

const LABEL: &str = "com.amazonaws.sagemaker.capabilities.accept-bind-to-port";

pub(super) fn label(subject: &Subject) -> Result<Vec<Seen>> {
    let works = subject
        .served(Place::SagemakerMultiContainer)?
        .ready
        .seconds
        .is_some();
    let labels = subject
        .image
        .config
        .config
        .labels
        .clone()
        .unwrap_or_default();
    let claimed = labels.get(LABEL).is_some_and(|value| value == "true");
    Ok(vec![match (works, claimed) {
        (true, false) => Seen::failed(
            format!("the other port works, but the label {LABEL} is missing"),
            "LABEL …=true",
        ),
        (false, true) => Seen::failed(
            format!("the label {LABEL} is set, but the other port does not work"),
            "no label",
        ),
        _ => Seen::passed(),
    }])
}

pub(super) fn restricted(subject: &Subject) -> Result<Vec<Seen>> {
    let place = Place::KubernetesRestricted;
    let served = subject.served(place)?;
    let first = [
        ready_of(served),
        answers_of(subject, served, None),
        drain_of(served),
    ];
    let failed = first
        .iter()
        .find(|seen| matches!(seen.result, super::Verdict::Failed { .. }));
    let seen = failed.cloned().unwrap_or_else(Seen::passed);
    Ok(vec![seen.at(place).with_log(&served.log)])
}

/// The end of a restricted pod's server.
pub(super) fn restricted_stop(subject: &Subject) -> Result<Vec<Seen>> {
    let place = Place::KubernetesRestricted;
    let served = subject.served(place)?;
    Ok(vec![
        match &served.stopped {
            None => not_ready(),
            // The runtime kills a program before the engine would.
            Some(stopped) if stopped.code == KILLED => Seen::failed(
                format!("it was killed after {:.0} s", stopped.seconds),
                "an end by itself within 30 s of SIGTERM",
            ),
            Some(stopped) => Seen::passed().with_figure("seconds", stopped.seconds),
        }
        .at(place)
        .with_log(&served.log),
    ])
}

#[cfg(test)]
mod tests {
    use super::answers_alike;

    #[test]
    fn numbers_may_differ_by_the_tolerance() {
        assert!(answers_alike("x", "x", 0.0));
        assert!(answers_alike(
            r#"{"a":[1.0,2]}"#,
            r#"{ "a": [1.0000001, 2] }"#,
            1e-6
        ));
        assert!(!answers_alike(r#"{"a":[1.0,2]}"#, r#"{"a":[1.1,2]}"#, 1e-6));
        assert!(!answers_alike(r#"{"a":1}"#, r#"{"a":1,"b":2}"#, 1.0));
        assert!(!answers_alike("x", "y", 1.0));
    }
}
