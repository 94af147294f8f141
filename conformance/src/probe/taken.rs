//! Connections that a server has accepted. Connections in the kernel's queue are reset when a
//! server closes its socket, which is not a fault of the server: the kernel's table distinguishes
//! them.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// `TCP_ESTABLISHED` in the kernel's tables.
const ESTABLISHED: &str = "01";

/// Where the kernel lists the connections of this network namespace.
const TABLES: [&str; 2] = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];

thread_local! {
    static PORT: Cell<u16> = const { Cell::new(0) };
}

/// The port from which this thread has connected last; 0 before that.
pub(super) fn port() -> u16 {
    PORT.get()
}

/// Connects, and notes from which port.
#[derive(Debug)]
pub(super) struct Noting;

impl Connector for Noting {
    type Out = Noted;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _chained: Option<()>,
    ) -> Result<Option<Noted>, ureq::Error> {
        PORT.set(0);
        let address = details.addrs.first().ok_or(ureq::Error::HostNotFound)?;
        let stream = TcpStream::connect_timeout(address, *details.timeout.after)?;
        PORT.set(stream.local_addr()?.port());
        let config = details.config;
        Ok(Some(Noted {
            stream,
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
        }))
    }
}

/// A connection of ureq's, of which it has its own kind only behind a connector that keeps the
/// port to itself.
#[derive(Debug)]
pub(super) struct Noted {
    stream: TcpStream,
    buffers: LazyBuffers,
}

impl Noted {
    fn failed(err: std::io::Error, timeout: NextTimeout) -> ureq::Error {
        match err.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => ureq::Error::Timeout(timeout.reason),
            _ => err.into(),
        }
    }
}

/// The kernel takes no timeout of nothing.
fn bounded(timeout: NextTimeout) -> Option<Duration> {
    Some((*timeout.after).max(Duration::from_millis(1)))
}

impl Transport for Noted {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.set_write_timeout(bounded(timeout))?;
        let output = &self.buffers.output()[..amount];
        self.stream
            .write_all(output)
            .map_err(|err| Self::failed(err, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.set_read_timeout(bounded(timeout))?;
        let input = self.buffers.input_append_buf();
        let amount = self
            .stream
            .read(input)
            .map_err(|err| Self::failed(err, timeout))?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    /// Each carries one request.
    fn is_open(&mut self) -> bool {
        false
    }
}

/// The clients' ports of the connections to `port` that its server has taken, and that are open now.
pub(super) fn by_server(port: u16) -> BTreeSet<u16> {
    let tables = TABLES
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok());
    tables.flat_map(|table| of_table(&table, port)).collect()
}

/// A connection that was not accepted has no file yet: its inode is 0.
fn of_table(table: &str, port: u16) -> Vec<u16> {
    let of_line = |line: &str| {
        let mut fields = line.split_whitespace().skip(1);
        let [local, remote, state] = [fields.next()?, fields.next()?, fields.next()?];
        let inode = fields.nth(5)?;
        let number = |address: &str| u16::from_str_radix(address.rsplit_once(':')?.1, 16).ok();
        (number(local)? == port && state == ESTABLISHED && inode != "0")
            .then(|| number(remote))
            .flatten()
    };
    table.lines().skip(1).filter_map(of_line).collect()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};

    use super::by_server;

    #[test]
    fn a_connection_is_taken_once_it_is_accepted() {
        let addresses = [
            (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()),
            (Ipv6Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()),
            // A server that listens for both is seen by IPv6.
            (Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::LOCALHOST.into()),
        ];
        for (server, client) in addresses {
            let server: std::net::IpAddr = server;
            let client: std::net::IpAddr = client;
            let listener = TcpListener::bind((server, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let first = TcpStream::connect((client, port)).unwrap();
            let second = TcpStream::connect((client, port)).unwrap();
            assert!(by_server(port).is_empty(), "{server}");
            let taken = listener.accept().unwrap();
            let expected = [first.local_addr().unwrap().port()];
            assert!(by_server(port).into_iter().eq(expected), "{server}");
            drop((taken, second));
        }
    }
}
