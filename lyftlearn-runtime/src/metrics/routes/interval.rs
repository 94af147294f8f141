//! Told at intervals, and a last time at the end: what was counted, to those who read it from a
//! file, from stdout or from an agent of their own.

use std::cell::Cell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::statsd::sender::{Counted, Keep};
use super::{emf, otlp, sagemaker};
use crate::facts::wall_clock;
use crate::held::Owner;
use crate::metrics::region::Snapshot;
use crate::workload::{Emf, Otlp};

/// One way to tell.
pub(crate) enum Way {
    Sagemaker(sagemaker::sender::Lines),
    Emf(Box<emf::sender::Sender>),
    Otlp(Box<otlp::sender::Sender>),
}

impl Way {
    /// Files in the directory that SageMaker reads.
    pub(crate) fn sagemaker(directory: PathBuf, owner: Owner) -> Self {
        Self::Sagemaker(sagemaker::sender::Lines::new(directory, owner))
    }

    /// CloudWatch's Embedded Metric Format. `sent` is what an earlier process took down.
    pub(crate) fn emf(emf: Emf, common: Vec<(String, String)>, sent: (Vec<u8>, Keep)) -> Self {
        Self::Emf(Box::new(emf::sender::Sender::new(emf, common, sent)))
    }

    /// A collector of OpenTelemetry's.
    pub(crate) fn otlp(
        otlp: Otlp,
        labels: Vec<(String, String)>,
        begun: otlp::sender::Begun,
        refused: Rc<Cell<u64>>,
    ) -> Self {
        Self::Otlp(Box::new(otlp::sender::Sender::new(
            otlp, labels, begun, refused,
        )))
    }

    /// Whether it is told what the runtime counts of itself, too.
    pub(crate) fn takes_all(&self) -> bool {
        matches!(self, Self::Otlp(_))
    }

    /// Whether what is being told may be given up: it will be told again, as a whole.
    fn repeats(&self) -> bool {
        matches!(self, Self::Otlp(_))
    }

    /// The page of a job is looked at while it runs; CloudWatch keeps a value for each minute.
    fn every(&self) -> Duration {
        match self {
            Self::Sagemaker(_) => Duration::from_secs(10),
            Self::Emf(_) => Duration::from_secs(60),
            Self::Otlp(sender) => sender.every(),
        }
    }

    async fn tell(&mut self, snapshot: &Snapshot, now: Duration, left: &Cell<u64>) {
        match self {
            Self::Sagemaker(lines) => lines.tell(snapshot, now, left),
            Self::Emf(sender) => sender.tell(snapshot, now, left).await,
            Self::Otlp(sender) => sender.tell(snapshot, now, left).await,
        }
    }

    async fn close(&mut self) {
        if let Self::Emf(sender) = self {
            sender.close().await;
        }
    }
}

#[derive(Default)]
struct Shared {
    ending: Cell<bool>,
    woken: Notify,
    /// Values that were to be told, and have not been.
    left: Cell<u64>,
}

/// Who tells, in a task of its own.
pub(crate) struct Report {
    shared: Rc<Shared>,
    task: JoinHandle<()>,
}

impl Report {
    pub(crate) fn start(way: Way, counted: Counted) -> Self {
        let shared = Rc::<Shared>::default();
        Self {
            task: tokio::task::spawn_local(run(way, counted, Rc::clone(&shared))),
            shared,
        }
    }

    /// Has it tell what there still is.
    pub(crate) fn end(&self) {
        self.shared.ending.set(true);
        self.shared.woken.notify_one();
    }

    /// Waits for that until `deadline`, and says how many values could not be told.
    pub(crate) async fn finish(mut self, deadline: Instant) -> u64 {
        if tokio::time::timeout_at(deadline, &mut self.task)
            .await
            .is_err()
        {
            self.task.abort();
        }
        self.shared.left.get()
    }
}

async fn run(mut way: Way, counted: Counted, shared: Rc<Shared>) {
    let mut due = tokio::time::interval(way.every());
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    due.tick().await;
    while !shared.ending.get() {
        tokio::select! {
            () = shared.woken.notified() => {}
            _ = due.tick() => {
                let repeats = way.repeats();
                let counted = counted();
                tokio::select! {
                    () = way.tell(&counted, wall_clock(), &shared.left) => {}
                    () = shared.woken.notified(), if repeats => {}
                }
            }
        }
    }
    way.tell(&counted(), wall_clock(), &shared.left).await;
    way.close().await;
}
