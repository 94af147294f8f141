//! Whether secrets are delivered, and whether one is seen where it must not be.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::running;
use super::start::{ended, last};
use super::{Seen, Subject};
use crate::engine::session::Ended;
use crate::place::{Order, Place, Word};
use crate::probe::secrets::Delivered;
use crate::probe::standin::{CONTAINER, MISSING};
use crate::trouble::{Result, Trouble};

/// The secret that every start of `secrets.delivered` has besides the image's own.
const NAME: &str = "conformance-remote";
const VARIABLE: &str = "CONFORMANCE_REMOTE";
/// A secret that does not exist.
const OPTIONAL: &str = "CONFORMANCE_OPTIONAL";

/// As the probe hashes a value.
fn hashed(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A start with secrets, the probe as its program.
fn order(subject: &Subject, place: Place, word: Word) -> Result<Order> {
    let mut order = subject.order(place, Some(word), &subject.job(None)?);
    order.probe = true;
    let declared = json!({
        NAME: {"from": "aws-secretsmanager:conformance", "env": VARIABLE, "file": true},
        "conformance-optional": {"from": format!("aws-secretsmanager:{MISSING}"), "env": OPTIONAL, "required": false},
    });
    order
        .variables
        .push(("LYFTLEARN_RUNTIME_SECRETS".to_owned(), declared.to_string()));
    order.variables.extend(stand_in());
    order.objects = objects(subject);
    order
        .variables
        .extend(running::probe_variables(&["secrets"]));
    Ok(order)
}

/// Where AWS and Confidant are called instead.
pub(super) fn stand_in() -> Vec<(String, String)> {
    let here = |name: &str| (name.to_owned(), format!("http://{CONTAINER}"));
    ["AWS_ENDPOINT_URL", "LYFTLEARN_RUNTIME_CONFIDANT_URL"]
        .map(here)
        .to_vec()
}

/// The image's own settings.
fn settings(subject: &Subject) -> toml::Table {
    let settings = subject.image.tree.find("etc/lyftlearn/runtime.toml");
    let text = settings
        .and_then(|(_, node)| node.content.clone())
        .and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
    // image.settings reports its mistakes.
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// The image's own `[secrets]`, by name.
fn own(subject: &Subject) -> toml::Table {
    let settings = settings(subject);
    let secrets = settings
        .get("secrets")
        .and_then(|secrets| secrets.as_table());
    let mut secrets = secrets.cloned().unwrap_or_default();
    secrets.retain(|_, value| value.is_table());
    secrets
}

/// Every source that a secret names.
fn sources(secret: &toml::Value) -> Vec<String> {
    match secret.get("from") {
        Some(toml::Value::String(from)) => vec![from.clone()],
        Some(toml::Value::Table(by_platform)) => by_platform
            .values()
            .filter_map(|from| from.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

/// Keys that settings pick of secrets that are JSON objects.
pub(super) fn objects(subject: &Subject) -> std::collections::BTreeMap<String, Vec<String>> {
    let mut objects = std::collections::BTreeMap::<String, Vec<String>>::new();
    for secret in own(subject).values() {
        for from in sources(secret) {
            let Some((_, rest)) = from.split_once(':') else {
                continue;
            };
            if let Some((name, key)) = rest.split_once('#') {
                let name = name.split('?').next().unwrap_or(name);
                objects
                    .entry(name.to_owned())
                    .or_default()
                    .push(key.to_owned());
            }
        }
    }
    objects
}

/// Whether a source is one that the stand-in answers for.
fn fetched(from: &str) -> bool {
    from.starts_with("aws-") || from.starts_with("confidant:")
}

/// Whether the image's own settings fetch secrets or assume a role.
pub(super) fn remote(subject: &Subject) -> bool {
    let settings = settings(subject);
    let credentials = settings.get("credentials");
    let roles = ["assume_role", "roles"]
        .iter()
        .any(|key| credentials.is_some_and(|credentials| credentials.get(key).is_some()));
    roles
        || own(subject)
            .values()
            .flat_map(sources)
            .any(|from| fetched(&from))
}

fn places(subject: &Subject) -> Vec<(Place, Word)> {
    let all = [
        (Place::SagemakerTraining, Word::Train),
        (Place::KubernetesPod, Word::Serve),
    ];
    all.into_iter()
        .filter(|(_, word)| subject.roles.contains(word))
        .collect()
}

fn told(end: &Ended) -> Option<Delivered> {
    end.log
        .lines()
        .find_map(|line| serde_json::from_str(line.trim_end()).ok())
}

fn judged(subject: &Subject, end: &Ended) -> Seen {
    let Some(delivered) = told(end) else {
        return Seen::failed(
            format!("{}: {}", ended(end.code), last(&end.log)),
            "a start with one existing secret and one missing optional secret",
        );
    };
    let canary = hashed(&subject.canary());
    let mut wrong = Vec::new();
    match delivered.variables.get(VARIABLE) {
        None => wrong.push(format!(
            "the variable {VARIABLE} of a declared secret is not set"
        )),
        Some(value) if *value != canary => wrong.push(format!("{VARIABLE} has the wrong value")),
        Some(_) => {}
    }
    if delivered.variables.contains_key(OPTIONAL) {
        wrong.push(format!("{OPTIONAL} is set, but its secret does not exist"));
    }
    match delivered.files.get(NAME) {
        None => wrong.push("the file of a declared secret does not exist".to_owned()),
        Some((mode, _)) if *mode != 0o400 => wrong.push(format!("the file's mode is {mode:04o}")),
        Some((_, value)) if *value != canary => {
            wrong.push("the file has the wrong content".to_owned())
        }
        Some(_) => {}
    }
    if !delivered.in_memory {
        wrong.push("the files are on a disk, not in memory".to_owned());
    }
    for (name, secret) in own(subject) {
        let required = secret
            .get("required")
            .and_then(toml::Value::as_bool)
            .unwrap_or(true);
        // Those of other sources come from a platform that is not here.
        let here = sources(&secret).iter().any(|from| fetched(from));
        if required && here && !delivered.names.contains(&name) {
            wrong.push(format!("the image's own secret {name} was not delivered"));
        }
    }
    if wrong.is_empty() {
        Seen::passed()
    } else {
        Seen::failed(
            wrong.join("; "),
            "each declared secret as its variable and its file, 0400 and in memory",
        )
    }
}

/// Secrets of the image and of the checker, from a stand-in.
pub(super) fn delivered(subject: &Subject) -> Result<Vec<Seen>> {
    let mut all = Vec::new();
    for (place, word) in places(subject) {
        let end = subject.with_secrets(place, word)?;
        all.push(judged(subject, end).at(place).with_log(&end.log));
    }
    if all.is_empty() {
        all.push(Seen::skipped("the image claims no role"));
    }
    Ok(all)
}

/// A start with secrets; see [`delivered`].
pub(super) fn start(subject: &Subject, place: Place, word: Word) -> Result<Ended> {
    let order = order(subject, place, word)?;
    let (_, end) = subject.session()?.run(&order, subject.limit(60))?;
    Ok(end)
}

/// Searches everything that was started so far for the canary.
pub(super) fn unseen(subject: &Subject) -> Result<Vec<Seen>> {
    let canary = subject.canary();
    let session = subject.session()?;
    let mut all = Vec::new();
    let judge = |place: Place, log: &str, mut places: Vec<String>| {
        if log.contains(&canary) {
            places.insert(0, "its log".to_owned());
        }
        let seen = if places.is_empty() {
            Seen::passed()
        } else {
            Seen::failed(
                format!("the secret is in {}", places.join(", ")),
                "a secret that is in no log, no argument, no metric and no file that is kept",
            )
        };
        seen.at(place).with_log(log)
    };
    if super::image::has_runtime(&subject.image.config.config) {
        for (place, word) in places(subject) {
            let end = subject.with_secrets(place, word)?;
            let mut seen = Vec::new();
            if let Some(delivered) = told(end) {
                let known =
                    ["", "secret-", "token-"].map(|before| hashed(&format!("{before}{canary}")));
                for (what, parts) in [
                    ("the arguments of a process", &delivered.argv),
                    ("the metrics", &delivered.metrics),
                ] {
                    if known.iter().any(|known| parts.contains(known)) {
                        seen.push(what.to_owned());
                    }
                }
            }
            all.push(judge(place, &end.log, seen));
        }
    }
    if subject.toml.train.is_some() && subject.roles.contains(&Word::Train) {
        for place in [Place::SagemakerTraining, Place::KubernetesJob] {
            let trained = subject.trained(place)?;
            let found = session.ask(&trained.container, &["search", "/v/0", &canary], &[])?;
            let found: Vec<String> = serde_json::from_slice(&found)
                .map_err(|err| Trouble::Cannot(format!("cannot search a volume: {err}")))?;
            let mut seen: Vec<String> = found
                .iter()
                .take(5)
                .map(|path| format!("/opt/ml/{path}"))
                .collect();
            let outcome = trained
                .outcome
                .as_ref()
                .map(Value::to_string)
                .unwrap_or_default();
            if outcome.contains(&canary) {
                seen.push("outcome.json".to_owned());
            }
            all.push(judge(place, &trained.ended.log, seen));
        }
    }
    if subject.toml.serve.is_some() && subject.roles.contains(&Word::Serve) {
        for place in [Place::SagemakerHosting, Place::KubernetesPod] {
            let served = subject.served(place)?;
            let answer = served.answer.as_ref().map_or("", |answer| &answer.body);
            let in_answer = answer.contains(&canary).then(|| "an answer".to_owned());
            all.push(judge(place, &served.log, in_answer.into_iter().collect()));
        }
    }
    if all.is_empty() {
        all.push(Seen::skipped(
            "nothing of this image was started that had a secret",
        ));
    }
    Ok(all)
}
