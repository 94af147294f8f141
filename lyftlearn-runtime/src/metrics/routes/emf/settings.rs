//! The settings of CloudWatch's Embedded Metric Format.

use figment::value::Value;

use crate::layers::{Form, Key, Parsed, Reader, Unset, list, text_of};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "metrics.emf.to",
        form: Form::new(TO),
        default: Unset::Text("AWS_EMF_AGENT_ENDPOINT, else stdout"),
        doc: "Where documents in CloudWatch's Embedded Metric Format go: standard output, or \
              CloudWatch's agent.",
        example: "\"tcp://127.0.0.1:25888\"",
    },
    Key {
        name: "metrics.emf.namespace",
        form: Form::new(NAMESPACE),
        default: Unset::Value("LyftLearn"),
        doc: "Namespace of the metrics in CloudWatch.",
        example: "\"Ranking\"",
    },
    Key {
        name: "metrics.emf.dimensions",
        form: Form::new(DIMENSIONS),
        default: Unset::Value("[]"),
        doc: "Labels that become dimensions in CloudWatch; those of `metrics.labels` count \
              as well. CloudWatch bills each set of values as a separate metric.",
        example: "[\"job\"]",
    },
];

const TO: &str = "stdout, tcp://host:port or udp://host:port";
const NAMESPACE: &str = "1 to 255 of letters, digits and . - _ / # :";
const DIMENSIONS: &str = "a list of at most 30 labels, each 1 to 250 characters of ASCII";

/// As CloudWatch takes them.
const MOST_NAMESPACE: usize = 255;
const MOST_DIMENSIONS: usize = 30;
const MOST_DIMENSION: usize = 250;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) to: Option<To>,
    pub(super) namespace: String,
    /// The labels that become dimensions.
    pub(super) dimensions: Vec<String>,
}

/// Where documents of the Embedded Metric Format go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum To {
    Stdout,
    /// CloudWatch's agent.
    Agent {
        packets: bool,
        host: String,
        port: u16,
    },
}

impl To {
    /// As the setting, and the variable that AWS's own libraries read, spell it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "stdout" {
            return Some(Self::Stdout);
        }
        let (protocol, place) = text.split_once("://")?;
        let packets = match protocol {
            "udp" => true,
            "tcp" => false,
            _ => return None,
        };
        let (host, port) = place.strip_suffix('/').unwrap_or(place).rsplit_once(':')?;
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        let port = port.parse().ok().filter(|port| *port != 0)?;
        (!host.is_empty() && !host.contains(['/', '@'])).then(|| Self::Agent {
            packets,
            host: host.to_owned(),
            port,
        })
    }
}

impl Settings {
    pub(crate) fn read(from: &mut Reader) -> Self {
        Self {
            to: from.optional("metrics.emf.to", |value| {
                To::parse(&text_of(value, TO)?).ok_or(TO)
            }),
            namespace: from.value("metrics.emf.namespace", namespace),
            dimensions: from.value("metrics.emf.dimensions", dimensions),
        }
    }
}

fn namespace(value: &Value) -> Parsed<String> {
    let text = text_of(value, NAMESPACE)?;
    let taken = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/#:".contains(&byte);
    if (1..=MOST_NAMESPACE).contains(&text.len()) && text.bytes().all(taken) {
        Ok(text)
    } else {
        Err(NAMESPACE)
    }
}

fn dimensions(value: &Value) -> Parsed<Vec<String>> {
    let names = list(value, DIMENSIONS)?;
    let taken = |name: &String| {
        (1..=MOST_DIMENSION).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_graphic())
            && !name.starts_with(':')
    };
    if names.len() <= MOST_DIMENSIONS && names.iter().all(taken) {
        Ok(names)
    } else {
        Err(DIMENSIONS)
    }
}
