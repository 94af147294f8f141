//! Runs containers of the image: a start with the probe, a training, a server's life. Each returns
//! observations without a verdict.

use std::time::Duration;

use serde_json::Value;

use super::{Subject, secrets};
use crate::engine::session::{Container, Ended};
use crate::place::{Input, Order, Place, Word};
use crate::probe::http::{Answer, Load, Ready};
use crate::probe::program::View;
use crate::probe::{self, program};
use crate::trouble::{Result, Trouble};

/// How long a start with the probe may take: its entry point, and at most fifteen seconds of secrets
/// or credentials.
const START: u64 = 30;

/// A body that no server expects.
const NONSENSE: &[u8] = b"\x00\x01{]nonsense";

/// The image started with the probe as its program, or without a runtime as it is.
#[derive(Debug)]
pub struct Started {
    /// Its container.
    pub container: Container,
    /// How it ended.
    pub ended: Ended,
    /// What the program saw.
    pub view: Option<View>,
}

/// A training that ended.
#[derive(Debug)]
pub struct Trained {
    /// Its container, for the content of its volumes.
    pub container: Container,
    /// How it ended.
    pub ended: Ended,
    /// The first characters of the platform's file for a reason.
    pub failure: Option<String>,
    /// `outcome.json`, where it can be read afterwards.
    pub outcome: Option<Value>,
    /// Files below `/opt/ml`, with their sizes.
    pub files: std::collections::BTreeMap<String, probe::helper::Listed>,
}

/// A server from its start to its end.
#[derive(Debug)]
pub struct Served {
    /// Its container.
    pub container: Container,
    /// Its readiness.
    pub ready: Ready,
    /// The answer to the team's request.
    pub answer: Option<Answer>,
    /// The answer to nonsense, and whether it was ready afterwards.
    pub nonsense: Option<(Answer, bool)>,
    /// What clients saw while it was stopped.
    pub load: Option<Load>,
    /// How it ended after SIGTERM.
    pub stopped: Option<Stopped>,
    /// What it printed.
    pub log: String,
}

/// An end after SIGTERM.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// The exit code.
    pub code: i32,
    /// How long it took, with the engine's own time.
    pub seconds: f64,
}

/// What an entry point makes of a program that its arguments name.
#[derive(Debug)]
pub struct ByArgument {
    /// Whether the program ran and its exit code came out.
    pub works: bool,
    /// How the container ended.
    pub ended: Ended,
}

/// Settings by which the runtime runs the probe in place of the image's own programs.
pub(super) fn probe_variables(words: &[&str]) -> Vec<(String, String)> {
    let mut command = vec![probe::PATH, "probe"];
    command.extend(words);
    let command = Value::from(command).to_string();
    ["TRAIN", "SERVE", "DEFAULT"]
        .map(|word| {
            (
                format!("LYFTLEARN_RUNTIME_COMMANDS_{word}"),
                command.clone(),
            )
        })
        .to_vec()
}

/// The image in a place, with what its settings fetch from elsewhere.
pub(super) fn order(subject: &Subject, place: Place, word: Word, input: &Input) -> Order {
    let mut order = subject.order(place, Some(word), input);
    if secrets::remote(subject) {
        order.variables.extend(secrets::stand_in());
        order.objects = secrets::objects(subject);
    }
    order
}

/// With a secret that a deployment hands over as a variable: a program that prints its environment
/// shows it.
pub(super) fn planted(subject: &Subject, mut order: Order) -> Order {
    let secret = ("CONFORMANCE_TOKEN".to_owned(), subject.canary());
    order.variables.push(secret);
    order
}

pub(super) fn start(subject: &Subject, place: Place, word: Word) -> Result<Started> {
    let session = subject.session()?;
    let runtime = super::image::has_runtime(&subject.image.config.config);
    let mut input = subject.job(None)?;
    // The probe has no use for the team's data; the documents name its channels all the same.
    for (_, files) in &mut input.channels {
        files.clear();
    }
    let mut order = order(subject, place, word, &input);
    if runtime {
        order.probe = true;
        order.variables.extend(probe_variables(&["see"]));
        let (container, ended) = session.run(&order, subject.limit(START))?;
        let view = program::view(&ended.log);
        return Ok(Started {
            container,
            ended,
            view,
        });
    }
    // Without a runtime only the start itself can be judged: the program is given three seconds to fail.
    let (container, following) = session.begin(&order, Duration::from_secs(3))?;
    let ended = session.end(&container, following)?;
    Ok(Started {
        container,
        ended,
        view: None,
    })
}

pub(super) fn train(
    subject: &Subject,
    place: Place,
    other: Option<&[(String, String)]>,
) -> Result<Trained> {
    let session = subject.session()?;
    let input = subject.job(other)?;
    let order = planted(subject, order(subject, place, Word::Train, &input));
    let seconds = subject
        .toml
        .train
        .as_ref()
        .map_or(300, |train| train.timeout_seconds);
    let (container, ended) = session.run(&order, subject.limit(seconds))?;
    ended_training(subject, container, ended)
}

pub(super) fn ended_training(
    subject: &Subject,
    container: Container,
    ended: Ended,
) -> Result<Trained> {
    let session = subject.session()?;
    let listed = session.ask(&container, &["list", "/v/0"], &[])?;
    let files: std::collections::BTreeMap<String, probe::helper::Listed> =
        serde_json::from_slice(&listed)
            .map_err(|err| Trouble::Cannot(format!("cannot list a volume: {err}")))?;
    let failure = if files.contains_key("output/failure") {
        let bytes = session.ask(&container, &["read", "/v/0/output/failure"], &[])?;
        Some(String::from_utf8_lossy(&bytes).into_owned()).filter(|reason| !reason.is_empty())
    } else {
        None
    };
    let outcome = session.file(&container, "/run/lyftlearn/outcome.json")?;
    let outcome = outcome.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(Trained {
        container,
        ended,
        failure,
        outcome,
        files,
    })
}

pub(super) fn told<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // `load` has said a line before its answer.
    let text = String::from_utf8_lossy(bytes);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last)
        .map_err(|err| Trouble::Cannot(format!("the helper's response is malformed: {err}")))
}

pub(super) fn serve(subject: &Subject, place: Place) -> Result<Served> {
    let session = subject.session()?;
    let serve = subject
        .toml
        .serve
        .clone()
        .unwrap_or_else(|| crate::image_toml::Serve {
            ready: "/ping".to_owned(),
            ready_pod: "/ping".to_owned(),
            ready_seconds: 60,
            ..crate::image_toml::Serve::default()
        });
    let input = subject.model()?;
    let order = planted(subject, order(subject, place, Word::Serve, &input));
    let container = session.start(&order)?;
    let port = place.port().to_string();
    let in_a_pod = matches!(place, Place::KubernetesPod | Place::KubernetesRestricted);
    let path = if in_a_pod {
        &serve.ready_pod
    } else {
        &serve.ready
    };
    let seconds = subject.limit(serve.ready_seconds).as_secs().to_string();
    let ready: Ready = told(&session.ask(&container, &["ready", &port, path, &seconds], &[])?)?;
    let mut served = Served {
        container: container.clone(),
        ready,
        answer: None,
        nonsense: None,
        load: None,
        stopped: None,
        log: String::new(),
    };
    if served.ready.seconds.is_none() {
        served.log = session.logs(&container)?;
        session
            .signal(&container, "KILL")
            .or_else(|_| session.state(&container).map(drop))?;
        return Ok(served);
    }
    if let Some(request) = &serve.request {
        let body = std::fs::read(&request.body).map_err(|err| {
            Trouble::Cannot(format!("cannot read {}: {err}", request.body.display()))
        })?;
        let words = ["post", &port, &request.path, &request.content_type];
        served.answer = Some(told(&session.ask(&container, &words, &body)?)?);
        let answer: Answer = told(&session.ask(&container, &words, NONSENSE)?)?;
        let again: Ready = told(&session.ask(&container, &["ready", &port, path, "5"], &[])?)?;
        served.nonsense = Some((answer, again.seconds.is_some()));
        let words = [
            "load",
            &port,
            &request.path,
            &request.content_type,
            path,
            "60",
        ];
        let mut load = session.ask_meanwhile(&container, &words, &body)?;
        let loaded = crate::wait::within(Duration::from_secs(30), || {
            (load.so_far().contains("loaded") || load.ended() || subject.stop.check().is_err())
                .then_some(())
        });
        subject.stop.check()?;
        let _ = loaded;
        served.stopped = Some(stop(subject, place, &container)?);
        let said = load.finish()?;
        served.load = Some(told(&said.stdout)?);
    } else {
        served.stopped = Some(stop(subject, place, &container)?);
    }
    served.log = session.logs(&container)?;
    Ok(served)
}

fn stop(subject: &Subject, place: Place, container: &Container) -> Result<Stopped> {
    let session = subject.session()?;
    let took = session.stop(container, place.patience())?;
    let (_, code) = session.state(container)?;
    Ok(Stopped {
        code,
        seconds: took.as_secs_f64(),
    })
}

pub(super) fn by_argument(subject: &Subject) -> Result<ByArgument> {
    let session = subject.session()?;
    let mut order = Place::Bare.order(&subject.id, None, &Input::default());
    order.probe = true;
    order.words = [probe::PATH, "probe", "exit", "7"]
        .map(str::to_owned)
        .to_vec();
    let (_, ended) = session.run(&order, subject.limit(10))?;
    Ok(ByArgument {
        works: ended.code == Some(7),
        ended,
    })
}
