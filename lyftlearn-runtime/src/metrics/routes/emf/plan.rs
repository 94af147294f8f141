//! The settings and destination of the Embedded Metric Format.

use serde::{Deserialize, Serialize};

use super::ROUTE;
use super::settings::To;
use crate::contract::aws;
use crate::metrics::clients::Clients;
#[cfg(all(feature = "agent", feature = "cli"))]
use crate::metrics::routes::{Means, Running};
use crate::metrics::routes::{Planned, Protocol, Server, World};
use crate::problems::Problems;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(in crate::metrics::routes) namespace: String,
    /// The labels that become dimensions. Each set of values is a metric that is paid for.
    pub(in crate::metrics::routes) dimensions: Vec<String>,
    /// CloudWatch's agent; stdout without one.
    pub(in crate::metrics::routes) agent: Option<Server>,
    /// Where the agent files the documents.
    pub(in crate::metrics::routes) log_group: String,
}

pub(crate) fn plan(world: &World<'_>, _: &Clients, problems: &mut Problems) -> Option<Plan> {
    if world.asks_for(ROUTE.name) != Some(true) {
        return None;
    }
    let settings = &world.settings.emf;
    let to = match (&settings.to, world.variable(aws::EMF_AGENT_ENDPOINT)) {
        (Some(to), _) => to.clone(),
        (None, None) => To::Stdout,
        (None, Some(endpoint)) => {
            let agent = To::parse(&endpoint).filter(|to| *to != To::Stdout);
            if agent.is_none() {
                problems.push(
                    "metrics.routes has emf, but AWS_EMF_AGENT_ENDPOINT is invalid: expected tcp://host:port or udp://host:port"
                        .to_owned(),
                );
            }
            agent?
        }
    };
    let namespace = settings.namespace.clone();
    let log_group = world.variable(aws::EMF_LOG_GROUP);
    Some(Plan {
        log_group: log_group.unwrap_or_else(|| format!("{namespace}-metrics")),
        namespace,
        dimensions: settings.dimensions.clone(),
        agent: match to {
            To::Stdout => None,
            To::Agent {
                packets,
                host,
                port,
            } => Some(Server {
                host,
                port,
                protocol: if packets {
                    Protocol::Udp
                } else {
                    Protocol::Tcp
                },
            }),
        },
    })
}

impl Planned for Plan {
    fn names(&self) -> Vec<&'static str> {
        vec![ROUTE.name]
    }

    #[cfg(all(feature = "agent", feature = "cli"))]
    fn start(&self, means: &Means) -> Option<Running> {
        Some(super::sender::start(self, means))
    }
}
