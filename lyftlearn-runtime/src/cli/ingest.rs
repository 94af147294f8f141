//! Whether the program's StatsD clients are heard here, and how they are told: decided here,
//! bound in `listen`, delivered below.

use crate::contract::{delivered as names, limits};
use crate::deliver::{Pointed, Ports};
use crate::facts::Facts;
use crate::metrics::clients::Intercept;
use crate::settings::Settings;
use crate::workload::Workload;

/// Who is told of `ports`.
pub(super) fn pointed(settings: &Settings, ports: Option<Ports>) -> Pointed {
    let intercept = settings.statsd.intercept;
    Pointed {
        at: ports.filter(|_| intercept != Intercept::Nobody),
        all: intercept == Intercept::All,
    }
}

/// The same for those who come beside the program of a PID 1 that listens.
pub(super) fn beside(facts: &Facts, workload: &Workload, settings: &Settings) -> Pointed {
    let ports = workload.paths.run.as_deref().and_then(|run| {
        let path = run.join(names::STATSD_PORTS);
        let bytes = facts.file(path, limits::KERNEL_FILE_BYTES).ok().flatten()?;
        serde_json::from_slice(&bytes).ok()
    });
    pointed(settings, ports)
}
