//! The settings of where metrics go.

use std::net::SocketAddr;

use super::Reader;

/// Every way out, as the model and the settings name it.
const ROUTES: [&str; 2] = ["prometheus", "statsd"];
/// What of the workload may be a label of every metric.
const LABELS: [&str; 5] = ["job", "role", "platform", "rank", "image"];

const LISTEN: &str = "off, or an address and a port, such as 0.0.0.0:9102";
const WAYS: &str = "a list of prometheus and statsd, such as [\"prometheus\"]";
const NAMES: &str = "a list of job, role, platform, rank and image";
const PORT: &str = "a port, 1 to 65535";
const SECONDS: &str = "1 to 3600 seconds";

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
        }
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
