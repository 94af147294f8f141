//! Decides whether this runtime listens for StatsD and what clients are pointed at. `listen` binds
//! the sockets, the code below delivers the variables.

#[cfg(feature = "agent")]
pub(super) mod listen;

use crate::contract::{delivered as names, limits};
use crate::deliver::{Pointed, Ports};
use crate::facts::Facts;
use crate::held::Directory;
use crate::metrics::clients::{Clients, Intercept};
use crate::metrics::routes::Export;
#[cfg(feature = "agent")]
use crate::metrics::routes::ListenAt;
use crate::problems::Problems;
use crate::settings::Settings;
use crate::workload::{Platform, Workload};

/// StatsD's sockets, where there are any.
#[cfg(feature = "agent")]
pub(super) type Listening = Option<listen::Bound>;
#[cfg(not(feature = "agent"))]
pub(super) type Listening = ();

/// Listens where clients are to be heard.
#[cfg(feature = "agent")]
pub(super) fn bound(
    settings: &Settings,
    clients: &Clients,
    platform: Platform,
    problems: &mut Problems,
) -> Listening {
    clients
        .listened
        .then(|| listen::bind(settings, platform, problems))?
}

#[cfg(not(feature = "agent"))]
pub(super) fn bound(_: &Settings, _: &Clients, _: Platform, _: &mut Problems) -> Listening {}

/// What clients are pointed at, with the sockets and the note in the run directory.
#[cfg(feature = "agent")]
pub(super) fn presented(
    settings: &Settings,
    listening: &mut Listening,
    run: Option<&Directory>,
    problems: &mut Problems,
) -> Pointed {
    let Some(bound) = listening else {
        return Pointed::default();
    };
    if let Some(run) = run {
        bound.within(run, problems);
    }
    pointed(settings, Some(bound.ports()))
}

#[cfg(not(feature = "agent"))]
pub(super) fn presented(
    _: &Settings,
    (): &mut Listening,
    _: Option<&Directory>,
    _: &mut Problems,
) -> Pointed {
    Pointed::default()
}

/// Where metrics go, now that it is known where this runtime itself listens.
#[cfg(feature = "agent")]
pub(super) fn joined(listening: &Listening, export: Export) -> Export {
    match listening {
        Some(bound) => bound.joined(export),
        // Without a listener nothing is forwarded, and nothing can be lost at the end.
        None => export.listened(ListenAt::Nowhere),
    }
}

#[cfg(not(feature = "agent"))]
pub(super) fn joined((): &Listening, export: Export) -> Export {
    export
}

/// The addresses in `ports` that clients are pointed at.
fn pointed(settings: &Settings, ports: Option<Ports>) -> Pointed {
    let intercept = settings.statsd.intercept;
    Pointed {
        at: ports.filter(|_| intercept != Intercept::Nobody),
        all: intercept == Intercept::All,
    }
}

/// The same for programs that start later, next to the program of a PID 1 that listens.
pub(crate) fn beside(facts: &Facts, workload: &Workload, settings: &Settings) -> Pointed {
    let ports = workload.paths.run.as_deref().and_then(|run| {
        let path = run.join(names::STATSD_PORTS);
        let bytes = facts.file(path, limits::KERNEL_FILE_BYTES).ok().flatten()?;
        serde_json::from_slice(&bytes).ok()
    });
    pointed(settings, ports)
}
