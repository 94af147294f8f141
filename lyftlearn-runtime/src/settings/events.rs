//! The settings of job state events.

use std::collections::BTreeMap;
use std::fmt;

use figment::value::Value;

use super::credentials::pairs;
use crate::choice::choice;
use crate::contract::events as words;
use crate::layers::{
    Form, Key, Parsed, Reader, Unset, WORDS, list, number, one_of, text_of, words as texts,
};
use crate::metrics::routes;

const DESTINATIONS: &str = "a list of at most four destinations, such as [\"eventbridge:BUS\"]; others are sqs:QUEUE-URL, https://\u{2026}, http://\u{2026} and file:/PATH";
const SOURCE: &str = "a string that does not begin with aws.";
const HEARTBEAT: &str = "0, or 1 to 3600 seconds";
const LEASE: &str = "at least three times events.heartbeat_seconds";
const END: &str = "0 to 30 seconds";
const TAGS: &str = "a list of tags, such as [\"platform_job=8812\"]";

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "events.to",
        form: Form::new(DESTINATIONS),
        default: Unset::Value("[]"),
        doc: "Destinations of job state events. A bus of EventBridge is named by name or ARN, \
              a queue of SQS by its URL. Other URLs get CloudEvents, and a file gets a line \
              for each event.",
        example: "[\"eventbridge:ml\"]",
    },
    Key {
        name: "events.lifecycle",
        form: Form::choice::<Lifecycle>(),
        default: Unset::Value("auto"),
        doc: "Whether the runtime sends the states of the job. `auto` does so except on \
              SageMaker, which sends them by itself. Without them, only the program's own \
              progress is sent.",
        example: "\"on\"",
    },
    Key {
        name: "events.source",
        form: Form::new(SOURCE),
        default: Unset::Value("lyftlearn.runtime"),
        doc: "The `source` of the events. EventBridge rejects one that begins with `aws.`.",
        example: "\"ml.ranking\"",
    },
    Key {
        name: "events.heartbeat_seconds",
        form: Form::new(HEARTBEAT),
        default: Unset::Value("60"),
        doc: "Seconds between two repetitions of the present state. With 0 a state is sent \
              once, and has no lease.",
        example: "30",
    },
    Key {
        name: "events.lease_seconds",
        form: Form::new(LEASE),
        default: Unset::Value("300"),
        doc: "Seconds after which a consumer may take a job for lost if it hears nothing of \
              it. It must be at least three times `events.heartbeat_seconds`.",
        example: "600",
    },
    Key {
        name: "events.end_seconds",
        form: Form::new(END),
        default: Unset::Value("3"),
        doc: "Seconds that an exit may wait for the event of the job's end to be accepted. \
              It never takes longer than the time that is kept from the program.",
        example: "10",
    },
    Key {
        name: "events.labels",
        form: WORDS,
        default: Unset::Value("[]"),
        doc: "Labels of the pod that become tags of its events. The pod must mount them \
              with a downwardAPI volume at `job.podinfo_dir`.",
        example: "[\"team\"]",
    },
    Key {
        name: "events.tags",
        form: Form::new(TAGS),
        default: Unset::Value("[]"),
        doc: "Further tags of the events, as `NAME=VALUE`. A tag overrides the label of the \
              same name.",
        example: "[\"platform_job=8812\"]",
    },
    Key {
        name: "events.headers_variable",
        form: routes::HEADERS_VARIABLE,
        default: Unset::Text("none"),
        doc: "Name of the variable with the headers for `https://` and `http://` \
              destinations, spelled as for `metrics.otlp.headers_variable`. A secret may set \
              it; later values of the secret are ignored.",
        example: "\"SINK_HEADERS\"",
    },
];

/// Job state events, as a person wants them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) to: Vec<To>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) source: String,
    /// 0: no repetition, and no lease.
    pub(crate) heartbeat_seconds: u32,
    pub(crate) lease_seconds: u32,
    pub(crate) end_seconds: u32,
    pub(crate) labels: Vec<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) headers_variable: Option<String>,
}

/// A destination as it is spelled.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum To {
    /// A bus's name or ARN.
    EventBridge(String),
    /// A queue's URL.
    Sqs(String),
    Http(String),
    /// An absolute path.
    File(String),
}

/// Its kind alone: a URL may have a key in its query.
impl fmt::Debug for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EventBridge(_) => "EventBridge",
            Self::Sqs(_) => "Sqs",
            Self::Http(_) => "Http",
            Self::File(_) => "File",
        })
    }
}

/// Whether the states of the job are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lifecycle {
    /// Where the platform does not.
    Auto,
    On,
    Off,
}

choice!(Lifecycle {
    Self::Auto => "auto",
    Self::On => "on",
    Self::Off => "off",
});

impl Settings {
    pub(super) fn read(from: &mut Reader) -> Self {
        let settings = Self {
            to: from.value("events.to", destinations),
            lifecycle: from.value("events.lifecycle", one_of),
            source: from.value("events.source", source),
            heartbeat_seconds: from.value("events.heartbeat_seconds", |value| {
                number(value, 0..=3_600, HEARTBEAT)
            }),
            lease_seconds: from.value("events.lease_seconds", |value| {
                number(value, 0..=u32::MAX, LEASE)
            }),
            end_seconds: from.value("events.end_seconds", |value| number(value, 0..=30, END)),
            labels: from.value("events.labels", texts),
            tags: from.value("events.tags", |value| pairs(value, TAGS)),
            headers_variable: from.optional("events.headers_variable", routes::variable_name),
        };
        if settings.lease_seconds < settings.heartbeat_seconds.saturating_mul(3) {
            from.wrong("events.lease_seconds", LEASE);
        }
        settings
    }
}

fn destinations(value: &Value) -> Parsed<Vec<To>> {
    let all = list(value, DESTINATIONS)?;
    let all: Option<Vec<To>> = all.iter().map(|text| destination(text)).collect();
    all.filter(|all| all.len() <= words::DESTINATIONS)
        .ok_or(DESTINATIONS)
}

fn destination(text: &str) -> Option<To> {
    if let Some(bus) = text.strip_prefix(words::EVENTBRIDGE) {
        return is_bus(bus).then(|| To::EventBridge(bus.to_owned()));
    }
    if let Some(url) = text.strip_prefix(words::SQS) {
        // A queue has a name, and nothing behind it.
        let named = is_url(url) && !url.contains('?') && !url.ends_with('/');
        let path = url.split_once("://")?.1.split_once('/');
        return (named && path.is_some()).then(|| To::Sqs(url.to_owned()));
    }
    if let Some(path) = text.strip_prefix(words::FILE) {
        let named = path.starts_with('/') && !path.ends_with('/');
        return named.then(|| To::File(path.to_owned()));
    }
    is_url(text).then(|| To::Http(text.to_owned()))
}

/// `NAME` or `arn:PARTITION:events:REGION:ACCOUNT:event-bus/NAME` (EventBridge API reference,
/// "PutEventsRequestEntry").
fn is_bus(bus: &str) -> bool {
    let named = |name: &str| {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
        (1..=words::NAME_CHARACTERS).contains(&name.len()) && name.bytes().all(letter)
    };
    let parts: Vec<&str> = bus.splitn(6, ':').collect();
    match parts.as_slice() {
        [name] => named(name),
        ["arn", _, "events", region, account, bus] => {
            !region.is_empty()
                && account.len() == 12
                && bus.strip_prefix("event-bus/").is_some_and(named)
        }
        _ => false,
    }
}

/// A name and a password in it would be a secret among settings.
fn is_url(text: &str) -> bool {
    let place = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let Some(place) = place else { return false };
    let host = place.split(['/', '?']).next().unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"#\\\"<>".contains(&byte);
    !host.is_empty() && !host.contains('@') && place.bytes().all(plain)
}

fn source(value: &Value) -> Parsed<String> {
    let source = text_of(value, SOURCE)?;
    let fits = source.chars().count() <= words::NAME_CHARACTERS;
    let is_awss = source.to_ascii_lowercase().starts_with(words::AWS_SOURCE);
    if fits && !is_awss && !source.chars().any(char::is_control) {
        Ok(source)
    } else {
        Err(SOURCE)
    }
}

#[cfg(test)]
mod tests {
    use super::{To, destination};

    #[test]
    fn each_kind_of_destination_is_known_by_its_beginning() {
        let arn = "arn:aws:events:eu-west-1:123456789012:event-bus/ml";
        let queue = "https://sqs.eu-west-1.amazonaws.com/123456789012/job-states.fifo";
        let cases = [
            ("eventbridge:ml", Some(To::EventBridge("ml".to_owned()))),
            (
                &format!("eventbridge:{arn}"),
                Some(To::EventBridge(arn.to_owned())),
            ),
            (&format!("sqs:{queue}"), Some(To::Sqs(queue.to_owned()))),
            (
                "https://sink/a?key=x",
                Some(To::Http("https://sink/a?key=x".to_owned())),
            ),
            ("http://broker", Some(To::Http("http://broker".to_owned()))),
            ("file:/events", Some(To::File("/events".to_owned()))),
        ];
        for (text, expected) in cases {
            assert_eq!(destination(text), expected, "{text}");
        }
        for wrong in [
            "",
            "ml",
            "eventbridge:",
            "eventbridge:a b",
            "eventbridge:arn:aws:events:eu-west-1:1:event-bus/ml",
            "eventbridge:arn:aws:events:eu-west-1:123456789012:rule/ml",
            "sqs:job-states",
            "sqs:https://sqs.eu-west-1.amazonaws.com",
            "https://",
            "https://name:hunter2@sink",
            "https://sink/#part",
            "https://sink/a b",
            "ftp://sink",
            "file:events",
            "file:/events/",
            "FILE:/events",
        ] {
            assert_eq!(destination(wrong), None, "{wrong}");
        }
    }
}
