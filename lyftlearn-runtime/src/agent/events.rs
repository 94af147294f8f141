//! Sends the job's states while the program runs: the start, a heartbeat with its lease, a
//! requested stop, and the program's progress. A process of its own sends the end, after this one
//! has ended.
//!
//! Each destination has a task of its own, with one request in flight. A newer state replaces a
//! waiting one, because it has everything that the older one had.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::config::Events as Config;
use super::ledger::Ledger;
use super::log::Log;
use super::log_report as log_credentials;
use crate::contract::{events as words, limits};
use crate::credentials::{Broker, Fetched};
use crate::deliver::Notes;
use crate::deliver::events::{Event, Moment, State};
use crate::deliver::secrets;
use crate::events::{Sender, Undelivered, beginning};
use crate::facts::{Facts, monotonic_clock, wall_clock};
use crate::held::Directory;
use crate::outcome::Redact;
use crate::secrets::values;
use crate::workload::events::{Destination, Plan, Progress, Voice};

/// How often the program's progress is looked at, and the most often that it is sent.
const PROGRESS: Duration = Duration::from_secs(10);
/// How long one state is sent, and a newer one waits, before it has failed.
const PATIENCE: Duration = Duration::from_secs(5);
/// What of that is kept for the request while credentials are waited for.
const REQUEST: Duration = Duration::from_secs(2);
/// The wait before a state is sent again, doubled each time.
const SOON: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(60);

/// What became of attempts to send, by destination and result.
pub(super) type Counts = Rc<RefCell<BTreeMap<(String, &'static str), u64>>>;

type Said = Option<Rc<Event>>;

/// The signer of requests, if a destination needs signatures: the broker of the credential
/// endpoint, or a broker of its own if there is no endpoint.
pub(super) fn signer(config: &Config, served: Option<&Broker>, log: Log) -> Option<Broker> {
    if !config.plan.to.iter().any(Destination::is_signed) {
        return None;
    }
    if let Some(served) = served {
        return Some(served.clone());
    }
    let broker = Broker::new(&config.credential_plan);
    broker.keep(None, move |name, report| {
        log_credentials(log, name, &report);
    });
    Some(broker)
}

/// What it asks, and what it leaves.
pub(super) struct Teller {
    pub(super) run: Option<Directory>,
    pub(super) ledger: Ledger,
    pub(super) signer: Option<Broker>,
    pub(super) counts: Counts,
    pub(super) log: Log,
    /// The secrets that were delivered since the start.
    pub(super) notes: Option<Rc<Notes>>,
}

impl Teller {
    /// Tells until this process ends. `wake` says that a stop may have been asked for.
    pub(super) async fn send_states(self, config: Config, wake: Rc<Notify>) {
        let plan = &config.plan;
        let owner = self.run.as_ref().and_then(Directory::owner);
        let roots = config.credential_plan.roots.clone();
        let sender = Rc::new(Sender::new(plan, roots, owner));
        let (states, _) = watch::channel(None);
        for destination in &plan.to {
            let to = To {
                shown: destination.shown(),
                destination: destination.clone(),
                sender: Rc::clone(&sender),
                signer: self.signer.clone(),
                counts: Rc::clone(&self.counts),
                log: self.log,
            };
            tokio::task::spawn_local(to.follow(states.subscribe()));
        }
        let beats = plan.heartbeat_seconds > 0 && plan.voice == Voice::Job;
        let heartbeat = Duration::from_secs(plan.heartbeat_seconds.max(1).into());
        let mut progress = self.progress(&config);
        let mut last = 0;
        let mut is_repetition = false;
        let mut look = Instant::now() + PROGRESS;
        loop {
            if let Some(event) = self.event(plan, last, is_repetition, progress.as_ref()) {
                last = event.sequence;
                states.send_replace(Some(Rc::new(event)));
            }
            let beat = Instant::now() + heartbeat;
            is_repetition = loop {
                tokio::select! {
                    () = wake.notified() => break false,
                    () = tokio::time::sleep_until(beat), if beats => break true,
                    () = tokio::time::sleep_until(look) => {
                        look = Instant::now() + PROGRESS;
                        let found = self.progress(&config);
                        if found != progress {
                            progress = found;
                            break false;
                        }
                    }
                }
            };
        }
    }

    /// The present state; `None` where there is nothing to say, or nothing more.
    fn event(
        &self,
        plan: &Plan,
        last: u64,
        heartbeat: bool,
        progress: Option<&Progress>,
    ) -> Option<Event> {
        // The end is not this process's to tell, and nothing after it is.
        if self.ledger.end().is_some() {
            return None;
        }
        let (started, stopping) = self.ledger.started_and_stopped();
        let moment = Moment {
            now: monotonic_clock(),
            wall: wall_clock(),
            last,
            started,
            stopping,
            state: State::Alive {
                heartbeat,
                progress,
            },
        };
        Event::of(plan, &moment)
    }

    /// What the program has said last, without secrets. A file that cannot be understood was not
    /// written by this runtime's library.
    fn progress(&self, config: &Config) -> Option<Progress> {
        let run = self.run.as_ref()?;
        let text = run.read(words::PROGRESS_FILE, limits::PROGRESS_BYTES);
        let said: Progress = serde_json::from_slice(&text.ok()??).ok()?;
        if !said.fraction.is_finite() {
            return None;
        }
        let facts = Facts::capture(Vec::new());
        let noted = self.notes.iter().flat_map(|notes| notes.secrets());
        let delivered = noted.chain(secrets::read(run).ok().flatten());
        let delivered = delivered.flat_map(|document| values(&document)).collect();
        let redact = Redact::new(facts.vars(), &config.redact).with(delivered);
        let message = redact.text(&said.message);
        Some(Progress {
            fraction: said.fraction.clamp(0.0, 1.0),
            message: beginning(&message, words::PROGRESS_CHARACTERS),
        })
    }
}

/// One destination.
struct To {
    shown: String,
    destination: Destination,
    sender: Rc<Sender>,
    signer: Option<Broker>,
    counts: Counts,
    log: Log,
}

impl To {
    async fn follow(self, mut states: watch::Receiver<Said>) {
        let mut causes = BTreeSet::new();
        let mut pause = SOON;
        loop {
            let said = states.borrow_and_update().clone();
            let again = match said {
                None => false,
                Some(event) => {
                    let sent = self.send(&event, Instant::now() + PATIENCE).await;
                    let is_final = sent.as_ref().err().is_some_and(Undelivered::is_final);
                    let again = sent.as_ref().err().is_some_and(may_pass);
                    self.note(sent, &mut causes);
                    if is_final {
                        return;
                    }
                    again
                }
            };
            if !again {
                pause = SOON;
                if states.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let wait = pause.mul_f64(0.5 + fastrand::f64());
            pause = (pause * 2).min(LATEST);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                changed = states.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }

    async fn send(&self, event: &Event, deadline: Instant) -> Result<(), Undelivered> {
        let signer = (self.signer.as_ref()).filter(|_| self.destination.is_signed());
        let identity = match signer {
            Some(signer) => awaited(signer, deadline).await,
            None => None,
        };
        self.sender
            .send(&self.destination, event, identity.as_ref(), deadline)
            .await
    }

    /// Counts it, and says a cause once until something arrives again.
    fn note(&self, sent: Result<(), Undelivered>, causes: &mut BTreeSet<String>) {
        let result = if sent.is_ok() { "delivered" } else { "failed" };
        let key = (self.shown.clone(), result);
        *self.counts.borrow_mut().entry(key).or_default() += 1;
        match sent {
            Ok(()) if !causes.is_empty() => {
                causes.clear();
                self.log
                    .warn("job-events-delivered-again", &[("to", &self.shown)]);
            }
            Ok(()) => {}
            Err(why) => {
                let cause = why.to_string();
                if causes.insert(cause.clone()) {
                    let fields = [("to", self.shown.as_str()), ("cause", &cause)];
                    self.log.warn("job-event-not-delivered", &fields);
                }
            }
        }
    }
}

/// Credentials may take a moment at the start, which is no failure yet.
async fn awaited(signer: &Broker, deadline: Instant) -> Option<Fetched> {
    loop {
        let held = signer.awaited().await;
        if held.is_some() || Instant::now() + REQUEST >= deadline {
            return held;
        }
        // A source that fails at once is not waited for by the wait above.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Whether the same state may arrive later: nothing has judged it.
fn may_pass(why: &Undelivered) -> bool {
    matches!(
        why,
        Undelivered::NoIdentity
            | Undelivered::Unknown { .. }
            | Undelivered::Throttled { .. }
            | Undelivered::Failing { .. }
            | Undelivered::Silent { .. }
            | Undelivered::Unreachable
    )
}
