//! What the agent hands to senders.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use super::{Loss, ROUTES};
use crate::contract::limits;
use crate::held::Directory;
use crate::metrics::region::{Series, Snapshot};

/// Returns the current totals.
pub(super) type Counted = Rc<dyn Fn() -> Snapshot>;
/// Stores the sent totals for the next agent process.
pub(super) type Keep = Box<dyn Fn(&[u8])>;
/// Since when a series is added up.
pub(super) type Begun = Rc<dyn Fn(&Series) -> Duration>;

/// What the agent hands to a sender.
pub(crate) struct Means {
    /// Labels of every series.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) run: Option<Directory>,
    pub(crate) counted: Rc<dyn Fn(Selection) -> Snapshot>,
    pub(crate) begun: Begun,
    pub(crate) losses: Losses,
}

/// Which series a route sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    All,
    /// All but those of lines that are passed on: they must not arrive a second time as totals.
    /// What a program counts by itself under the same name was not passed on.
    NotRelayed,
    /// Those that programs count, and not the runtime's own.
    Programs,
}

/// What routes could not keep or deliver, by cause.
#[derive(Clone)]
pub(crate) struct Losses(Vec<(Loss, Rc<Cell<u64>>)>);

impl Default for Losses {
    fn default() -> Self {
        let all = ROUTES.iter().filter_map(|route| route.loss);
        Self(all.map(|loss| (loss, Rc::default())).collect())
    }
}

impl Losses {
    /// Each cause with its count.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = self.0.iter();
        all.map(|(loss, count)| (loss.cause, count.get()))
    }

    fn of(&self, cause: &str) -> Rc<Cell<u64>> {
        let mut all = self.0.iter();
        let found = all.find(|(loss, _)| loss.cause == cause);
        found.map(|(_, count)| Rc::clone(count)).unwrap_or_default()
    }
}

impl Means {
    pub(super) fn counted(&self, selection: Selection) -> Counted {
        let counted = Rc::clone(&self.counted);
        Rc::new(move || counted(selection))
    }

    /// The count of a route's own loss.
    pub(super) fn lost(&self, loss: Loss) -> Rc<Cell<u64>> {
        self.losses.of(loss.cause)
    }

    /// What an agent before this one has sent, and where this one records it: a total must not be
    /// sent twice because of a restart. `name` is a file in the run directory.
    pub(super) fn sent_before(&self, name: &'static str) -> (Vec<u8>, Keep) {
        let Some(run) = &self.run else {
            return (Vec::new(), Box::new(|_| ()));
        };
        let known = run.read(name, limits::DOCUMENT_BYTES);
        let known = known.ok().flatten().unwrap_or_default();
        let run = run.clone();
        // A full disk costs a total that is sent twice after a restart, and no more.
        let keep = move |document: &[u8]| drop(run.write(name, document));
        (known, Box::new(keep))
    }
}
