//! The agent beside the program: what it is for in this start, and whether there is room for it.

#[cfg(feature = "agent")]
mod start;

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

#[cfg(feature = "agent")]
pub(super) use start::{ARGUMENT, agent};

use super::credentials;
use super::statsd::Listening;
use crate::deliver::Notes;
use crate::facts::Facts;
use crate::held::Directory;
use crate::init::{self, MakeHelper, Policy};
use crate::metrics::routes::Export;
use crate::outcome::Skew;
use crate::problems::Problems;
use crate::settings::Settings;
use crate::workload::events::Plan;
#[cfg(feature = "agent")]
use crate::workload::events::Voice;
use crate::workload::{CredentialPlan, Workload};

/// A server that has not taken it by then will not.
const LONGEST_FLUSH: Duration = Duration::from_secs(2);

/// What the agent is for in this start.
#[cfg_attr(
    not(feature = "agent"),
    allow(dead_code, reason = "without an agent nobody asks")
)]
pub(super) struct Inputs<'a> {
    pub(super) settings: &'a Settings,
    /// Directory of the agent's own socket. `None` without a run directory, in which clients look
    /// for it.
    pub(super) run: Option<&'a Directory>,
    /// Length in bytes of the existing region.
    pub(super) region_bytes: Option<u64>,
    pub(super) credential_plan: &'a CredentialPlan,
    pub(super) endpoint: Option<credentials::Bound>,
    /// Where the first credentials lie, when the start has waited for them.
    pub(super) first: Option<UnixDatagram>,
    pub(super) statsd: Listening,
    pub(super) scrape: Option<TcpListener>,
    pub(super) export: &'a Export,
    /// How long the agent may take at the end to send what is left.
    pub(super) flush: Duration,
    pub(super) stages: Vec<(String, f64)>,
    /// Those that were delivered, by name.
    pub(super) secrets: Vec<String>,
    /// Where the values of secrets are noted that are delivered.
    pub(super) notes: Option<&'a Notes>,
    pub(super) oom_counter: Option<(PathBuf, u64)>,
    pub(super) skew: Option<&'a Skew>,
    /// Destinations of the job's events.
    pub(super) events: Option<&'a Plan>,
    /// Receives the agent's credentials when it has ended, for the process that reports the end.
    pub(super) credentials: Option<&'a mut Option<UnixDatagram>>,
    /// For the one line of the start: ports that others may want.
    pub(super) ports: &'a mut String,
    pub(super) problems: &'a mut Problems,
}

/// The agent's part of the time that is kept from the program. It includes the time for the agent's
/// report.
pub(super) fn flush_time(policy: &Policy) -> Duration {
    init::agents_time(policy.budget)
        .mul_f64(0.8)
        .min(LONGEST_FLUSH)
}

/// An agent's sockets lie above this number before it is there (see `init::agent`), and the rest
/// of the start opens some files.
#[cfg(feature = "agent")]
const DESCRIPTORS: i32 = 40;

/// Whether a container that tells so much of its job needs an agent for it: the end does not.
#[cfg(feature = "agent")]
fn speaks(events: &crate::workload::Events) -> bool {
    matches!(events.speaks, Voice::Job | Voice::Progress)
}

/// Takes from `export` what an agent would listen to where there are too few descriptors for one:
/// the program is started without it. Whether there are enough.
#[cfg(feature = "agent")]
pub(super) fn has_descriptors(
    workload: &Workload,
    export: &mut Export,
    problems: &mut Problems,
) -> bool {
    if rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stderr(), DESCRIPTORS - 1).is_ok() {
        return true;
    }
    let wanted = workload.credentials.mode == crate::workload::CredentialMode::Broker
        || export.listen().is_some()
        || export.clients.listened
        || export.pushes()
        || workload.events.as_ref().is_some_and(speaks);
    if wanted {
        problems.push(format!(
            "the agent is disabled, with the credential endpoint, StatsD, metrics and job events: the limit on open files is below {DESCRIPTORS}; raise it"
        ));
    }
    export.prometheus = None;
    export.clients.listened = false;
    false
}

#[cfg(not(feature = "agent"))]
pub(super) fn has_descriptors(_: &Workload, _: &mut Export, _: &mut Problems) -> bool {
    false
}

/// Where Prometheus asks. A port that is somebody else's stops nothing.
#[cfg(feature = "agent")]
pub(super) fn scrape(export: &Export, problems: &mut Problems) -> Option<TcpListener> {
    let address = export.listen()?;
    TcpListener::bind(address)
        .inspect_err(|err| {
            problems.push(format!(
                "cannot listen on {address} for Prometheus: {}; metrics.listen takes another port, or off",
                err.kind()
            ));
        })
        .ok()
}

#[cfg(not(feature = "agent"))]
pub(super) fn scrape(_: &Export, _: &mut Problems) -> Option<TcpListener> {
    None
}

/// The agent, ready to be started, where `descriptors` are there for one.
#[cfg(feature = "agent")]
pub(super) fn helper<'f>(
    facts: &'f Facts,
    descriptors: bool,
    mut inputs: Inputs<'_>,
) -> Option<MakeHelper<'f>> {
    if !descriptors {
        return None;
    }
    start::helper(facts, &mut inputs).unwrap_or_else(|err| {
        inputs.problems.push(format!("no agent: {}", err.kind()));
        None
    })
}

#[cfg(not(feature = "agent"))]
pub(super) fn helper<'f>(_: &'f Facts, _: bool, _: Inputs<'_>) -> Option<MakeHelper<'f>> {
    None
}
