//! Sends totals to the StatsD server, and received lines unchanged. **Only this task waits for the
//! server.**

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::lines::Batch;
use super::{LOSS, Plan};
use crate::contract::delivered;
use crate::metrics::routes::deltas::Deltas;
use crate::metrics::routes::link::Link;
use crate::metrics::routes::means::{Counted, Keep};
use crate::metrics::routes::running::Ending;
use crate::metrics::routes::{Means, Running, Selection};

/// What waits for a server that does not take it; as much as gostats keeps.
pub(super) const QUEUE_BYTES: usize = 4 << 20;
/// Bytes of one write.
const BATCH_BYTES: usize = 32 << 10;
/// As gostats waits before it dials again.
const RETRY: Duration = Duration::from_secs(3);

pub(super) fn start(plan: &Plan, means: &Means) -> Running {
    let ending = Rc::<Ending>::default();
    let relay = Relay(Rc::new(Shared {
        queue: RefCell::default(),
        dropped: means.lost(LOSS),
        pending: Cell::default(),
        ending: Rc::clone(&ending),
    }));
    let (known, keep) = means.sent_before(delivered::METRICS_SENT);
    let sending = Sending {
        link: Link::new(plan.server.clone()),
        shared: Rc::clone(&relay.0),
        plan: plan.clone(),
        common: means.labels.clone(),
        counted: means.counted(if plan.relays {
            Selection::NotRelayed
        } else {
            Selection::All
        }),
        deltas: Deltas::known(&known),
        keep,
    };
    let shared = Rc::clone(&relay.0);
    let running = Running::start(ending, sending.run(), move || shared.left());
    if plan.relays {
        running.with_tap(Rc::new(move |lines| relay.offer(lines)))
    } else {
        running
    }
}

/// Takes lines that were received, and never waits.
pub(super) struct Relay(pub(super) Rc<Shared>);

pub(super) struct Shared {
    pub(super) queue: RefCell<VecDeque<u8>>,
    /// Lines that there was no room for.
    pub(super) dropped: Rc<Cell<u64>>,
    /// Values that are being sent.
    pub(super) pending: Cell<u64>,
    pub(super) ending: Rc<Ending>,
}

impl Relay {
    /// Lines as they were received, with or without the last line break.
    pub(super) fn offer(&self, lines: &[u8]) {
        let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
        let mut queue = self.0.queue.borrow_mut();
        if queue.len() + lines.len() >= QUEUE_BYTES {
            let count = lines.iter().filter(|byte| **byte == b'\n').count() + 1;
            self.0.dropped.set(self.0.dropped.get() + count as u64);
            return;
        }
        queue.extend(lines);
        queue.push_back(b'\n');
        self.0.ending.woken.notify_one();
    }
}

impl Shared {
    pub(super) fn queued(&self) -> u64 {
        let queue = self.queue.borrow();
        queue.iter().filter(|byte| **byte == b'\n').count() as u64
    }

    /// Values and lines that have not been delivered.
    fn left(&self) -> u64 {
        self.pending.get() + self.queued() + self.dropped.get()
    }
}

struct Sending {
    link: Link,
    shared: Rc<Shared>,
    plan: Plan,
    common: Vec<(String, String)>,
    counted: Counted,
    deltas: Deltas,
    keep: Keep,
}

impl Sending {
    async fn run(mut self) {
        let mut due = tokio::time::interval(Duration::from_secs(self.plan.seconds.into()));
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        due.tick().await;
        let shared = Rc::clone(&self.shared);
        while shared.ending.deadline().is_none() {
            tokio::select! {
                () = shared.ending.woken.notified() => {}
                _ = due.tick() => self.flush().await,
            }
            if shared.ending.deadline().is_none() && !self.relayed().await {
                tokio::select! {
                    () = tokio::time::sleep(RETRY) => shared.ending.woken.notify_one(),
                    () = self.ended() => {}
                }
            }
        }
        self.link.limit = shared.ending.deadline();
        self.relayed().await;
        self.flush().await;
        self.link.close().await;
    }

    /// Only the end; lines that arrive meanwhile wait.
    async fn ended(&self) {
        while self.shared.ending.deadline().is_none() {
            self.shared.ending.woken.notified().await;
        }
    }

    /// Sends the lines that have been received until now; false if the server does not accept them.
    /// Lines may arrive as fast as they are sent: those have the next turn, after the values.
    async fn relayed(&mut self) -> bool {
        let mut left = self.shared.queue.borrow().len();
        while left > 0 {
            let batch = front(&self.shared.queue.borrow());
            let sent = self.link.send(&batch).await;
            self.shared.queue.borrow_mut().drain(..sent);
            if sent < batch.len() {
                return false;
            }
            left = left.saturating_sub(sent);
        }
        true
    }

    /// Sends the changes since the last flush.
    async fn flush(&mut self) {
        if !self.plan.values {
            return;
        }
        let snapshot = (self.counted)();
        let mut left = 0;
        let mut batch = Batch::default();
        for series in &snapshot.series {
            batch.add(&self.deltas, series, &self.common, self.plan.tags);
            if batch.text.len() >= BATCH_BYTES {
                left += self.sent(std::mem::take(&mut batch), left == 0).await;
            }
        }
        left += self.sent(batch, left == 0).await;
        self.shared.pending.set(left);
        if let Some(document) = self.deltas.document() {
            (self.keep)(&document);
        }
    }

    /// A server that has not taken one batch is not asked to take the next.
    async fn sent(&mut self, batch: Batch, willing: bool) -> u64 {
        let pending = self.shared.pending.get() + batch.len() as u64;
        self.shared.pending.set(pending);
        let bytes = if willing && !batch.text.is_empty() {
            self.link.send(batch.text.as_bytes()).await
        } else {
            0
        };
        let count = batch.len() as u64;
        let left = batch.record(bytes, &mut self.deltas);
        self.shared.pending.set(pending - (count - left));
        left
    }
}

/// Whole lines from the front.
fn front(queue: &VecDeque<u8>) -> Vec<u8> {
    let mut batch: Vec<u8> = queue.iter().take(BATCH_BYTES).copied().collect();
    match batch.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => batch.truncate(end + 1),
        // One line that is longer.
        None => batch.extend(
            queue
                .iter()
                .skip(BATCH_BYTES)
                .copied()
                .take_while(|byte| *byte != b'\n')
                .chain([b'\n']),
        ),
    }
    if queue.is_empty() {
        batch.clear();
    }
    batch
}
