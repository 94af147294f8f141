//! Holds identities and keeps them fresh: any number of callers, one question upstream.
//!
//! While cached credentials are valid, callers never see a failure. Expired credentials are never
//! served. Only valid credentials replace valid ones.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_types::DateTime;
use hyper::body::Bytes;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::container::Skew;
use super::fault::Cause;
use super::schedule;
use super::source::{Fetched, Source, now};
use crate::workload::CredentialPlan;

/// Several SDKs never stop waiting, and one never asks twice.
const PATIENCE: Duration = Duration::from_millis(800);
/// A machine sleeps, a clock is set: the wall clock is looked at this often.
const LOOK: Duration = Duration::from_secs(30);
const NEARLY_OVER: Duration = Duration::from_secs(5 * 60);
/// No source may hang the broker.
const LONGEST_QUESTION: Duration = Duration::from_secs(20);
/// SDKs require an expiration. Credentials that never expire are served with this one, extended at
/// every refresh.
const ENDLESS: Duration = Duration::from_secs(6 * 3600);
/// Requests that are signed by a clock this far off are refused soon (AWS allows five
/// minutes).
const SKEWED_SECONDS: Skew = 120;

/// The identity that has no other name.
pub(crate) const DEFAULT: &str = "";

/// Events that the log reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Failing {
        cause: Cause,
        seconds_left: Option<u64>,
    },
    Recovered,
    Skewed {
        seconds: Skew,
    },
}

/// Why there is nothing to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// No such role is declared.
    Unknown,
    /// Not yet.
    Loading,
    Failed(Cause),
    Expired(Option<Cause>),
}

/// Every identity of a container.
#[derive(Clone)]
pub(crate) struct Broker {
    identities: Rc<BTreeMap<String, Rc<Held>>>,
}

struct Held {
    source: Source,
    state: RefCell<State>,
    /// Something was learnt.
    changed: Notify,
    /// Somebody waits.
    wanted: Notify,
}

#[derive(Default)]
struct State {
    answer: Option<Answer>,
    failure: Option<Cause>,
    counts: Counts,
    skew: Option<Skew>,
    warned: u8,
    said_skew: bool,
}

struct Answer {
    body: Bytes,
    credentials: Credentials,
    until: SystemTime,
    life: Duration,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Counts {
    pub(crate) refreshes: u64,
    pub(crate) failures: u64,
    pub(crate) served: u64,
}

/// One identity, for people and metrics.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) name: String,
    pub(crate) seconds_left: Option<u64>,
    pub(crate) clock_ahead_seconds: Option<Skew>,
    pub(crate) last_failure: Option<String>,
    #[serde(flatten)]
    pub(crate) counts: Counts,
}

/// As the container-credentials protocol has it; `Token` and `Expiration` always.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    code: &'a str,
    #[serde(rename = "Type")]
    kind: &'a str,
    access_key_id: &'a str,
    secret_access_key: &'a str,
    token: &'a str,
    expiration: String,
    last_updated: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<&'a str>,
}

impl Broker {
    pub(crate) fn new(plan: &CredentialPlan) -> Self {
        let default = Source::new(plan).map(|source| (DEFAULT.to_owned(), source));
        let roles = plan.roles.iter();
        let roles =
            roles.filter_map(|(name, role)| Some((name.clone(), Source::role(plan, role)?)));
        let held = default.into_iter().chain(roles).map(|(name, source)| {
            let held = Held {
                source,
                state: RefCell::default(),
                changed: Notify::new(),
                wanted: Notify::new(),
            };
            (name, Rc::new(held))
        });
        Self {
            identities: Rc::new(held.collect()),
        }
    }

    /// Keeps all of them fresh, in tasks of the current [`tokio::task::LocalSet`]. The
    /// default one is had before anybody asks for it, any other once somebody has. `first` is
    /// the default one's, where it was asked for already.
    pub(crate) fn keep(&self, mut first: Option<Fetched>, report: impl Fn(&str, Report) + 'static) {
        let report = Rc::new(report);
        for (name, held) in self.identities.iter() {
            let (name, held, report) = (name.clone(), Rc::clone(held), Rc::clone(&report));
            let first = if name == DEFAULT { first.take() } else { None };
            tokio::task::spawn_local(async move {
                if name != DEFAULT {
                    held.wanted.notified().await;
                }
                held.keep(first, |what| report(&name, what)).await;
            });
        }
    }

    /// A document in the protocol's own words.
    pub(crate) async fn document(&self, name: &str) -> Result<Bytes, Unavailable> {
        let held = self.identities.get(name).ok_or(Unavailable::Unknown)?;
        held.document().await
    }

    /// The default identity for this process itself, if a good one is held.
    pub(crate) fn held(&self) -> Option<Fetched> {
        let held = self.identities.get(DEFAULT)?;
        let state = held.state.borrow();
        let answer = state.answer.as_ref()?;
        left(answer.until)?;
        Some(Fetched {
            credentials: answer.credentials.clone(),
            skew: state.skew,
        })
    }

    /// The same, after a wait where it is not there yet.
    pub(crate) async fn awaited(&self) -> Option<Fetched> {
        if let Some(held) = self.held() {
            return Some(held);
        }
        let identity = self.identities.get(DEFAULT)?;
        let changed = identity.changed.notified();
        identity.wanted.notify_one();
        // The state decides below.
        let _ = tokio::time::timeout(PATIENCE, changed).await;
        self.held()
    }

    pub(crate) fn summaries(&self) -> Vec<Summary> {
        let all = self.identities.iter();
        all.map(|(name, held)| held.summary(name)).collect()
    }
}

impl Held {
    async fn document(&self) -> Result<Bytes, Unavailable> {
        if let Some(body) = self.current() {
            return Ok(body);
        }
        let changed = self.changed.notified();
        self.wanted.notify_one();
        // The state decides below.
        let _ = tokio::time::timeout(PATIENCE, changed).await;
        if let Some(body) = self.current() {
            return Ok(body);
        }
        let state = self.state.borrow();
        Err(match (&state.answer, &state.failure) {
            (Some(_), failure) => Unavailable::Expired(failure.clone()),
            (None, Some(cause)) => Unavailable::Failed(cause.clone()),
            (None, None) => Unavailable::Loading,
        })
    }

    /// What may be served now.
    fn current(&self) -> Option<Bytes> {
        let mut state = self.state.borrow_mut();
        let answer = state.answer.as_ref()?;
        let left = left(answer.until)?;
        let body = answer.body.clone();
        if is_nearly_lost(left, &state) {
            self.wanted.notify_one();
        }
        state.counts.served += 1;
        Some(body)
    }

    /// Whether a caller finds nothing, or soon nothing.
    fn is_needed(&self) -> bool {
        let state = self.state.borrow();
        let left = state.answer.as_ref().and_then(|answer| left(answer.until));
        left.is_none_or(|left| is_nearly_lost(left, &state))
    }

    async fn keep(&self, mut first: Option<Fetched>, report: impl Fn(Report)) {
        let mut failed_for = None;
        loop {
            let asked = Instant::now();
            let answer = match first.take() {
                Some(fetched) => Ok(fetched),
                None => tokio::time::timeout(LONGEST_QUESTION, self.source.fetch())
                    .await
                    .unwrap_or(Err(Cause::TimedOut)),
            };
            let span = match answer {
                Ok(fetched) => {
                    failed_for = None;
                    self.learn(fetched, &report)
                }
                Err(cause) => {
                    let span = self.fail(cause, failed_for, &report);
                    failed_for = Some(span);
                    span
                }
            };
            self.changed.notify_waiters();
            self.wait(asked, span).await;
        }
    }

    fn learn(&self, fetched: Fetched, report: &impl Fn(Report)) -> Duration {
        let credentials = fetched.credentials;
        let at = now();
        let until = credentials.expiry().unwrap_or(at + ENDLESS);
        let life = until.duration_since(at).unwrap_or_default();
        let mut state = self.state.borrow_mut();
        let before = state.answer.as_ref();
        let same = before.is_some_and(|before| {
            before.credentials.access_key_id() == credentials.access_key_id()
                && before.until == until
        });
        if let Some(seconds) = fetched.skew {
            if seconds.abs() > SKEWED_SECONDS && !state.said_skew {
                state.said_skew = true;
                report(Report::Skewed { seconds });
            }
            state.skew = Some(seconds);
        }
        state.answer = Some(Answer {
            body: render(&credentials, at, until),
            credentials,
            until,
            // Credentials that were not replaced keep their lifetime.
            life: match before_life(&state, same) {
                Some(life) => life,
                None => life,
            },
        });
        state.failure = None;
        state.counts.refreshes += 1;
        if std::mem::take(&mut state.warned) > 0 {
            report(Report::Recovered);
        }
        schedule::after_success(life, same, random())
    }

    fn fail(&self, cause: Cause, before: Option<Duration>, report: &impl Fn(Report)) -> Duration {
        let mut state = self.state.borrow_mut();
        state.counts.failures += 1;
        let answer = state.answer.as_ref();
        let life = answer.map_or(Duration::ZERO, |answer| answer.life);
        let left = answer.and_then(|answer| left(answer.until));
        let alarm = schedule::alarm(life, left);
        let span = schedule::after_failure(&cause, before, left.is_some(), random());
        if alarm > state.warned {
            state.warned = alarm;
            report(Report::Failing {
                cause: cause.clone(),
                seconds_left: left.map(|left| left.as_secs()),
            });
        }
        state.failure = Some(cause);
        // In any case, refresh before the cached credentials expire.
        left.map_or(span, |left| {
            span.min((left / 2).max(Duration::from_secs(1)))
        })
    }

    /// Sleeps for `span` on both the monotonic and the wall clock. Returns early if a caller needs
    /// credentials that are missing or about to expire.
    async fn wait(&self, asked: Instant, span: Duration) {
        let (due, due_by_the_wall) = (Instant::now() + span, now() + span);
        loop {
            let next = due.min(Instant::now() + LOOK);
            tokio::select! {
                () = tokio::time::sleep_until(next) => {
                    if Instant::now() >= due || now() >= due_by_the_wall {
                        return;
                    }
                }
                () = self.wanted.notified() => {
                    // Callers that waited for the last fetch have been answered.
                    if !self.is_needed() {
                        continue;
                    }
                    let soonest = schedule::on_demand(self.state.borrow().failure.as_ref());
                    let at = (asked + soonest).min(due);
                    tokio::time::sleep_until(at).await;
                    return;
                }
            }
        }
    }

    fn summary(&self, name: &str) -> Summary {
        let state = self.state.borrow();
        let answer = state.answer.as_ref();
        Summary {
            name: name.to_owned(),
            seconds_left: answer.and_then(|answer| Some(left(answer.until)?.as_secs())),
            clock_ahead_seconds: state.skew,
            last_failure: state.failure.as_ref().map(ToString::to_string),
            counts: state.counts,
        }
    }
}

/// Whether the cached credentials expire soon and none have replaced them.
fn is_nearly_lost(left: Duration, state: &State) -> bool {
    left < NEARLY_OVER && state.failure.is_some()
}

/// The life that began when the key was new.
fn before_life(state: &State, same: bool) -> Option<Duration> {
    let before = state.answer.as_ref()?;
    same.then_some(before.life)
}

/// `None` once the time has passed.
fn left(until: SystemTime) -> Option<Duration> {
    until
        .duration_since(now())
        .ok()
        .filter(|left| !left.is_zero())
}

fn render(credentials: &Credentials, at: SystemTime, until: SystemTime) -> Bytes {
    let document = Document {
        code: "Success",
        kind: "AWS-HMAC",
        access_key_id: credentials.access_key_id(),
        secret_access_key: credentials.secret_access_key(),
        token: credentials.session_token().unwrap_or_default(),
        expiration: timestamp(until),
        last_updated: timestamp(at),
        account_id: credentials.account_id().map(|id| id.as_str()),
    };
    let text = serde_json::to_vec(&document);
    Bytes::from(text.expect("a document of texts has no failure to report"))
}

/// UTC with `Z` and whole seconds: an offset breaks SDKs.
pub(crate) fn timestamp(time: SystemTime) -> String {
    let time = DateTime::from_secs(DateTime::from(time).secs());
    time.to_string()
}

/// From 0 to 1.
fn random() -> f64 {
    let mut bytes = [0; 4];
    // Without entropy nothing is spread, and nothing else is lost.
    let _ = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX)
}
