use super::{Gateway, Ports, is_here};
use crate::workload::Protocol;

#[test]
fn who_is_sent_here_is_sent_no_further() {
    let ports = Ports {
        host: "127.0.0.1".to_owned(),
        port: 8125,
        tcp: true,
        dogstatsd: 4711,
    };
    for (host, port, here) in [
        ("localhost", 8125, true),
        ("127.0.0.1", 8125, true),
        ("::1", 8125, true),
        ("localhost", 9125, false),
        ("gateway", 8125, false),
    ] {
        let gateway = Gateway {
            host: host.to_owned(),
            port,
            protocol: Protocol::Udp,
        };
        assert_eq!(is_here(&gateway, &ports), here, "{host}:{port}");
    }
}
