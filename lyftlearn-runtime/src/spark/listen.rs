//! Listens in place of a driver: it binds a driver's ports and reports which hosts reach them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::GREETING;
use crate::workload::{Network, PortRange};

/// Any host may connect, so the listener ends after so many connections.
const MOST_CONNECTIONS: usize = 8 * 1024;

/// Ports that were free, and are held now.
#[derive(Debug)]
pub(crate) struct Listener {
    held: BTreeMap<u16, TcpListener>,
    /// Ports that somebody else has: a driver, probably.
    pub(crate) taken: Vec<u16>,
}

/// The result.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) reached: BTreeSet<u16>,
    pub(crate) missing: BTreeSet<u16>,
    /// Callers that are not of the executors' network.
    pub(crate) strangers: BTreeSet<IpAddr>,
    /// Whether there were too many connections.
    pub(crate) flooded: bool,
}

/// Takes every port of a range that is free, at this one address.
pub(crate) fn bind(address: IpAddr, ports: PortRange) -> io::Result<Listener> {
    let mut all = Listener {
        held: BTreeMap::new(),
        taken: Vec::new(),
    };
    for port in ports.first..=ports.last {
        match TcpListener::bind(SocketAddr::new(address, port)) {
            Ok(listener) => {
                listener.set_nonblocking(true)?;
                all.held.insert(port, listener);
            }
            Err(err) if err.kind() == io::ErrorKind::AddrInUse => all.taken.push(port),
            Err(err) => return Err(err),
        }
    }
    Ok(all)
}

impl Listener {
    /// The ports that it holds.
    pub(crate) fn ports(&self) -> impl Iterator<Item = u16> {
        self.held.keys().copied()
    }

    /// Greets clients until each port was reached from `network` or the time has passed. Without a
    /// network every client counts but `here` itself.
    pub(crate) fn wait(
        self,
        network: Option<Network>,
        here: &dyn Fn(IpAddr) -> bool,
        limit: Duration,
    ) -> Outcome {
        let mut outcome = Outcome {
            missing: self.ports().collect(),
            ..Outcome::default()
        };
        let until = Instant::now() + limit;
        let mut connections = 0;
        while !outcome.missing.is_empty() && !outcome.flooded {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            for port in self.ready(left) {
                while let Some(caller) = self.accept(port) {
                    connections += 1;
                    outcome.flooded = connections >= MOST_CONNECTIONS;
                    let counts = network.map_or(!here(caller), |network| network.contains(caller));
                    if counts {
                        outcome.missing.remove(&port);
                        outcome.reached.insert(port);
                    } else {
                        outcome.strangers.insert(caller.to_canonical());
                    }
                    if outcome.flooded {
                        break;
                    }
                }
            }
        }
        outcome
    }

    /// Ports at which somebody waits.
    fn ready(&self, left: Duration) -> Vec<u16> {
        let mut polled: Vec<PollFd<'_>> = self
            .held
            .values()
            .map(|listener| PollFd::from_borrowed_fd(listener.as_fd(), PollFlags::IN))
            .collect();
        let left = Timespec::try_from(left).ok();
        if poll(&mut polled, left.as_ref()).is_err() {
            // A signal; the caller looks at the time.
            return Vec::new();
        }
        let ready = polled.iter().map(|one| !one.revents().is_empty());
        let with_ports = self.ports().zip(ready);
        with_ports
            .filter_map(|(port, ready)| ready.then_some(port))
            .collect()
    }

    /// Greets the next caller of a port. Nothing is read from it.
    fn accept(&self, port: u16) -> Option<IpAddr> {
        let (stream, caller) = self.held.get(&port)?.accept().ok()?;
        greet(stream);
        Some(caller.ip())
    }
}

/// One line fits into the send buffer of a new connection; a line that does not fit is dropped.
fn greet(mut stream: TcpStream) {
    let _ = stream.set_nonblocking(true);
    let _ = stream.write_all(GREETING);
}
