//! The settings of the StatsD server that metrics are sent to.

use std::net::IpAddr;

use figment::value::Value;
use serde::{Deserialize, Serialize};

use crate::choice::choice;
use crate::layers::{Form, Key, Parsed, Reader, Unset, number, one_of, text_of};
use crate::metrics::routes::{INTERVAL, Protocol, interval};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "metrics.gateway.host",
        form: Form::new(HOST),
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
        form: Form::choice::<Mode>(),
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
        form: INTERVAL,
        // As often as gostats flushes.
        default: Unset::Value("5"),
        doc: "Seconds between two flushes to the StatsD server.",
        example: "10",
    },
];

const PORT: &str = "a port, 1 to 65535";

const HOST: &str = "a host name or an IP address, without a port";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(super) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(super) protocol: Option<Protocol>,
    pub(super) mode: Mode,
    pub(super) tags: Tags,
    /// Between two flushes.
    pub(super) seconds: u32,
}

impl Settings {
    pub(crate) fn read(from: &mut Reader) -> Self {
        Self {
            host: from.optional("metrics.gateway.host", host),
            port: from.optional("metrics.gateway.port", |value| {
                number(value, 1..=u16::MAX, PORT)
            }),
            protocol: from.optional("metrics.gateway.protocol", one_of),
            mode: from.value("metrics.gateway.mode", one_of),
            tags: from.value("metrics.gateway.tags", one_of),
            seconds: from.value("metrics.gateway.seconds", interval),
        }
    }
}

fn host(value: &Value) -> Parsed<String> {
    let host = text_of(value, HOST)?;
    let in_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if host.parse::<IpAddr>().is_ok() || host.bytes().all(in_a_name) {
        Ok(host)
    } else {
        Err(HOST)
    }
}

/// What happens to lines that are received for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Relay,
    Aggregate,
}

choice!(Mode {
    Self::Relay => "relay",
    Self::Aggregate => "aggregate",
});

/// How labels are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Tags {
    /// `name.__key=value`.
    Lyft,
    /// `|#key:value`.
    DogStatsd,
}

choice!(Tags {
    Self::Lyft => "lyft",
    Self::DogStatsd => "dogstatsd",
});
