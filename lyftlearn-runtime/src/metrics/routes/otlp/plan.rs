//! To which OTLP server metrics go, and what it is shown.

use serde::{Deserialize, Serialize};

use super::headers::{self, Variable};
use super::settings::endpoint;
use super::{ROUTE, resource};
use crate::contract::otlp as words;
use crate::metrics::clients::Clients;
#[cfg(all(feature = "agent", feature = "cli"))]
use crate::metrics::routes::{Means, Running};
use crate::metrics::routes::{Planned, Secrets, World};
use crate::problems::Problems;
use crate::workload::Secret;

/// The default timeout of SDKs (OpenTelemetry's specification).
const TIMEOUT_MILLISECONDS: u32 = 10_000;

/// A server that takes OpenTelemetry's protocol by HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// To the last part of its path.
    pub(crate) url: String,
    /// What it wants to be shown: a key, perhaps.
    pub(super) headers: Vec<(String, Secret)>,
    /// Where they are looked for once there are secrets.
    #[serde(skip)]
    pub(super) headers_in: Vec<Variable>,
    /// Between two exports.
    pub(super) seconds: u32,
    /// How long it may take to answer.
    pub(super) timeout_milliseconds: u32,
    /// What the metrics are of.
    pub(super) resource: Vec<(String, String)>,
}

pub(crate) fn plan(world: &World<'_>, _: &Clients, problems: &mut Problems) -> Option<Plan> {
    let settings = &world.settings.otlp;
    let asked = world.asks_for(ROUTE.name);
    if !asked.unwrap_or(settings.endpoint.is_some()) {
        return None;
    }
    let target = match &settings.endpoint {
        Some(endpoint) => Target {
            url: format!("{endpoint}{}", words::METRICS_PATH),
            headers: &[],
            timeout_milliseconds: TIMEOUT_MILLISECONDS,
        },
        None => from_environment(world, problems)?,
    };
    let (headers, headers_in) = headers::found(world, target.headers, problems);
    Some(Plan {
        url: target.url,
        headers,
        headers_in,
        seconds: settings.seconds,
        timeout_milliseconds: target.timeout_milliseconds,
        resource: resource::of(world, problems),
    })
}

/// A server, and what it has to be told, by which variable.
struct Target {
    url: String,
    headers: &'static [&'static str],
    timeout_milliseconds: u32,
}

/// What the environment says to the program's own SDK. All of it counts, or nothing does: headers
/// are for the server that they were written for.
fn from_environment(world: &World<'_>, problems: &mut Problems) -> Option<Target> {
    let (name, url) = if let Some(url) = text(world, words::METRICS_ENDPOINT) {
        (words::METRICS_ENDPOINT, endpoint(&url))
    } else if let Some(base) = text(world, words::ENDPOINT) {
        let url = endpoint(&base).map(|base| base + words::METRICS_PATH);
        (words::ENDPOINT, url)
    } else {
        problems.push(
            "metrics.routes has otlp, but no endpoint is set: set metrics.otlp.endpoint or OTEL_EXPORTER_OTLP_ENDPOINT"
                .to_owned(),
        );
        return None;
    };
    let protocol = first(world, words::PROTOCOL);
    let Some(url) = url else {
        problems.push(format!(
            "metrics.routes has otlp, but {name} is invalid: expected a URL, such as http://collector:4318"
        ));
        return None;
    };
    if let Some((name, _)) = protocol.filter(|(_, protocol)| protocol == words::GRPC) {
        problems.push(format!(
            "metrics.routes has otlp, but {name} selects gRPC, which is not supported: set metrics.otlp.endpoint to an HTTP endpoint"
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
    Some(Target {
        url,
        headers: &words::HEADERS,
        timeout_milliseconds: timeout.unwrap_or(TIMEOUT_MILLISECONDS),
    })
}

pub(super) fn text(world: &World<'_>, name: &str) -> Option<String> {
    let text = world.variable(name)?.trim().to_owned();
    Some(text).filter(|text| !text.is_empty())
}

fn first(world: &World<'_>, names: [&'static str; 2]) -> Option<(&'static str, String)> {
    (names.into_iter()).find_map(|name| Some((name, text(world, name)?)))
}

pub(super) fn ignored(problems: &mut Problems, name: &str, expected: &str) {
    problems.push(format!("{name} is ignored: expected {expected}"));
}

impl Planned for Plan {
    fn names(&self) -> Vec<&'static str> {
        vec![ROUTE.name]
    }

    fn reveal(&mut self, secret: &Secrets<'_>, problems: &mut Problems) {
        headers::reveal(self, secret, problems);
    }

    #[cfg(all(feature = "agent", feature = "cli"))]
    fn start(&self, means: &Means) -> Option<Running> {
        Some(super::sender::start(self, means))
    }
}
