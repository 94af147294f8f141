//! The settings of where metrics go.

use std::net::SocketAddr;

use figment::value::Value;

use crate::layers::{Parsed, Reader, list, number, some_of, text};

/// Every way out, as the model and the settings name it.
const ROUTES: [&str; 5] = ["prometheus", "statsd", "sagemaker", "emf", "otlp"];
/// What of the workload may be a label of every metric.
const LABELS: [&str; 5] = ["job", "role", "platform", "rank", "image"];

const STORE: &str = "0, or a number of bytes from 65536 to 1073741824";
const LISTEN: &str = "off, or an address and a port, such as 0.0.0.0:9102";
const WAYS: &str =
    "a list of prometheus, statsd, sagemaker, emf and otlp, such as [\"prometheus\"]";
const NAMES: &str = "a list of job, role, platform, rank and image";
const PORT: &str = "a port, 1 to 65535";
const SECONDS: &str = "1 to 3600 seconds";
const EMF_TO: &str = "stdout, tcp://host:port or udp://host:port";
const ENDPOINT: &str = "a URL without a name or password, such as http://collector:4318";
const VARIABLE: &str = "the name of a variable";
const NAMESPACE: &str = "1 to 255 of letters, digits and . - _ / # :";
const DIMENSIONS: &str = "a list of at most 30 labels, each 1 to 250 characters of ASCII";

/// Less holds next to nothing; more is a mistake in a unit.
pub(super) const REGION_BYTES: std::ops::RangeInclusive<u64> = 65_536..=1_073_741_824;

/// As CloudWatch takes them.
const MOST_NAMESPACE: usize = 255;
const MOST_DIMENSIONS: usize = 30;
const MOST_DIMENSION: usize = 250;

/// Where metrics go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metrics {
    pub(crate) listen: Option<Listen>,
    pub(crate) routes: Option<Vec<String>>,
    pub(crate) labels: Vec<String>,
    pub(crate) gateway_host: Option<String>,
    pub(crate) gateway_port: Option<u16>,
    pub(crate) gateway_protocol: Option<String>,
    pub(crate) gateway_mode: Option<String>,
    pub(crate) gateway_tags: Option<String>,
    pub(crate) gateway_seconds: Option<u32>,
    pub(crate) emf_to: Option<EmfTo>,
    pub(crate) emf_namespace: Option<String>,
    pub(crate) emf_dimensions: Vec<String>,
    pub(crate) otlp_endpoint: Option<String>,
    pub(crate) otlp_headers_variable: Option<String>,
    pub(crate) otlp_seconds: Option<u32>,
}

/// An OTLP server, as the setting, and the variables that SDKs read, spell it; without a slash
/// at its end. A name and a password in it would be a secret among settings.
pub(crate) fn otlp_endpoint(text: &str) -> Option<String> {
    let place = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?;
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"@?#\\".contains(&byte);
    let host = place.split('/').next().unwrap_or_default();
    (!host.is_empty() && place.bytes().all(plain)).then(|| text.trim_end_matches('/').to_owned())
}

/// Where documents of the Embedded Metric Format go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EmfTo {
    Stdout,
    /// CloudWatch's agent.
    Agent {
        packets: bool,
        host: String,
        port: u16,
    },
}

impl EmfTo {
    /// As the setting, and the variable that AWS's own libraries read, spell it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
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

/// Where Prometheus finds them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listen {
    Off,
    At(SocketAddr),
}

impl Metrics {
    pub(super) fn read(from: &mut Reader) -> Self {
        Self {
            listen: from.optional("metrics.listen", Listen::parse),
            routes: from.optional("metrics.routes", |value| some_of(value, &ROUTES, WAYS)),
            labels: from
                .optional("metrics.labels", |value| some_of(value, &LABELS, NAMES))
                .unwrap_or_default(),
            gateway_host: from.optional("metrics.gateway.host", text),
            gateway_port: from.optional("metrics.gateway.port", |value| {
                number(value, 1..=u16::MAX, PORT)
            }),
            gateway_protocol: from.choice("metrics.gateway.protocol"),
            gateway_mode: from.choice("metrics.gateway.mode"),
            gateway_tags: from.choice("metrics.gateway.tags"),
            gateway_seconds: from.optional("metrics.gateway.seconds", interval),
            emf_to: from.optional("metrics.emf.to", |value| {
                EmfTo::parse(&text(value)?).ok_or(EMF_TO)
            }),
            emf_namespace: from.optional("metrics.emf.namespace", namespace),
            emf_dimensions: from
                .optional("metrics.emf.dimensions", dimensions)
                .unwrap_or_default(),
            otlp_endpoint: from.optional("metrics.otlp.endpoint", |value| {
                otlp_endpoint(&text(value)?).ok_or(ENDPOINT)
            }),
            otlp_headers_variable: from.optional("metrics.otlp.headers_variable", variable_name),
            otlp_seconds: from.optional("metrics.otlp.seconds", interval),
        }
    }
}

impl Listen {
    fn parse(value: &Value) -> Parsed<Self> {
        let text = text(value)?;
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::At).map_err(|_| LISTEN)
    }
}

pub(super) fn region_bytes(value: &Value) -> Parsed<u64> {
    number(value, 0..=0, STORE).or_else(|_| number(value, REGION_BYTES, STORE))
}

fn interval(value: &Value) -> Parsed<u32> {
    number(value, 1..=3_600, SECONDS)
}

/// A value in a name's place would be a secret among settings.
fn variable_name(value: &Value) -> Parsed<String> {
    let text = text(value)?;
    let taken = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if text.bytes().all(taken) {
        Ok(text)
    } else {
        Err(VARIABLE)
    }
}

fn namespace(value: &Value) -> Parsed<String> {
    let text = text(value)?;
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
