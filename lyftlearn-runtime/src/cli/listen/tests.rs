use super::{Gateway, Ports, Settings, is_here, rules};
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

#[test]
fn the_beginnings_of_names_are_the_settings() {
    let mut settings = Settings::default();
    settings.statsd.microseconds = vec!["go.".to_owned()];
    settings.statsd.cumulative = vec!["spark.".to_owned()];
    let rules = rules(&settings);
    assert_eq!(rules.microseconds, ["go."]);
    assert_eq!(rules.cumulative, ["spark."]);
}
