//! The settings of what comes in by StatsD.

use std::net::SocketAddr;

use figment::value::Value;

use super::super::settings::REGION_BYTES;
use crate::layers::{Form, Key, Parsed, Reader, list, number, some_of, text};

pub(in crate::metrics) const KEYS: &[Key] = &[
    Key {
        name: "metrics.intercept",
        form: Form::Choice {
            of: &["true", "false", "all"],
            expected: "true, false or \"all\"",
        },
    },
    Key {
        name: "metrics.statsd.mode",
        form: Form::Choice {
            of: &["auto", "on", "off"],
            expected: "auto, on or off",
        },
    },
    Key {
        name: "metrics.statsd.listen",
        form: Form::Other,
    },
    Key {
        name: "metrics.statsd.bytes",
        form: Form::Other,
    },
    Key {
        name: "metrics.statsd.dialects",
        form: Form::Other,
    },
    Key {
        name: "metrics.statsd.signs",
        form: Form::Choice {
            of: &["auto", "delta", "value"],
            expected: "auto, delta or value",
        },
    },
    Key {
        name: "metrics.statsd.microseconds",
        form: Form::Other,
    },
    Key {
        name: "metrics.statsd.cumulative",
        form: Form::Other,
    },
];

/// What comes in by StatsD, and from whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
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

impl Settings {
    pub(crate) fn read(from: &mut Reader) -> Self {
        Self {
            mode: from.choice("metrics.statsd.mode"),
            listen: from.optional("metrics.statsd.listen", address),
            bytes: from.optional("metrics.statsd.bytes", |value| {
                number(value, REGION_BYTES, BYTES)
            }),
            dialects: from.optional("metrics.statsd.dialects", |value| {
                some_of(value, NAMES, DIALECTS)
            }),
            signs: from.choice("metrics.statsd.signs"),
            microseconds: beginnings(from, "metrics.statsd.microseconds"),
            cumulative: beginnings(from, "metrics.statsd.cumulative"),
            intercept: Intercept::read(from),
        }
    }
}

fn beginnings(from: &mut Reader, key: &'static str) -> Vec<String> {
    from.optional(key, |value| list(value, BEGINNINGS))
        .unwrap_or_default()
}

fn address(value: &Value) -> Parsed<SocketAddr> {
    text(value)?.parse().map_err(|_| AN_ADDRESS)
}

impl Intercept {
    /// A boolean, or a word beyond it.
    fn read(from: &mut Reader) -> Self {
        let key = "metrics.intercept";
        let boolean = from.optional(key, |value| Ok(value.to_bool()));
        match boolean.flatten() {
            Some(true) => Self::Statsd,
            Some(false) => Self::Nobody,
            None => match from.choice(key).as_deref() {
                Some("all") => Self::All,
                Some("false") => Self::Nobody,
                _ => Self::Statsd,
            },
        }
    }
}
