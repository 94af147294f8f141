//! StatsD's listeners, bound before the program starts. If a port is taken, the runtime picks a
//! free one and points clients at it.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::Mode;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

use crate::agent::Socket;
use crate::contract::delivered as names;
use crate::deliver::{Ports, write_statsd};
use crate::held::Directory;
use crate::metrics::clients::{self, Signs};
use crate::metrics::region;
use crate::metrics::routes::{Export, ListenAt};
use crate::metrics::statsd::{Dialect, Listener, Rules, Sign};
use crate::platform::conventions;
use crate::problems::Problems;
use crate::settings::Settings;
use crate::workload::Platform;

/// Receive buffer requested for each UDP socket. Packets wait there while the agent restarts.
const RECEIVE_BYTES: usize = 8 << 20;
/// Less than this loses packets to a moment's inattention.
const LEAST_RECEIVE_BYTES: usize = 1 << 20;

/// An ephemeral port that UDP gave may be another's by TCP.
const TRIES: usize = 8;

/// Sockets that wait for their agent.
pub(in crate::launch) struct Bound {
    pub(in crate::launch) sockets: Vec<(Socket, OwnedFd)>,
    pub(in crate::launch) rules: Rules,
    ports: Ports,
}

impl Bound {
    /// The ports that clients are pointed at.
    pub(super) fn ports(&self) -> Ports {
        self.ports.clone()
    }

    /// Binds the sockets in the run directory, and writes the ports there.
    pub(super) fn within(&mut self, run: &Directory, problems: &mut Problems) {
        unix(run, &mut self.sockets, problems);
        if let Err(err) = write_statsd(run, &self.ports) {
            problems.push(format!(
                "cannot write {}: {}",
                names::STATSD_PORTS,
                err.kind()
            ));
        }
    }

    /// Where metrics go, now that it is known where this runtime itself listens.
    pub(super) fn joined(&self, export: Export) -> Export {
        export.listened(ListenAt::At(self.ports.port))
    }
}

/// Binds every address; the totals' memory goes with the sockets. `None` when nothing can be bound.
pub(super) fn bind(
    settings: &Settings,
    platform: Platform,
    problems: &mut Problems,
) -> Option<Bound> {
    let (ports, mut sockets) = listen(settings, platform, problems)
        .inspect_err(|err| problems.push(format!("StatsD is disabled: {}", err.kind())))
        .ok()?;
    match region::create_sparse(settings.statsd.bytes) {
        Ok(store) => sockets.push((Socket::Store, store.into())),
        Err(err) => problems.push(format!(
            "StatsD totals are lost if the agent restarts: {}",
            err.kind()
        )),
    }
    Some(Bound {
        sockets,
        rules: rules(settings),
        ports,
    })
}

fn rules(settings: &Settings) -> Rules {
    let dialect = |dialect: &clients::Dialect| match dialect {
        clients::Dialect::Lyft => Dialect::Lyft,
        clients::Dialect::Librato => Dialect::Librato,
        clients::Dialect::SignalFx => Dialect::SignalFx,
        clients::Dialect::InfluxDb => Dialect::InfluxDb,
        clients::Dialect::Graphite => Dialect::Graphite,
    };
    Rules {
        dialects: settings.statsd.dialects.iter().map(dialect).collect(),
        sign: match settings.statsd.signs {
            Signs::Delta => Sign::Delta,
            Signs::Value => Sign::Value,
            Signs::Auto => Sign::ByListener,
        },
        microseconds: settings.statsd.microseconds.clone(),
        cumulative: settings.statsd.cumulative.clone(),
    }
}

type Sockets = Vec<(Socket, OwnedFd)>;

fn listen(
    settings: &Settings,
    platform: Platform,
    problems: &mut Problems,
) -> std::io::Result<(Ports, Sockets)> {
    let usual = conventions(platform).statsd_port;
    let usual = usual.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let asked = settings.statsd.listen.or(usual);
    // Any port that is free, as everywhere else.
    let asked = asked.filter(|address| address.port() != 0);
    let (address, mut sockets) = match asked.map(|address| (address, internet(address))) {
        Some((address, Ok(sockets))) => (address, sockets),
        Some((address, Err(err))) => {
            problems.push(format!(
                "StatsD listens on another port than {}: {}",
                address.port(),
                in_words(&err)
            ));
            ephemeral()?
        }
        None => ephemeral()?,
    };
    let is_bound = |wanted: Listener| {
        let mut all = sockets.iter();
        all.any(|(socket, _)| *socket == Socket::Statsd(wanted))
    };
    let tcp = is_bound(Listener::Tcp) || is_bound(Listener::Tcp6) && address.is_ipv6();
    if !tcp {
        problems.push(format!(
            "StatsD over TCP is disabled: port {} is in use by another process",
            address.port()
        ));
    }
    let dogstatsd = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let ports = Ports {
        host: match address.ip() {
            ip if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
            ip => ip.to_string(),
        },
        port: address.port(),
        tcp,
        dogstatsd: dogstatsd.local_addr()?.port(),
    };
    push(&mut sockets, Listener::Dogstatsd, dogstatsd);
    for (socket, file) in &sockets {
        // TCP makes the sender wait; a datagram is dropped.
        if !matches!(socket, Socket::Statsd(Listener::Tcp | Listener::Tcp6)) {
            enlarge(file);
        }
    }
    let receive = sockets.first().map(|(_, socket)| received(socket));
    if receive.is_some_and(|bytes| bytes < LEAST_RECEIVE_BYTES) {
        problems.push(format!(
            "the kernel keeps only {} bytes of StatsD packets for a moment of load; \
             net.core.rmem_max or CAP_NET_ADMIN would give more",
            receive.unwrap_or_default()
        ));
    }
    Ok((ports, sockets))
}

/// The other loopback address is heard, too: `localhost` may be either.
fn internet(address: SocketAddr) -> std::io::Result<Sockets> {
    let mut sockets = Vec::new();
    let (udp, tcp) = match address {
        SocketAddr::V4(_) => (Listener::Udp, Listener::Tcp),
        SocketAddr::V6(_) => (Listener::Udp6, Listener::Tcp6),
    };
    push(&mut sockets, udp, UdpSocket::bind(address)?);
    if let Ok(listener) = TcpListener::bind(address) {
        push(&mut sockets, tcp, listener);
    }
    if address.ip() == Ipv4Addr::LOCALHOST {
        let other = (Ipv6Addr::LOCALHOST, address.port());
        if let Ok(socket) = UdpSocket::bind(other) {
            push(&mut sockets, Listener::Udp6, socket);
        }
        if let Ok(listener) = TcpListener::bind(other) {
            push(&mut sockets, Listener::Tcp6, listener);
        }
    }
    Ok(sockets)
}

/// A port that is free for UDP and, if possible, for TCP.
fn ephemeral() -> std::io::Result<(SocketAddr, Sockets)> {
    let mut tried = Vec::new();
    loop {
        let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = free.local_addr()?;
        drop(free);
        let sockets = internet(address);
        let both = |sockets: &Sockets| {
            let mut all = sockets.iter();
            all.any(|(socket, _)| *socket == Socket::Statsd(Listener::Tcp))
        };
        tried.push(address);
        match sockets {
            Ok(sockets) if both(&sockets) || tried.len() >= TRIES => return Ok((address, sockets)),
            Err(err) if tried.len() >= TRIES => return Err(err),
            _ => {}
        }
    }
}

fn push(sockets: &mut Sockets, listener: Listener, socket: impl Into<OwnedFd>) {
    sockets.push((Socket::Statsd(listener), socket.into()));
}

/// As much as is permitted: beyond the limit for everybody, where this process may.
fn enlarge(socket: &OwnedFd) {
    if sockopt::set_socket_recv_buffer_size_force(socket, RECEIVE_BYTES).is_err() {
        let _ = sockopt::set_socket_recv_buffer_size(socket, RECEIVE_BYTES);
    }
}

fn received(socket: impl AsFd) -> usize {
    sockopt::socket_recv_buffer_size(socket).unwrap_or_default()
}

fn unix(run: &Directory, sockets: &mut Sockets, problems: &mut Problems) {
    for (name, listener, kind) in [
        (
            names::STATSD_DATAGRAMS,
            Listener::Datagram,
            SocketType::DGRAM,
        ),
        (names::STATSD_STREAM, Listener::Stream, SocketType::STREAM),
    ] {
        match bound_in(run, name, kind) {
            Ok(socket) => push(sockets, listener, socket),
            Err(err) => problems.push(format!(
                "cannot listen at {}: {}",
                run.path().join(name).display(),
                err.kind()
            )),
        }
    }
}

/// A socket in the run directory, for the program's user alone.
pub(in crate::launch) fn bound_in(
    run: &Directory,
    name: &str,
    kind: SocketType,
) -> std::io::Result<OwnedFd> {
    // What an earlier start left behind.
    run.remove_all(name)?;
    let socket = net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
    // The file gets the socket's own mode, so it is never accessible to others.
    let _ = rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR);
    net::bind(&socket, &SocketAddrUnix::new(run.path_to_bind(name))?)?;
    run.give_socket(name)?;
    if kind == SocketType::STREAM {
        // As many as the kernel permits.
        net::listen(&socket, -1)?;
    }
    Ok(socket)
}

fn in_words(err: &std::io::Error) -> String {
    match err.kind() {
        ErrorKind::AddrInUse => "another process listens there".to_owned(),
        kind => kind.to_string(),
    }
}

#[cfg(test)]
mod tests;
