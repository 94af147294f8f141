//! Receives StatsD lines from the sockets and adds them to the totals. Senders never wait for it.

mod datagrams;
mod kernel;
mod sockets;
mod streams;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::{Rc, Weak};
use std::time::Duration;

use rustix::net::sockopt;
use serde::Serialize;

use super::places::{Place, Places};
use crate::metrics::statsd::Listener;
use crate::metrics::store::{self, Received, Store};
use datagrams::Datagrams;
use sockets::{Socket, Stream};
use streams::Connection;

/// How long a set's members are counted, and how often the kernel is asked what it dropped.
const WINDOW: Duration = Duration::from_secs(10);

/// Connections at a time of each listener; of more, the one goes that has been silent longest.
const CONNECTIONS: usize = 512;
const SHARES: u64 = 2;

/// Full turns of one drain, of all connections together. Senders may go on without end, and while one is
/// drained, nothing else is done here.
const DRAIN_TURNS: usize = 128;

/// Lines, as they came: whole ones, and a packet's with no more than the packet.
pub(super) type Tap = Rc<dyn Fn(&[u8])>;

/// The listeners.
pub(super) struct Ingest {
    shared: Rc<Shared>,
}

struct Shared {
    store: Store,
    tap: Option<Tap>,
    sockets: Vec<(Listener, Socket)>,
    /// Of each of them, for connections.
    places: Vec<Rc<Places>>,
    /// Every datagram is read into the same memory.
    datagrams: RefCell<Datagrams>,
    connections: RefCell<Vec<Weak<Connection>>>,
    ended: Cell<bool>,
}

/// The totals received, and the listeners.
#[derive(Serialize)]
pub(super) struct Account {
    statsd: BTreeMap<&'static str, String>,
    #[serde(flatten)]
    store: store::Account,
}

/// Counts what arrives from now on, in tasks of its own. `tap` gets every line first.
pub(super) fn start(
    sockets: Vec<(Listener, OwnedFd)>,
    store: Store,
    tap: Option<Tap>,
) -> io::Result<Ingest> {
    let sockets = sockets.into_iter().map(|(listener, socket)| {
        let bytes = sockopt::socket_recv_buffer_size(&socket).unwrap_or_default();
        store.note(listener, Received::Buffer(bytes));
        Ok((listener, Socket::new(listener, socket)?))
    });
    let sockets = sockets.collect::<io::Result<Vec<_>>>()?;
    let places = sockets.iter().map(|_| Places::new(CONNECTIONS, SHARES));
    let shared = Rc::new(Shared {
        places: places.collect(),
        sockets,
        datagrams: RefCell::new(Datagrams::new()),
        connections: RefCell::default(),
        ended: Cell::new(false),
        store,
        tap,
    });
    for (index, (_, socket)) in shared.sockets.iter().enumerate() {
        let shared = Rc::clone(&shared);
        if socket.connects() {
            tokio::task::spawn_local(shared.accept(index));
        } else {
            tokio::task::spawn_local(shared.receive(index));
        }
    }
    let windows = Rc::clone(&shared);
    tokio::task::spawn_local(async move {
        loop {
            tokio::time::sleep(WINDOW).await;
            windows.store.turn_sets();
            windows.note_kernel_drops();
        }
    });
    Ok(Ingest { shared })
}

impl Ingest {
    /// Counts the lines that were sent until now, and receives no more: other containers of a pod may
    /// send while totals are exported for the last time.
    pub(super) fn end(&self) {
        self.shared.drain(streams::SENDERS_BYTES);
        self.shared.store.turn_sets();
        self.shared.ended.set(true);
    }

    /// The totals received until now, and the listeners.
    pub(super) fn account(&self) -> Account {
        self.shared.drain(0);
        let sockets = self.shared.sockets.iter();
        Account {
            statsd: sockets
                .map(|(listener, socket)| (listener.name(), address(socket)))
                .collect(),
            store: self.shared.store.account(),
        }
    }
}

/// Takes turns while they are full, at most `own` of them and no more than `all` that are left.
fn repeat(own: usize, all: &mut usize, mut is_full: impl FnMut() -> bool) {
    for _ in 0..own {
        if *all == 0 || !is_full() {
            return;
        }
        *all -= 1;
    }
}

/// As people write it.
fn address(socket: &Socket) -> String {
    use std::net::SocketAddr;

    let Ok(any) = rustix::net::getsockname(socket) else {
        return String::new();
    };
    if let Ok(address) = SocketAddr::try_from(any.clone()) {
        return address.to_string();
    }
    let unix = rustix::net::SocketAddrUnix::try_from(any).ok();
    let path = unix.as_ref().and_then(|unix| unix.path_bytes());
    path.map_or_else(String::new, |path| {
        String::from_utf8_lossy(path).into_owned()
    })
}

impl Shared {
    /// Lines that came together.
    fn take(&self, lines: &[u8], from: Listener) {
        if let Some(tap) = &self.tap {
            tap(lines);
        }
        self.store.packet(lines, from);
    }

    async fn receive(self: Rc<Self>, index: usize) {
        let (listener, socket) = &self.sockets[index];
        while socket.readable().await.is_ok() && !self.ended.get() {
            // Others have their turn between two rounds.
            if socket.received(|| self.receive_some(*listener, socket)) {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Whether there may be more.
    fn receive_some(&self, from: Listener, socket: &Socket) -> bool {
        let mut datagrams = self.datagrams.borrow_mut();
        datagrams.receive(socket, self.packets(from))
    }

    fn packets(&self, from: Listener) -> impl FnMut(&[u8], bool) {
        move |packet, truncated| {
            if truncated {
                self.store.note(from, Received::Truncated);
            }
            self.take(packet, from);
        }
    }

    async fn accept(self: Rc<Self>, index: usize) {
        let (listener, socket) = &self.sockets[index];
        let places = &self.places[index];
        loop {
            match socket.accept().await {
                Ok(stream) => {
                    let connection = self.known(*listener, stream);
                    let place = places.take().await;
                    tokio::task::spawn_local(Rc::clone(&self).serve(connection, place));
                }
                // Descriptors have run out; they come back.
                Err(_) => {
                    places.free_one();
                    tokio::time::sleep(super::endpoint::NO_DESCRIPTOR).await;
                }
            }
        }
    }

    /// A connection that the end does not forget.
    fn known(&self, from: Listener, stream: Stream) -> Rc<Connection> {
        let connection = Rc::new(Connection::new(from, stream));
        let mut connections = self.connections.borrow_mut();
        connections.retain(|known| known.strong_count() > 0);
        connections.push(Rc::downgrade(&connection));
        connection
    }

    async fn serve(self: Rc<Self>, connection: Rc<Connection>, place: Place) {
        place.hold(connection.serve(&self, place.seat())).await;
        if !self.ended.get() {
            connection.finish(&self);
        }
    }

    /// Takes what is queued here, and at most `more` bytes of each connection.
    fn drain(self: &Rc<Self>, more: usize) {
        let mut turns = DRAIN_TURNS;
        for (index, (listener, socket)) in self.sockets.iter().enumerate() {
            if socket.connects() {
                for _ in 0..CONNECTIONS {
                    let Ok(Some(stream)) = socket.accepted() else {
                        break;
                    };
                    let connection = self.known(*listener, stream);
                    let shared = Rc::clone(self);
                    tokio::task::spawn_local(async move {
                        let place = shared.places[index].take().await;
                        shared.serve(connection, place).await;
                    });
                }
            } else {
                let mut datagrams = self.datagrams.borrow_mut();
                datagrams.receive_queued(socket, self.packets(*listener));
            }
        }
        let connections = self.connections.borrow().clone();
        for connection in connections.iter().filter_map(Weak::upgrade) {
            connection.receive_queued(self, more, &mut turns);
        }
        self.note_kernel_drops();
    }

    fn note_kernel_drops(&self) {
        for (listener, drops) in kernel::drops(&self.sockets) {
            self.store.note(listener, Received::KernelDrops(drops));
        }
    }
}
