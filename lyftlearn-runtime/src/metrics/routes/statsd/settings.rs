//! The settings of the StatsD server that metrics are sent to.

use crate::layers::{Form, Key, Reader, number, text};
use crate::metrics::routes::interval;

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "metrics.gateway.host",
        form: Form::Other,
    },
    Key {
        name: "metrics.gateway.port",
        form: Form::Other,
    },
    Key {
        name: "metrics.gateway.protocol",
        form: Form::Choice {
            of: &["udp", "tcp"],
            expected: "udp or tcp",
        },
    },
    Key {
        name: "metrics.gateway.mode",
        form: Form::Choice {
            of: &["relay", "aggregate"],
            expected: "relay or aggregate",
        },
    },
    Key {
        name: "metrics.gateway.tags",
        form: Form::Choice {
            of: &["lyft", "dogstatsd"],
            expected: "lyft or dogstatsd",
        },
    },
    Key {
        name: "metrics.gateway.seconds",
        form: Form::Other,
    },
];

const PORT: &str = "a port, 1 to 65535";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(super) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(super) protocol: Option<String>,
    pub(super) mode: Option<String>,
    pub(super) tags: Option<String>,
    /// Between two flushes.
    pub(super) seconds: Option<u32>,
}

impl Settings {
    pub(crate) fn read(from: &mut Reader) -> Self {
        Self {
            host: from.optional("metrics.gateway.host", text),
            port: from.optional("metrics.gateway.port", |value| {
                number(value, 1..=u16::MAX, PORT)
            }),
            protocol: from.choice("metrics.gateway.protocol"),
            mode: from.choice("metrics.gateway.mode"),
            tags: from.choice("metrics.gateway.tags"),
            seconds: from.optional("metrics.gateway.seconds", interval),
        }
    }
}
