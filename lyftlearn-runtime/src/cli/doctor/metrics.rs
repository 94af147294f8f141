//! The ways of metrics: the server is reached, and Prometheus's port is not somebody else's.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

use super::{Finding, Patient, Verdict};
use crate::launch::listeners::ours;
use crate::metrics::routes::{Protocol, Server};

/// A server of the deployment's own is near.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn check(patient: &Patient) -> Vec<Finding> {
    let routes = &patient.resolved.workload.metrics.routes;
    if routes.is_empty() {
        let detail = "no destination: metrics.routes is empty";
        return vec![Finding::new("metrics", Verdict::Skipped, detail)];
    }
    let mut findings = vec![Finding::new("metrics", Verdict::Ok, routes.join(", ")).of("routes")];
    let export = patient.resolved.export.clone().heard_as_wanted();
    if let Some(statsd) = &export.statsd {
        findings.push(reached(&statsd.server, OF_GATEWAY));
    }
    if let Some(otlp) = &export.otlp {
        findings.extend(place(&otlp.url).map(|place| reached(&place, OF_COLLECTOR)));
    }
    if let Some(address) = export.listen() {
        let own = ours(&patient.facts);
        let ours = own.iter().any(|place| place.listener == "prometheus");
        findings.push(port(address, ours));
    }
    findings
}

/// The subject, and the place to look at if its name, or the rest, is wrong.
type Of = (&'static str, &'static str, &'static str);

const OF_GATEWAY: Of = (
    "gateway",
    "check STATSD_HOST or metrics.gateway.host",
    "check STATSD_PORT and STATSD_PROTOCOL or metrics.gateway, and network policies",
);
const OF_COLLECTOR: Of = (
    "collector",
    "check metrics.otlp.endpoint or OTEL_EXPORTER_OTLP_ENDPOINT",
    "check metrics.otlp.endpoint or OTEL_EXPORTER_OTLP_ENDPOINT, and network policies; behind a proxy this test proves nothing",
);

/// Where a URL leads.
fn place(url: &str) -> Option<Server> {
    let (port, rest) = match url.strip_prefix("https://") {
        Some(rest) => (443, rest),
        None => (80, url.strip_prefix("http://")?),
    };
    let authority = rest.split('/').next()?;
    let (host, port) = match authority.rsplit_once(':') {
        // An address in brackets has colons.
        Some((host, told)) if !told.ends_with(']') => (host, told.parse().ok()?),
        _ => (authority, port),
    };
    Some(Server {
        host: host.trim_matches(['[', ']']).to_owned(),
        port,
        protocol: Protocol::Tcp,
    })
}

/// For UDP the only possible result is that the port is not refused.
fn reached(server: &Server, (of, about_name, about_rest): Of) -> Finding {
    let since = Instant::now();
    let place = (server.host.as_str(), server.port);
    let addresses: Vec<SocketAddr> = place
        .to_socket_addrs()
        .map_or(Vec::new(), Iterator::collect);
    let taken = addresses.iter().any(|address| match server.protocol {
        Protocol::Tcp => TcpStream::connect_timeout(address, PATIENCE).is_ok(),
        Protocol::Udp => takes_packets(*address).is_ok(),
    });
    if addresses.is_empty() {
        Finding::new("metrics", Verdict::Failed, "the name does not resolve").fix(about_name)
    } else if taken {
        // Whether it understands metrics only metrics could show, and they would count.
        let detail = match server.protocol {
            Protocol::Tcp => "a server accepts connections there",
            Protocol::Udp => "packets are not refused there",
        };
        Finding::new("metrics", Verdict::Ok, detail)
    } else {
        Finding::new("metrics", Verdict::Failed, "nothing accepts metrics there").fix(about_rest)
    }
    .of(of)
    .took(since)
}

/// An empty packet counts nothing; on this machine a closed port refuses it.
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

/// Tested by a connection: a bind could collide with a program that starts meanwhile.
fn port(address: SocketAddr, ours: bool) -> Finding {
    let mut to = address;
    if to.ip().is_unspecified() {
        to.set_ip(match to {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let detail = match TcpStream::connect_timeout(&to, PATIENCE) {
        Err(_) => "nothing listens there yet",
        Ok(_) if ours => "is answered by this runtime",
        Ok(_) => {
            return Finding::new("metrics", Verdict::Failed, "another process listens there")
                .of(address.to_string())
                .fix("set metrics.listen to another port, or to off");
        }
    };
    Finding::new("metrics", Verdict::Ok, detail).of(address.to_string())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::{OF_COLLECTOR, OF_GATEWAY, Protocol, Server, place, port, reached};
    use crate::cli::doctor::line;

    #[track_caller]
    fn check(port: u16, protocol: Protocol, expected: &str) {
        let host = "127.0.0.1".to_owned();
        let mut finding = reached(
            &Server {
                host,
                port,
                protocol,
            },
            OF_GATEWAY,
        );
        finding.seconds = None;
        assert_eq!(line(&finding), expected);
    }

    #[test]
    fn a_server_is_reached_or_there_is_something_to_look_at() {
        let accepts = "ok    metrics    gateway: a server accepts connections there\n";
        let open = "ok    metrics    gateway: packets are not refused there\n";
        let nobody = "FAIL  metrics    gateway: nothing accepts metrics there\n      fix: check \
                      STATSD_PORT and STATSD_PROTOCOL or metrics.gateway, and network policies\n";
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (stream, packets) = (tcp.local_addr().unwrap(), udp.local_addr().unwrap());
        check(stream.port(), Protocol::Tcp, accepts);
        check(packets.port(), Protocol::Udp, open);
        drop((tcp, udp));
        check(stream.port(), Protocol::Tcp, nobody);
        check(packets.port(), Protocol::Udp, nobody);
        let mut finding = reached(
            &Server {
                host: "gateway.invalid".to_owned(),
                port: 8125,
                protocol: Protocol::Udp,
            },
            OF_GATEWAY,
        );
        finding.seconds = None;
        assert_eq!(
            line(&finding),
            "FAIL  metrics    gateway: the name does not resolve\n      fix: check STATSD_HOST or metrics.gateway.host\n"
        );
    }

    #[test]
    fn a_collector_is_where_its_url_leads() {
        for (url, host, port) in [
            ("http://collector/v1/metrics", "collector", 80),
            ("https://collector/v1/metrics", "collector", 443),
            ("http://10.0.0.1:4318", "10.0.0.1", 4318),
            ("http://[::1]:4318/x", "::1", 4318),
            ("https://[::1]", "::1", 443),
        ] {
            let found = place(url).unwrap();
            assert_eq!((found.host.as_str(), found.port), (host, port), "{url}");
        }
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/metrics", tcp.local_addr().unwrap());
        let mut finding = reached(&place(&url).unwrap(), OF_COLLECTOR);
        finding.seconds = None;
        assert_eq!(
            line(&finding),
            "ok    metrics    collector: a server accepts connections there\n"
        );
        drop(tcp);
        finding = reached(&place(&url).unwrap(), OF_COLLECTOR);
        finding.seconds = None;
        assert_eq!(
            line(&finding),
            "FAIL  metrics    collector: nothing accepts metrics there\n      fix: check metrics.otlp.endpoint or OTEL_EXPORTER_OTLP_ENDPOINT, and network policies; behind a proxy this test proves nothing\n"
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
                "FAIL  metrics    {address}: another process listens there\n      fix: set metrics.listen to another port, or to off\n"
            )
        );
        drop(taken);
        let free = line(&port(address, false));
        assert!(free.ends_with("nothing listens there yet\n"), "{free}");
    }
}
