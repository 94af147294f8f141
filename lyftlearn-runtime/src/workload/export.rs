//! Where metrics go, with all that sending them takes. The platform tells it, the agent
//! does it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Secret;

/// Every way out of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    not(all(feature = "agent", feature = "cli")),
    allow(dead_code, reason = "without an agent nothing goes out")
)]
pub(crate) struct Export {
    /// Where Prometheus finds them.
    pub(crate) listen: Option<SocketAddr>,
    /// A StatsD server that lines are sent to.
    pub(crate) gateway: Option<Gateway>,
    /// Clients of such a server's, who may be heard here instead.
    #[serde(default)]
    pub(crate) clients: Clients,
    /// How that server is spoken to.
    pub(crate) push: Push,
    /// What every series says of the workload.
    pub(crate) labels: Vec<(String, String)>,
    /// The directory whose files SageMaker's own agent reads.
    #[serde(default)]
    pub(crate) sagemaker: Option<PathBuf>,
    /// CloudWatch's Embedded Metric Format.
    #[serde(default)]
    pub(crate) emf: Option<Emf>,
    /// An OTLP server.
    #[serde(default)]
    pub(crate) otlp: Option<Otlp>,
}

#[cfg_attr(
    not(all(feature = "agent", feature = "cli")),
    allow(dead_code, reason = "without an agent nothing goes out")
)]
impl Export {
    /// Whether anything goes out that nobody has asked for at that moment.
    pub(crate) fn pushes(&self) -> bool {
        self.push.values || self.push.relays || self.reports()
    }

    /// Whether what was counted is written down at intervals.
    pub(crate) fn reports(&self) -> bool {
        self.sagemaker.is_some() || self.emf.is_some() || self.otlp.is_some()
    }

    /// The same if clients are heard at the port that is wanted for it.
    #[must_use]
    pub(crate) fn heard_as_wanted(self) -> Self {
        let port = self.clients.wanted.filter(|_| self.clients.heard);
        self.heard_at(port)
    }

    /// The same where clients are heard at `port`: nobody sends to where this runtime itself
    /// listens, and who was sent there was sent to nobody.
    #[must_use]
    pub(crate) fn heard_at(mut self, port: Option<u16>) -> Self {
        let elsewhere = |gateway: &Gateway| {
            !gateway.is_loopback() || port.is_none_or(|port| port != gateway.port)
        };
        let server = self.gateway.filter(elsewhere);
        let told = server.is_some();
        let meant = self.clients.meant.clone().filter(elsewhere);
        self.gateway = server.or(meant);
        let known = self.gateway.is_some();
        self.push.relays &= known;
        self.push.values &= told || (known && self.push.aggregate);
        self
    }
}

/// Documents of CloudWatch's Embedded Metric Format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Emf {
    pub(crate) namespace: String,
    /// The labels that become dimensions. Each set of values is a metric that is paid for.
    pub(crate) dimensions: Vec<String>,
    /// CloudWatch's agent; stdout without one.
    pub(crate) agent: Option<Gateway>,
    /// Where the agent files the documents.
    pub(crate) log_group: String,
}

/// A server that takes OpenTelemetry's protocol by HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    not(all(feature = "agent", feature = "cli")),
    allow(dead_code, reason = "without an agent nothing goes out")
)]
pub(crate) struct Otlp {
    /// To the last part of its path.
    pub(crate) url: String,
    /// What it wants to be shown: a key, perhaps.
    pub(crate) headers: Vec<(String, Secret)>,
    /// Where they are looked for once there are secrets.
    #[serde(skip)]
    pub(crate) headers_in: Vec<HeadersVariable>,
    /// Between two exports.
    pub(crate) seconds: u32,
    /// How long it may take to answer.
    pub(crate) timeout_milliseconds: u32,
    /// What the metrics are of.
    pub(crate) resource: Vec<(String, String)>,
}

/// A variable that may hold headers; the first one that does counts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(all(feature = "agent", feature = "cli")),
    allow(dead_code, reason = "without an agent nothing goes out")
)]
pub(crate) struct HeadersVariable {
    pub(crate) name: String,
    /// Whether it is set without secrets.
    pub(crate) is_set: bool,
    /// Whether a setting names it, and it has to be there.
    pub(crate) is_asked: bool,
}

/// A StatsD server: the deployment's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Gateway {
    /// Its name or address.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// How lines come to it.
    pub(crate) protocol: Protocol,
}

#[cfg_attr(
    not(all(feature = "agent", feature = "cli")),
    allow(dead_code, reason = "without an agent nothing goes out")
)]
impl Gateway {
    /// Whether it is in this very container, or in its pod.
    pub(crate) fn is_loopback(&self) -> bool {
        let address: Result<IpAddr, _> = self.host.parse();
        self.host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

/// Clients of StatsD.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    not(all(feature = "agent", feature = "cli")),
    allow(dead_code, reason = "without an agent nobody is heard")
)]
pub(crate) struct Clients {
    /// Whether they are heard here.
    pub(crate) heard: bool,
    /// The port that is wanted for it. Whether it can be had is known when it is bound.
    pub(crate) wanted: Option<u16>,
    /// Whom they were sent to.
    pub(crate) meant: Option<Gateway>,
}

/// How lines come to a StatsD server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Protocol {
    /// Packets.
    #[default]
    Udp,
    /// One stream.
    Tcp,
}

/// What is sent to a StatsD server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    not(all(feature = "agent", feature = "cli")),
    allow(dead_code, reason = "without an agent nothing goes out")
)]
pub(crate) struct Push {
    /// Totals.
    pub(crate) values: bool,
    /// Lines that are received are passed on as they are.
    #[serde(default)]
    pub(crate) relays: bool,
    /// Lines that were received are counted here and sent as totals, not relayed.
    pub(crate) aggregate: bool,
    pub(crate) tags: Tags,
    /// Between two flushes.
    pub(crate) seconds: u32,
}

/// How labels are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Tags {
    /// `name.__key=value`.
    #[default]
    Lyft,
    /// `|#key:value`.
    DogStatsd,
}

#[cfg(test)]
mod tests {
    use super::{Clients, Export, Gateway, Protocol, Push};

    fn gateway(host: &str, port: u16) -> Gateway {
        Gateway {
            host: host.to_owned(),
            port,
            protocol: Protocol::Udp,
        }
    }

    fn export(server: Gateway, meant: Gateway, aggregate: bool) -> Export {
        Export {
            gateway: Some(server),
            clients: Clients {
                heard: true,
                wanted: Some(8125),
                meant: Some(meant),
            },
            push: Push {
                values: true,
                relays: !aggregate,
                aggregate,
                ..Push::default()
            },
            ..Export::default()
        }
    }

    #[test]
    fn who_is_sent_here_is_sent_no_further() {
        for (host, port, here) in [
            ("localhost", 8125, true),
            ("127.0.0.1", 8125, true),
            ("::1", 8125, true),
            ("localhost", 9125, false),
            ("gateway", 8125, false),
        ] {
            let server = gateway(host, port);
            let found = export(server.clone(), server, false).heard_as_wanted();
            assert_eq!(found.gateway.is_none(), here, "{host}:{port}");
            assert_eq!((found.push.values, found.push.relays), (!here, !here));
        }
    }

    #[test]
    fn a_server_is_where_this_runtime_does_not_listen() {
        let local = || gateway("127.0.0.1", 8125);
        // The port that was wanted is this server's already.
        let found = export(local(), local(), false).heard_at(Some(4711));
        assert_eq!(found.gateway, Some(local()));
        assert!(found.push.values && found.push.relays);
        // Whom clients were sent to stays, and gets its lines or their totals alone.
        for aggregate in [false, true] {
            let found = export(local(), gateway("gateway", 8125), aggregate).heard_as_wanted();
            assert_eq!(found.gateway, Some(gateway("gateway", 8125)));
            assert_eq!(
                (found.push.values, found.push.relays),
                (aggregate, !aggregate)
            );
        }
    }
}
