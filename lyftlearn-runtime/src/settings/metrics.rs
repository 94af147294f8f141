//! The settings of where metrics go.

use std::net::SocketAddr;

use figment::value::Value;

use crate::choice::choice;
use crate::layers::{Form, Key, Parsed, Reader, TEXT, Unset, list, number, one_of, text};
use crate::workload::{Protocol, Tags};

/// Every way out, as the model and the settings name it.
const ROUTES: [&str; 5] = ["prometheus", "statsd", "sagemaker", "emf", "otlp"];
/// What of the workload may be a label of every metric.
const LABELS: [&str; 5] = ["job", "role", "platform", "rank", "image"];

const LISTEN: &str = "off, or an address and a port, such as 0.0.0.0:9102";
const WAYS: &str =
    "a list of prometheus, statsd, sagemaker, emf and otlp, such as [\"prometheus\"]";
const NAMES: &str = "a list of job, role, platform, rank and image";
const PORT: &str = "a port, 1 to 65535";
const INTERVAL: &str = "1 to 3600 seconds";
const EMF_TO: &str = "stdout, tcp://host:port or udp://host:port";
const ENDPOINT: &str = "a URL without a name or password, such as http://collector:4318";
const VARIABLE: &str = "the name of a variable";
const NAMESPACE: &str = "1 to 255 of letters, digits and . - _ / # :";
const DIMENSIONS: &str = "a list of at most 30 labels, each 1 to 250 characters of ASCII";

/// As CloudWatch takes them.
const MOST_NAMESPACE: usize = 255;
const MOST_DIMENSIONS: usize = 30;
const MOST_DIMENSION: usize = 250;

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "metrics.listen",
        form: Form::new(LISTEN),
        default: Unset::Text(
            "0.0.0.0:9102 on Kubernetes and if `metrics.routes` has `prometheus`, else off",
        ),
        doc: "Address and port at which Prometheus scrapes `/metrics`, or `off`.",
        example: "\"0.0.0.0:9102\"",
    },
    Key {
        name: "metrics.routes",
        form: Form::new(WAYS),
        default: Unset::Text("depends on the platform and on the other settings of metrics"),
        doc: "Routes that metrics take. If you set it, they take no other route.",
        example: "[\"prometheus\", \"emf\"]",
    },
    Key {
        name: "metrics.labels",
        form: Form::new(NAMES),
        default: Unset::Value("[]"),
        doc: "Properties of the workload to add to every metric as labels. `image` is \
              available only on SageMaker.",
        example: "[\"job\", \"rank\"]",
    },
    Key {
        name: "metrics.gateway.host",
        form: TEXT,
        default: Unset::Text("STATSD_HOST"),
        doc: "Host of the StatsD server that metrics are pushed to. Setting it turns the \
              push on, unless `metrics.routes` leaves out `statsd`.",
        example: "\"statsd\"",
    },
    Key {
        name: "metrics.gateway.port",
        form: Form::new(PORT),
        default: Unset::Text("STATSD_PORT if the host is STATSD_HOST, else 8125"),
        doc: "Port of the StatsD server.",
        example: "8125",
    },
    Key {
        name: "metrics.gateway.protocol",
        form: Form::choice::<Protocol>(),
        default: Unset::Text("STATSD_PROTOCOL if the host is STATSD_HOST, else udp"),
        doc: "Protocol of the StatsD server.",
        example: "\"tcp\"",
    },
    Key {
        name: "metrics.gateway.mode",
        form: Form::choice::<GatewayMode>(),
        default: Unset::Value("relay"),
        doc: "What happens to StatsD lines that are received for the gateway. `relay` \
              forwards them byte for byte; `aggregate` counts them here and sends totals.",
        example: "\"aggregate\"",
    },
    Key {
        name: "metrics.gateway.tags",
        form: Form::choice::<Tags>(),
        default: Unset::Value("lyft"),
        doc: "How labels are written for the StatsD server: `lyft` (`name.__key=value`) or \
              `dogstatsd` (`|#key:value`).",
        example: "\"dogstatsd\"",
    },
    Key {
        name: "metrics.gateway.seconds",
        form: Form::new(INTERVAL),
        // As often as gostats flushes.
        default: Unset::Value("5"),
        doc: "Seconds between two flushes to the StatsD server.",
        example: "10",
    },
    Key {
        name: "metrics.emf.to",
        form: Form::new(EMF_TO),
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
    Key {
        name: "metrics.otlp.endpoint",
        form: Form::new(ENDPOINT),
        default: Unset::Text(
            "none; if `metrics.routes` has `otlp`, what OpenTelemetry's variables say",
        ),
        doc: "URL of the OpenTelemetry collector that metrics are sent to. The runtime \
              appends `/v1/metrics`. Setting it turns the route `otlp` on, unless \
              `metrics.routes` leaves it out.",
        example: "\"http://collector:4318\"",
    },
    Key {
        name: "metrics.otlp.headers_variable",
        form: Form::new(VARIABLE),
        default: Unset::Text(
            "none; if OpenTelemetry's variables name the collector, their headers",
        ),
        doc: "Name of the variable with the headers for the collector, spelled as in \
              `OTEL_EXPORTER_OTLP_HEADERS`. A secret may set it; later values of the secret \
              are ignored.",
        example: "\"COLLECTOR_HEADERS\"",
    },
    Key {
        name: "metrics.otlp.seconds",
        form: Form::new(INTERVAL),
        // As SDKs export by default (OpenTelemetry's specification).
        default: Unset::Value("60"),
        doc: "Seconds between two exports to the collector.",
        example: "30",
    },
];

/// Where metrics go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metrics {
    pub(crate) listen: Option<Listen>,
    pub(crate) routes: Option<Vec<String>>,
    pub(crate) labels: Vec<String>,
    pub(crate) gateway_host: Option<String>,
    pub(crate) gateway_port: Option<u16>,
    pub(crate) gateway_protocol: Option<Protocol>,
    pub(crate) gateway_mode: GatewayMode,
    pub(crate) gateway_tags: Tags,
    pub(crate) gateway_seconds: u32,
    pub(crate) emf_to: Option<EmfTo>,
    pub(crate) emf_namespace: String,
    pub(crate) emf_dimensions: Vec<String>,
    pub(crate) otlp_endpoint: Option<String>,
    pub(crate) otlp_headers_variable: Option<String>,
    pub(crate) otlp_seconds: u32,
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
            labels: from.value("metrics.labels", |value| some_of(value, &LABELS, NAMES)),
            gateway_host: from.optional("metrics.gateway.host", text),
            gateway_port: from.optional("metrics.gateway.port", |value| {
                number(value, 1..=u16::MAX, PORT)
            }),
            gateway_protocol: from.optional("metrics.gateway.protocol", one_of),
            gateway_mode: from.value("metrics.gateway.mode", one_of),
            gateway_tags: from.value("metrics.gateway.tags", one_of),
            gateway_seconds: from.value("metrics.gateway.seconds", interval),
            emf_to: from.optional("metrics.emf.to", |value| {
                EmfTo::parse(&text(value)?).ok_or(EMF_TO)
            }),
            emf_namespace: from.value("metrics.emf.namespace", namespace),
            emf_dimensions: from.value("metrics.emf.dimensions", dimensions),
            otlp_endpoint: from.optional("metrics.otlp.endpoint", |value| {
                otlp_endpoint(&text(value)?).ok_or(ENDPOINT)
            }),
            otlp_headers_variable: from.optional("metrics.otlp.headers_variable", variable_name),
            otlp_seconds: from.value("metrics.otlp.seconds", interval),
        }
    }
}

choice!(Protocol {
    Self::Udp => "udp",
    Self::Tcp => "tcp",
});

choice!(Tags {
    Self::Lyft => "lyft",
    Self::DogStatsd => "dogstatsd",
});

/// What happens to lines that are received for the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GatewayMode {
    Relay,
    Aggregate,
}

choice!(GatewayMode {
    Self::Relay => "relay",
    Self::Aggregate => "aggregate",
});

/// A list of which each is one of these.
fn some_of(value: &Value, of: &[&str], expected: &'static str) -> Parsed<Vec<String>> {
    let words = list(value, expected)?;
    if words.iter().all(|word| of.contains(&word.as_str())) {
        Ok(words)
    } else {
        Err(expected)
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

fn interval(value: &Value) -> Parsed<u32> {
    number(value, 1..=3_600, INTERVAL)
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
