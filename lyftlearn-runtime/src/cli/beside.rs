//! What stands beside the program: the agent with its sockets, and what all processes count in.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use super::identity;
#[cfg(feature = "agent")]
use super::listen;
use crate::deliver::Pointed;
use crate::deliver::outcome::Skew;
use crate::facts::Facts;
use crate::held::Directory;
use crate::init::{self, Helper, Policy};
use crate::metrics::clients::Clients;
use crate::metrics::region;
use crate::metrics::routes::Export;
#[cfg(feature = "agent")]
use crate::metrics::routes::Heard;
use crate::settings::Settings;
use crate::workload::{Identity, Platform, Role, Workload};

/// A server that has not taken it by then will not.
const LONGEST_FLUSH: Duration = Duration::from_secs(2);
/// What the agent is for in this start.
#[cfg_attr(
    not(feature = "agent"),
    allow(dead_code, reason = "without an agent nobody asks")
)]
pub(super) struct Needs<'a> {
    pub(super) settings: &'a Settings,
    /// Where its own socket goes; without a run directory nobody would find it.
    pub(super) run: Option<&'a Directory>,
    /// Whether there are descriptors for it.
    pub(super) descriptors: bool,
    /// How long the region is that lies there.
    pub(super) region_bytes: Option<u64>,
    pub(super) identity: &'a Identity,
    pub(super) endpoint: Option<identity::Bound>,
    /// Where the first credentials lie, when the start has waited for them.
    pub(super) first: Option<UnixDatagram>,
    pub(super) statsd: Listening,
    pub(super) export: &'a Export,
    /// How long what is left at the end may take to be sent.
    pub(super) flush: Duration,
    pub(super) stages: Vec<(String, f64)>,
    /// Those that were delivered, by name.
    pub(super) secrets: Vec<String>,
    pub(super) oom_counter: Option<(PathBuf, u64)>,
    pub(super) skew: Option<&'a Skew>,
    /// For the one line of the start: ports that others may want.
    pub(super) ports: &'a mut String,
    pub(super) problems: &'a mut Vec<String>,
}

/// Whether what a program counts here is shown to nobody. On a machine of one's own that is
/// no surprise.
pub(super) fn is_nowhere(workload: &Workload) -> bool {
    workload.metrics.routes.is_empty()
        && workload.platform != Platform::Local
        && workload.role != Role::Notebook
}

/// The agent's part of what is kept from the program, with room to say how it went.
pub(super) fn flush_time(policy: &Policy) -> Duration {
    init::agents_time(policy.budget)
        .mul_f64(0.8)
        .min(LONGEST_FLUSH)
}

/// StatsD's sockets, where there are any.
#[cfg(feature = "agent")]
pub(super) type Listening = Option<listen::Bound>;
#[cfg(not(feature = "agent"))]
pub(super) type Listening = ();

#[cfg(feature = "agent")]
pub(super) fn joined(statsd: &Listening, export: Export) -> Export {
    match statsd {
        Some(bound) => bound.joined(export),
        // Nobody is heard: nothing is passed on, and nothing is missing at the end.
        None => export.heard(Heard::Nowhere),
    }
}

#[cfg(not(feature = "agent"))]
pub(super) fn joined((): &Listening, export: Export) -> Export {
    export
}

pub(super) fn make_region(
    run: &Directory,
    bytes: u64,
    problems: &mut Vec<String>,
) -> Option<region::Place> {
    let place = region::create_in(run, bytes)
        .inspect_err(|err| problems.push(format!("cannot make metrics.region: {}", err.kind())))
        .ok()??;
    let made = place.bytes();
    if made < bytes {
        problems.push(format!(
            "metrics.region has {made} bytes: there was no room for {bytes}"
        ));
    }
    Some(place)
}

#[cfg(feature = "agent")]
pub(super) fn statsd(
    settings: &Settings,
    clients: &Clients,
    workload: &Workload,
    run: Option<&Directory>,
    problems: &mut Vec<String>,
) -> (Pointed, Listening) {
    listen::bound(settings, clients, workload.platform, run, problems)
}

#[cfg(not(feature = "agent"))]
pub(super) fn statsd(
    _: &Settings,
    _: &Clients,
    _: &Workload,
    _: Option<&Directory>,
    _: &mut Vec<String>,
) -> (Pointed, Listening) {
    (Pointed::default(), ())
}

/// An agent's sockets lie above this number before it is there (see `init::agent`), and the rest
/// of the start opens some files.
#[cfg(feature = "agent")]
const DESCRIPTORS: i32 = 40;

/// Takes from `export` what an agent would listen to where there are too few descriptors for one:
/// the program is started without it. Whether there are enough.
#[cfg(feature = "agent")]
pub(super) fn has_descriptors(
    workload: &Workload,
    export: &mut Export,
    problems: &mut Vec<String>,
) -> bool {
    if rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), DESCRIPTORS - 1).is_ok() {
        return true;
    }
    let wanted = workload.credentials.mode == crate::workload::CredentialMode::Broker
        || export.listen().is_some()
        || export.clients.heard
        || export.pushes();
    if wanted {
        problems.push(format!(
            "no agent, and so no credential endpoint, StatsD or metrics: the limit on open files is below {DESCRIPTORS}; raise it"
        ));
    }
    export.prometheus = None;
    export.clients.heard = false;
    false
}

#[cfg(not(feature = "agent"))]
pub(super) fn has_descriptors(_: &Workload, _: &mut Export, _: &mut Vec<String>) -> bool {
    false
}

#[cfg(feature = "agent")]
pub(super) fn helper(facts: &Facts, mut needs: Needs<'_>) -> Option<Helper> {
    if !needs.descriptors {
        return None;
    }
    super::agent::helper(facts, &mut needs).unwrap_or_else(|err| {
        needs.problems.push(format!("no agent: {}", err.kind()));
        None
    })
}

#[cfg(not(feature = "agent"))]
pub(super) fn helper(_: &Facts, _: Needs<'_>) -> Option<Helper> {
    None
}
