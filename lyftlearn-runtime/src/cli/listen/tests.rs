use std::ffi::OsStr;

use super::{Gateway, Intercept, Ports, Protocol, Settings, gateway, is_here, rules};

#[track_caller]
fn check(
    intercept: Intercept,
    found: &[(&str, &str)],
    expected: Result<Option<(&str, u16, Protocol)>, &'static str>,
) {
    let found = found
        .iter()
        .map(|(name, value)| (OsStr::new(name), OsStr::new(value)));
    let expected = expected.map(|gateway| {
        gateway.map(|(host, port, protocol)| Gateway {
            host: host.to_owned(),
            port,
            protocol,
        })
    });
    assert_eq!(gateway(intercept, found), expected);
}

#[test]
fn a_gateway_is_whom_the_variables_name() {
    use Intercept::{All, Nobody, Statsd};
    use Protocol::{Tcp, Udp};

    check(Statsd, &[], Ok(None));
    check(Statsd, &[("STATSD_HOST", "")], Ok(None));
    check(Statsd, &[("STATSD_PORT", "9125")], Ok(None));
    let host = ("STATSD_HOST", "gateway");
    check(Statsd, &[host], Ok(Some(("gateway", 8125, Udp))));
    check(Nobody, &[host], Ok(None));
    let whole = [host, ("STATSD_PORT", "9125"), ("STATSD_PROTOCOL", "TCP")];
    check(Statsd, &whole, Ok(Some(("gateway", 9125, Tcp))));
    check(Statsd, &[host, ("STATSD_PORT", "x")], Err("STATSD_PORT"));
    check(
        Statsd,
        &[host, ("STATSD_PROTOCOL", "sctp")],
        Err("STATSD_PROTOCOL"),
    );
    let datadog = [("DD_AGENT_HOST", "10.0.0.1"), ("DD_DOGSTATSD_PORT", "8126")];
    check(Statsd, &datadog, Ok(None));
    check(All, &datadog, Ok(Some(("10.0.0.1", 8126, Udp))));
    let url = ("DD_DOGSTATSD_URL", "udp://node:8127");
    check(All, &[datadog[0], url], Ok(Some(("node", 8127, Udp))));
    let socket = ("DD_DOGSTATSD_URL", "unix:///var/run/datadog/dsd.socket");
    check(All, &[socket], Err("DD_DOGSTATSD_URL"));
}

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
