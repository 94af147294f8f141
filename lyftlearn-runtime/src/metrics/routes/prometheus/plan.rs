//! Whether Prometheus asks, and where.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::ROUTE;
use super::settings::Listen;
use crate::contract::metrics;
use crate::metrics::clients::Clients;
#[cfg(all(feature = "agent", feature = "cli"))]
use crate::metrics::routes::{Means, Running};
use crate::metrics::routes::{Planned, World};
use crate::problems::Problems;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) listen: SocketAddr,
}

pub(crate) fn plan(world: &World<'_>, _: &Clients, _: &mut Problems) -> Option<Plan> {
    let asked = world.asks_for(ROUTE.name);
    let listen = match world.settings.prometheus.listen {
        Some(Listen::At(address)) => Some(address).filter(|_| asked != Some(false)),
        Some(Listen::Off) => None,
        None => asked
            .unwrap_or(world.conventions.scraped)
            .then_some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, metrics::PORT))),
    };
    listen.map(|listen| Plan { listen })
}

impl Planned for Plan {
    fn names(&self) -> Vec<&'static str> {
        vec![ROUTE.name]
    }

    fn pushes(&self) -> bool {
        false
    }

    #[cfg(all(feature = "agent", feature = "cli"))]
    fn start(&self, _: &Means) -> Option<Running> {
        None
    }
}
