//! Finds the process that listens at each port that this runtime has, or would have. Containers of
//! a pod share ports, so another container may have bound one first.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::contract::{delivered, limits, metrics, statsd};
use crate::facts::{Facts, Listening, Transport, Whose};
use crate::platform::conventions;
use crate::resolve::Resolved;

/// An address, and what it receives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The route's name; of the endpoint for credentials its own.
    pub(crate) listener: String,
    pub(crate) protocol: Protocol,
    pub(crate) address: SocketAddr,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    Tcp,
    Udp,
}

/// The process that has a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Holder {
    /// The container's PID 1, or the process that started this program.
    Ours,
    /// A neighbour: this runtime has another place, or none.
    Another,
    Nobody,
}

/// As `inspect` tells it.
#[derive(Debug, Serialize)]
pub(crate) struct Listener {
    #[serde(flatten)]
    place: Place,
    pub(crate) holder: Holder,
}

impl Listener {
    /// Its name, and the rest in words.
    pub(crate) fn words(&self) -> (&str, String) {
        let Place {
            listener,
            protocol,
            address,
        } = &self.place;
        let protocol = match protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        let holder = match self.holder {
            Holder::Ours => "this runtime",
            Holder::Another => "another process",
            Holder::Nobody => "not in use",
        };
        (listener, format!("{address} {protocol}, {holder}"))
    }
}

/// The places that this runtime has bound, those that a start would bind, and the usual ones if
/// another process has bound them. Empty if /proc does not show listeners.
pub(crate) fn listeners(facts: &Facts, resolved: &Resolved) -> Vec<Listener> {
    let Some(all) = facts.listening() else {
        return Vec::new();
    };
    let is_held = |place: &Place| all.iter().any(|each| meets(each, place));
    let ours: Vec<Place> = ours(facts).into_iter().filter(is_held).collect();
    let mut wanted = wanted(resolved);
    // A listener of ours is reported at its real address, not at the configured one.
    wanted.retain(|place| !ours.iter().any(|own| overlap(own, place)));
    let neighbours = usual().into_iter().filter(|place| {
        let known = ours.iter().chain(&wanted);
        is_held(place) && !known.into_iter().any(|known| overlap(known, place))
    });
    let mut found: Vec<Listener> = neighbours
        .map(|place| (place, Holder::Another))
        .chain(wanted.iter().map(|place| {
            let holder = if is_held(place) {
                Holder::Another
            } else {
                Holder::Nobody
            };
            (place.clone(), holder)
        }))
        .chain(ours.iter().map(|place| (place.clone(), Holder::Ours)))
        .map(|(place, holder)| Listener { place, holder })
        .collect();
    found.sort_by(|a, b| a.place.cmp(&b.place));
    found
}

/// What PID 1, or the process that started this program, has bound.
pub(crate) fn ours(facts: &Facts) -> Vec<Place> {
    let run = facts.run_directory(Whose::Anybody);
    let note = run.and_then(|run| {
        run.read(delivered::LISTENERS, limits::KERNEL_FILE_BYTES)
            .ok()?
    });
    note.and_then(|note| serde_json::from_slice(&note).ok())
        .unwrap_or_default()
}

fn meets(listening: &Listening, place: &Place) -> bool {
    let transport = match place.protocol {
        Protocol::Tcp => Transport::Tcp,
        Protocol::Udp => Transport::Udp,
    };
    listening.meets(transport, place.address)
}

fn overlap(a: &Place, b: &Place) -> bool {
    let transport = match a.protocol {
        Protocol::Tcp => Transport::Tcp,
        Protocol::Udp => Transport::Udp,
    };
    let address = a.address;
    meets(&Listening { transport, address }, b)
}

/// What a start would bind. In a pod StatsD is heard at a port that is free by then.
fn wanted(resolved: &Resolved) -> Vec<Place> {
    let export = &resolved.export;
    let prometheus = export.listen().map(|address| Place {
        listener: "prometheus".to_owned(),
        protocol: Protocol::Tcp,
        address,
    });
    let usual = conventions(resolved.workload.platform).statsd_port;
    let usual = usual.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let asked = resolved.settings.statsd.listen.or(usual);
    let asked = asked.filter(|_| export.clients.listened);
    let statsd = asked.into_iter().flat_map(|address| {
        [Protocol::Tcp, Protocol::Udp].map(|protocol| Place {
            listener: "statsd".to_owned(),
            protocol,
            address,
        })
    });
    let all = prometheus.into_iter().chain(statsd);
    // Port 0 is any that is free, as everywhere else.
    all.filter(|place| place.address.port() != 0).collect()
}

/// The default addresses of StatsD clients and of Prometheus exporters.
fn usual() -> [Place; 2] {
    [
        ("statsd", Protocol::Udp, statsd::DEFAULT_PORT),
        ("prometheus", Protocol::Tcp, metrics::PORT),
    ]
    .map(|(listener, protocol, port)| Place {
        listener: listener.to_owned(),
        protocol,
        address: (Ipv4Addr::LOCALHOST, port).into(),
    })
}
