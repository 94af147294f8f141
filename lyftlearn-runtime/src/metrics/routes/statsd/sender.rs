//! Push: what was counted goes to the deployment's StatsD server, and so do lines that were
//! received, byte for byte. **Nothing here waits for the server but this task itself.**

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior};

use super::lines::Batch;
use crate::metrics::region::Snapshot;
use crate::metrics::routes::deltas::Deltas;
use crate::metrics::routes::link::Link;
use crate::workload::{Gateway, Push};

/// What waits for a server that does not take it; as much as gostats keeps.
pub(super) const QUEUE_BYTES: usize = 4 << 20;
/// What is written at once.
const BATCH_BYTES: usize = 32 << 10;
/// As gostats waits before it dials again.
const RETRY: Duration = Duration::from_secs(3);

/// What was counted, whenever it is asked for.
pub(crate) type Counted = Rc<dyn Fn() -> Snapshot>;
/// Takes what has been sent down, for the process that comes after this one.
pub(crate) type Keep = Box<dyn Fn(&[u8])>;

/// Takes lines that were received, and never waits.
#[derive(Clone)]
pub(crate) struct Relay(pub(super) Rc<Shared>);

#[derive(Default)]
pub(super) struct Shared {
    pub(super) queue: RefCell<VecDeque<u8>>,
    dropped: Cell<u64>,
    /// What is being sent and has not gone.
    pending: Cell<u64>,
    ending: Cell<Option<Instant>>,
    woken: Notify,
}

/// The way to one server.
pub(crate) struct Sender {
    pub(crate) relay: Relay,
    task: JoinHandle<u64>,
}

impl Relay {
    /// Lines as they were received, with or without the last line break.
    pub(crate) fn offer(&self, lines: &[u8]) {
        let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
        let mut queue = self.0.queue.borrow_mut();
        if queue.len() + lines.len() >= QUEUE_BYTES {
            let count = lines.iter().filter(|byte| **byte == b'\n').count() + 1;
            self.0.dropped.set(self.0.dropped.get() + count as u64);
            return;
        }
        queue.extend(lines);
        queue.push_back(b'\n');
        self.0.woken.notify_one();
    }

    /// How many lines there was no room for.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.dropped.get()
    }
}

impl Sender {
    /// Starts sending. `known` is what an earlier process has taken down.
    pub(crate) fn start(
        gateway: Gateway,
        push: Push,
        common: Vec<(String, String)>,
        counted: Counted,
        (known, keep): (&[u8], Keep),
    ) -> Self {
        let relay = Relay(Rc::default());
        let pusher = Pusher {
            link: Link::new(gateway),
            shared: Rc::clone(&relay.0),
            push,
            common,
            counted,
            deltas: Deltas::known(known),
            keep,
        };
        Self {
            relay,
            task: tokio::task::spawn_local(pusher.run()),
        }
    }

    /// Sends what there still is, for as long as `deadline` leaves, and says how much could
    /// not be delivered.
    pub(crate) async fn finish(mut self, deadline: Instant) -> u64 {
        let shared = &self.relay.0;
        shared.ending.set(Some(deadline));
        shared.woken.notify_one();
        let left = match tokio::time::timeout_at(deadline, &mut self.task).await {
            Ok(Ok(left)) => left,
            _ => {
                self.task.abort();
                shared.pending.get() + shared.queued()
            }
        };
        left + self.relay.dropped()
    }
}

impl Shared {
    pub(super) fn queued(&self) -> u64 {
        let queue = self.queue.borrow();
        queue.iter().filter(|byte| **byte == b'\n').count() as u64
    }
}

struct Pusher {
    link: Link,
    shared: Rc<Shared>,
    push: Push,
    common: Vec<(String, String)>,
    counted: Counted,
    deltas: Deltas,
    keep: Keep,
}

impl Pusher {
    async fn run(mut self) -> u64 {
        let mut due = tokio::time::interval(Duration::from_secs(self.push.seconds.into()));
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        due.tick().await;
        let shared = Rc::clone(&self.shared);
        while shared.ending.get().is_none() {
            tokio::select! {
                () = shared.woken.notified() => {}
                _ = due.tick() => { self.flush().await; }
            }
            if shared.ending.get().is_none() && !self.relayed().await {
                tokio::select! {
                    () = tokio::time::sleep(RETRY) => shared.woken.notify_one(),
                    () = self.ended() => {}
                }
            }
        }
        self.link.limit = shared.ending.get();
        // Pessimistic until it has gone.
        self.relayed().await;
        let left = self.flush().await;
        self.link.close().await;
        left + shared.queued()
    }

    /// Only the end; lines that arrive meanwhile wait.
    async fn ended(&self) {
        while self.shared.ending.get().is_none() {
            self.shared.woken.notified().await;
        }
    }

    /// Sends what was received; false when the server does not take it.
    async fn relayed(&mut self) -> bool {
        loop {
            let batch = front(&self.shared.queue.borrow());
            if batch.is_empty() {
                return true;
            }
            let sent = self.link.send(&batch).await;
            self.shared.queue.borrow_mut().drain(..sent);
            if sent < batch.len() {
                return false;
            }
        }
    }

    /// Sends what was counted since the last time; says how many values did not go.
    async fn flush(&mut self) -> u64 {
        if !self.push.values {
            return 0;
        }
        let snapshot = (self.counted)();
        let mut left = 0;
        let mut batch = Batch::default();
        for series in &snapshot.series {
            batch.add(&self.deltas, series, &self.common, self.push.tags);
            if batch.text.len() >= BATCH_BYTES {
                left += self.sent(std::mem::take(&mut batch), left == 0).await;
            }
        }
        left += self.sent(batch, left == 0).await;
        self.shared.pending.set(left);
        if let Some(document) = self.deltas.document() {
            (self.keep)(&document);
        }
        left
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
