//! The settings of where Prometheus asks.

use std::net::SocketAddr;

use figment::value::Value;

use crate::layers::{Form, Key, Parsed, Reader, Unset, text_of};

pub(super) const KEYS: &[Key] = &[Key {
    name: "metrics.listen",
    form: Form::new(LISTEN),
    default: Unset::Text(
        "0.0.0.0:9102 if `metrics.routes` has `prometheus`, or is unset on Kubernetes; else off",
    ),
    doc: "Address and port at which Prometheus scrapes `/metrics`, or `off`.",
    example: "\"0.0.0.0:9102\"",
}];

const LISTEN: &str = "off, or an address and a port, such as 0.0.0.0:9102";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(super) listen: Option<Listen>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listen {
    Off,
    At(SocketAddr),
}

impl Settings {
    pub(crate) fn read(from: &mut Reader) -> Self {
        Self {
            listen: from.optional("metrics.listen", Listen::parse),
        }
    }
}

impl Listen {
    fn parse(value: &Value) -> Parsed<Self> {
        let text = text_of(value, LISTEN)?;
        if text == "off" {
            return Ok(Self::Off);
        }
        text.parse().map(Self::At).map_err(|_| LISTEN)
    }
}
