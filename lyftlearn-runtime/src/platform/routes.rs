//! Where metrics go from here: Kubernetes pulls them, from a SageMaker job they have to be
//! pushed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::gateway::{self, Named};
use super::{Detection, World, conventions, otlp};
use crate::contract::{aws, metrics as words, sagemaker, statsd};
use crate::settings::{EmfTo, GatewayMode, Intercept, Listen};
use crate::workload::{Emf, Export, Gateway, Job, Metrics, Protocol, Push, Role, Topology};

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
            .unwrap_or(conventions(detection.platform).scraped)
            .then_some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, words::PORT))),
    };
    let named = gateway::named(world, problems);
    let clients = gateway::clients(world, detection.platform, named.as_ref(), problems);
    let server = server(world, named.as_ref());
    if server.is_none() && asked("statsd") == Some(true) {
        problems.push(
            "metrics.routes has statsd, and neither metrics.gateway.host nor STATSD_HOST says where"
                .to_owned(),
        );
    }
    // A job of SageMaker's is scraped by nobody; elsewhere a server that the environment
    // names is whoever's, and what is pulled must not arrive twice.
    let ours = settings.gateway_host.is_some();
    let pushed = conventions(detection.platform).jobs_push
        && matches!(detection.role, Role::Training | Role::Processing);
    let values = server.is_some() && asked("statsd").unwrap_or(ours || pushed);
    // Whoever is stood in for gets what was meant for it, in one form or the other.
    let gateway = server.or_else(|| clients.meant.clone());
    let aggregate = settings.gateway_mode == GatewayMode::Aggregate;
    let stands_in =
        gateway.is_some() && clients.heard && world.settings.statsd.intercept != Intercept::Nobody;
    let relays = stands_in && !aggregate;
    let values = values || (stands_in && aggregate);
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
    let export = Export {
        listen,
        gateway,
        clients,
        push: Push {
            values,
            relays,
            aggregate,
            tags: settings.gateway_tags,
            seconds: settings.gateway_seconds,
        },
        labels: labels(world, detection, job, topology),
        sagemaker,
        emf,
        otlp,
    };
    let routes = routes(&export);
    let gone = |route: &str| !routes.iter().any(|known| known == route);
    if export.push.values && gone("statsd") && asked("statsd") == Some(true) {
        problems.push(
            "metrics.routes has statsd, and its server is where this runtime is to listen itself"
                .to_owned(),
        );
    }
    (Metrics { routes }, export)
}

/// The ways' names, if this runtime gets the port that it wants.
fn routes(export: &Export) -> Vec<String> {
    let push = export.clone().heard_as_wanted().push;
    let ways = [
        ("prometheus", export.listen.is_some()),
        ("statsd", push.values),
        ("relay", push.relays),
        ("sagemaker", export.sagemaker.is_some()),
        ("emf", export.emf.is_some()),
        ("otlp", export.otlp.is_some()),
    ];
    let ways = ways.into_iter().filter(|(_, there)| *there);
    ways.map(|(name, _)| name.to_owned()).collect()
}

/// Where SageMaker looks for the job's metrics.
fn sagemaker_directory(world: &World<'_>, problems: &mut Vec<String>) -> Option<PathBuf> {
    let directory = world.facts.path(sagemaker::METRICS_DIRECTORY);
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
    let to = match (&settings.emf_to, world.told(aws::EMF_AGENT_ENDPOINT)) {
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
    let log_group = world.told(aws::EMF_LOG_GROUP);
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

/// The StatsD server that is pushed to, if there is one: a setting's, or the deployment's.
fn server(world: &World<'_>, named: Option<&Named>) -> Option<Gateway> {
    let settings = &world.settings.metrics;
    let found = match &settings.gateway_host {
        Some(host) => Gateway {
            host: host.clone(),
            port: statsd::DEFAULT_PORT,
            protocol: Protocol::Udp,
        },
        None => named?.server()?,
    };
    Some(Gateway {
        host: found.host,
        port: settings.gateway_port.unwrap_or(found.port),
        protocol: settings.gateway_protocol.unwrap_or(found.protocol),
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
