//! A job's state at a moment, as an event: the whole present state and all transitions so far, so
//! that losing, doubling or reordering any of them is harmless once a later one has arrived.
//! **Pure: the same plan and moment make the same bytes.**

use std::time::Duration;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use sha2::{Digest, Sha256};

use crate::contract::events as words;
use crate::outcome::{Class, Outcome, within_units};
use crate::workload::events::{Kind, Plan, Progress, Voice};

/// The state of a job at one moment. All times but `wall` are on the monotonic clock, which all
/// processes of a container share.
#[derive(Clone, Debug)]
pub(crate) struct Moment<'a> {
    pub(crate) now: Duration,
    /// The same moment since 1970, as the container's clock has it.
    pub(crate) wall: Duration,
    /// The sequence of what this sender has said last; 0 before its first.
    pub(crate) last: u64,
    /// When the program was started; `None` where it was not.
    pub(crate) started: Option<Duration>,
    /// When the platform asked for a stop.
    pub(crate) stopping: Option<Duration>,
    pub(crate) state: State<'a>,
}

#[derive(Clone, Debug)]
pub(crate) enum State<'a> {
    Alive {
        /// It says nothing new.
        heartbeat: bool,
        progress: Option<&'a Progress>,
    },
    Ended {
        at: Duration,
        outcome: &'a Outcome,
    },
}

/// One event. It has the same bytes however often it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    /// `Attempt-Sequence`.
    pub(crate) id: String,
    pub(crate) sequence: u64,
    pub(crate) job: String,
    pub(crate) detail_type: &'static str,
    pub(crate) source: String,
    /// Since 1970.
    pub(crate) time_ms: u64,
    /// The container's region, for destinations outside AWS.
    pub(crate) region: Option<String>,
    /// One JSON object.
    pub(crate) detail: String,
    cloud_type: &'static str,
    cloud_source: String,
}

/// What of a job's name may stand in a URI's path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The longest group of a queue.
const GROUP_BYTES: usize = 128;

impl Event {
    /// What `plan` has to say of this moment; `None` where that is nothing.
    pub(crate) fn of(plan: &Plan, moment: &Moment<'_>) -> Option<Self> {
        let sequence = sequence(plan, moment);
        let id = format!("{}-{sequence}", plan.attempt.id);
        let times = Times::of(plan, moment);
        let words = words_of(plan.kind);
        let (detail_type, cloud_type) = match (plan.voice, &moment.state) {
            (Voice::Job, _) => (words.detail_type, words::CLOUD_STATE),
            (Voice::Node, State::Ended { outcome, .. }) if is_a_nodes_failure(outcome.class) => {
                (words::NODE, words::CLOUD_NODE)
            }
            (
                Voice::Progress,
                State::Alive {
                    progress: Some(_), ..
                },
            ) => (words::PROGRESS, words::CLOUD_PROGRESS),
            _ => return None,
        };
        let mut detail = Object::default();
        detail.add(words.name, &plan.job);
        if plan.voice == Voice::Progress {
            detail.add(words::MODIFIED, times.modified);
        } else {
            state(&mut detail, words, plan, moment, &times);
        }
        detail.add(words::OWN, own(plan, moment, &id, sequence));
        Some(Self {
            id,
            sequence,
            job: plan.job.clone(),
            detail_type,
            source: plan.source.clone(),
            time_ms: times.modified,
            region: plan.region.clone(),
            detail: json(&detail),
            cloud_type,
            cloud_source: format!(
                "/lyftlearn/{}/{}/{}",
                segment(&plan.platform),
                segment(plan.namespace.as_deref().unwrap_or("-")),
                segment(&plan.job),
            ),
        })
    }

    /// The body of a `PutEvents`.
    pub(crate) fn eventbridge(&self, bus: &str) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Entry<'a> {
            event_bus_name: &'a str,
            source: &'a str,
            detail_type: &'a str,
            /// Seconds.
            time: &'a RawValue,
            resources: [&'a str; 0],
            detail: &'a str,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Entries<'a> {
            entries: [Entry<'a>; 1],
        }
        // Not by way of a float, which may round.
        let time = format!("{}.{:03}", self.time_ms / 1_000, self.time_ms % 1_000);
        let time = RawValue::from_string(time).expect("it is a number");
        json(&Entries {
            entries: [Entry {
                event_bus_name: bus,
                source: &self.source,
                detail_type: self.detail_type,
                time: &time,
                resources: [],
                detail: &self.detail,
            }],
        })
    }

    /// The body of a `SendMessage`.
    pub(crate) fn sqs(&self, url: &str, fifo: bool, account: Option<&str>, region: &str) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Message<'a> {
            queue_url: &'a str,
            message_body: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            message_group_id: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            message_deduplication_id: Option<&'a str>,
        }
        json(&Message {
            queue_url: url,
            message_body: &self.envelope(account, Some(region)),
            message_group_id: fifo.then(|| group(&self.job)),
            message_deduplication_id: fifo.then_some(self.id.as_str()),
        })
    }

    /// A CloudEvent in structured mode.
    pub(crate) fn cloud_event(&self) -> String {
        let mut event = Object::default();
        event.add("specversion", words::CLOUD_VERSION);
        event.add("id", &self.id);
        event.add("source", &self.cloud_source);
        event.add("type", self.cloud_type);
        event.add("subject", &self.job);
        event.add("time", rfc3339(self.time_ms));
        // Texts of one length sort as their numbers do.
        event.add("sequence", format!("{:015}", self.sequence));
        event.add("datacontenttype", words::JSON);
        event.add("data", self.raw_detail());
        json(&event)
    }

    /// A line of a file, without its end.
    pub(crate) fn line(&self) -> String {
        self.envelope(None, self.region.as_deref())
    }

    fn envelope(&self, account: Option<&str>, region: Option<&str>) -> String {
        let mut envelope = Object::default();
        envelope.add("version", "0");
        envelope.add("id", &self.id);
        envelope.add("detail-type", self.detail_type);
        envelope.add("source", &self.source);
        if let Some(account) = account {
            envelope.add("account", account);
        }
        envelope.add("time", rfc3339(self.time_ms / 1_000 * 1_000));
        if let Some(region) = region {
            envelope.add("region", region);
        }
        envelope.add("resources", [""; 0]);
        envelope.add("detail", self.raw_detail());
        json(&envelope)
    }

    fn raw_detail(&self) -> Box<RawValue> {
        RawValue::from_string(self.detail.clone()).expect("it is what serde has written")
    }
}

/// Milliseconds since PID 1's first instruction, plus one; one more than the last where the clock
/// has not moved.
fn sequence(plan: &Plan, moment: &Moment<'_>) -> u64 {
    let since = moment.now.saturating_sub(plan.attempt.begun);
    (milliseconds(since) + 1).max(moment.last + 1)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn words_of(kind: Kind) -> &'static words::Words {
    match kind {
        Kind::Training => &words::TRAINING,
        Kind::Processing => &words::PROCESSING,
        Kind::Transform => &words::TRANSFORM,
    }
}

/// Whether another node may want to know of it: it is often the cause of the job's own end.
fn is_a_nodes_failure(class: Class) -> bool {
    !matches!(
        class,
        Class::Completed | Class::Stopped | Class::BudgetExceeded
    )
}

/// Milliseconds since 1970.
struct Times {
    created: u64,
    started: Option<u64>,
    stopping: Option<u64>,
    ended: Option<u64>,
    modified: u64,
}

impl Times {
    /// Times before the program's start are counted from the container's start, and are the same in
    /// every event. Later times are counted back from now, because the machine may have slept.
    /// Times stay in order even if the clock was set.
    fn of(plan: &Plan, moment: &Moment<'_>) -> Self {
        let attempt = &plan.attempt;
        let created = milliseconds(attempt.created);
        let back = |at: Duration| {
            let ago = moment.now.saturating_sub(at);
            milliseconds(moment.wall.saturating_sub(ago))
        };
        let started = moment
            .started
            // Of whole milliseconds each, as the agent knows no parts of them.
            .map(|at| created + milliseconds(at).saturating_sub(milliseconds(attempt.begun)));
        let stopping = moment
            .stopping
            .map(|at| back(at).max(started.unwrap_or(created)));
        let least = stopping.or(started).unwrap_or(created);
        let ended = match moment.state {
            State::Ended { at, .. } => Some(back(at).max(least)),
            State::Alive { .. } => None,
        };
        let modified = ended.unwrap_or_else(|| milliseconds(moment.wall).max(least));
        Self {
            created,
            started,
            stopping,
            ended,
            modified,
        }
    }
}

/// The words of a state: of the job, and secondary.
fn status(words: &words::Words, moment: &Moment<'_>) -> (&'static str, &'static str) {
    let State::Ended { outcome, .. } = &moment.state else {
        return match (moment.stopping, moment.started) {
            (Some(_), _) => (words::STOPPING, words::STOPPING),
            (None, Some(_)) => (words::IN_PROGRESS, words.running),
            (None, None) => (words::IN_PROGRESS, words::STARTING),
        };
    };
    let status = match outcome.class {
        Class::Completed => words::COMPLETED,
        Class::Stopped | Class::BudgetExceeded => words::STOPPED,
        Class::RuntimeFailure if outcome.exit_code == 0 => words::COMPLETED,
        Class::UserError
        | Class::Signalled
        | Class::OutOfMemory
        | Class::NotStarted
        | Class::RuntimeFailure => words::FAILED,
    };
    (status, status)
}

fn state(
    detail: &mut Object,
    words: &words::Words,
    plan: &Plan,
    moment: &Moment<'_>,
    times: &Times,
) {
    let (primary, secondary) = status(words, moment);
    detail.add(words.status, primary);
    detail.add(words::SECONDARY_STATUS, secondary);
    if let State::Ended { outcome, .. } = &moment.state {
        let reason = within_units(&outcome.reason, words::REASON_UNITS);
        if primary == words::FAILED {
            detail.add(words::FAILURE_REASON, &reason);
        }
        if let Some(name) = words.exit_message {
            detail.add(name, &reason);
        }
    }
    detail.add(words::CREATED, times.created);
    if let Some(started) = times.started {
        detail.add(words.started, started);
    }
    if let Some(ended) = times.ended {
        detail.add(words.ended, ended);
    }
    detail.add(words::MODIFIED, times.modified);
    detail.add(words::TAGS, &plan.tags);
    detail.add(words::TRANSITIONS, transitions(words, secondary, times));
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Transition {
    status: &'static str,
    start_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_time: Option<u64>,
}

fn transitions(words: &words::Words, secondary: &'static str, times: &Times) -> Vec<Transition> {
    let all = [
        (words::STARTING, Some(times.created)),
        (words.running, times.started),
        (words::STOPPING, times.stopping),
        (secondary, times.ended),
    ];
    let begun: Vec<(&'static str, u64)> = all
        .into_iter()
        .filter_map(|(status, start)| Some((status, start?)))
        .collect();
    let ends = begun.iter().skip(1).map(|(_, start)| Some(*start));
    begun
        .iter()
        .zip(ends.chain([None]))
        .map(|((status, start), end)| Transition {
            status,
            start_time: *start,
            end_time: end,
        })
        .collect()
}

fn own(plan: &Plan, moment: &Moment<'_>, id: &str, sequence: u64) -> Object {
    let mut own = Object::default();
    own.add("Version", words::VERSION);
    own.add("EventId", id);
    own.add("Attempt", &plan.attempt.id);
    own.add("Sequence", sequence);
    own.add("Platform", &plan.platform);
    own.add("Namespace", &plan.namespace);
    own.add("Pod", &plan.pod);
    own.add("Container", &plan.container);
    own.add("Rank", plan.rank);
    own.add("Nodes", plan.nodes);
    match &moment.state {
        State::Alive {
            heartbeat,
            progress,
        } => {
            if plan.heartbeat_seconds > 0 && plan.voice == Voice::Job {
                let lease = Duration::from_secs(plan.lease_seconds.into());
                own.add("LeaseExpires", milliseconds(moment.wall + lease));
            }
            if *heartbeat {
                own.add("Heartbeat", true);
            }
            if let Some(progress) = progress {
                let mut said = Object::default();
                said.add("Fraction", progress.fraction);
                said.add("Message", &progress.message);
                own.add("Progress", said);
            }
        }
        State::Ended { outcome, .. } => {
            own.add("Class", outcome.class);
            own.add("Reason", within_units(&outcome.reason, words::REASON_UNITS));
            own.add("ExitCode", outcome.exit_code);
            own.add("Signal", &outcome.signal);
            own.add("StopSignal", &outcome.stop_signal);
            own.add("OomKills", outcome.oom_kills);
            own.add("Seconds", (outcome.seconds * 1_000.0).round() / 1_000.0);
        }
    }
    own
}

/// An object whose members keep their order.
#[derive(Default)]
struct Object(Vec<(&'static str, Box<RawValue>)>);

impl Object {
    fn add(&mut self, name: &'static str, value: impl Serialize) {
        let value = to_raw_value(&value).expect("plain data has no failure to report");
        self.0.push((name, value));
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain data has no failure to report")
}

/// With milliseconds where there are any.
fn rfc3339(milliseconds: u64) -> String {
    let time = DateTime::from_millis(i64::try_from(milliseconds).unwrap_or(i64::MAX));
    time.fmt(Format::DateTime).unwrap_or_default()
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// The group within which a queue keeps the order: a job's own.
fn group(job: &str) -> String {
    let permitted = |byte: u8| byte.is_ascii_graphic();
    if (1..=GROUP_BYTES).contains(&job.len()) && job.bytes().all(permitted) {
        return job.to_owned();
    }
    let digest = Sha256::digest(job.as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
