//! To which OTLP server metrics go, with what it is to be shown, and what they are of.

use percent_encoding::percent_decode_str;

use super::{Detection, World};
use crate::contract::{otlp as words, sagemaker};
use crate::settings::otlp_endpoint;
use crate::workload::{Job, Otlp, Platform, Secret, Topology};

/// As SDKs export, and as long as they wait, unless they are told (OpenTelemetry's specification).
const SECONDS: u32 = 60;
const TIMEOUT_MILLISECONDS: u32 = 10_000;

const PAIRS: &str = "name=value,name=value";

/// The server, where there is one.
pub(super) fn read(
    world: &World<'_>,
    detection: &Detection,
    job: &Job,
    topology: &Topology,
    problems: &mut Vec<String>,
) -> Option<Otlp> {
    let settings = &world.settings.metrics;
    let told = match &settings.otlp_endpoint {
        Some(endpoint) => Told {
            url: format!("{endpoint}{}", words::METRICS_PATH),
            headers: None,
            timeout_milliseconds: TIMEOUT_MILLISECONDS,
        },
        None => told(world, problems)?,
    };
    let headers_variable = settings.otlp_headers_variable.as_deref().or(told.headers);
    Some(Otlp {
        url: told.url,
        headers: headers_variable.map_or(Vec::new(), |name| headers(world, name, problems)),
        seconds: settings.otlp_seconds.unwrap_or(SECONDS),
        timeout_milliseconds: told.timeout_milliseconds,
        resource: resource(world, detection, job, topology, problems),
    })
}

/// A server, and what it has to be told, by which variable.
struct Told {
    url: String,
    headers: Option<&'static str>,
    timeout_milliseconds: u32,
}

/// What the environment says to the program's own SDK. All of it counts, or nothing does: headers
/// are for the server that they were written for.
fn told(world: &World<'_>, problems: &mut Vec<String>) -> Option<Told> {
    let (name, url) = if let Some(url) = text(world, words::METRICS_ENDPOINT) {
        (words::METRICS_ENDPOINT, otlp_endpoint(&url))
    } else if let Some(base) = text(world, words::ENDPOINT) {
        let url = otlp_endpoint(&base).map(|base| base + words::METRICS_PATH);
        (words::ENDPOINT, url)
    } else {
        problems.push(
            "metrics.routes has otlp, and neither metrics.otlp.endpoint nor OTEL_EXPORTER_OTLP_ENDPOINT says where"
                .to_owned(),
        );
        return None;
    };
    let protocol = first(world, words::PROTOCOL);
    let Some(url) = url else {
        problems.push(format!(
            "metrics.routes has otlp, and {name} names no server: expected a URL, such as http://collector:4318"
        ));
        return None;
    };
    if let Some((name, _)) = protocol.filter(|(_, protocol)| protocol == words::GRPC) {
        problems.push(format!(
            "metrics.routes has otlp, and {name} asks for grpc: metrics.otlp.endpoint names a server that takes HTTP"
        ));
        return None;
    }
    let timeout = first(world, words::TIMEOUT).and_then(|(name, text)| {
        let timeout = text.parse().ok().filter(|timeout| *timeout > 0);
        if timeout.is_none() {
            ignored(problems, name, "milliseconds");
        }
        timeout
    });
    Some(Told {
        url,
        headers: first(world, words::HEADERS).map(|(name, _)| name),
        timeout_milliseconds: timeout.unwrap_or(TIMEOUT_MILLISECONDS),
    })
}

fn text(world: &World<'_>, name: &str) -> Option<String> {
    let text = world.told(name)?.trim().to_owned();
    Some(text).filter(|text| !text.is_empty())
}

fn first(world: &World<'_>, names: [&'static str; 2]) -> Option<(&'static str, String)> {
    (names.into_iter()).find_map(|name| Some((name, text(world, name)?)))
}

fn ignored(problems: &mut Vec<String>, name: &str, expected: &str) {
    problems.push(format!("{name} is ignored: expected {expected}"));
}

/// What a variable holds, which may be a password.
fn headers(world: &World<'_>, variable: &str, problems: &mut Vec<String>) -> Vec<(String, Secret)> {
    let Some(text) = text(world, variable) else {
        problems.push("metrics.otlp.headers_variable names a variable that is not set".to_owned());
        return Vec::new();
    };
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let pairs = pairs(&text).filter(|pairs| {
        (pairs.iter()).all(|(name, value)| {
            name.bytes().all(token) && !value.chars().any(|letter| letter.is_control())
        })
    });
    let Some(pairs) = pairs else {
        ignored(problems, variable, PAIRS);
        return Vec::new();
    };
    (pairs.into_iter())
        .map(|(name, value)| (name, Secret::new(value)))
        .collect()
}

/// Names with values, as OpenTelemetry writes headers and attributes; `None` where they are not.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let written = text.split(',').filter(|pair| !pair.trim().is_empty());
    written
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            let name = name.trim();
            (!name.is_empty()).then(|| (name.to_owned(), value.into_owned()))
        })
        .collect()
}

/// What the metrics are of, in the words of OpenTelemetry's semantic conventions; beyond them, in
/// this runtime's own. What the deployment says of it itself comes before what is found.
fn resource(
    world: &World<'_>,
    detection: &Detection,
    job: &Job,
    topology: &Topology,
    problems: &mut Vec<String>,
) -> Vec<(String, String)> {
    let mut resource = Vec::new();
    if let Some(text) = text(world, words::RESOURCE_ATTRIBUTES) {
        match pairs(&text) {
            Some(pairs) => resource = pairs,
            None => ignored(problems, words::RESOURCE_ATTRIBUTES, PAIRS),
        }
    }
    let pod = detection.platform == Platform::Kubernetes;
    // Of no two containers at the same time it is the same.
    let instance = [&job.id, &job.container, &Some(topology.host.clone())];
    let instance: Vec<&str> = instance.into_iter().flatten().map(String::as_str).collect();
    if let Some(name) = text(world, words::SERVICE_NAME) {
        resource.retain(|(known, _)| known != "service.name");
        resource.push(("service.name".to_owned(), name));
    }
    let image = world.facts.text(sagemaker::INTERNAL_IMAGE);
    let found = [
        (
            "service.name",
            Some(
                job.name
                    .clone()
                    .unwrap_or_else(|| "unknown_service".to_owned()),
            ),
        ),
        ("service.instance.id", Some(instance.join("/"))),
        ("host.name", Some(topology.host.clone())),
        (
            "container.image.name",
            image.map(|image| image.into_owned()),
        ),
        ("k8s.namespace.name", job.namespace.clone().filter(|_| pod)),
        ("k8s.pod.uid", job.id.clone().filter(|_| pod)),
        ("k8s.container.name", job.container.clone().filter(|_| pod)),
        (
            "lyftlearn.platform",
            Some(detection.platform.as_str().to_owned()),
        ),
        ("lyftlearn.role", Some(detection.role.as_str().to_owned())),
        ("lyftlearn.rank", Some(topology.node_rank.to_string())),
    ];
    for (name, value) in found {
        if let Some(value) = value
            && !resource.iter().any(|(known, _)| known == name)
        {
            resource.push((name.to_owned(), value));
        }
    }
    resource.sort();
    resource
}
