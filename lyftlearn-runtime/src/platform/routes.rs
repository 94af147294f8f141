//! Where metrics go from here: Kubernetes pulls them, from a SageMaker job they have to be
//! pushed.

use std::net::{Ipv4Addr, SocketAddr};

use super::{Detection, World};
use crate::contract::{metrics as words, sagemaker};
use crate::settings::Listen;
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
    let gateway = gateway(world, problems);
    // A job of SageMaker's is scraped by nobody; elsewhere a server that the environment
    // names is whoever's, and what is pulled must not arrive twice.
    let ours = settings.gateway_host.is_some();
    let pushed = detection.platform == Platform::SageMaker
        && matches!(detection.role, Role::Training | Role::Processing);
    let values = gateway.is_some() && asked("statsd").unwrap_or(ours || pushed);
    if gateway.is_none() && asked("statsd") == Some(true) {
        problems.push(
            "metrics.routes has statsd, and neither metrics.gateway.host nor STATSD_HOST says where"
                .to_owned(),
        );
    }
    let mut routes = Vec::new();
    routes.extend(listen.map(|_| "prometheus".to_owned()));
    routes.extend(values.then(|| "statsd".to_owned()));
    let export = Export {
        listen,
        gateway,
        push: Push {
            values,
            aggregate: settings.gateway_mode.as_deref() == Some("aggregate"),
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

/// The deployment's StatsD server, if it has one.
fn gateway(world: &World<'_>, problems: &mut Vec<String>) -> Option<Gateway> {
    let settings = &world.settings.metrics;
    let text = |name: &str| {
        let text = world.facts.text(name)?;
        Some(text.into_owned()).filter(|text| !text.is_empty())
    };
    let (host, port, protocol) = match &settings.gateway_host {
        Some(host) => (host.clone(), None, None),
        None => (
            text(words::STATSD_HOST)?,
            text(words::STATSD_PORT),
            text(words::STATSD_PROTOCOL),
        ),
    };
    let mut told = |name: &str, expected: &str| {
        problems.push(format!("{name} is ignored: expected {expected}"));
    };
    let port = settings.gateway_port.or_else(|| {
        let port = port?;
        let number = port.parse().ok().filter(|number| *number != 0);
        if number.is_none() {
            told(words::STATSD_PORT, "a port, 1 to 65535");
        }
        number
    });
    let protocol = settings.gateway_protocol.clone().or(protocol);
    let protocol = match protocol.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("tcp") => Protocol::Tcp,
        None | Some("udp") => Protocol::Udp,
        Some(_) => {
            told(words::STATSD_PROTOCOL, "udp or tcp");
            Protocol::Udp
        }
    };
    Some(Gateway {
        host,
        port: port.unwrap_or(words::STATSD_USUAL_PORT),
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
