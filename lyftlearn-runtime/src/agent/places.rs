//! Limits connections. If all are in use and a client waits, the connection that has been idle
//! longest is closed, so idle clients cannot lock others out.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Notify;
use tokio::time::Instant;

/// So long a connection keeps its place in any case: what it asked with its first packet has
/// been read by then.
const FIRST_WORDS: Duration = Duration::from_millis(20);
/// So long a peer may take nothing of an answer before others go first.
const UNREAD: Duration = Duration::from_secs(1);
/// Enough for all places, where the container allows it.
const DESCRIPTORS: u64 = 4096;
/// A server's share of the descriptors is counted in these.
const SHARES: u64 = 16;

/// A server's places.
pub(super) struct Places {
    most: usize,
    seats: RefCell<BTreeMap<u64, Rc<Seat>>>,
    next: Cell<u64>,
    /// A place has become free, or its holder has been asked for it in vain.
    changed: Notify,
}

/// One of them, which is free again when this is dropped.
pub(super) struct Place {
    places: Rc<Places>,
    number: u64,
    seat: Rc<Seat>,
}

/// State of a connection.
pub(super) struct Seat {
    /// From when on it may be asked to give up its place; `None` while it waits for us.
    due: Cell<Option<Instant>>,
    /// It has been asked, and has not answered.
    asked: Cell<bool>,
    wanted: Notify,
}

/// Raises the soft limit on open files, as far as there is use for it.
pub(super) fn make_room() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(DESCRIPTORS).min(DESCRIPTORS);
    if current.is_some_and(|current| current < wanted) {
        let current = Some(wanted);
        // A lower limit than requested means fewer connections.
        let _ = setrlimit(Resource::Nofile, Rlimit { current, maximum });
    }
}

impl Places {
    /// So many places, and no more than `shares` sixteenths of the descriptors that this
    /// process may have: one server's connections must not take another's.
    pub(super) fn new(wanted: usize, shares: u64) -> Rc<Self> {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(DESCRIPTORS);
        let most = descriptors.saturating_mul(shares) / SHARES;
        Rc::new(Self {
            most: usize::try_from(most).map_or(wanted, |most| most.clamp(1, wanted)),
            seats: RefCell::default(),
            next: Cell::new(0),
            changed: Notify::new(),
        })
    }

    /// Takes a place for a connection that is there, and waits for one if it must.
    pub(super) async fn take(self: &Rc<Self>) -> Place {
        while self.seats.borrow().len() >= self.most {
            match self.first_due() {
                Some((due, seat)) if due <= Instant::now() => {
                    seat.asked.set(true);
                    seat.wanted.notify_one();
                    self.changed.notified().await;
                }
                Some((due, _)) => {
                    tokio::select! {
                        () = self.changed.notified() => {}
                        () = tokio::time::sleep_until(due) => {}
                    }
                }
                None => self.changed.notified().await,
            }
        }
        let number = self.next.get();
        self.next.set(number + 1);
        let seat = Rc::new(Seat {
            due: Cell::new(None),
            asked: Cell::new(false),
            wanted: Notify::new(),
        });
        seat.listens();
        self.seats.borrow_mut().insert(number, Rc::clone(&seat));
        Place {
            places: Rc::clone(self),
            number,
            seat,
        }
    }

    /// Descriptors have run out: one of those that only wait goes.
    pub(super) fn free_one(&self) {
        if let Some((due, seat)) = self.first_due()
            && due <= Instant::now()
        {
            seat.asked.set(true);
            seat.wanted.notify_one();
        }
    }

    fn first_due(&self) -> Option<(Instant, Rc<Seat>)> {
        let seats = self.seats.borrow();
        let due = seats
            .values()
            .filter(|seat| !seat.asked.get())
            .filter_map(|seat| Some((seat.due.get()?, seat)));
        let first = due.min_by_key(|(due, _)| *due);
        first.map(|(due, seat)| (due, Rc::clone(seat)))
    }
}

impl Place {
    pub(super) fn seat(&self) -> &Rc<Seat> {
        &self.seat
    }

    /// Serves the connection to its end, or until its place is wanted and its peer has still
    /// sent nothing that could be answered.
    pub(super) async fn hold(&self, served: impl Future) {
        tokio::pin!(served);
        loop {
            tokio::select! {
                // Bytes that have arrived are read before the connection is closed.
                biased;
                _ = &mut served => return,
                () = self.seat.wanted.notified() => {
                    let waits = |due: Instant| due <= Instant::now();
                    if self.seat.due.get().is_some_and(waits) {
                        return;
                    }
                    self.seat.asked.set(false);
                    self.places.changed.notify_one();
                }
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.seats.borrow_mut().remove(&self.number);
        self.places.changed.notify_one();
    }
}

impl Seat {
    /// It is the peer's turn to say something.
    pub(super) fn listens(&self) {
        self.due.set(Some(Instant::now() + FIRST_WORDS));
    }

    /// It is ours.
    pub(super) fn works(&self) {
        self.due.set(None);
    }

    /// The peer has taken some of the answer.
    pub(super) fn sends(&self) {
        self.due.set(Some(Instant::now() + UNREAD));
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use tokio::task::LocalSet;
    use tokio::time::Duration;

    use super::{Place, Places};

    fn with_places(most: usize, test: impl AsyncFnOnce(Rc<Places>)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let places = Places::new(most, 16);
        LocalSet::new().block_on(&runtime, async {
            let done = tokio::time::timeout(Duration::from_secs(20), test(places));
            done.await.unwrap();
        });
    }

    /// A connection that stays as it is until its place is wanted.
    fn held(place: Place) -> tokio::task::JoinHandle<u64> {
        tokio::task::spawn_local(async move {
            place.hold(std::future::pending::<()>()).await;
            place.number
        })
    }

    #[test]
    fn the_longest_idle_connection_is_closed_but_never_an_active_one() {
        with_places(3, async |places| {
            let first = places.take().await;
            first.seat().works();
            let worked = held(first);
            let second = held(places.take().await);
            let third = held(places.take().await);
            let _fourth = held(places.take().await);
            assert_eq!(second.await.unwrap(), 1);
            let _fifth = places.take().await;
            assert_eq!(third.await.unwrap(), 2);
            assert!(!worked.is_finished());
        });
    }

    #[test]
    fn one_that_has_asked_meanwhile_keeps_its_place() {
        with_places(2, async |places| {
            let place = places.take().await;
            let seat = Rc::clone(place.seat());
            // Its request is read only when its place is wanted: as where this process comes
            // to nothing for a while.
            let asks = tokio::task::spawn_local(async move {
                seat.wanted.notified().await;
                seat.works();
                seat.wanted.notify_one();
                std::future::pending::<()>().await;
            });
            let kept = tokio::task::spawn_local(async move {
                tokio::task::yield_now().await;
                place.hold(std::future::pending::<()>()).await;
            });
            let other = held(places.take().await);
            let _third = places.take().await;
            assert_eq!(other.await.unwrap(), 1);
            assert!(!kept.is_finished());
            asks.abort();
        });
    }

    #[test]
    fn a_place_that_is_dropped_is_free() {
        with_places(1, async |places| {
            let one = places.take().await;
            one.seat().works();
            let waits = Rc::clone(&places);
            let next = tokio::task::spawn_local(async move { waits.take().await.number });
            tokio::task::yield_now().await;
            assert!(!next.is_finished());
            drop(one);
            assert_eq!(next.await.unwrap(), 1);
        });
    }
}
