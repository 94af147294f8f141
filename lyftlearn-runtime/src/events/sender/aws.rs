//! EventBridge and SQS, by calls that are signed as secrets' are.

use std::time::Duration;

use aws_smithy_types::body::SdkBody;
use serde::Deserialize;

use super::cloud_events::closing;
use super::{Sender, Undelivered};
use crate::contract::aws as contract;
use crate::contract::events as words;
use crate::credentials::{Fetched, clock_ahead};
use crate::requests::{
    self, Answered, Call, Patience, Service, Signer, Unanswered, code_in_any_form as code,
    is_passing,
};
use crate::workload::events::Destination;

const EVENTBRIDGE: Service = Service {
    name: words::EVENTBRIDGE_SERVICE,
    endpoint: words::EVENTBRIDGE_ENDPOINT,
    content_type: contract::JSON_1_1,
};
const SQS: Service = Service {
    name: words::SQS_SERVICE,
    endpoint: words::SQS_ENDPOINT,
    content_type: contract::JSON_1_0,
};

/// What AWS calls credentials that it does not know, or that have expired.
const UNKNOWN: &[&str] = &[
    "401",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];
/// What it calls a signature of another hour.
const OF_ANOTHER_TIME: &[&str] = &[
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
];
/// A date has whole seconds, and its answer took some time. AWS allows five minutes.
const SKEWED_SECONDS: u64 = 120;

/// The call that a destination takes; `None` for one outside of AWS.
pub(super) fn call<'a>(destination: &'a Destination, body: &'a str) -> Option<Call<'a>> {
    match destination {
        Destination::EventBridge { region, .. } => Some(Call {
            service: &EVENTBRIDGE,
            target: words::PUT_EVENTS,
            region,
            origin: None,
            body,
        }),
        Destination::Sqs { url, region, .. } => Some(Call {
            service: &SQS,
            target: words::SEND_MESSAGE,
            region,
            origin: origin(url),
            body,
        }),
        Destination::Http { .. } | Destination::File { .. } => None,
    }
}

/// Scheme and authority of a URL; `None` where it is not one.
fn origin(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    url.get(..scheme.len() + "://".len() + authority.len())
}

/// What became of the one entry of a `PutEvents`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    failed_entry_count: u64,
    #[serde(default)]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    error_code: Option<String>,
}

impl Put {
    fn of(answered: &Answered) -> Option<Self> {
        serde_json::from_slice(&answered.body).ok()
    }

    /// The name of the error, if the entry has failed.
    fn error(&self) -> Option<&str> {
        let of_entry = self
            .entries
            .iter()
            .find_map(|entry| entry.error_code.as_deref());
        let plain = |code: &&str| {
            (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        (self.failed_entry_count > 0).then(|| of_entry.filter(plain).unwrap_or("no reason"))
    }
}

/// Whether another attempt may have another answer, whichever form this one has.
fn may_pass(answered: &Answered) -> bool {
    requests::may_pass(answered) || is_passing(&code(answered))
}

#[derive(Deserialize)]
struct Sent {
    #[serde(rename = "MessageId")]
    _id: String,
}

impl Sender {
    pub(super) async fn put_event(
        &self,
        destination: &Destination,
        body: &str,
        identity: Option<&Fetched>,
        patience: Patience,
    ) -> Result<(), Undelivered> {
        // A request answers 200 although its entries failed.
        let may_pass = |answered: &Answered| match Put::of(answered) {
            Some(put) if answered.status == 200 => put.error().is_some_and(is_passing),
            _ => may_pass(answered),
        };
        let answered = self
            .ask(destination, body, identity, patience, may_pass)
            .await?;
        if answered.status != 200 {
            return Err(refused(&answered, words::EVENTBRIDGE_ACTION, |code| {
                Undelivered::NoBus { code }
            }));
        }
        let put = Put::of(&answered).ok_or(Undelivered::Malformed)?;
        match put.error() {
            Some(code) => Err(Undelivered::NotTaken {
                code: code.to_owned(),
            }),
            None => Ok(()),
        }
    }

    pub(super) async fn send_message(
        &self,
        destination: &Destination,
        body: &str,
        identity: Option<&Fetched>,
        patience: Patience,
    ) -> Result<(), Undelivered> {
        let answered = self
            .ask(destination, body, identity, patience, may_pass)
            .await?;
        if answered.status != 200 {
            return Err(refused(&answered, words::SQS_ACTION, |code| {
                Undelivered::NoQueue { code }
            }));
        }
        // A proxy or gateway may answer 200 as well.
        let sent: Result<Sent, _> = serde_json::from_slice(&answered.body);
        sent.map(drop).map_err(|_| Undelivered::Malformed)
    }

    async fn ask(
        &self,
        destination: &Destination,
        body: &str,
        identity: Option<&Fetched>,
        patience: Patience,
        may_pass: impl Fn(&Answered) -> bool,
    ) -> Result<Answered, Undelivered> {
        let call = call(destination, body).ok_or(Undelivered::Malformed)?;
        let identity = identity.ok_or(Undelivered::NoIdentity)?;
        let again = |answered: &Answered| {
            if may_pass(answered) {
                return Some(answered.retry_after.unwrap_or_default());
            }
            let theirs = answered.date.as_deref().and_then(clock_ahead)?;
            let is_refused = OF_ANOTHER_TIME.contains(&code(answered).as_str());
            if !is_refused || theirs.abs_diff(self.ahead(identity)) < SKEWED_SECONDS {
                return None;
            }
            self.clock_ahead.set(Some(theirs));
            Some(Duration::ZERO)
        };
        let request = || self.signed(&call, identity);
        Ok(self.http.ask(patience, request, again).await?)
    }

    /// How far this machine's clock is ahead of AWS's, as far as that is known.
    fn ahead(&self, identity: &Fetched) -> i64 {
        let learnt = self.clock_ahead.get();
        learnt.or(identity.skew).unwrap_or_default()
    }

    pub(super) fn signed(
        &self,
        call: &Call<'_>,
        identity: &Fetched,
    ) -> Result<http::Request<SdkBody>, Unanswered> {
        let signer = Signer {
            credentials: &identity.credentials,
            endpoints: &self.endpoints,
            clock_ahead: self.ahead(identity),
        };
        signer.sign(call).map(closing)
    }
}

fn refused(
    answered: &Answered,
    action: &'static str,
    not_there: impl Fn(String) -> Undelivered,
) -> Undelivered {
    let code = code(answered);
    match code.as_str() {
        "AccessDenied" | "AccessDeniedException" | "403" => Undelivered::Denied { code, action },
        "QueueDoesNotExist" | "NonExistentQueue" | "ResourceNotFoundException" | "404" => {
            not_there(code)
        }
        name if UNKNOWN.contains(&name) => Undelivered::Unknown { code },
        _ if (300..400).contains(&answered.status) => Undelivered::Redirected {
            status: answered.status,
        },
        name if answered.status == 429 || name.contains("Thrott") => {
            Undelivered::Throttled { code }
        }
        _ if may_pass(answered) => Undelivered::Failing { code },
        _ => Undelivered::Refused { code },
    }
}
