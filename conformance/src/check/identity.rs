//! Which identity a program gets, and whether it ever sees a key that has ended.

use super::running;
use super::start::{ended, last};
use super::{Seen, Subject};
use crate::place::{Place, Word};
use crate::probe::identity::{Identity, Key, Watched};
use crate::probe::program::View;
use crate::probe::standin::{Asked, KEY};
use crate::trouble::Result;

/// How long a key of `identity.refresh` is good, and how long its program runs.
const LIFETIME: u64 = 5;
const RUNS: u64 = 12;

/// How long an isolated start may take until its program runs.
const SOON: f64 = 2.0;

/// What names an identity other than by the one endpoint.
const OTHERS: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
];

/// The places with credentials, and the command of each.
fn places(subject: &Subject) -> Vec<(Place, Word)> {
    let all = [
        (Place::SagemakerTraining, Word::Train),
        (Place::SagemakerHosting, Word::Serve),
        (Place::KubernetesPod, Word::Serve),
        (Place::KubernetesJob, Word::Train),
    ];
    let claimed = |(_, word): &(Place, Word)| subject.roles.contains(word);
    all.into_iter().filter(claimed).collect()
}

/// The ways by which a program may ask, with what each found.
fn ways(identity: &Identity) -> [(&'static str, &Option<Key>); 3] {
    [
        ("the endpoint of the environment", &identity.endpoint),
        ("boto3", &identity.boto3),
        ("lyftlearn-runtime credentials", &identity.runtime),
    ]
}

/// By `credentials.mode` the program has none, or its own.
fn mode(view: &View) -> &str {
    view.workload["credentials"]["mode"]
        .as_str()
        .unwrap_or_default()
}

fn judged_one(view: &View) -> Seen {
    if mode(view) == "off" {
        return Seen::skipped("credentials.mode is \"off\" in this image's settings");
    }
    let mut wrong = Vec::new();
    for (way, key) in ways(&view.identity) {
        match key {
            Some(Key::Given(key)) if !key.starts_with(KEY) => {
                wrong.push(format!("{way} returns other credentials, {key}"));
            }
            Some(Key::Refused(why)) => wrong.push(format!("{way} returns no credentials: {why}")),
            _ => {}
        }
    }
    if view.identity.endpoint.is_none() {
        wrong.push("the environment names no credential endpoint".to_owned());
    }
    // What names an identity in another way is taken before the endpoint by most SDKs.
    let named: Vec<&str> = OTHERS
        .iter()
        .filter(|name| view.variables.contains_key(**name))
        .copied()
        .collect();
    if !named.is_empty() {
        wrong.push(format!("{} names other credentials", named.join(", ")));
    }
    if !wrong.is_empty() {
        return Seen::failed(
            wrong.join("; "),
            "the platform's credentials from every client, and no others",
        );
    }
    if view.identity.boto3.is_none() {
        return Seen::noted("python3 of this image has no boto3: only the endpoint was tested");
    }
    Seen::passed()
}

/// The platform's key, by every way.
pub(super) fn one(subject: &Subject) -> Result<Vec<Seen>> {
    let mut all = Vec::new();
    for (place, word) in places(subject) {
        let started = subject.started(place, word)?;
        let seen = match &started.view {
            Some(view) => judged_one(view),
            None => Seen::skipped("the program did not run: see start.*"),
        };
        all.push(seen.at(place).with_log(&started.ended.log));
    }
    Ok(claimed(all))
}

fn claimed(all: Vec<Seen>) -> Vec<Seen> {
    if all.is_empty() {
        return vec![Seen::skipped("the image claims no role")];
    }
    all
}

fn judged_refresh(watched: &Watched) -> Seen {
    let expected = "credentials that are valid when the program gets them";
    let seen = if let Some(first) = watched.expired.first() {
        Seen::failed(
            format!(
                "{} credentials had expired when the program got them, the first {first}",
                watched.expired.len()
            ),
            expected,
        )
    } else if let Some(why) = &watched.refused {
        Seen::failed(format!("no credentials from {why}"), expected)
    } else if watched.given == 0 {
        Seen::failed("no credentials arrived", expected)
    } else if watched.keys < 2 {
        Seen::failed(
            "the credentials never changed",
            "new credentials before the old ones expire",
        )
    } else if watched.boto3 {
        Seen::passed()
    } else {
        Seen::noted("python3 of this image has no boto3: only the endpoint was tested")
    };
    seen.with_figure("keys", watched.keys as f64)
        .with_figure("given", watched.given as f64)
}

/// Keys that are good for some seconds, and a program that runs longer.
pub(super) fn refresh(subject: &Subject) -> Result<Vec<Seen>> {
    let Some(word) = subject.roles.first() else {
        return Ok(claimed(Vec::new()));
    };
    let place = match word {
        Word::Train => Place::SagemakerTraining,
        Word::Serve => Place::SagemakerHosting,
    };
    let mut order = running::order(subject, place, *word, &subject.job(None)?);
    order.probe = true;
    let path = format!("/v2/credentials/lifetime-{LIFETIME}");
    for (name, value) in &mut order.variables {
        if name == "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" {
            value.clone_from(&path);
        }
    }
    let seconds = RUNS.to_string();
    order
        .variables
        .extend(running::probe_variables(&["identity", &seconds]));
    let (_, end) = subject.session()?.run(&order, subject.limit(60))?;
    let watched = end
        .log
        .lines()
        .find_map(|line| serde_json::from_str::<Watched>(line.trim_end()).ok());
    let seen = match watched {
        Some(watched) => judged_refresh(&watched),
        None => Seen::failed(
            format!("{}: {}", ended(end.code), last(&end.log)),
            "a program that runs",
        ),
    };
    Ok(vec![seen.at(place).with_log(&end.log)])
}

fn judged_none(view: &View, asked: &[Asked]) -> Seen {
    let mut wrong = Vec::new();
    for (way, key) in ways(&view.identity) {
        if let Some(Key::Given(key)) = key {
            wrong.push(format!("{way} returns credentials, {key}"));
        }
    }
    if !asked.is_empty() {
        let asked: Vec<String> = asked.iter().take(5).map(ToString::to_string).collect();
        wrong.push(format!("{} was contacted", asked.join(", ")));
    }
    if view.waited > SOON {
        wrong.push(format!("the program started after {:.1} s", view.waited));
    }
    let seen = if wrong.is_empty() {
        Seen::passed()
    } else {
        Seen::failed(wrong.join("; "), "no credentials, no request and no wait")
    };
    seen.with_figure("waited_seconds", view.waited)
}

/// Network isolation: nothing is to be asked, and nothing waited for.
pub(super) fn none(subject: &Subject) -> Result<Vec<Seen>> {
    let place = Place::SagemakerIsolated;
    let mut all = Vec::new();
    for word in &subject.roles {
        let started = subject.started(place, *word)?;
        let seen = match &started.view {
            None => Seen::skipped("the program did not run: see start.sagemaker-isolated"),
            Some(view) => match super::quiet::asked(subject, &started.container)? {
                Ok(asked) => judged_none(view, &asked),
                Err(why) => Seen::skipped(why),
            },
        };
        all.push(seen.at(place).with_log(&started.ended.log));
    }
    Ok(claimed(all))
}
