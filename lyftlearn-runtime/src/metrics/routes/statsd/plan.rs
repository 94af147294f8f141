//! The StatsD server that gets metrics, and the metrics that it gets.

use serde::{Deserialize, Serialize};

use super::settings::{Mode, Tags};
use super::{RELAY, ROUTE};
use crate::contract::statsd;
use crate::metrics::clients::{Clients, Intercept};
use crate::metrics::routes::{Export, ListenAt, Planned, Protocol, Server, World};
#[cfg(all(feature = "agent", feature = "cli"))]
use crate::metrics::routes::{Means, Running};
use crate::problems::Problems;
use crate::workload::Role;

/// At least one of `values` and `relays` is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) server: Server,
    /// Totals are sent, as differences.
    pub(super) values: bool,
    /// Lines that are received are passed on as they are.
    pub(super) relays: bool,
    /// Lines that were received are counted here and sent as totals, not relayed.
    pub(super) aggregate: bool,
    pub(super) tags: Tags,
    /// Between two flushes.
    pub(super) seconds: u32,
}

pub(crate) fn plan(world: &World<'_>, clients: &Clients, problems: &mut Problems) -> Option<Plan> {
    let settings = &world.settings.statsd;
    let asked = world.asks_for(ROUTE.name);
    let server = server(world, clients);
    if server.is_none() && asked == Some(true) {
        problems.push(
            "metrics.routes has statsd, but no gateway is set: set metrics.gateway.host or STATSD_HOST"
                .to_owned(),
        );
    }
    // SageMaker jobs are never scraped, so totals are pushed. Elsewhere the server named in the
    // environment may not be ours, and metrics that are scraped must not be pushed as well.
    let ours = settings.host.is_some();
    let pushed =
        world.conventions.jobs_push && matches!(world.role, Role::Training | Role::Processing);
    let values = server.is_some() && asked.unwrap_or(ours || pushed);
    // If this runtime listens in place of a server, that server gets the clients' lines, or their
    // totals.
    let server = server.or_else(|| clients.meant.clone())?;
    let aggregate = settings.mode == Mode::Aggregate;
    let stands_in = clients.listened && world.clients.intercept != Intercept::Nobody;
    let plan = Plan {
        server,
        values: values || (stands_in && aggregate),
        relays: stands_in && !aggregate,
        aggregate,
        tags: settings.tags,
        seconds: settings.seconds,
    };
    plan.sends().then_some(plan)
}

/// The problem that the server's address is where this runtime is to listen itself.
pub(crate) fn leads_here(world: &World<'_>, export: &Export) -> Option<String> {
    let plan = export.statsd.as_ref()?;
    let is_asked = world.asks_for(ROUTE.name) == Some(true);
    let is_gone = !export.names().iter().any(|name| name == ROUTE.name);
    (is_asked && plan.values && is_gone).then(|| {
        "metrics.routes has statsd, but the gateway's address is this runtime's own StatsD address"
            .to_owned()
    })
}

/// The server of a setting, or the deployment's.
fn server(world: &World<'_>, clients: &Clients) -> Option<Server> {
    let settings = &world.settings.statsd;
    let found = match &settings.host {
        Some(host) => Server {
            host: host.clone(),
            port: statsd::DEFAULT_PORT,
            protocol: Protocol::Udp,
        },
        None => clients.named.clone()?,
    };
    Some(Server {
        host: found.host,
        port: settings.port.unwrap_or(found.port),
        protocol: settings.protocol.unwrap_or(found.protocol),
    })
}

impl Plan {
    fn sends(&self) -> bool {
        self.values || self.relays
    }
}

impl Planned for Plan {
    fn names(&self) -> Vec<&'static str> {
        let names = [(ROUTE.name, self.values), (RELAY, self.relays)];
        let names = names.into_iter().filter(|(_, there)| *there);
        names.map(|(name, _)| name).collect()
    }

    /// A server at the port where this runtime itself listens gets nothing: its clients were sent
    /// to a server that is not there.
    fn set_listener(&mut self, clients: &Clients, listened: ListenAt) -> bool {
        match listened {
            // Nothing is received that could be passed on.
            ListenAt::Nowhere => self.relays = false,
            ListenAt::Somewhere => {}
            ListenAt::At(port) => {
                let is_here = |server: &Server| server.is_loopback() && server.port == port;
                if is_here(&self.server) {
                    match clients.meant.clone().filter(|meant| !is_here(meant)) {
                        Some(meant) => {
                            self.server = meant;
                            self.values &= self.aggregate;
                        }
                        None => return false,
                    }
                }
            }
        }
        self.sends()
    }

    #[cfg(all(feature = "agent", feature = "cli"))]
    fn start(&self, means: &Means) -> Option<Running> {
        Some(super::sender::start(self, means))
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::Tags;
    use super::Plan;
    use crate::metrics::clients::Clients;
    use crate::metrics::routes::{Export, ListenAt, Protocol, Server};

    fn server(host: &str, port: u16) -> Server {
        Server {
            host: host.to_owned(),
            port,
            protocol: Protocol::Udp,
        }
    }

    fn export(server: Server, meant: Server, aggregate: bool) -> Export {
        Export {
            clients: Clients {
                listened: true,
                wanted: Some(8125),
                meant: Some(meant),
                ..Clients::default()
            },
            statsd: Some(Plan {
                server,
                values: true,
                relays: !aggregate,
                aggregate,
                tags: Tags::Lyft,
                seconds: 5,
            }),
            ..Export::default()
        }
    }

    #[test]
    fn a_server_at_our_own_port_is_sent_nothing() {
        for (host, port, here) in [
            ("localhost", 8125, true),
            ("127.0.0.1", 8125, true),
            ("::1", 8125, true),
            ("localhost", 9125, false),
            ("gateway", 8125, false),
        ] {
            let there = server(host, port);
            let found = export(there.clone(), there, false).heard_as_wanted();
            assert_eq!(found.statsd.is_none(), here, "{host}:{port}");
            let expected: &[&str] = if here { &[] } else { &["statsd", "relay"] };
            assert_eq!(found.names(), expected);
        }
    }

    #[test]
    fn a_server_is_where_this_runtime_does_not_listen() {
        let local = || server("127.0.0.1", 8125);
        // The port that was wanted is this server's already.
        let found = export(local(), local(), false).listened(ListenAt::At(4711));
        let plan = found.statsd.unwrap();
        assert_eq!(plan.server, local());
        assert!(plan.values && plan.relays);
        // The server that clients were sent to stays, and gets their lines or totals alone.
        for aggregate in [false, true] {
            let found = export(local(), server("gateway", 8125), aggregate).heard_as_wanted();
            let plan = found.statsd.unwrap();
            assert_eq!(plan.server, server("gateway", 8125));
            assert_eq!((plan.values, plan.relays), (aggregate, !aggregate));
        }
    }
}
