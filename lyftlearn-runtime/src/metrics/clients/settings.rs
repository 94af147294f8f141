//! The settings of received StatsD lines.

use std::net::SocketAddr;

use figment::value::Value;

use super::super::settings::SIZES;
use crate::choice::{Choice, choice};
use crate::layers::{Form, Key, Parsed, Reader, Unset, list, list_of, number, one_of, text_of};

const INTERCEPT: &str = "true, false or \"all\"";
const AN_ADDRESS: &str = "an address and a port, such as 127.0.0.1:8125";
const BYTES: &str = "a number of bytes from 65536 to 1073741824";
const PREFIXES: &str = "a list of beginnings of names, such as [\"app.\"]";

pub(in crate::metrics) const KEYS: &[Key] = &[
    Key {
        name: "metrics.intercept",
        form: Form::choice::<Intercept>().expecting(INTERCEPT),
        default: Unset::Value("true"),
        doc: "Which clients send metrics to this runtime instead of their gateway. `true`: \
              StatsD's, and Datadog's if no variable configures them. `\"all\"` adds all of \
              Datadog's; `false` is none.",
        example: "\"all\"",
    },
    Key {
        name: "metrics.statsd.mode",
        form: Form::choice::<Mode>(),
        default: Unset::Value("auto"),
        doc: "Whether to listen for StatsD. `auto` listens if the environment names a \
              gateway that the runtime can replace. A file may also set it as \
              `metrics.statsd`.",
        example: "\"on\"",
    },
    Key {
        name: "metrics.statsd.listen",
        form: Form::new(AN_ADDRESS),
        default: Unset::Text("127.0.0.1:8125 and [::1]:8125; in a pod, a free port"),
        doc: "Address and port for StatsD over UDP and TCP. If the port is taken, the \
              runtime picks a free one and reports a problem.",
        example: "\"127.0.0.1:8126\"",
    },
    Key {
        name: "metrics.statsd.bytes",
        form: Form::new(BYTES),
        // A page is made when it is first counted in.
        default: Unset::Value("16777216"),
        doc: "Maximum size in bytes of the totals of StatsD. The used part counts towards \
              the memory limit. The default holds about 20000 counters and gauges, or 3000 \
              histograms.",
        example: "4194304",
    },
    Key {
        name: "metrics.statsd.dialects",
        form: Form::list_of::<Dialect>(),
        default: Unset::Value("[\"lyft\", \"librato\", \"signalfx\"]"),
        doc: "Which tags in names are recognized: `lyft` (`name.__key=value`), `librato` \
              (`name#key=value`), `signalfx` (`name[key=value]`), `influxdb` \
              (`name,key=value`), `graphite` (`name;key=value`).",
        example: "[\"influxdb\"]",
    },
    Key {
        name: "metrics.statsd.signs",
        form: Form::choice::<Signs>(),
        default: Unset::Value("auto"),
        doc: "What a sign before a gauge's value means. `delta` changes the gauge, as in \
              StatsD; `value` sets it, as in DogStatsD. `auto` is `value` only on listeners \
              for DogStatsD.",
        example: "\"delta\"",
    },
    Key {
        name: "metrics.statsd.microseconds",
        form: Form::new(PREFIXES),
        default: Unset::Value("[]"),
        doc: "Name prefixes of timers that are in microseconds although they say `ms`, as \
              from lyft/gostats' `NewTimer`. An empty prefix matches every name.",
        example: "[\"app.\"]",
    },
    Key {
        name: "metrics.statsd.cumulative",
        form: Form::new(PREFIXES),
        default: Unset::Value("[]"),
        doc: "Name prefixes of counters that report a running total, as Spark's StatsD sink \
              does. The runtime counts the increase. Lines that are relayed to a gateway \
              stay unchanged.",
        example: "[\"spark.\"]",
    },
];

/// A mode can be the value of the table that it is in.
pub(crate) const SPELLINGS: &[(&str, &str)] = &[("metrics.statsd", "metrics.statsd.mode")];

/// Settings of received StatsD lines and of their clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    /// `None`: the platform decides.
    pub(crate) listen: Option<SocketAddr>,
    /// How large the totals may become.
    pub(crate) bytes: u64,
    pub(crate) dialects: Vec<Dialect>,
    pub(crate) signs: Signs,
    /// Prefixes of names.
    pub(crate) microseconds: Vec<String>,
    /// The same.
    pub(crate) cumulative: Vec<String>,
    pub(crate) intercept: Intercept,
}

/// The variables that name this runtime instead of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intercept {
    /// StatsD's, and Datadog's where nothing sets them.
    Statsd,
    /// No variable.
    Nobody,
    /// Datadog's, too.
    All,
}

choice!(Intercept {
    Self::Statsd => "true",
    Self::Nobody => "false",
    Self::All => "all",
});

/// Whether StatsD is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Where the environment names a gateway that can be replaced.
    Auto,
    On,
    Off,
}

choice!(Mode {
    Self::Auto => "auto",
    Self::On => "on",
    Self::Off => "off",
});

/// How tags can be part of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Lyft,
    Librato,
    SignalFx,
    InfluxDb,
    Graphite,
}

choice!(Dialect {
    Self::Lyft => "lyft",
    Self::Librato => "librato",
    Self::SignalFx => "signalfx",
    Self::InfluxDb => "influxdb",
    Self::Graphite => "graphite",
});

/// What a sign before a gauge's value means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signs {
    /// The listener decides.
    Auto,
    Delta,
    Value,
}

choice!(Signs {
    Self::Auto => "auto",
    Self::Delta => "delta",
    Self::Value => "value",
});

impl Settings {
    pub(crate) fn read(from: &mut Reader) -> Self {
        Self {
            mode: from.value("metrics.statsd.mode", one_of),
            listen: from.optional("metrics.statsd.listen", address),
            bytes: from.value("metrics.statsd.bytes", |value| number(value, SIZES, BYTES)),
            dialects: from.value("metrics.statsd.dialects", list_of),
            signs: from.value("metrics.statsd.signs", one_of),
            microseconds: from.value("metrics.statsd.microseconds", prefixes),
            cumulative: from.value("metrics.statsd.cumulative", prefixes),
            intercept: from.value("metrics.intercept", intercept),
        }
    }
}

fn prefixes(value: &Value) -> Parsed<Vec<String>> {
    list(value, PREFIXES)
}

fn address(value: &Value) -> Parsed<SocketAddr> {
    text_of(value, AN_ADDRESS)?.parse().map_err(|_| AN_ADDRESS)
}

/// A boolean, or a word beyond it.
fn intercept(value: &Value) -> Parsed<Intercept> {
    let word = match value.to_bool() {
        Some(true) => Some("true"),
        Some(false) => Some("false"),
        None => value.as_str(),
    };
    word.and_then(Intercept::of).ok_or(INTERCEPT)
}
