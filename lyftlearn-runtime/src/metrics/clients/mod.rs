//! The StatsD clients of this container's programs: whether they are heard here, and to which
//! server the deployment's variables send them.

mod settings;

use serde::{Deserialize, Serialize};

pub(super) use settings::KEYS;
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) use settings::{Dialect, Signs};
pub(crate) use settings::{Intercept, Mode, SPELLINGS, Settings};

use super::routes::{Protocol, Server, World};
use crate::contract::statsd;
use crate::problems::Problems;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Clients {
    /// Whether they are heard here.
    pub(crate) listened: bool,
    /// The port that is wanted for it. Whether it is free is known when it is bound.
    pub(crate) wanted: Option<u16>,
    /// The server that they were sent to.
    pub(crate) meant: Option<Server>,
    /// The server that StatsD's variables name, as far as they are understood.
    #[serde(skip)]
    pub(crate) named: Option<Server>,
}

/// A server, and the variable that is not understood, with what it should be.
struct Named {
    server: Server,
    unfit: Option<(&'static str, &'static str)>,
}

impl Clients {
    pub(super) fn found(world: &World<'_>, problems: &mut Problems) -> Self {
        let named = named(world, problems);
        let found = listened(world, named.as_ref(), problems).unwrap_or_default();
        Self {
            named: named.and_then(Named::understood),
            ..found
        }
    }
}

const A_NAME: &str = "a name or an address";
const A_PORT: &str = "a port, 1 to 65535";
const A_PROTOCOL: &str = "udp or tcp";

/// By `STATSD_*`. A variable that is not understood is ignored, with a problem.
fn named(world: &World<'_>, problems: &mut Problems) -> Option<Named> {
    let host = world.variable(statsd::HOST)?;
    let mut unfit = (!is_text(&host)).then_some((statsd::HOST, A_NAME));
    let mut port = None;
    if let Some(text) = world.variable(statsd::PORT) {
        port = number(&text);
        if port.is_none() {
            unfit = Some((statsd::PORT, A_PORT));
        }
    }
    let mut protocol = Protocol::Udp;
    if let Some(word) = world.variable(statsd::PROTOCOL) {
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
        server: Server {
            host,
            port: port.unwrap_or(statsd::DEFAULT_PORT),
            protocol,
        },
        unfit,
    })
}

impl Named {
    fn understood(self) -> Option<Server> {
        let nameless = self.unfit.is_some_and(|(name, _)| name == statsd::HOST);
        (!nameless).then_some(self.server)
    }
}

/// Clients with malformed variables are left alone.
fn listened(world: &World<'_>, named: Option<&Named>, problems: &mut Problems) -> Option<Clients> {
    let settings = world.clients;
    if settings.mode == Mode::Off {
        return None;
    }
    let meant = match (settings.intercept, named) {
        (Intercept::Nobody, _) | (Intercept::Statsd, None) => Ok(None),
        (_, Some(named)) => match named.unfit {
            Some((name, _)) => Err(name),
            None => Ok(Some(named.server.clone())),
        },
        (Intercept::All, None) => datadog(world),
    };
    match meant {
        Ok(meant) => Some(Clients {
            listened: meant.is_some() || settings.mode == Mode::On,
            wanted: wanted(world),
            meant,
            named: None,
        }),
        Err(variable) => {
            problems.push(format!(
                "${variable} names no gateway for metrics, and is left unchanged"
            ));
            None
        }
    }
}

/// The port to be heard at: the usual one, which an image's own setting for a sidecar may name.
/// In a pod the sidecar may be there, and this runtime listens elsewhere.
fn wanted(world: &World<'_>) -> Option<u16> {
    let usual = world.conventions.statsd_port;
    let listen = world.clients.listen;
    listen.map(|address| address.port()).or(usual)
}

/// By Datadog's variables: its clients speak UDP unless they are sent to a socket.
fn datadog(world: &World<'_>) -> Result<Option<Server>, &'static str> {
    let (name, host, port) = if let Some(url) = world.variable(statsd::DATADOG_URL) {
        let place = url.strip_prefix("udp://").ok_or(statsd::DATADOG_URL)?;
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.to_owned())),
            None => (place, None),
        };
        (statsd::DATADOG_URL, host.to_owned(), port)
    } else if let Some(host) = world.variable(statsd::DATADOG_HOST) {
        let port = world.variable(statsd::DATADOG_PORT);
        (statsd::DATADOG_PORT, host, port)
    } else {
        return Ok(None);
    };
    if !is_text(&host) {
        return Err(statsd::DATADOG_HOST);
    }
    Ok(Some(Server {
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

/// Invalid UTF-8 has been replaced with this character.
fn is_text(text: &str) -> bool {
    !text.contains(char::REPLACEMENT_CHARACTER)
}
