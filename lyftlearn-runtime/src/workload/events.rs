//! Job state events: destinations, sender and everything that sending needs. The platform fills the
//! plan in; `deliver` makes events from it, and `events` sends them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Secret;

/// Destinations of this job's state events. It is `None` in the model if the setting `events.to` is
/// empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Events {
    /// The destinations, without queries.
    pub to: Vec<String>,
    /// Whether this runtime tells the states of the job; `false` where the platform does.
    pub lifecycle: bool,
    /// What this container has to tell.
    pub speaks: Voice,
}

/// What a container tells of its job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Voice {
    /// Each state of the job.
    Job,
    /// An end of this node that is a failure: another node tells the job's states.
    Node,
    /// The program's progress alone: the platform tells the states.
    Progress,
    /// Nothing.
    #[default]
    Nothing,
}

as_str!(Voice {
    Job => "job",
    Node => "node",
    Progress => "progress",
    Nothing => "nothing",
});

/// The kind of job, which decides the fields of its events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    #[default]
    Training,
    Processing,
    Transform,
}

/// Where events go.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Destination {
    EventBridge {
        /// A name or an ARN, as `PutEvents` takes it.
        bus: String,
        region: String,
        account: Option<String>,
    },
    Sqs {
        url: String,
        region: String,
        account: Option<String>,
        fifo: bool,
    },
    /// CloudEvents in structured mode.
    Http { url: String },
    /// A line for each event.
    File { path: PathBuf },
}

/// A query may be a key.
impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Destination {
    /// As people see it: without a query, a name or a password.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::EventBridge { bus, .. } => {
                let name = bus
                    .rsplit_once("event-bus/")
                    .map_or(bus.as_str(), |(_, name)| name);
                format!("eventbridge:{name}")
            }
            Self::Sqs { url, .. } => {
                let url = url.split(['?', '#']).next().unwrap_or_default();
                let name = url.rsplit('/').next().unwrap_or_default();
                format!("sqs:\u{2026}/{name}")
            }
            Self::Http { url } => {
                let url = url.split(['?', '#']).next().unwrap_or_default();
                let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
                let (host, path) = rest
                    .split_once('/')
                    .map_or((rest, None), |(host, path)| (host, Some(path)));
                let host = host.rsplit('@').next().unwrap_or_default();
                match path {
                    Some(path) => format!("{scheme}://{host}/{path}"),
                    None => format!("{scheme}://{host}"),
                }
            }
            Self::File { path } => format!("file:{}", path.display()),
        }
    }

    /// Whether requests to it are signed.
    pub(crate) fn is_signed(&self) -> bool {
        matches!(self, Self::EventBridge { .. } | Self::Sqs { .. })
    }
}

/// A variable that a secret may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeadersIn {
    pub(crate) variable: String,
    /// Whether it is set without secrets.
    pub(crate) is_set: bool,
}

/// One start of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// A UUID of version 7: it sorts by start.
    pub(crate) id: String,
    /// The first instruction of PID 1, on the monotonic clock.
    pub(crate) begun: Duration,
    /// The same moment, since 1970.
    pub(crate) created: Duration,
}

/// Everything that an event of this container can say before its program starts, and everything
/// that sending takes but the identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    not(all(feature = "agent", feature = "cli")),
    allow(dead_code, reason = "who sends waits on a network")
)]
pub(crate) struct Plan {
    /// Where all of them go that can be sent from here.
    pub(crate) to: Vec<Destination>,
    pub(crate) voice: Voice,
    pub(crate) kind: Kind,
    /// `source` of the envelope.
    pub(crate) source: String,
    /// Between two repetitions of a state; 0 is no repetition, and no lease.
    pub(crate) heartbeat_seconds: u32,
    pub(crate) lease_seconds: u32,
    /// How long an exit may wait for its event.
    pub(crate) end_seconds: u32,
    pub(crate) tags: BTreeMap<String, String>,
    /// Where this container is, where that is known.
    pub(crate) region: Option<String>,
    /// The job's name, which is the key of all its events.
    pub(crate) job: String,
    pub(crate) platform: String,
    pub(crate) namespace: Option<String>,
    /// The pod's UID, or what else tells this run from every other.
    pub(crate) pod: Option<String>,
    pub(crate) container: Option<String>,
    pub(crate) rank: Option<u32>,
    pub(crate) nodes: Option<u32>,
    /// What destinations by HTTP are shown: a key, perhaps.
    pub(crate) headers: Vec<(String, Secret)>,
    /// Where those are looked for once there are secrets.
    #[serde(skip)]
    pub(crate) headers_in: Option<HeadersIn>,
    /// Where SQS and EventBridge are called instead.
    pub(crate) sqs_endpoint: Option<String>,
    pub(crate) eventbridge_endpoint: Option<String>,
    pub(crate) attempt: Attempt,
}

/// How far a program says that it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// From 0 to 1.
    pub(crate) fraction: f64,
    #[serde(default)]
    pub(crate) message: String,
}

#[cfg(test)]
mod tests {
    use super::Destination;

    #[test]
    fn a_displayed_url_has_no_query_and_no_password() {
        let region = || "eu-west-1".to_owned();
        let http = |url: &str| Destination::Http {
            url: url.to_owned(),
        };
        let bus = |bus: &str| Destination::EventBridge {
            bus: bus.to_owned(),
            region: region(),
            account: None,
        };
        let cases = [
            (bus("ml"), "eventbridge:ml"),
            (
                bus("arn:aws:events:eu-west-1:123456789012:event-bus/ml"),
                "eventbridge:ml",
            ),
            (
                Destination::Sqs {
                    url: "https://sqs.eu-west-1.amazonaws.com/123456789012/job-states?k=v"
                        .to_owned(),
                    region: region(),
                    account: None,
                    fifo: false,
                },
                "sqs:\u{2026}/job-states",
            ),
            (http("https://host/path?key=hunter2"), "https://host/path"),
            (
                http("http://name:hunter2@host:8080/a/b#c"),
                "http://host:8080/a/b",
            ),
            (http("https://host?key=hunter2"), "https://host"),
            (
                Destination::File {
                    path: "/events/job".into(),
                },
                "file:/events/job",
            ),
        ];
        for (destination, shown) in cases {
            assert_eq!(destination.shown(), shown);
        }
    }
}
