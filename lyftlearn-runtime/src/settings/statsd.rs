//! The settings of what comes in by StatsD.

use std::net::SocketAddr;

use figment::value::Value;

use super::Reader;
use super::values::REGION_BYTES;

/// What comes in by StatsD, and from whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statsd {
    pub(crate) mode: Option<String>,
    pub(crate) listen: Option<SocketAddr>,
    /// How large the totals may become.
    pub(crate) bytes: Option<u64>,
    pub(crate) dialects: Option<Vec<String>>,
    pub(crate) signs: Option<String>,
    /// Beginnings of names.
    pub(crate) microseconds: Vec<String>,
    /// The same.
    pub(crate) cumulative: Vec<String>,
    pub(crate) intercept: Intercept,
}

/// Whose variables name this runtime in a gateway's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Intercept {
    /// StatsD's, and Datadog's where nothing sets them.
    #[default]
    Statsd,
    /// Nobody's.
    Nobody,
    /// Datadog's, too.
    All,
}

const AN_ADDRESS: &str = "an address and a port, such as 127.0.0.1:8125";
const BYTES: &str = "a number of bytes from 65536 to 1073741824";
const DIALECTS: &str = "a list of lyft, librato, signalfx, influxdb and graphite";
const BEGINNINGS: &str = "a list of beginnings of names, such as [\"app.\"]";
const NAMES: &[&str] = &["lyft", "librato", "signalfx", "influxdb", "graphite"];

impl Reader {
    pub(super) fn statsd(&mut self) -> Statsd {
        Statsd {
            mode: self.choice("metrics.statsd.mode"),
            listen: self.address("metrics.statsd.listen"),
            bytes: self.store_bytes("metrics.statsd.bytes"),
            dialects: self.dialects("metrics.statsd.dialects"),
            signs: self.choice("metrics.statsd.signs"),
            microseconds: self.beginnings("metrics.statsd.microseconds"),
            cumulative: self.beginnings("metrics.statsd.cumulative"),
            intercept: self.intercept("metrics.intercept"),
        }
    }

    fn beginnings(&mut self, key: &'static str) -> Vec<String> {
        self.list(key, BEGINNINGS).unwrap_or_default()
    }

    fn address(&mut self, key: &'static str) -> Option<SocketAddr> {
        let text = self.text(key)?;
        let address = text.parse().ok();
        if address.is_none() {
            self.wrong(key, AN_ADDRESS);
        }
        address
    }

    fn store_bytes(&mut self, key: &'static str) -> Option<u64> {
        self.figment.find_value(key).ok()?;
        let bytes = self.figment.extract_inner_lossy::<u64>(key).ok();
        let bytes = bytes.filter(|bytes| REGION_BYTES.contains(bytes));
        if bytes.is_none() {
            self.wrong(key, BYTES);
        }
        bytes
    }

    fn dialects(&mut self, key: &'static str) -> Option<Vec<String>> {
        let words = self.list(key, DIALECTS)?;
        if words.iter().all(|word| NAMES.contains(&word.as_str())) {
            return Some(words);
        }
        self.wrong(key, DIALECTS);
        None
    }

    /// A truth, or a word beyond it.
    fn intercept(&mut self, key: &'static str) -> Intercept {
        match self.figment.find_value(key) {
            Ok(Value::Bool(_, true)) | Err(_) => Intercept::Statsd,
            Ok(Value::Bool(_, false)) => Intercept::Nobody,
            Ok(_) => match self.choice(key).as_deref() {
                Some("all") => Intercept::All,
                Some("false") => Intercept::Nobody,
                _ => Intercept::Statsd,
            },
        }
    }
}
