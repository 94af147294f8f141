//! The ways of metrics: the server is reached, and Prometheus's port is not somebody else's.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Finding, Patient, Verdict};
use crate::contract::{delivered, runtime};
use crate::workload::{Gateway, Protocol};

/// A server of the deployment's own is near.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let routes = &patient.resolved.workload.metrics.routes;
    if routes.is_empty() {
        let detail = "they go nowhere; see metrics.routes";
        return vec![Finding::new("metrics", Verdict::Skipped, detail)];
    }
    let mut findings = vec![Finding::new("metrics", Verdict::Ok, routes.join(", ")).of("routes")];
    let export = &patient.resolved.export;
    if let Some(gateway) = &export.gateway
        && (export.push.values || export.push.relays)
    {
        findings.push(reached(gateway));
    }
    if let Some(address) = export.listen {
        let run = patient.facts.text(delivered::RUN_DIR);
        let run = run.map_or_else(
            || runtime::RUN_DIR.into(),
            |run| PathBuf::from(run.as_ref()),
        );
        let ours = UnixStream::connect(run.join(delivered::METRICS_SOCKET)).is_ok();
        findings.push(port(address, ours));
    }
    findings
}

/// Of UDP no more can be known than that nobody refuses.
fn reached(gateway: &Gateway) -> Finding {
    let since = Instant::now();
    let place = (gateway.host.as_str(), gateway.port);
    let addresses: Vec<SocketAddr> = place
        .to_socket_addrs()
        .map_or(Vec::new(), Iterator::collect);
    let taken = addresses.iter().any(|address| match gateway.protocol {
        Protocol::Tcp => TcpStream::connect_timeout(address, PATIENCE).is_ok(),
        Protocol::Udp => takes_packets(*address).is_ok(),
    });
    if addresses.is_empty() {
        Finding::new("metrics", Verdict::Failed, "the name does not resolve")
            .fix("look at STATSD_HOST or metrics.gateway.host")
    } else if taken {
        Finding::new("metrics", Verdict::Ok, "takes metrics")
    } else {
        Finding::new("metrics", Verdict::Failed, "nobody takes metrics there")
            .fix("look at STATSD_PORT and STATSD_PROTOCOL or metrics.gateway, and at the network's rules")
    }
    .of("gateway")
    .took(since)
}

/// A packet of no lines counts nothing; where nobody listens on this machine it is refused.
fn takes_packets(to: SocketAddr) -> std::io::Result<()> {
    let from: SocketAddr = match to {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(from)?;
    socket.connect(to)?;
    socket.send(&[])?;
    socket.take_error()?.map_or(Ok(()), Err)
}

/// Asked by a connection: binding would be in the way of who starts meanwhile.
fn port(address: SocketAddr, ours: bool) -> Finding {
    let mut to = address;
    if to.ip().is_unspecified() {
        to.set_ip(match to {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let detail = match TcpStream::connect_timeout(&to, PATIENCE) {
        Err(_) => "nobody listens there yet",
        Ok(_) if ours => "is answered by this runtime",
        Ok(_) => {
            return Finding::new("metrics", Verdict::Failed, "somebody else listens there")
                .of(address.to_string())
                .fix("metrics.listen takes another port, or off");
        }
    };
    Finding::new("metrics", Verdict::Ok, detail).of(address.to_string())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::{Gateway, Protocol, port, reached};
    use crate::cli::doctor::line;

    #[track_caller]
    fn check(port: u16, protocol: Protocol, expected: &str) {
        let host = "127.0.0.1".to_owned();
        let mut finding = reached(&Gateway {
            host,
            port,
            protocol,
        });
        finding.seconds = None;
        assert_eq!(line(&finding), expected);
    }

    #[test]
    fn a_server_is_reached_or_there_is_something_to_look_at() {
        let takes = "ok    metrics    gateway: takes metrics\n";
        let nobody = "FAIL  metrics    gateway: nobody takes metrics there\n      fix: look at \
                      STATSD_PORT and STATSD_PROTOCOL or metrics.gateway, and at the network's rules\n";
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (stream, packets) = (tcp.local_addr().unwrap(), udp.local_addr().unwrap());
        check(stream.port(), Protocol::Tcp, takes);
        check(packets.port(), Protocol::Udp, takes);
        drop((tcp, udp));
        check(stream.port(), Protocol::Tcp, nobody);
        check(packets.port(), Protocol::Udp, nobody);
        let mut finding = reached(&Gateway {
            host: "gateway.invalid".to_owned(),
            port: 8125,
            protocol: Protocol::Udp,
        });
        finding.seconds = None;
        assert_eq!(
            line(&finding),
            "FAIL  metrics    gateway: the name does not resolve\n      fix: look at STATSD_HOST or metrics.gateway.host\n"
        );
    }

    #[test]
    fn a_port_is_free_or_ours_or_somebody_elses() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let ours = line(&port(address, true));
        assert!(ours.ends_with("is answered by this runtime\n"), "{ours}");
        assert_eq!(
            line(&port(address, false)),
            format!(
                "FAIL  metrics    {address}: somebody else listens there\n      fix: metrics.listen takes another port, or off\n"
            )
        );
        drop(taken);
        let free = line(&port(address, false));
        assert!(free.ends_with("nobody listens there yet\n"), "{free}");
    }
}
