//! A connection to a server that takes lines: whole lines or nothing of them.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use rustix::net::sockopt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, lookup_host};
use tokio::time::{Instant, timeout_at};

use super::{Protocol, Server};

/// As gostats waits for a connection, and for a write.
const DIAL: Duration = Duration::from_millis(1_500);
const WRITE: Duration = Duration::from_secs(1);
/// What a packet may hold so that no network on the way takes it apart.
const PACKET_BYTES: usize = 1_432;
/// What the kernel takes counts as sent, and is lost when a server that has stopped reading
/// goes away: by itself it takes megabytes.
const UNREAD_BYTES: usize = 64 << 10;
/// A server of lines answers nothing. One that does may not stop.
const UNASKED_READS: usize = 16;
/// A server that has read everything closes the connection in its turn.
const FAREWELL: Duration = Duration::from_millis(300);

pub(super) struct Link {
    server: Server,
    open: Option<Open>,
    /// Nothing waits longer.
    pub(super) limit: Option<Instant>,
}

enum Open {
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Link {
    pub(super) fn new(server: Server) -> Self {
        Self {
            server,
            open: None,
            limit: None,
        }
    }

    /// Sends as much as it can of `lines`, each of which ends in a line break, and returns the
    /// number of bytes of whole lines that were sent. A line that was cut must be sent again.
    pub(super) async fn send(&mut self, lines: &[u8]) -> usize {
        if let Some(Open::Tcp(stream)) = &self.open
            && has_gone(stream)
        {
            self.open = None;
        }
        if self.open.is_none() {
            self.open = self.dial().await;
        }
        let limit = self.limit;
        let sent = match &mut self.open {
            None => 0,
            Some(Open::Udp(socket)) => packets(socket, lines).await,
            Some(Open::Tcp(stream)) => written(stream, lines, limit).await,
        };
        if sent < lines.len() {
            self.open = None;
        }
        sent
    }

    /// Lets the server read to the end.
    pub(super) async fn close(&mut self) {
        if let Some(Open::Tcp(mut stream)) = self.open.take() {
            let until = within(FAREWELL, self.limit);
            let _ = timeout_at(until, async {
                stream.shutdown().await?;
                let mut ignored = [0; 512];
                while stream.read(&mut ignored).await? > 0 {}
                Ok::<(), io::Error>(())
            })
            .await;
        }
    }

    async fn dial(&self) -> Option<Open> {
        let until = within(DIAL, self.limit);
        timeout_at(until, self.connected()).await.ok()?.ok()
    }

    async fn connected(&self) -> io::Result<Open> {
        let place = (self.server.host.as_str(), self.server.port);
        match self.server.protocol {
            Protocol::Tcp => {
                let stream = TcpStream::connect(place).await?;
                stream.set_nodelay(true)?;
                sockopt::set_socket_send_buffer_size(&stream, UNREAD_BYTES)?;
                Ok(Open::Tcp(stream))
            }
            Protocol::Udp => {
                let mut last = io::ErrorKind::NotFound.into();
                for address in lookup_host(place).await? {
                    match udp(address).await {
                        Ok(socket) => return Ok(Open::Udp(socket)),
                        Err(err) => last = err,
                    }
                }
                Err(last)
            }
        }
    }
}

async fn udp(to: SocketAddr) -> io::Result<UdpSocket> {
    let from = match to {
        SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        SocketAddr::V6(_) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
    };
    let socket = UdpSocket::bind(from).await?;
    socket.connect(to).await?;
    Ok(socket)
}

fn within(span: Duration, limit: Option<Instant>) -> Instant {
    let until = Instant::now() + span;
    limit.map_or(until, |limit| limit.min(until))
}

/// Whether the server has closed the connection: bytes sent now would be lost.
fn has_gone(stream: &TcpStream) -> bool {
    let mut ignored = [0; 512];
    for _ in 0..UNASKED_READS {
        match stream.try_read(&mut ignored) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(err) => return err.kind() != io::ErrorKind::WouldBlock,
        }
    }
    false
}

async fn packets(socket: &UdpSocket, lines: &[u8]) -> usize {
    let mut sent = 0;
    while sent < lines.len() {
        let packet = packet(&lines[sent..]);
        let text = packet.strip_suffix(b"\n").unwrap_or(packet);
        if socket.send(text).await.is_err() {
            return sent;
        }
        // On this machine a closed port answers at once: the packet has not arrived.
        if !matches!(socket.take_error(), Ok(None)) {
            return sent;
        }
        sent += packet.len();
    }
    sent
}

/// As many lines as fit, and at least one.
fn packet(lines: &[u8]) -> &[u8] {
    let most = lines.get(..PACKET_BYTES + 1).unwrap_or(lines);
    let end = most.iter().rposition(|byte| *byte == b'\n');
    let end = end.or_else(|| lines.iter().position(|byte| *byte == b'\n'));
    end.map_or(lines, |end| &lines[..=end])
}

async fn written(stream: &mut TcpStream, lines: &[u8], limit: Option<Instant>) -> usize {
    let mut sent = 0;
    while sent < lines.len() {
        match timeout_at(within(WRITE, limit), stream.write(&lines[sent..])).await {
            Ok(Ok(more)) if more > 0 => sent += more,
            _ => break,
        }
    }
    let whole = lines[..sent].iter().rposition(|byte| *byte == b'\n');
    whole.map_or(0, |end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::packet;

    #[test]
    fn a_packet_holds_whole_lines_and_no_more_than_travels() {
        let line = [b'x'; 99].into_iter().chain([b'\n']).collect::<Vec<u8>>();
        // The line break that is last is not sent.
        assert_eq!(packet(&line.repeat(20)).len(), 1_400);
        let exact = [vec![b'y'; 32], b"\n".to_vec()].concat();
        assert_eq!(packet(&[line.repeat(14), exact].concat()).len(), 1_433);
        let long = [vec![b'z'; 3_000], b"\n".to_vec()].concat();
        assert_eq!(packet(&[long, line].concat()).len(), 3_001);
    }
}
