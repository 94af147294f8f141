//! Metrics out: everything that was counted, in whichever process, on every route that there is.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::config::Metrics;
use super::ingest::Tap;
use super::runtime_metrics::{self, Lost, RuntimeMetrics};
use super::scrape;
use crate::contract::delivered;
use crate::facts::wall_clock;
use crate::held::Directory;
use crate::metrics::exposition::{Exposition, Format};
use crate::metrics::region::{Reader, Series, Snapshot};
use crate::metrics::routes::{Losses, Means, Running, Selection};
use crate::metrics::store::Store;
use crate::outcome::Undelivered;

/// One that counts; `None` when it cannot be read.
type Source = Box<dyn Fn() -> Option<Snapshot>>;

pub(super) struct Exporter {
    shown: Rc<Shown>,
    running: Vec<Running>,
    run: Option<Directory>,
    flush: Duration,
}

/// Everything that is shown.
pub(super) struct Shown {
    sources: Vec<Source>,
    /// Totals received by StatsD.
    store: Option<Store>,
    own: RuntimeMetrics,
    labels: Vec<(String, String)>,
    losses: Losses,
}

impl Shown {
    /// Of all sources, and of the runtime itself.
    fn snapshot(&self, selection: Selection) -> Snapshot {
        let is_own = |series: &Series| series.name.starts_with(runtime_metrics::PREFIX);
        let mut received = self.store.as_ref().map(Store::snapshot);
        if let Some(received) = &mut received
            && selection == Selection::NotRelayed
        {
            received.series.retain(is_own);
        }
        let snapshots = self.sources.iter().filter_map(|source| source());
        let snapshots = snapshots.chain(received);
        let counted = snapshots.reduce(Snapshot::merged).unwrap_or_default();
        let own = self.own.snapshot(&Lost {
            series: counted.dropped_series,
            values: counted.refused_values,
            damaged: counted.damaged_series,
            by_routes: &self.losses,
        });
        let mut all = counted.merged(own);
        if selection == Selection::Programs {
            all.series.retain(|series| !is_own(series));
        }
        all
    }

    /// For a program without a region.
    #[cfg(test)]
    pub(super) fn of_snapshot(snapshot: Snapshot, own: RuntimeMetrics) -> Self {
        Self {
            sources: vec![Box::new(move || Some(snapshot.clone()))],
            store: None,
            own,
            labels: Vec::new(),
            losses: Losses::default(),
        }
    }

    pub(super) fn exposition(&self, format: Format) -> Exposition {
        Exposition::new(self.snapshot(Selection::All), &self.labels, format)
    }
}

impl Exporter {
    /// `store` has the totals received by StatsD.
    pub(super) fn start(
        config: Metrics,
        run: Option<Directory>,
        own: RuntimeMetrics,
        store: Option<Store>,
    ) -> Self {
        let losses = Losses::default();
        let shown = Rc::new(Shown {
            sources: region(run.as_ref(), config.region_bytes)
                .into_iter()
                .collect(),
            store,
            own,
            labels: config.export.labels.clone(),
            losses: losses.clone(),
        });
        let means = Means {
            labels: config.export.labels.clone(),
            run: run.clone(),
            counted: {
                let shown = Rc::clone(&shown);
                Rc::new(move |selection| shown.snapshot(selection))
            },
            begun: Rc::new(begun(config.begun)),
            losses,
        };
        Self {
            shown,
            running: config.export.start(&means),
            run,
            flush: Duration::try_from_secs_f64(config.flush_seconds).unwrap_or_default(),
        }
    }

    /// Takes lines as they are received, where they are to be passed on.
    pub(super) fn tap(&self) -> Option<Tap> {
        self.running.iter().find_map(Running::tap)
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
        if self.running.is_empty() {
            return;
        }
        self.shown.own.ended();
        // All routes at the same time: a route that hangs must not delay the others.
        for running in &self.running {
            running.end(deadline);
        }
        let mut left = 0;
        for running in self.running {
            left += running.finish(deadline).await;
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

/// Start time of a series. Counts that an earlier agent made about itself were lost with it.
fn begun(seconds: f64) -> impl Fn(&Series) -> Duration {
    let all = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let of_this_agent = wall_clock();
    move |series| {
        if runtime_metrics::begins_anew(series) {
            of_this_agent
        } else {
            all
        }
    }
}

fn region(run: Option<&Directory>, bytes: Option<u64>) -> Option<Source> {
    let reader = Reader::within(run?, bytes?).ok()??;
    Some(Box::new(move || reader.snapshot().ok()))
}
