//! To which OTLP server metrics go, with what it is to be shown, and what they are of.

#[cfg(feature = "cli")]
use std::ffi::OsStr;

use percent_encoding::percent_decode_str;

use super::{Detection, World};
use crate::contract::{otlp as words, sagemaker};
use crate::settings::otlp_endpoint;
use crate::settings::secrets::Declared;
use crate::workload::{HeadersVariable, Job, Otlp, Platform, Secret, Topology};

/// As long as SDKs wait, unless they are told (OpenTelemetry's specification).
const TIMEOUT_MILLISECONDS: u32 = 10_000;

const PAIRS: &str = "name=value,name=value";
const NOT_SET: &str = "metrics.otlp.headers_variable names a variable that is not set";

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
            headers: &[],
            timeout_milliseconds: TIMEOUT_MILLISECONDS,
        },
        None => told(world, problems)?,
    };
    let is_asked = settings.otlp_headers_variable.is_some();
    let names = match &settings.otlp_headers_variable {
        Some(name) => vec![name.as_str()],
        None => told.headers.to_vec(),
    };
    let set = (names.iter()).find_map(|name| Some((*name, text(world, name)?)));
    let is_awaited = secrets(world, detection.platform)
        .any(|secret| names.iter().any(|name| secret.may_bring(name)));
    if is_asked && set.is_none() && !is_awaited {
        problems.push(NOT_SET.to_owned());
    }
    let headers_in = names
        .iter()
        .filter(|_| is_awaited)
        .map(|name| HeadersVariable {
            name: (*name).to_owned(),
            is_set: set.as_ref().is_some_and(|(set, _)| set == name),
            is_asked,
        });
    Some(Otlp {
        url: told.url,
        headers: set.as_ref().map_or(Vec::new(), |(name, text)| {
            headers(name, Some(text), problems)
        }),
        headers_in: headers_in.collect(),
        seconds: settings.otlp_seconds,
        timeout_milliseconds: told.timeout_milliseconds,
        resource: resource(world, detection, job, topology, problems),
    })
}

/// A server, and what it has to be told, by which variable.
struct Told {
    url: String,
    headers: &'static [&'static str],
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
        headers: &words::HEADERS,
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

/// Those that are declared for here.
fn secrets<'a>(world: &World<'a>, platform: Platform) -> impl Iterator<Item = &'a Declared> {
    let declared = world.settings.secrets.iter();
    declared.filter(move |secret| secret.source(platform).is_some())
}

/// The headers, now that there are secrets: what `secret` has for a variable, and whether that
/// stands over what is set.
#[cfg(feature = "cli")]
pub(crate) fn headers_by_secrets<'a>(
    otlp: &mut Otlp,
    secret: impl Fn(&str) -> Option<(&'a OsStr, bool)>,
    problems: &mut Vec<String>,
) {
    let variables = std::mem::take(&mut otlp.headers_in);
    for variable in &variables {
        match secret(&variable.name) {
            Some((value, overrides)) if overrides || !variable.is_set => {
                otlp.headers = headers(&variable.name, value.to_str(), problems);
                return;
            }
            _ if variable.is_set => return,
            _ => {}
        }
    }
    if variables.iter().any(|variable| variable.is_asked) {
        problems.push(NOT_SET.to_owned());
    }
}

/// What a variable holds, which may be a password; `None` where it is no text.
fn headers(
    variable: &str,
    text: Option<&str>,
    problems: &mut Vec<String>,
) -> Vec<(String, Secret)> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let pairs = text.and_then(pairs).filter(|pairs| {
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

#[cfg(all(test, feature = "cli"))]
mod tests {
    use std::ffi::OsStr;

    use super::{NOT_SET, headers_by_secrets};
    use crate::workload::{HeadersVariable, Otlp, Secret};

    /// What a collector is shown that is shown `before` where a variable is set already.
    #[track_caller]
    fn check(
        variables: &[(&str, bool)],
        secret: Option<(&str, &str, bool)>,
        expected: &str,
        problem: Option<&str>,
    ) {
        let variables = variables.iter().map(|(name, is_set)| HeadersVariable {
            name: (*name).to_owned(),
            is_set: *is_set,
            is_asked: *name == "KEY",
        });
        let mut otlp = Otlp {
            url: "http://collector:4318/v1/metrics".to_owned(),
            headers: vec![("key".to_owned(), Secret::new("before".to_owned()))],
            headers_in: variables.collect(),
            seconds: 60,
            timeout_milliseconds: 1_000,
            resource: Vec::new(),
        };
        let found = |name: &str| {
            let (known, value, overrides) = secret?;
            (known == name).then_some((OsStr::new(value), overrides))
        };
        let mut problems = Vec::new();
        headers_by_secrets(&mut otlp, found, &mut problems);
        let shown = otlp.headers.iter().map(|(_, value)| value.reveal());
        assert_eq!(shown.collect::<Vec<_>>().join(","), expected);
        assert_eq!(problems, problem.as_slice());
    }

    #[test]
    fn a_secret_is_shown_as_the_program_would_find_it() {
        let by_secret = |overrides| Some(("KEY", "key=secret\n", overrides));
        check(&[("KEY", false)], by_secret(false), "secret", None);
        check(&[("KEY", true)], by_secret(false), "before", None);
        check(&[("KEY", true)], by_secret(true), "secret", None);
        // It was not there after all.
        check(&[("KEY", false)], None, "before", Some(NOT_SET));
        let odd = "KEY is ignored: expected name=value,name=value";
        check(
            &[("KEY", false)],
            Some(("KEY", "secret", false)),
            "",
            Some(odd),
        );
        // Of what SDKs are told, what is for metrics comes first, and nothing has to be there.
        let own = Some(("OWN", "key=secret", false));
        let all = Some(("ALL", "key=secret", false));
        check(&[("OWN", false), ("ALL", true)], own, "secret", None);
        check(&[("OWN", true), ("ALL", false)], all, "before", None);
        check(&[("OWN", false), ("ALL", false)], None, "before", None);
    }
}
