//! Where a program's StatsD clients send: variables that name this runtime.

use std::ffi::OsStr;

use serde::{Deserialize, Serialize};

use super::credentials::Changes;
use crate::contract::{delivered as names, statsd};
use crate::held::Directory;

/// The listeners' addresses, as clients get them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Whether it is heard by TCP, too.
    pub(crate) tcp: bool,
    /// Where a sign before a gauge's value is the value's.
    pub(crate) dogstatsd: u16,
}

/// The clients that are pointed at the listeners.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pointed {
    pub(crate) at: Option<Ports>,
    /// Datadog's, even where something else is set.
    pub(crate) all: bool,
}

const OF_STATSD: &[&str] = &[statsd::HOST, statsd::PORT, statsd::PROTOCOL];
const OF_DATADOG: &[&str] = &[
    statsd::DATADOG_HOST,
    statsd::DATADOG_PORT,
    statsd::DATADOG_URL,
];

/// `found` is every name and value that the program would have otherwise, low to high.
pub(crate) fn point<'a>(
    pointed: &Pointed,
    found: impl Iterator<Item = (&'a OsStr, &'a OsStr)> + Clone,
) -> Changes {
    let mut changes = Changes::default();
    let Some(ports) = &pointed.at else {
        return changes;
    };
    let value = |name: &str| {
        let found = found.clone();
        let of_name = found.filter(|(found, value)| *found == name && !value.is_empty());
        of_name.last().map(|(_, value)| value)
    };
    changes.set(statsd::HOST, &ports.host);
    changes.set(statsd::PORT, ports.port.to_string());
    // Without one each client has its own default, and both are heard.
    if !ports.tcp {
        changes.set(statsd::PROTOCOL, "udp");
    } else if let Some(protocol) = value(statsd::PROTOCOL) {
        changes.set(statsd::PROTOCOL, protocol);
    }
    changes.take(OF_STATSD);
    let theirs = OF_DATADOG.iter().any(|name| value(name).is_some());
    if pointed.all || !theirs {
        let url = format!("udp://{}:{}", ports.host, ports.dogstatsd);
        changes.set(statsd::DATADOG_HOST, &ports.host);
        changes.set(statsd::DATADOG_PORT, ports.dogstatsd.to_string());
        // Some clients read nothing else, and some prefer it.
        changes.set(statsd::DATADOG_URL, url);
        changes.take(OF_DATADOG);
    }
    changes
}

/// Points programs that start next to the program at the listeners.
#[cfg_attr(
    not(feature = "agent"),
    allow(dead_code, reason = "without an agent nobody listens")
)]
pub(crate) fn write(run: &Directory, ports: &Ports) -> std::io::Result<()> {
    let text = serde_json::to_vec(ports)?;
    run.write(names::STATSD_PORTS, &text)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::{Pointed, Ports, point};

    #[track_caller]
    fn check(tcp: bool, all: bool, found: &[(&str, &str)], expected: &[(&str, &str)]) {
        let at = Some(Ports {
            host: "127.0.0.1".to_owned(),
            port: 8125,
            tcp,
            dogstatsd: 4711,
        });
        let found = found
            .iter()
            .map(|(name, value)| (OsStr::new(name), OsStr::new(value)));
        let changes = point(&Pointed { at, all }, found);
        let set: Vec<(&str, &str)> = changes
            .set
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        assert_eq!(set, expected);
        assert!(changes.taken.contains(&"STATSD_PROTOCOL".to_owned()));
    }

    const STATSD: [(&str, &str); 2] = [("STATSD_HOST", "127.0.0.1"), ("STATSD_PORT", "8125")];
    const DATADOG: [(&str, &str); 3] = [
        ("DD_AGENT_HOST", "127.0.0.1"),
        ("DD_DOGSTATSD_PORT", "4711"),
        ("DD_DOGSTATSD_URL", "udp://127.0.0.1:4711"),
    ];

    #[test]
    fn statsd_and_unset_datadog_variables_point_here() {
        let both = [&STATSD[..], &DATADOG[..]].concat();
        check(true, false, &[], &both);
        check(true, false, &[("DD_AGENT_HOST", "")], &both);
        check(true, false, &[("STATSD_HOST", "gateway")], &both);
        check(true, false, &[("DD_AGENT_HOST", "10.0.0.1")], &STATSD);
        check(true, true, &[("DD_AGENT_HOST", "10.0.0.1")], &both);
    }

    #[test]
    fn the_users_protocol_is_kept_if_it_is_listened_to() {
        let tcp = [("STATSD_PROTOCOL", "tcp")];
        let theirs = [&STATSD[..], &tcp, &DATADOG].concat();
        check(true, false, &tcp, &theirs);
        let udp = [&STATSD[..], &[("STATSD_PROTOCOL", "udp")], &DATADOG].concat();
        check(false, false, &tcp, &udp);
    }

    #[test]
    fn without_a_listener_nothing_changes() {
        let found = [(OsStr::new("STATSD_HOST"), OsStr::new("gateway"))];
        let changes = point(&Pointed::default(), found.into_iter());
        assert!(changes.set.is_empty() && changes.taken.is_empty());
    }
}
