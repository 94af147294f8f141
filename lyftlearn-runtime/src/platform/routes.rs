//! Where metrics go from here: Kubernetes pulls them, from a SageMaker job they have to be
//! pushed.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::{Detection, World, otlp};
use crate::contract::{aws, metrics as words, sagemaker, statsd};
use crate::settings::{EmfTo, Intercept, Listen};
use crate::workload::{
    Emf, Export, Gateway, Job, Metrics, Platform, Protocol, Push, Role, Tags, Topology,
};

/// As often as gostats flushes.
const FLUSH_SECONDS: u32 = 5;
/// In CloudWatch, unless a setting says another.
const NAMESPACE: &str = "LyftLearn";

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
    let before = problems.len();
    let gateway = gateway(world, detection, problems);
    // What is not understood is nobody's to stand in for: its clients are left to it.
    let understood = problems.len() == before;
    // A job of SageMaker's is scraped by nobody; elsewhere a server that the environment
    // names is whoever's, and what is pulled must not arrive twice.
    let ours = settings.gateway_host.is_some();
    let pushed = detection.platform == Platform::SageMaker
        && matches!(detection.role, Role::Training | Role::Processing);
    let values = gateway.is_some() && asked("statsd").unwrap_or(ours || pushed);
    let aggregate = settings.gateway_mode.as_deref() == Some("aggregate");
    // Whoever is stood in for gets what was meant for it.
    let relays = gateway.is_some() && understood && !aggregate && stands_in(world);
    if gateway.is_none() && asked("statsd") == Some(true) {
        problems.push(
            "metrics.routes has statsd, and neither metrics.gateway.host nor STATSD_HOST says where"
                .to_owned(),
        );
    }
    let sagemaker = (asked("sagemaker") == Some(true))
        .then(|| sagemaker_directory(world, problems))
        .flatten();
    let emf = (asked("emf") == Some(true))
        .then(|| emf(world, problems))
        .flatten();
    let otlp = asked("otlp")
        .unwrap_or(settings.otlp_endpoint.is_some())
        .then(|| otlp::read(world, detection, job, topology, problems))
        .flatten();
    let mut routes = Vec::new();
    routes.extend(listen.map(|_| "prometheus".to_owned()));
    routes.extend(values.then(|| "statsd".to_owned()));
    routes.extend(relays.then(|| "relay".to_owned()));
    routes.extend(sagemaker.as_ref().map(|_| "sagemaker".to_owned()));
    routes.extend(emf.as_ref().map(|_| "emf".to_owned()));
    routes.extend(otlp.as_ref().map(|_| "otlp".to_owned()));
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
        sagemaker,
        emf,
        otlp,
    };
    (Metrics { routes }, export)
}

/// Where SageMaker looks for the job's metrics.
fn sagemaker_directory(world: &World<'_>, problems: &mut Vec<String>) -> Option<PathBuf> {
    let directory = world.facts.text(sagemaker::METRICS_DIRECTORY);
    let directory = directory.map(|text| PathBuf::from(text.as_ref()));
    let directory = directory.filter(|path| path.is_absolute());
    if directory.is_none() {
        problems.push(
            "metrics.routes has sagemaker, and SAGEMAKER_METRICS_DIRECTORY names no directory"
                .to_owned(),
        );
    }
    directory
}

/// What CloudWatch is told, and by which way.
fn emf(world: &World<'_>, problems: &mut Vec<String>) -> Option<Emf> {
    let settings = &world.settings.metrics;
    let text = |name: &str| {
        let text = world.facts.text(name)?;
        Some(text.into_owned()).filter(|text| !text.is_empty())
    };
    let to = match (&settings.emf_to, text(aws::EMF_AGENT_ENDPOINT)) {
        (Some(to), _) => to.clone(),
        (None, None) => EmfTo::Stdout,
        (None, Some(endpoint)) => {
            let agent = EmfTo::parse(&endpoint).filter(|to| *to != EmfTo::Stdout);
            if agent.is_none() {
                problems.push(
                    "metrics.routes has emf, and AWS_EMF_AGENT_ENDPOINT names no agent: expected tcp://host:port or udp://host:port"
                        .to_owned(),
                );
            }
            agent?
        }
    };
    let namespace = settings.emf_namespace.clone();
    let namespace = namespace.unwrap_or_else(|| NAMESPACE.to_owned());
    let log_group = text(aws::EMF_LOG_GROUP);
    Some(Emf {
        log_group: log_group.unwrap_or_else(|| format!("{namespace}-metrics")),
        namespace,
        dimensions: settings.emf_dimensions.clone(),
        agent: match to {
            EmfTo::Stdout => None,
            EmfTo::Agent {
                packets,
                host,
                port,
            } => Some(Gateway {
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
