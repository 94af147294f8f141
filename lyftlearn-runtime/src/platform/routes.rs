//! Where metrics go from here: Kubernetes pulls them, from a SageMaker job they have to be
//! pushed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::{Detection, World};
use crate::contract::{metrics as words, sagemaker, statsd};
use crate::settings::{Intercept, Listen};
use crate::workload::{
    Export, Gateway, Job, Metrics, Platform, Protocol, Push, Role, Tags, Topology,
};

/// As often as gostats flushes.
const FLUSH_SECONDS: u32 = 5;

/// What the model says of it, and how it is done.
pub(super) fn read(
    world: &World<'_>,
    detection: &Detection,
    job: &Job,
    topology: &Topology,
    problems: &mut Vec<String>,
) -> (Metrics, Export) {
    let settings = &world.settings.metrics;
    let asked = |route: &str| {
        let routes = settings.routes.as_ref();
        routes.map(|routes| routes.iter().any(|asked| asked == route))
    };
    let listen = match settings.listen {
        Some(Listen::At(address)) => Some(address).filter(|_| asked("prometheus") != Some(false)),
        Some(Listen::Off) => None,
        None => asked("prometheus")
            .unwrap_or(detection.platform == Platform::Kubernetes)
            .then_some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, words::PORT))),
    };
    let gateway = gateway(world, detection, problems);
    // A job of SageMaker's is scraped by nobody; elsewhere a server that the environment
    // names is whoever's, and what is pulled must not arrive twice.
    let ours = settings.gateway_host.is_some();
    let pushed = detection.platform == Platform::SageMaker
        && matches!(detection.role, Role::Training | Role::Processing);
    let values = gateway.is_some() && asked("statsd").unwrap_or(ours || pushed);
    let aggregate = settings.gateway_mode.as_deref() == Some("aggregate");
    // Whoever is stood in for gets what was meant for it.
    let relays = gateway.is_some() && !aggregate && stands_in(world);
    if gateway.is_none() && asked("statsd") == Some(true) {
        problems.push(
            "metrics.routes has statsd, and neither metrics.gateway.host nor STATSD_HOST says where"
                .to_owned(),
        );
    }
    let mut routes = Vec::new();
    routes.extend(listen.map(|_| "prometheus".to_owned()));
    routes.extend(values.then(|| "statsd".to_owned()));
    routes.extend(relays.then(|| "relay".to_owned()));
    let export = Export {
        listen,
        gateway,
        push: Push {
            values,
            relays,
            aggregate,
            tags: match settings.gateway_tags.as_deref() {
                Some("dogstatsd") => Tags::DogStatsd,
                _ => Tags::Lyft,
            },
            seconds: settings.gateway_seconds.unwrap_or(FLUSH_SECONDS),
        },
        labels: labels(world, detection, job, topology),
    };
    (Metrics { routes }, export)
}

/// Whether clients of StatsD are pointed at this runtime.
fn stands_in(world: &World<'_>) -> bool {
    let settings = &world.settings.statsd;
    let listens = match settings.mode.as_deref() {
        Some("on") => true,
        Some("off") => false,
        _ => world.facts.text(statsd::HOST).is_some(),
    };
    listens && settings.intercept != Intercept::Nobody
}

/// Whether an address is where this runtime will listen itself: an image's own setting for a
/// sidecar that is not there. In a pod it may be there, and this runtime listens elsewhere.
fn is_here(world: &World<'_>, detection: &Detection, host: &str, port: u16) -> bool {
    let loopback = host == "localhost"
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback());
    detection.platform != Platform::Kubernetes
        && loopback
        && port == statsd::DEFAULT_PORT
        && stands_in(world)
}

/// The deployment's StatsD server, if it has one.
fn gateway(
    world: &World<'_>,
    detection: &Detection,
    problems: &mut Vec<String>,
) -> Option<Gateway> {
    let settings = &world.settings.metrics;
    let text = |name: &str| {
        let text = world.facts.text(name)?;
        Some(text.into_owned()).filter(|text| !text.is_empty())
    };
    let (host, port, protocol) = match &settings.gateway_host {
        Some(host) => (host.clone(), None, None),
        None => (
            text(statsd::HOST)?,
            text(statsd::PORT),
            text(statsd::PROTOCOL),
        ),
    };
    let mut told = |name: &str, expected: &str| {
        problems.push(format!("{name} is ignored: expected {expected}"));
    };
    let port = settings.gateway_port.or_else(|| {
        let port = port?;
        let number = port.parse().ok().filter(|number| *number != 0);
        if number.is_none() {
            told(statsd::PORT, "a port, 1 to 65535");
        }
        number
    });
    let protocol = settings.gateway_protocol.clone().or(protocol);
    let protocol = match protocol.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("tcp") => Protocol::Tcp,
        None | Some("udp") => Protocol::Udp,
        Some(_) => {
            told(statsd::PROTOCOL, "udp or tcp");
            Protocol::Udp
        }
    };
    let port = port.unwrap_or(statsd::DEFAULT_PORT);
    (!is_here(world, detection, &host, port)).then_some(Gateway {
        host,
        port,
        protocol,
    })
}

/// What every series says of the workload, where it is known. Nobody but SageMaker tells a
/// container its image.
fn labels(
    world: &World<'_>,
    detection: &Detection,
    job: &Job,
    topology: &Topology,
) -> Vec<(String, String)> {
    let value = |name: &str| match name {
        "job" => job.name.clone(),
        "role" => Some(detection.role.as_str().to_owned()),
        "platform" => Some(detection.platform.as_str().to_owned()),
        "rank" => Some(topology.node_rank.to_string()),
        "image" => {
            let image = world.facts.text(sagemaker::INTERNAL_IMAGE)?;
            Some(image.into_owned())
        }
        _ => None,
    };
    let names = world.settings.metrics.labels.iter();
    names
        .filter_map(|name| Some((name.clone(), value(name)?)))
        .collect()
}
