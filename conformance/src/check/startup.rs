//! Figures of a start: how long the runtime takes, and which files of the image are opened until the server is
//! ready, or until the training of an image that only trains prints its first line.

use std::collections::BTreeSet;

use super::figures::{judged, mib, share};
use super::running::{self, probe_variables, told};
use super::{Seen, Subject};
use crate::engine::session::{Container, Session};
use crate::files::Entry;
use crate::layout::tree::{Kind, Node};
use crate::layout::{Layer, soci};
use crate::place::{Input, Mount, Order, Place, Word};
use crate::probe;
use crate::probe::http::Ready;
use crate::probe::observe::{DIRECTORY, OPENED, Opened};
use crate::trouble::{Result, Trouble};

/// How long a start may take.
const START: u64 = 30;
/// So many starts are timed.
const STARTS: usize = 5;
/// What SOCI divides layers into, unpacked.
const SPAN: u64 = 4 << 20;

/// A start that was observed to its end: the server is ready, or the training prints.
#[derive(Debug)]
pub struct Observed {
    /// Where.
    pub place: Place,
    /// What it opened until then.
    pub opened: Opened,
    /// The end of the start, as messages name it: `until ready`.
    pub until: &'static str,
    /// Why this end was not reached, if it was not.
    pub failure: Option<String>,
}

/// Where the image's first role is started, and as what.
fn place(subject: &Subject) -> Option<(Place, Word)> {
    match subject.roles.last()? {
        Word::Serve => Some((Place::SagemakerHosting, Word::Serve)),
        Word::Train => Some((Place::SagemakerTraining, Word::Train)),
    }
}

/// Puts the probe before the image's entry point.
fn before_entry(subject: &Subject, order: &mut Order, words: &[&str]) {
    order.probe = true;
    order.entrypoint = Some(probe::PATH.to_owned());
    let own = order.words.drain(..).collect::<Vec<_>>();
    let entry = subject
        .image
        .config
        .config
        .entrypoint
        .iter()
        .flatten()
        .cloned();
    order.words = ["probe"]
        .iter()
        .chain(words)
        .map(|word| (*word).to_owned())
        .collect();
    order.words.extend(entry.chain(own));
}

/// The same as an observer, with a directory that any user may write.
fn observing(subject: &Subject, order: &mut Order) -> usize {
    before_entry(subject, order, &["observe", DIRECTORY]);
    order.mounts.push(Mount {
        target: DIRECTORY.to_owned(),
        entries: vec![Entry::directory(".", 0o1777)],
        ..Mount::default()
    });
    order.mounts.len() - 1
}

fn with_probe(subject: &Subject, place: Place, word: Word, program: &[&str]) -> Order {
    let mut order = running::order(subject, place, word, &Input::default());
    order.variables.extend(probe_variables(program));
    order
}

const NO_ROLE: &str = "the image claims no role";

pub(super) fn runtime_time(subject: &Subject) -> Result<Vec<Seen>> {
    let Some((place, word)) = place(subject) else {
        return Ok(vec![Seen::skipped(NO_ROLE)]);
    };
    let session = subject.session()?;
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let mut order = with_probe(subject, place, word, &["since"]);
        before_entry(subject, &mut order, &["begin"]);
        let (_, ended) = session.run(&order, subject.limit(START))?;
        let said = ended
            .log
            .lines()
            .find_map(|line| line.strip_prefix("since: "));
        let Some(micros) = said.and_then(|micros| micros.trim().parse::<f64>().ok()) else {
            return Ok(vec![
                Seen::failed(
                    "the program did not start",
                    "the probe started as the program",
                )
                .at(place)
                .with_log(&ended.log),
            ]);
        };
        times.push(micros / 1000.0);
    }
    times.sort_by(f64::total_cmp);
    let what = format!(
        "from the entry point to the program, {STARTS} starts, the fastest {:.1} ms, the slowest {:.1} ms",
        times[0],
        times[STARTS - 1]
    );
    let median = times[STARTS / 2];
    Ok(vec![
        judged(subject, "budget.runtime.ms", median, &what).at(place),
    ])
}

pub(super) fn runtime_files(subject: &Subject) -> Result<Vec<Seen>> {
    let Some((place, word)) = place(subject) else {
        return Ok(vec![Seen::skipped(NO_ROLE)]);
    };
    let session = subject.session()?;
    let mut order = with_probe(subject, place, word, &["exit", "0"]);
    let volume = observing(subject, &mut order);
    let (container, ended) = session.run(&order, subject.limit(START))?;
    let path = format!("/v/{volume}/{OPENED}");
    let opened = match session.ask(&container, &["read", &path], &[]) {
        Ok(bytes) => Opened::read(&String::from_utf8_lossy(&bytes)),
        Err(Trouble::Interrupted(signal)) => return Err(Trouble::Interrupted(signal)),
        Err(_) => Opened::default(),
    };
    let began = opened
        .programs
        .iter()
        .find(|(_, program, _)| program == probe::PATH);
    let Some((_, _, files)) = began else {
        return Err(Trouble::Cannot(format!(
            "the start could not be observed: {}",
            ended
                .log
                .trim()
                .lines()
                .last()
                .unwrap_or("nothing was printed")
        )));
    };
    // The program's own file is not one of the runtime's.
    let before = &opened.files[..*files];
    let what = if before.is_empty() {
        "none".to_owned()
    } else {
        super::image::few(before)
    };
    let count = before.len() as f64;
    Ok(vec![
        judged(subject, "budget.runtime.files", count, &what).at(place),
    ])
}

pub(super) fn ready_seconds(subject: &Subject) -> Result<Vec<Seen>> {
    let place = Place::SagemakerHosting;
    let served = subject.served(place)?;
    let Some(seconds) = served.ready.seconds else {
        return Ok(vec![
            Seen::skipped("the server did not become ready: see serve.ready").at(place),
        ]);
    };
    let what = "from the start of the container to the first 200";
    Ok(vec![
        judged(subject, "budget.ready.seconds", seconds, what).at(place),
    ])
}

/// What the observer of a container has written so far.
fn written(session: &Session, container: &Container, volume: usize) -> Result<Opened> {
    let file = format!("/v/{volume}/{OPENED}");
    let bytes = session.ask(container, &["read", &file], &[])?;
    Ok(Opened::read(&String::from_utf8_lossy(&bytes)))
}

/// Ends a container that may have ended by itself.
fn kill(session: &Session, container: &Container) -> Result<()> {
    session
        .signal(container, "KILL")
        .or_else(|_| session.state(container).map(drop))
}

/// Starts the server under the observer, or the training of an image that does not serve, and stops it at the
/// end of its start.
pub(super) fn observe(subject: &Subject) -> Result<Observed> {
    if subject.roles.contains(&Word::Serve) {
        observe_server(subject)
    } else {
        observe_training(subject)
    }
}

fn observe_server(subject: &Subject) -> Result<Observed> {
    let session = subject.session()?;
    let place = Place::SagemakerHosting;
    let mut order = running::order(subject, place, Word::Serve, &subject.model()?);
    let volume = observing(subject, &mut order);
    let container = session.start(&order)?;
    let serve = subject.toml.serve.as_ref();
    let path = serve.map_or("/ping", |serve| serve.ready.as_str());
    // Each call of a traced program stops twice: it is given twice the time.
    let seconds = serve.map_or(60, |serve| serve.ready_seconds) * 2;
    let seconds = subject.limit(seconds).as_secs().to_string();
    let port = place.port().to_string();
    let ready: Ready = told(&session.ask(&container, &["ready", &port, path, &seconds], &[])?)?;
    let opened = written(session, &container, volume);
    let failure = if ready.seconds.is_some() {
        None
    } else {
        let log = session.logs(&container)?;
        let last = log.trim().lines().last().unwrap_or_default().to_owned();
        Some(format!("it did not become ready while traced: {last}"))
    };
    kill(session, &container)?;
    Ok(Observed {
        place,
        opened: opened?,
        until: "until ready",
        failure,
    })
}

fn observe_training(subject: &Subject) -> Result<Observed> {
    let session = subject.session()?;
    let place = Place::SagemakerTraining;
    let mut order = running::order(subject, place, Word::Train, &subject.job(None)?);
    let volume = observing(subject, &mut order);
    let container = session.start(&order)?;
    let train = subject.toml.train.as_ref();
    let limit = subject.limit(train.map_or(300, |train| train.timeout_seconds));
    let mut found: Result<Option<(Opened, &str)>> = Ok(None);
    // The step of this wait is a call of the engine.
    let _ = crate::wait::within(limit, || {
        // The end is looked for first: what is read after it is whole.
        let looked = session.state(&container).and_then(|(running, _)| {
            let opened = match written(session, &container, volume) {
                Err(Trouble::Interrupted(signal)) => return Err(Trouble::Interrupted(signal)),
                // The observer has not begun.
                Err(_) if running => return Ok(None),
                other => other?,
            };
            Ok(match opened.printed {
                Some(count) => {
                    let mut opened = opened;
                    opened.files.truncate(count);
                    Some((opened, "until its first output"))
                }
                None if !running => Some((opened, "until its end, without any output")),
                None => None,
            })
        });
        let over = !matches!(looked, Ok(None));
        found = looked;
        over.then_some(())
    });
    let found = found?;
    kill(session, &container)?;
    let failure = found.is_none().then(|| {
        let seconds = limit.as_secs();
        format!("while traced, it printed nothing and did not end within {seconds} s")
    });
    let (opened, until) = found.unwrap_or_default();
    Ok(Observed {
        place,
        opened,
        until,
        failure,
    })
}

/// The observed start, or a message if its end was not reached.
fn observed(subject: &Subject) -> Result<std::result::Result<&Observed, Vec<Seen>>> {
    let observed = subject.observed()?;
    Ok(match &observed.failure {
        None => Ok(observed),
        Some(failure) => Err(vec![Seen::skipped(failure.clone()).at(observed.place)]),
    })
}

/// Files of the image among those that were opened.
pub fn of_image<'a>(subject: &'a Subject, opened: &Opened) -> Vec<(String, &'a Node)> {
    let mut known = BTreeSet::new();
    let files = opened
        .files
        .iter()
        .filter_map(|path| subject.image.tree.find(path));
    files
        .filter(|(path, node)| node.kind == Kind::File && known.insert(path.clone()))
        .map(|(path, node)| (format!("/{path}"), node))
        .collect()
}

pub(super) fn files(subject: &Subject) -> Result<Vec<Seen>> {
    let observed = match observed(subject)? {
        Ok(observed) => observed,
        Err(seen) => return Ok(seen),
    };
    let count = of_image(subject, &observed.opened).len();
    let what = format!(
        "{count} of {} files of the image opened {}",
        subject.image.tree.len(),
        observed.until
    );
    let seen = judged(subject, "lazy.files", count as f64, &what);
    Ok(vec![seen.at(observed.place)])
}

pub(super) fn bytes(subject: &Subject) -> Result<Vec<Seen>> {
    let observed = match observed(subject)? {
        Ok(observed) => observed,
        Err(seen) => return Ok(seen),
    };
    let opened = of_image(subject, &observed.opened);
    let bytes = opened
        .iter()
        .fold(0_u64, |sum, (_, node)| sum.saturating_add(node.bytes));
    let layers = subject.image.layers.iter();
    let whole = layers.fold(0_u64, |sum, layer| sum.saturating_add(layer.unpacked));
    let what = format!(
        "files with {:.1} MiB opened {}; the image has {:.1} MiB unpacked",
        mib(bytes),
        observed.until,
        mib(whole)
    );
    let seen = judged(subject, "lazy.bytes", share(bytes, whole), &what);
    Ok(vec![seen.at(observed.place)])
}

/// Spans of a layer: all of them, and those with a file that is opened at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spans {
    /// None for a layer that would not be indexed.
    pub all: u64,
    /// Some of them.
    pub touched: u64,
}

/// The spans of each layer.
pub(super) fn spans_of(subject: &Subject, opened: &Opened) -> Vec<Spans> {
    let layers = &subject.image.layers;
    let mut touched = vec![BTreeSet::new(); layers.len()];
    for (_, node) in of_image(subject, opened) {
        if node.bytes > 0 {
            let last = node.at.saturating_add(node.bytes - 1) / SPAN;
            touched[node.layer].extend(node.at / SPAN..=last);
        }
    }
    let indexed = |layer: &Layer| layer.bytes >= soci::MINIMUM;
    let spans = |(layer, touched): (&Layer, BTreeSet<u64>)| Spans {
        all: if indexed(layer) {
            layer.unpacked.div_ceil(SPAN)
        } else {
            0
        },
        touched: if indexed(layer) {
            touched.len() as u64
        } else {
            0
        },
    };
    layers.iter().zip(touched).map(spans).collect()
}

pub(super) fn spans(subject: &Subject) -> Result<Vec<Seen>> {
    let observed = match observed(subject)? {
        Ok(observed) => observed,
        Err(seen) => return Ok(seen),
    };
    let spans = spans_of(subject, &observed.opened);
    let all = spans.iter().map(|layer| layer.all).sum::<u64>();
    if all == 0 {
        return Ok(vec![Seen::skipped(
            "no layer has 10 MiB: SOCI indexes none",
        )]);
    }
    let touched = spans.iter().map(|layer| layer.touched).sum::<u64>();
    let what = format!("{touched} of {all} spans of 4 MiB read {}", observed.until);
    let seen = judged(subject, "lazy.spans", share(touched, all), &what);
    Ok(vec![seen.at(observed.place)])
}
