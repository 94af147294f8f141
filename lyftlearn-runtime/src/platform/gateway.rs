//! The StatsD server that the deployment's variables name, read once for all who ask: those who
//! push to it, and those who are heard in its place.

use super::{World, conventions};
use crate::contract::statsd;
use crate::settings::{Intercept, Mode};
use crate::workload::{Clients, Gateway, Platform, Protocol};

/// A server, and the variable of its that is not understood, with what it should be.
pub(super) struct Named {
    gateway: Gateway,
    unfit: Option<(&'static str, &'static str)>,
}

impl Named {
    /// The server, as far as it is understood.
    pub(super) fn server(&self) -> Option<Gateway> {
        let nameless = self.unfit.is_some_and(|(name, _)| name == statsd::HOST);
        (!nameless).then(|| self.gateway.clone())
    }
}

const A_NAME: &str = "a name or an address";
const A_PORT: &str = "a port, 1 to 65535";
const A_PROTOCOL: &str = "udp or tcp";

/// By `STATSD_*`. What is not understood of it is as if it were not there, and said.
pub(super) fn named(world: &World<'_>, problems: &mut Vec<String>) -> Option<Named> {
    let host = world.told(statsd::HOST)?;
    let mut unfit = (!is_text(&host)).then_some((statsd::HOST, A_NAME));
    let mut port = None;
    if let Some(text) = world.told(statsd::PORT) {
        port = number(&text);
        if port.is_none() {
            unfit = Some((statsd::PORT, A_PORT));
        }
    }
    let mut protocol = Protocol::Udp;
    if let Some(word) = world.told(statsd::PROTOCOL) {
        match word.to_ascii_lowercase().as_str() {
            "tcp" => protocol = Protocol::Tcp,
            "udp" => {}
            _ => unfit = Some((statsd::PROTOCOL, A_PROTOCOL)),
        }
    }
    if let Some((name, expected)) = unfit {
        problems.push(format!("{name} is ignored: expected {expected}"));
    }
    Some(Named {
        gateway: Gateway {
            host,
            port: port.unwrap_or(statsd::DEFAULT_PORT),
            protocol,
        },
        unfit,
    })
}

/// Who is heard here, and whom they were sent to. Who sends by what is not understood is left
/// alone.
pub(super) fn clients(
    world: &World<'_>,
    platform: Platform,
    named: Option<&Named>,
    problems: &mut Vec<String>,
) -> Clients {
    let settings = &world.settings.statsd;
    if settings.mode == Mode::Off {
        return Clients::default();
    }
    let meant = match (settings.intercept, named) {
        (Intercept::Nobody, _) | (Intercept::Statsd, None) => Ok(None),
        (_, Some(named)) => match named.unfit {
            Some((name, _)) => Err(name),
            None => Ok(Some(named.gateway.clone())),
        },
        (Intercept::All, None) => datadog(world),
    };
    match meant {
        Ok(meant) => Clients {
            heard: meant.is_some() || settings.mode == Mode::On,
            wanted: wanted(world, platform),
            meant,
        },
        Err(variable) => {
            problems.push(format!(
                "${variable} names no gateway for metrics, and is left as it is"
            ));
            Clients::default()
        }
    }
}

/// The port to be heard at: the usual one, which an image's own setting for a sidecar may name.
/// In a pod the sidecar may be there, and this runtime listens elsewhere.
fn wanted(world: &World<'_>, platform: Platform) -> Option<u16> {
    let usual = conventions(platform).statsd_port;
    let listen = world.settings.statsd.listen;
    listen.map(|address| address.port()).or(usual)
}

/// By Datadog's variables: its clients speak UDP unless they are sent to a socket.
fn datadog(world: &World<'_>) -> Result<Option<Gateway>, &'static str> {
    let (name, host, port) = if let Some(url) = world.told(statsd::DATADOG_URL) {
        let place = url.strip_prefix("udp://").ok_or(statsd::DATADOG_URL)?;
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.to_owned())),
            None => (place, None),
        };
        (statsd::DATADOG_URL, host.to_owned(), port)
    } else if let Some(host) = world.told(statsd::DATADOG_HOST) {
        let port = world.told(statsd::DATADOG_PORT);
        (statsd::DATADOG_PORT, host, port)
    } else {
        return Ok(None);
    };
    if !is_text(&host) {
        return Err(statsd::DATADOG_HOST);
    }
    Ok(Some(Gateway {
        host,
        port: match port {
            Some(port) => number(&port).ok_or(name)?,
            None => statsd::DEFAULT_PORT,
        },
        protocol: Protocol::Udp,
    }))
}

fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|number| *number != 0)
}

/// What was not UTF-8 has become this.
fn is_text(text: &str) -> bool {
    !text.contains(char::REPLACEMENT_CHARACTER)
}
