//! What the runtime counts of itself, in the same region.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::region::{Aggregate, Counter, Gauge, Key, Region, Snapshot, Value};
use super::super::statsd::{Listener, Refusal};
use crate::contract::statsd_metrics as names;

/// What there is to know of a listener but lines.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Received {
    /// A packet that was longer than its buffer.
    Truncated,
    /// How many packets the kernel has dropped since the socket is there.
    KernelDrops(u64),
    /// What the kernel keeps for it.
    Buffer(usize),
}

/// All of it has its place from the start: a region that is full counts that, too.
pub(super) struct Own {
    listeners: [Of; Listener::ALL.len()],
    refused: [Counter; Refusal::ALL.len()],
    events: Counter,
    checks: Counter,
    clamped: Counter,
}

/// A listener's.
struct Of {
    packets: Counter,
    lines: Counter,
    truncated: Counter,
    kernel_drops: Counter,
    buffer: Gauge,
}

/// The same, for the agent's state.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Account {
    /// How many there are, these here included.
    series: usize,
    /// An agent that is started again goes on from here.
    kept: bool,
    /// By metric and, if it has one, label; zeros are omitted.
    counts: BTreeMap<String, BTreeMap<String, f64>>,
}

impl Account {
    pub(super) fn of(snapshot: &Snapshot, kept: bool) -> Self {
        let mut account = Self {
            series: snapshot.series.len(),
            kept,
            counts: BTreeMap::new(),
        };
        for series in &snapshot.series {
            let (Value::Counter(value) | Value::Gauge(value)) = series.value else {
                continue;
            };
            if value > 0.0 && TEXTS.iter().any(|(name, _, _)| *name == series.name) {
                let label = series.labels.first();
                let label = label.map_or_else(String::new, |(_, label)| label.clone());
                let counts = account.counts.entry(series.name.clone()).or_default();
                counts.insert(label, value);
            }
        }
        account
    }
}

/// A metric's name, its unit, and its help text, with which docs/reference/metrics.md begins.
pub(crate) const TEXTS: &[(&str, &str, &str)] = &[
    (names::STATSD_PACKETS, "", "StatsD packets received."),
    (names::STATSD_LINES, "", "StatsD lines received."),
    (
        names::STATSD_REFUSED,
        "",
        "StatsD lines that were dropped, by reason.",
    ),
    (
        names::STATSD_EVENTS,
        "",
        "DogStatsD events and service checks, which are not metrics.",
    ),
    (
        names::STATSD_CLAMPED,
        "",
        "StatsD lines with a sample rate below a millionth.",
    ),
    (
        names::STATSD_TRUNCATED,
        "",
        "StatsD packets longer than 65,535 bytes.",
    ),
    (
        names::STATSD_KERNEL_DROPS,
        "",
        "StatsD packets that the kernel dropped because the receive buffer was full.",
    ),
    (
        names::STATSD_RECEIVE_BUFFER,
        "bytes",
        "Size of the kernel's receive buffer of a StatsD listener.",
    ),
];

impl Own {
    pub(super) fn new(region: Region) -> Self {
        for (name, unit, about) in TEXTS {
            // Without room for the description there is no room for the metric.
            let _ = region.describe(name, unit, about);
        }
        let counter = |name, label| region.counter(&key(name, label));
        let of = |listener: Listener| {
            let label = Some((names::LISTENER, listener.name()));
            Of {
                packets: counter(names::STATSD_PACKETS, label),
                lines: counter(names::STATSD_LINES, label),
                truncated: counter(names::STATSD_TRUNCATED, label),
                kernel_drops: counter(names::STATSD_KERNEL_DROPS, label),
                buffer: region.gauge(key(names::STATSD_RECEIVE_BUFFER, label), Aggregate::Last),
            }
        };
        let refused = |refusal: Refusal| {
            counter(names::STATSD_REFUSED, Some((names::REASON, refusal.name())))
        };
        let event = |kind| counter(names::STATSD_EVENTS, Some((names::KIND, kind)));
        Self {
            listeners: Listener::ALL.map(of),
            refused: Refusal::ALL.map(refused),
            events: event(names::EVENT),
            checks: event(names::CHECK),
            clamped: counter(names::STATSD_CLAMPED, None),
        }
    }

    pub(super) fn received(&self, from: Listener, lines: u64) {
        let of = &self.listeners[from as usize];
        of.packets.add(1);
        of.lines.add(lines);
    }

    pub(super) fn refuse(&self, refusal: Refusal) {
        self.refused[refusal as usize].add(1);
    }

    pub(super) fn unless(&self, counted: Result<(), Refusal>) {
        if let Err(refusal) = counted {
            self.refuse(refusal);
        }
    }

    pub(super) fn event(&self) {
        self.events.add(1);
    }

    pub(super) fn check(&self) {
        self.checks.add(1);
    }

    pub(super) fn clamped(&self) {
        self.clamped.add(1);
    }

    pub(super) fn note(&self, from: Listener, what: Received) {
        let of = &self.listeners[from as usize];
        match what {
            Received::Truncated => of.truncated.add(1),
            Received::KernelDrops(all) => of.kernel_drops.raise_to(all),
            #[expect(clippy::cast_precision_loss, reason = "no buffer is that large")]
            Received::Buffer(bytes) => of.buffer.set(bytes as f64),
        }
    }
}

fn key(name: &str, label: Option<(&str, &str)>) -> Key {
    Key::new(name, label).expect("the contract's names are names")
}
