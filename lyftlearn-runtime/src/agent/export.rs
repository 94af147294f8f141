//! Metrics out: everything that was counted, from whoever counted it, by every way that the
//! orders name.

use std::cell::Cell;
use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::ingest::Tap;
use super::orders::Metrics;
use super::own::{self, Lost, Own};
use super::scrape;
use crate::contract::{delivered, limits};
use crate::deliver::outcome::Undelivered;
use crate::facts::wall_clock;
use crate::held::Directory;
use crate::metrics::exposition::{Exposition, Format};
use crate::metrics::region::{Reader, Series, Snapshot};
use crate::metrics::routes::interval::{Report, Way};
use crate::metrics::routes::statsd::sender::{Counted, Keep, Relay, Sender};
use crate::metrics::store::Store;

/// One that counts; `None` when it cannot be read.
type Source = Box<dyn Fn() -> Option<Snapshot>>;

/// What is exported, and to whom.
pub(super) struct Exporter {
    shown: Rc<Shown>,
    sender: Option<Sender>,
    reports: Vec<Report>,
    relays: bool,
    run: Option<Directory>,
    flush: Duration,
}

/// Everything that is shown.
pub(super) struct Shown {
    sources: Vec<Source>,
    /// What came by StatsD.
    store: Option<Store>,
    own: Own,
    labels: Vec<(String, String)>,
    relay: std::cell::OnceCell<Relay>,
    /// What a collector has refused.
    refused: Rc<Cell<u64>>,
}

impl Shown {
    /// Of all sources, and of the runtime itself.
    fn snapshot(&self) -> Snapshot {
        self.with(self.store.as_ref().map(Store::snapshot))
    }

    /// The same, but of StatsD only what the runtime counts of it: what is passed on line by
    /// line must not arrive a second time as a total. What a program counts by itself under
    /// the same name was not passed on.
    fn snapshot_beside_lines(&self) -> Snapshot {
        self.with(self.store.as_ref().map(|store| {
            let mut received = store.snapshot();
            let series = &mut received.series;
            series.retain(|series| series.name.starts_with(own::PREFIX));
            received
        }))
    }

    fn with(&self, received: Option<Snapshot>) -> Snapshot {
        let snapshots = self.sources.iter().filter_map(|source| source());
        let snapshots = snapshots.chain(received);
        let counted = snapshots.reduce(Snapshot::merged).unwrap_or_default();
        let own = self.own.snapshot(&Lost {
            series: counted.dropped_series,
            values: counted.refused_values,
            damaged: counted.damaged_series,
            lines: self.relay.get().map_or(0, Relay::dropped),
            refused: self.refused.get(),
        });
        counted.merged(own)
    }

    /// Without the runtime's own.
    fn programs(&self) -> Snapshot {
        let mut snapshot = self.snapshot();
        let theirs = |series: &Series| !series.name.starts_with(own::PREFIX);
        snapshot.series.retain(theirs);
        snapshot
    }

    /// Of a program that counts nowhere.
    #[cfg(test)]
    pub(super) fn of_snapshot(snapshot: Snapshot, own: Own) -> Self {
        Self {
            sources: vec![Box::new(move || Some(snapshot.clone()))],
            store: None,
            own,
            labels: Vec::new(),
            relay: std::cell::OnceCell::new(),
            refused: Rc::default(),
        }
    }

    pub(super) fn exposition(&self, format: Format) -> Exposition {
        Exposition::new(self.snapshot(), &self.labels, format)
    }
}

impl Exporter {
    /// `store` has what came by StatsD.
    pub(super) fn start(
        orders: Metrics,
        run: Option<Directory>,
        own: Own,
        store: Option<Store>,
    ) -> Self {
        let shown = Rc::new(Shown {
            sources: region(run.as_ref(), orders.region_bytes)
                .into_iter()
                .collect(),
            store,
            own,
            labels: orders.export.labels.clone(),
            relay: std::cell::OnceCell::new(),
            refused: Rc::default(),
        });
        let reports = reports(&orders, run.as_ref(), &shown);
        let push = orders.export.push;
        let gateway = orders.export.gateway;
        let gateway = gateway.filter(|_| push.values || push.relays);
        let sender = gateway.map(|gateway| {
            let shown = Rc::clone(&shown);
            let counted: Counted = if push.relays {
                Rc::new(move || shown.snapshot_beside_lines())
            } else {
                Rc::new(move || shown.snapshot())
            };
            let (known, keep) = sent_before(run.as_ref(), delivered::METRICS_SENT);
            let labels = orders.export.labels;
            Sender::start(gateway, push, labels, counted, (&known, keep))
        });
        if let Some(sender) = &sender {
            let _ = shown.relay.set(sender.relay.clone());
        }
        Self {
            shown,
            relays: push.relays,
            sender,
            reports,
            run,
            flush: Duration::try_from_secs_f64(orders.flush_seconds).unwrap_or_default(),
        }
    }

    /// Takes lines as they are received, where they are to be passed on.
    pub(super) fn tap(&self) -> Option<Tap> {
        let relay = self.sender.as_ref().filter(|_| self.relays)?.relay.clone();
        Some(Rc::new(move |lines| relay.offer(lines)))
    }

    /// Answers Prometheus, from outside and from inside.
    pub(super) fn serve(
        &self,
        outside: Option<TcpListener>,
        inside: Option<UnixListener>,
    ) -> io::Result<()> {
        if let Some(listener) = outside {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tokio::task::spawn_local(scrape::outside(listener, Rc::clone(&self.shown)));
        }
        if let Some(listener) = inside {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::UnixListener::from_std(listener)?;
            tokio::task::spawn_local(scrape::inside(listener, Rc::clone(&self.shown)));
        }
        Ok(())
    }

    /// Sends what there still is, and leaves word of what could not be sent.
    pub(super) async fn finish(self) {
        let deadline = Instant::now() + self.flush;
        if self.sender.is_none() && self.reports.is_empty() {
            return;
        }
        self.shown.own.ended();
        // All at the same time: one that nobody takes must not cost the others theirs.
        for report in &self.reports {
            report.end();
        }
        let mut left = match self.sender {
            Some(sender) => sender.finish(deadline).await,
            None => 0,
        };
        for report in self.reports {
            left += report.finish(deadline).await;
        }
        let note = Undelivered {
            undelivered: Some(left),
            nowhere: None,
        };
        let Some(run) = self.run else { return };
        let text = serde_json::to_vec(&note).expect("plain data has no failure to report");
        // Without it the outcome says that nothing is known.
        let _ = run.write(delivered::METRICS_UNDELIVERED, &text);
    }
}

/// Those who are told at intervals.
fn reports(orders: &Metrics, run: Option<&Directory>, shown: &Rc<Shown>) -> Vec<Report> {
    let export = &orders.export;
    let files = export.sagemaker.clone();
    let owner = run.and_then(Directory::owner);
    let files = files.map(|directory| Way::sagemaker(directory, owner));
    let emf = export.emf.clone().map(|emf| {
        let sent = sent_before(run, delivered::METRICS_SENT_EMF);
        Way::emf(emf, export.labels.clone(), sent)
    });
    let otlp = export.otlp.clone().map(|otlp| {
        let all = Duration::try_from_secs_f64(orders.begun).unwrap_or_default();
        let of_this_agent = wall_clock();
        let begun = move |series: &Series| {
            if own::begins_anew(series) {
                of_this_agent
            } else {
                all
            }
        };
        Way::otlp(
            otlp,
            export.labels.clone(),
            Box::new(begun),
            Rc::clone(&shown.refused),
        )
    });
    (files.into_iter().chain(emf).chain(otlp))
        .map(|way| {
            let shown = Rc::clone(shown);
            // What is paid for by the metric is the program's.
            let counted: Counted = if way.takes_all() {
                Rc::new(move || shown.snapshot())
            } else {
                Rc::new(move || shown.programs())
            };
            Report::start(way, counted)
        })
        .collect()
}

fn region(run: Option<&Directory>, bytes: Option<u64>) -> Option<Source> {
    let reader = Reader::within(run?, bytes?).ok()??;
    Some(Box::new(move || reader.snapshot().ok()))
}

/// What an agent before this one has sent, and where this one takes it down. A total must
/// not be sent twice because of a restart.
fn sent_before(run: Option<&Directory>, name: &'static str) -> (Vec<u8>, Keep) {
    let Some(run) = run else {
        return (Vec::new(), Box::new(|_| ()));
    };
    let known = run.read(name, limits::DOCUMENT_BYTES);
    let known = known.ok().flatten().unwrap_or_default();
    let run = run.clone();
    // A disk that is full costs a total that is sent twice after a restart, and no more.
    let keep = move |document: &[u8]| drop(run.write(name, document));
    (known, Box::new(keep))
}
