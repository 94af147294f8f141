//! The settings of where metrics go.

use std::net::SocketAddr;

use super::Reader;

/// Every way out, as the model and the settings name it.
const ROUTES: [&str; 5] = ["prometheus", "statsd", "sagemaker", "emf", "otlp"];
/// What of the workload may be a label of every metric.
const LABELS: [&str; 5] = ["job", "role", "platform", "rank", "image"];

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

impl Reader {
    pub(super) fn metrics(&mut self) -> Metrics {
        Metrics {
            listen: self.listen("metrics.listen"),
            routes: self.some_of("metrics.routes", &ROUTES, WAYS),
            labels: (self.some_of("metrics.labels", &LABELS, NAMES)).unwrap_or_default(),
            gateway_host: self.text("metrics.gateway.host"),
            gateway_port: self
                .number("metrics.gateway.port", PORT, 1..=65_535)
                .and_then(|port| u16::try_from(port).ok()),
            gateway_protocol: self.choice("metrics.gateway.protocol"),
            gateway_mode: self.choice("metrics.gateway.mode"),
            gateway_tags: self.choice("metrics.gateway.tags"),
            gateway_seconds: self.number("metrics.gateway.seconds", SECONDS, 1..=3_600),
            emf_to: self.emf_to("metrics.emf.to"),
            emf_namespace: self.namespace("metrics.emf.namespace"),
            emf_dimensions: self.dimensions("metrics.emf.dimensions"),
            otlp_endpoint: self.endpoint("metrics.otlp.endpoint"),
            otlp_headers_variable: self.variable_name("metrics.otlp.headers_variable"),
            otlp_seconds: self.number("metrics.otlp.seconds", SECONDS, 1..=3_600),
        }
    }

    fn emf_to(&mut self, key: &'static str) -> Option<EmfTo> {
        let to = EmfTo::parse(&self.text(key)?);
        if to.is_none() {
            self.wrong(key, EMF_TO);
        }
        to
    }

    fn endpoint(&mut self, key: &'static str) -> Option<String> {
        let endpoint = otlp_endpoint(&self.text(key)?);
        if endpoint.is_none() {
            self.wrong(key, ENDPOINT);
        }
        endpoint
    }

    /// A value in a name's place would be a secret among settings.
    fn variable_name(&mut self, key: &'static str) -> Option<String> {
        let text = self.text(key)?;
        let taken = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if text.bytes().all(taken) {
            return Some(text);
        }
        self.wrong(key, VARIABLE);
        None
    }

    fn namespace(&mut self, key: &'static str) -> Option<String> {
        let text = self.text(key)?;
        let taken = |byte: u8| byte.is_ascii_alphanumeric() || b".-_/#:".contains(&byte);
        if (1..=MOST_NAMESPACE).contains(&text.len()) && text.bytes().all(taken) {
            return Some(text);
        }
        self.wrong(key, NAMESPACE);
        None
    }

    fn dimensions(&mut self, key: &'static str) -> Vec<String> {
        let Some(names) = self.list(key, DIMENSIONS) else {
            return Vec::new();
        };
        let taken = |name: &String| {
            (1..=MOST_DIMENSION).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_graphic())
                && !name.starts_with(':')
        };
        if names.len() <= MOST_DIMENSIONS && names.iter().all(taken) {
            return names;
        }
        self.wrong(key, DIMENSIONS);
        Vec::new()
    }

    fn listen(&mut self, key: &'static str) -> Option<Listen> {
        let text = self.text(key)?;
        if text == "off" {
            return Some(Listen::Off);
        }
        let address = text.parse().ok();
        if address.is_none() {
            self.wrong(key, LISTEN);
        }
        address.map(Listen::At)
    }

    fn some_of(
        &mut self,
        key: &'static str,
        of: &[&str],
        expected: &'static str,
    ) -> Option<Vec<String>> {
        let words = self.list(key, expected)?;
        if words.iter().all(|word| of.contains(&word.as_str())) {
            Some(words)
        } else {
            self.wrong(key, expected);
            None
        }
    }

    fn number(
        &mut self,
        key: &'static str,
        expected: &'static str,
        within: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        self.figment.find_value(key).ok()?;
        match self.figment.extract_inner_lossy::<u32>(key) {
            Ok(number) if within.contains(&number) => Some(number),
            _ => {
                self.wrong(key, expected);
                None
            }
        }
    }
}
