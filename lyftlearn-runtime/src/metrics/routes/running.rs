//! A route's sender at work.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Lines as programs sent them.
pub(crate) type Tap = Rc<dyn Fn(&[u8])>;

/// A sender in a task of its own.
pub(crate) struct Running {
    ending: Rc<Ending>,
    task: JoinHandle<()>,
    left: Box<dyn Fn() -> u64>,
    tap: Option<Tap>,
}

/// The wish that a sender ends, which its task looks at.
#[derive(Default)]
pub(super) struct Ending {
    deadline: Cell<Option<Instant>>,
    /// Wakes the task, also for its own events.
    pub(super) woken: Notify,
}

impl Ending {
    /// When the last send is to be over; `None` while no end is wished for.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline.get()
    }
}

impl Running {
    /// `left` counts the values that were to be sent and have not been.
    pub(super) fn start(
        ending: Rc<Ending>,
        task: impl Future<Output = ()> + 'static,
        left: impl Fn() -> u64 + 'static,
    ) -> Self {
        Self {
            ending,
            task: tokio::task::spawn_local(task),
            left: Box::new(left),
            tap: None,
        }
    }

    /// The same, with a sender that also takes lines as programs send them.
    pub(super) fn with_tap(self, tap: Tap) -> Self {
        Self {
            tap: Some(tap),
            ..self
        }
    }

    /// Where lines are passed on as they are received.
    pub(crate) fn tap(&self) -> Option<Tap> {
        self.tap.clone()
    }

    /// Has it send what there still is. Returns at once.
    pub(crate) fn end(&self, deadline: Instant) {
        self.ending.deadline.set(Some(deadline));
        self.ending.woken.notify_one();
    }

    /// Waits for that, and returns how many values could not be sent.
    pub(crate) async fn finish(mut self, deadline: Instant) -> u64 {
        if tokio::time::timeout_at(deadline, &mut self.task)
            .await
            .is_err()
        {
            self.task.abort();
        }
        (self.left)()
    }
}
