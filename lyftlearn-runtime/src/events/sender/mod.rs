//! Job state events on their way to where they are wanted: EventBridge, SQS, CloudEvents over HTTP,
//! a file. **Nothing is queued, and nothing is kept: a later state has all that an earlier one had.**
//!
//! | where | what |
//! |---|---|
//! | `aws` | EventBridge and SQS, by signed calls |
//! | `cloud_events` | a sink over HTTP |
//! | `file` | a line of a file that somebody else may change |
//! | `undelivered` | why an event did not arrive |

mod aws;
mod cloud_events;
mod file;
#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "files are written and read back, and a stand-in has a clock"
)]
mod tests;
mod undelivered;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

pub(crate) use undelivered::Undelivered;

use crate::contract::events as words;
use crate::credentials::Fetched;
use crate::deliver::events::Event;
use crate::held::Owner;
use crate::requests::{Http, Patience};
use crate::workload::events::{Destination, Plan};
use crate::workload::{Roots, Secret};

/// If the next wait would miss the deadline, a last attempt starts this long before the deadline: a
/// server that throttled may accept the event by then.
const LAST: Duration = Duration::from_millis(150);

/// Sends all events of one process. It remembers connections, the clock's error, and destinations
/// that are gone.
pub(crate) struct Sender {
    http: Http,
    /// Endpoints that replace the services' own, by the variable that sets them.
    endpoints: BTreeMap<String, String>,
    /// What sinks by HTTP are shown: a key, perhaps.
    headers: Vec<(String, Secret)>,
    /// The program's user, where that is another than this process's.
    owner: Option<Owner>,
    /// How far this machine's clock is ahead of AWS's, as a refusal has shown.
    clock_ahead: Cell<Option<i64>>,
    /// Sinks that have said that they are no more.
    gone: RefCell<BTreeSet<String>>,
}

impl Sender {
    pub(crate) fn new(plan: &Plan, roots: Option<Roots>, owner: Option<Owner>) -> Self {
        let endpoints = [
            (words::SQS_ENDPOINT, &plan.sqs_endpoint),
            (words::EVENTBRIDGE_ENDPOINT, &plan.eventbridge_endpoint),
        ];
        let endpoints = endpoints
            .into_iter()
            .filter_map(|(name, url)| Some((name.to_owned(), url.clone()?)));
        Self {
            http: Http::new(roots),
            endpoints: endpoints.collect(),
            headers: plan.headers.clone(),
            owner,
            clock_ahead: Cell::new(None),
            gone: RefCell::default(),
        }
    }

    /// The URL at which a destination is asked; `None` for a file.
    pub(crate) fn address(&self, destination: &Destination) -> Option<String> {
        match destination {
            Destination::Http { url } => Some(url.clone()),
            _ => Some(aws::call(destination, "")?.endpoint(&self.endpoints)),
        }
    }

    /// Whether a request to it could be signed.
    pub(crate) fn signs(&self, destination: &Destination, identity: &Fetched) -> bool {
        aws::call(destination, "{}").is_some_and(|call| self.signed(&call, identity).is_ok())
    }

    /// Sends the same bytes until they are taken, asking again is of no use, or the deadline is
    /// there. AWS is not asked without an identity. It may be given up at any point.
    pub(crate) async fn send(
        &self,
        destination: &Destination,
        event: &Event,
        identity: Option<&Fetched>,
        deadline: Instant,
    ) -> Result<(), Undelivered> {
        let within = deadline.saturating_duration_since(Instant::now());
        let patience = Patience {
            deadline,
            last: Some(LAST),
        };
        let sent = async {
            match destination {
                Destination::EventBridge { bus, .. } => {
                    let body = event.eventbridge(bus);
                    self.put_event(destination, &body, identity, patience).await
                }
                Destination::Sqs {
                    url,
                    region,
                    account,
                    fifo,
                } => {
                    let body = event.sqs(url, *fifo, account.as_deref(), region);
                    self.send_message(destination, &body, identity, patience)
                        .await
                }
                Destination::Http { url } => self.post(url, &event.cloud_event(), patience).await,
                Destination::File { path } => {
                    file::append(path.clone(), self.owner, event.line()).await
                }
            }
        };
        let sent = tokio::time::timeout_at(deadline, sent).await;
        match sent {
            Err(_) | Ok(Err(Undelivered::Silent { .. })) => Err(Undelivered::Silent { within }),
            Ok(sent) => sent,
        }
    }
}
