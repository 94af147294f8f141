//! A caller in an executor's place: it connects to the ports of a driver elsewhere, all at once.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with, sockopt};

use super::GREETING;
use crate::workload::PortRange;

/// No answer comes after this time: a lost packet is sent again after one second.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// A listener of ours greets at once; a driver of Spark waits for its caller.
const GREETED_WITHIN: Duration = Duration::from_secs(1);

/// What a port said.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answer {
    Greeted,
    /// Connected, without a greeting.
    Silent,
    Refused,
    None,
    Unreachable,
    /// The kernel refuses to try.
    Failed(String),
}

/// The addresses of a host, by this network's names; `None` for a name that it has not.
pub(crate) fn addresses(host: &str) -> Option<Vec<IpAddr>> {
    let host = host.to_owned();
    let (found, receiver) = channel();
    // A name server that does not answer is waited for no longer than a port.
    std::thread::spawn(move || {
        let all = (host.as_str(), 0).to_socket_addrs();
        let all = all.map(|all| all.map(|one| one.ip()).collect::<Vec<_>>());
        let _ = found.send(all);
    });
    let all = receiver.recv_timeout(PATIENCE).ok()?.ok()?;
    (!all.is_empty()).then_some(all)
}

/// Asks all ports at once, and no longer than [`PATIENCE`].
pub(crate) fn reach(address: IpAddr, ports: PortRange) -> BTreeMap<u16, Answer> {
    let since = Instant::now();
    let mut answers = BTreeMap::new();
    let mut asked: Vec<Asked> = Vec::new();
    for port in ports.first..=ports.last {
        match Asked::new(address, port) {
            Ok(one) => asked.push(one),
            Err(answer) => drop(answers.insert(port, answer)),
        }
    }
    while !asked.is_empty() {
        let wait = asked.iter().map(|one| one.left(since)).min();
        ready(&mut asked, wait.unwrap_or_default());
        asked.retain_mut(|one| match one.answer(since) {
            Some(answer) => {
                answers.insert(one.port, answer);
                false
            }
            None => true,
        });
    }
    answers
}

/// A port that has not answered yet.
struct Asked {
    port: u16,
    socket: OwnedFd,
    connected: Option<Instant>,
    received: Vec<u8>,
    ready: bool,
}

impl Asked {
    fn new(address: IpAddr, port: u16) -> Result<Self, Answer> {
        let family = match address {
            IpAddr::V4(_) => AddressFamily::INET,
            IpAddr::V6(_) => AddressFamily::INET6,
        };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, None).map_err(of)?;
        let connected = match connect(&socket, &SocketAddr::new(address, port)) {
            Ok(()) => Some(Instant::now()),
            Err(Errno::INPROGRESS) => None,
            Err(err) => return Err(of(err)),
        };
        Ok(Self {
            port,
            socket,
            connected,
            received: Vec::new(),
            ready: false,
        })
    }

    /// How long it is still waited for.
    fn left(&self, since: Instant) -> Duration {
        let until = match self.connected {
            Some(connected) => (connected + GREETED_WITHIN).min(since + PATIENCE),
            None => since + PATIENCE,
        };
        until.saturating_duration_since(Instant::now())
    }

    fn answer(&mut self, since: Instant) -> Option<Answer> {
        if std::mem::take(&mut self.ready) {
            let answer = if self.connected.is_some() {
                self.hear()
            } else {
                self.connect()
            };
            if answer.is_some() {
                return answer;
            }
        }
        let over = self.left(since).is_zero();
        over.then_some(match self.connected {
            Some(_) => Answer::Silent,
            None => Answer::None,
        })
    }

    fn connect(&mut self) -> Option<Answer> {
        match sockopt::socket_error(&self.socket) {
            Ok(Ok(())) => {
                self.connected = Some(Instant::now());
                None
            }
            Ok(Err(err)) | Err(err) => Some(of(err)),
        }
    }

    fn hear(&mut self) -> Option<Answer> {
        let mut part = [0; 64];
        match rustix::io::read(&self.socket, &mut part) {
            Ok(0) => Some(Answer::Silent),
            Ok(length) => {
                self.received.extend_from_slice(&part[..length]);
                if self.received.starts_with(GREETING) {
                    Some(Answer::Greeted)
                } else {
                    (!GREETING.starts_with(&self.received)).then_some(Answer::Silent)
                }
            }
            Err(Errno::AGAIN | Errno::INTR) => None,
            // It was connected: the way is free.
            Err(_) => Some(Answer::Silent),
        }
    }
}

fn of(err: Errno) -> Answer {
    match err {
        Errno::CONNREFUSED | Errno::CONNRESET => Answer::Refused,
        Errno::TIMEDOUT => Answer::None,
        Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::ADDRNOTAVAIL => Answer::Unreachable,
        other => Answer::Failed(io::Error::from(other).kind().to_string()),
    }
}

fn ready(asked: &mut [Asked], wait: Duration) {
    let flags = |one: &Asked| match one.connected {
        Some(_) => PollFlags::IN,
        None => PollFlags::OUT,
    };
    let mut polled: Vec<PollFd<'_>> = asked
        .iter()
        .map(|one| PollFd::from_borrowed_fd(one.socket.as_fd(), flags(one)))
        .collect();
    let wait = Timespec::try_from(wait).ok();
    if poll(&mut polled, wait.as_ref()).is_err() {
        // A signal; the caller looks at the time.
        return;
    }
    let ready: Vec<bool> = polled.iter().map(|one| !one.revents().is_empty()).collect();
    drop(polled);
    for (one, ready) in asked.iter_mut().zip(ready) {
        one.ready = ready;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{IpAddr, Ipv4Addr, TcpListener};
    use std::time::Duration;

    use super::{Answer, addresses, reach};
    use crate::spark::listen::bind;
    use crate::workload::PortRange;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    /// A free port, and the range of it alone.
    fn free() -> PortRange {
        let port = TcpListener::bind((HERE, 0)).unwrap();
        let port = port.local_addr().unwrap().port();
        PortRange {
            first: port,
            last: port,
        }
    }

    #[test]
    fn a_listener_is_reached_and_ends() {
        let ports = free();
        let listener = bind(HERE, ports).unwrap();
        // The process that has bound the ports is not disturbed.
        assert_eq!(bind(HERE, ports).unwrap().taken, [ports.first]);
        let waiting =
            std::thread::spawn(move || listener.wait(None, &|_| false, Duration::from_secs(60)));
        assert_eq!(reach(HERE, ports)[&ports.first], Answer::Greeted);
        let outcome = waiting.join().unwrap();
        assert!(outcome.missing.is_empty() && outcome.strangers.is_empty());
        assert_eq!(reach(HERE, ports)[&ports.first], Answer::Refused);
    }

    #[test]
    fn only_callers_of_the_executors_network_count() {
        let ports = free();
        let listener = bind(HERE, ports).unwrap();
        let executors = "10.78.0.0/16".parse().ok();
        let waiting = std::thread::spawn(move || {
            listener.wait(executors, &|_| false, Duration::from_millis(1500))
        });
        assert_eq!(reach(HERE, ports)[&ports.first], Answer::Greeted);
        let outcome = waiting.join().unwrap();
        assert_eq!(outcome.strangers, [HERE].into());
        assert_eq!(outcome.missing, [ports.first].into());
    }

    #[test]
    fn a_driver_sends_nothing_and_another_server_sends_bytes() {
        let silent = TcpListener::bind((HERE, 0)).unwrap();
        let port = silent.local_addr().unwrap().port();
        let ports = PortRange {
            first: port,
            last: port,
        };
        assert_eq!(reach(HERE, ports)[&port], Answer::Silent);
        let talking = TcpListener::bind((HERE, 0)).unwrap();
        let port = talking.local_addr().unwrap().port();
        let said = std::thread::spawn(move || {
            let (mut stream, _) = talking.accept().unwrap();
            stream.write_all(b"SSH-2.0\r\n").unwrap();
        });
        let ports = PortRange {
            first: port,
            last: port,
        };
        assert_eq!(reach(HERE, ports)[&port], Answer::Silent);
        said.join().unwrap();
    }

    #[test]
    fn a_host_is_an_address_or_a_name() {
        assert_eq!(addresses("127.0.0.1"), Some(vec![HERE]));
        assert_eq!(addresses("no.such.name.invalid"), None);
    }
}
