//! Job state events: their destinations, their content, and problems that prevent them.

use std::collections::BTreeMap;

use super::{Detection, World, conventions, credentials};
use crate::contract::{aws, events as words};
use crate::metrics::routes;
use crate::problems::Problems;
use crate::settings::events::{Lifecycle, Settings, To};
use crate::workload::events::{Destination, HeadersIn, Kind, Plan, Voice};
use crate::workload::{Credentials, Events, Job, Role, Topology};

/// What events are planned from.
pub(super) struct Of<'a> {
    pub(super) job: &'a Job,
    pub(super) topology: &'a Topology,
    pub(super) credentials: &'a Credentials,
}

/// What the model shows of them, and the plan. Without a destination there is neither, and nothing
/// is read; a container that has nothing to tell has no plan.
pub(super) fn read(
    world: &World<'_>,
    detection: &Detection,
    of: &Of<'_>,
    problems: &mut Problems,
) -> (Option<Events>, Option<Plan>) {
    let settings = &world.settings.events;
    if settings.to.is_empty() {
        return (None, None);
    }
    let conventions = conventions(detection.platform);
    let lifecycle = match settings.lifecycle {
        Lifecycle::Auto => !conventions.tells_states,
        Lifecycle::On => true,
        Lifecycle::Off => false,
    };
    let kind = match detection.role {
        Role::Training => Some(Kind::Training),
        Role::Processing | Role::Job => Some(Kind::Processing),
        Role::Transform => Some(Kind::Transform),
        // A replica is no endpoint, and a notebook no job.
        Role::Serving | Role::Notebook => None,
    };
    let voice = match (kind, of.topology.node_rank, lifecycle) {
        (None, _, _) => Voice::Nothing,
        (Some(_), Some(0), true) => Voice::Job,
        (Some(_), _, true) => Voice::Node,
        (Some(_), Some(0), false) => Voice::Progress,
        (Some(_), _, false) => Voice::Nothing,
    };
    let region = credentials::region(world.facts, of.job.arn.as_deref());
    let mut wanted: Vec<(String, Option<Destination>)> = Vec::new();
    for to in &settings.to {
        wanted.push(destination(to, region.as_deref()));
    }
    let events = Events {
        to: wanted.iter().map(|(shown, _)| shown.clone()).collect(),
        lifecycle,
        speaks: voice,
    };
    let (Some(kind), true) = (kind, voice != Voice::Nothing) else {
        return (Some(events), None);
    };
    let to = reachable(wanted, of.credentials, problems);
    if of.topology.is_ranked_by_launcher() && lifecycle {
        problems.push(
            "job events: only the launcher knows this node's rank, so this node reports its failures, but not the job's states",
        );
    }
    if to.is_empty() {
        return (Some(events), None);
    }
    let job = name(world, of, conventions.is_pod, problems);
    let (headers, headers_in) = headers(world, detection, settings, &to, problems);
    let text = |name: &str| world.facts.text(name).map(std::borrow::Cow::into_owned);
    let endpoint = |own: &str| text(own).or_else(|| text(aws::ENDPOINT_URL));
    let plan = Plan {
        to,
        voice,
        kind,
        source: settings.source.clone(),
        heartbeat_seconds: settings.heartbeat_seconds,
        lease_seconds: settings.lease_seconds,
        end_seconds: settings.end_seconds,
        tags: tags(settings, of.job, conventions.is_pod, problems),
        region,
        job,
        platform: detection.platform.as_str().to_owned(),
        namespace: of.job.namespace.as_deref().map(bounded),
        pod: of.job.id.as_deref().map(bounded),
        container: of.job.container.as_deref().map(bounded),
        rank: of.topology.node_rank,
        nodes: of.topology.nodes,
        headers,
        headers_in,
        sqs_endpoint: endpoint(words::SQS_ENDPOINT),
        eventbridge_endpoint: endpoint(words::EVENTBRIDGE_ENDPOINT),
        ..Plan::default()
    };
    (Some(events), Some(plan))
}

/// A destination as it is shown, and as it is asked; `None` where that takes a region which nothing
/// names.
fn destination(to: &To, region: Option<&str>) -> (String, Option<Destination>) {
    let here = || region.map(str::to_owned);
    let (found, known) = match to {
        To::EventBridge(bus) => {
            // arn:PARTITION:events:REGION:ACCOUNT:event-bus/NAME
            let part = |at| bus.split(':').nth(at).map(str::to_owned);
            let region = part(3).or_else(here);
            let found = Destination::EventBridge {
                bus: bus.clone(),
                region: region.clone().unwrap_or_default(),
                account: part(4),
            };
            (found, region.is_some())
        }
        To::Sqs(url) => {
            let (of_queue, account) = queue(url);
            let region = of_queue.or_else(here);
            let found = Destination::Sqs {
                url: url.clone(),
                region: region.clone().unwrap_or_default(),
                account,
                fifo: url.ends_with(words::FIFO),
            };
            (found, region.is_some())
        }
        To::Http(url) => (Destination::Http { url: url.clone() }, true),
        To::File(path) => (Destination::File { path: path.into() }, true),
    };
    (found.shown(), known.then_some(found))
}

/// The region and the account that a queue's URL names: `https://sqs.REGION.amazonaws.com/ACCOUNT/…`,
/// the older `https://REGION.queue.amazonaws.com/…`, an endpoint in a VPC
/// (`https://….sqs.REGION.vpce.amazonaws.com/…`).
fn queue(url: &str) -> (Option<String>, Option<String>) {
    let place = url.split_once("://").map_or(url, |(_, place)| place);
    let mut parts = place.split('/');
    let host = parts.next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    let labels: Vec<&str> = host.split('.').collect();
    let at = |name: &str| labels.iter().position(|label| *label == name);
    let is_awss = at("amazonaws").is_some();
    let region = match (at("sqs"), at("queue")) {
        (Some(sqs), _) => labels.get(sqs + 1),
        (None, Some(queue)) => queue.checked_sub(1).and_then(|before| labels.get(before)),
        (None, None) => None,
    };
    let region = region.filter(|region| is_awss && **region != "amazonaws");
    let account = parts
        .next()
        .filter(|account| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()));
    (
        region.map(|region| (*region).to_owned()),
        account.map(str::to_owned),
    )
}

/// Those that can be asked from here, and a sentence for the others.
fn reachable(
    wanted: Vec<(String, Option<Destination>)>,
    credentials: &Credentials,
    problems: &mut Problems,
) -> Vec<Destination> {
    let without = credentials.source == crate::workload::CredentialSource::None;
    let is_signed = |(shown, found): &(String, Option<Destination>)| {
        found.as_ref().is_none_or(Destination::is_signed) && !shown.is_empty()
    };
    if without && credentials.isolated && wanted.iter().all(is_signed) {
        problems.push("job events cannot be sent: events.to has only AWS destinations, and this job is network-isolated");
        return Vec::new();
    }
    let (signed, others): (Vec<_>, Vec<_>) = wanted.into_iter().partition(is_signed);
    let mut found: Vec<Destination> = others.into_iter().filter_map(|(_, found)| found).collect();
    if without && !signed.is_empty() {
        let shown: Vec<&str> = signed.iter().map(|(shown, _)| shown.as_str()).collect();
        problems.push(format!(
            "job events cannot be sent to {}: no AWS credentials found",
            shown.join(" and ")
        ));
        return found;
    }
    for (shown, destination) in signed {
        let address = if shown.starts_with(words::SQS) {
            "the queue's address"
        } else {
            "the bus's ARN"
        };
        match destination {
            Some(destination) => found.push(destination),
            None => problems.push(format!(
                "job events cannot be sent to {shown}: neither {address} nor AWS_REGION names a region"
            )),
        }
    }
    found
}

/// The key of all events of a job.
fn name(world: &World<'_>, of: &Of<'_>, is_pod: bool, problems: &mut Problems) -> String {
    if world.settings.job_name.is_none() && is_pod {
        problems
            .push("job events: job.name defaults to the pod's name, so each attempt looks like a new job; set job.name");
    }
    let name = match &of.job.name {
        Some(name) => name.clone(),
        None => {
            problems.push(
                "job events: job.name defaults to the host's name, so each attempt looks like a new job; set job.name",
            );
            of.topology.host.clone()
        }
    };
    let short = bounded(&name);
    if short != name {
        problems.push(format!(
            "job events: job.name is cut to {} characters",
            words::NAME_CHARACTERS
        ));
    }
    short
}

fn bounded(text: &str) -> String {
    text.chars().take(words::NAME_CHARACTERS).collect()
}

/// The chosen labels, and the setting's own over them, as far as there is room.
fn tags(
    settings: &Settings,
    job: &Job,
    is_pod: bool,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for name in &settings.labels {
        match job.labels.get(name) {
            Some(value) => drop(all.insert(name.clone(), value.clone())),
            // The same image runs elsewhere, too.
            None if is_pod => problems.push(format!(
                "events.labels names {name}, but no downwardAPI volume has this label"
            )),
            None => {}
        }
    }
    all.extend(settings.tags.clone());
    let mut kept = BTreeMap::new();
    let mut left_out = Vec::new();
    let mut bytes = 2;
    for (name, value) in all {
        let pair = serde_json::to_string(&(&name, &value));
        // A list of two is as long as a member with its comma.
        let length = pair.map_or(usize::MAX, |pair| pair.len());
        if words::TAGS_BYTES.saturating_sub(bytes) >= length {
            bytes += length;
            kept.insert(name, value);
        } else {
            left_out.push(name);
        }
    }
    if let Some(first) = left_out.first() {
        let others = match left_out.len() - 1 {
            0 => String::new(),
            1 => " and 1 more".to_owned(),
            more => format!(" and {more} more"),
        };
        problems.push(format!(
            "job events omit the tag {}{others}: all tags together are limited to {} bytes",
            bounded(first),
            words::TAGS_BYTES
        ));
    }
    kept
}

const NOT_SET: &str = "events.headers_variable names a variable that is not set";

/// Headers as far as they are known without secrets, and where secrets may bring them.
fn headers(
    world: &World<'_>,
    detection: &Detection,
    settings: &Settings,
    to: &[Destination],
    problems: &mut Problems,
) -> (Vec<(String, crate::workload::Secret)>, Option<HeadersIn>) {
    let shown = (to.iter()).any(|to| matches!(to, Destination::Http { .. }));
    let Some(name) = settings.headers_variable.as_deref().filter(|_| shown) else {
        return (Vec::new(), None);
    };
    let set = world.effective(name);
    let mut declared = (world.settings.secrets.iter())
        .filter(|secret| secret.source(detection.platform).is_some());
    let is_awaited = declared.any(|secret| secret.may_bring(name));
    if set.is_none() && !is_awaited {
        problems.push(NOT_SET);
    }
    let headers_in = is_awaited.then(|| HeadersIn {
        variable: name.to_owned(),
        is_set: set.is_some(),
    });
    let headers = set.map_or(Vec::new(), |text| {
        routes::headers(name, Some(&text), problems)
    });
    (headers, headers_in)
}

/// Fills in the headers, now that there are secrets.
#[cfg(feature = "cli")]
pub(crate) fn reveal(plan: &mut Plan, secret: &routes::Secrets<'_>, problems: &mut Problems) {
    let Some(HeadersIn { variable, is_set }) = plan.headers_in.take() else {
        return;
    };
    match secret(&variable) {
        Some((value, overrides)) if overrides || !is_set => {
            plan.headers = routes::headers(&variable, value.to_str(), problems);
        }
        _ if !is_set => problems.push(NOT_SET),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queues_url_names_its_region_and_its_account() {
        let cases = [
            (
                "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs",
                (Some("eu-west-1"), Some("123456789012")),
            ),
            (
                "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/jobs",
                (Some("cn-north-1"), Some("123456789012")),
            ),
            (
                "https://eu-west-1.queue.amazonaws.com/123456789012/jobs",
                (Some("eu-west-1"), Some("123456789012")),
            ),
            (
                "https://vpce-1-2.sqs.us-east-1.vpce.amazonaws.com/123456789012/jobs",
                (Some("us-east-1"), Some("123456789012")),
            ),
            (
                "http://127.0.0.1:5000/123456789012/jobs",
                (None, Some("123456789012")),
            ),
            ("https://queue.amazonaws.com/jobs", (None, None)),
            ("http://sqs.internal/1/jobs", (None, None)),
        ];
        for (url, (region, account)) in cases {
            let expected = (region.map(str::to_owned), account.map(str::to_owned));
            assert_eq!(queue(url), expected, "{url}");
        }
    }

    #[test]
    fn tags_without_room_are_left_out_and_named() {
        let settings = Settings {
            tags: (0..50)
                .map(|number| (format!("tag-{number:02}"), "\u{1}".repeat(100)))
                .collect(),
            labels: vec!["team".to_owned(), "gone".to_owned()],
            ..crate::settings::Settings::default().events
        };
        let job = Job {
            labels: BTreeMap::from([("team".to_owned(), "ranking".to_owned())]),
            ..Job::default()
        };
        let mut problems = Problems::default();
        let kept = tags(&settings, &job, true, &mut problems);
        let bytes = serde_json::to_string(&kept).unwrap().len();
        assert!(
            bytes <= words::TAGS_BYTES && bytes > words::TAGS_BYTES - 700,
            "{bytes}"
        );
        assert_eq!(kept.get("team").map(String::as_str), Some("ranking"));
        assert_eq!(
            problems.to_vec(),
            [
                "events.labels names gone, but no downwardAPI volume has this label",
                "job events omit the tag tag-13 and 36 more: all tags together are limited to 8192 bytes",
            ]
        );
    }
}
