//! Senders that are shown everything at intervals, and a last time at the end.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::Running;
use super::means::Counted;
use super::running::Ending;
use crate::facts::wall_clock;
use crate::metrics::region::Snapshot;

pub(super) trait Sender: 'static {
    /// Whether a send may be given up when the end comes, because the next one repeats it as a
    /// whole.
    const REPEATS: bool = false;

    fn every(&self) -> Duration;

    /// Sends what there is to send of a snapshot, and notes in `left` how many values have not
    /// gone so far.
    async fn send(&mut self, snapshot: &Snapshot, now: Duration, left: &Cell<u64>);

    async fn close(&mut self) {}
}

pub(super) fn start(sender: impl Sender, counted: Counted) -> Running {
    let ending = Rc::<Ending>::default();
    let left = Rc::<Cell<u64>>::default();
    let task = run(sender, counted, Rc::clone(&ending), Rc::clone(&left));
    Running::start(ending, task, move || left.get())
}

async fn run<S: Sender>(mut sender: S, counted: Counted, ending: Rc<Ending>, left: Rc<Cell<u64>>) {
    let mut due = tokio::time::interval(sender.every());
    due.set_missed_tick_behavior(MissedTickBehavior::Delay);
    due.tick().await;
    while ending.deadline().is_none() {
        tokio::select! {
            () = ending.woken.notified() => {}
            _ = due.tick() => {
                let counted = counted();
                tokio::select! {
                    () = sender.send(&counted, wall_clock(), &left) => {}
                    () = ending.woken.notified(), if S::REPEATS => {}
                }
            }
        }
    }
    sender.send(&counted(), wall_clock(), &left).await;
    sender.close().await;
}
