//! Where metrics go from which world.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use lyftlearn_runtime::{Facts, resolve};

#[track_caller]
fn check(variables: &[(&str, &str)], routes: &[&str], problem: Option<&str>) {
    let mut facts = Facts::empty();
    for (name, value) in variables {
        facts = facts.with_var(*name, *value);
    }
    let resolved = resolve(&facts).unwrap();
    assert_eq!(resolved.workload.metrics.routes, routes);
    match problem {
        Some(problem) => assert!(resolved.problems.iter().any(|said| said == problem)),
        None => assert!(!resolved.problems.iter().any(|said| said.contains("STATSD"))),
    }
}

#[test]
fn what_is_pulled_is_not_pushed_too_unless_asked() {
    let pod = ("LYFTLEARN_RUNTIME_PLATFORM", "kubernetes");
    let found = ("STATSD_HOST", "10.0.0.1");
    let both = (
        "LYFTLEARN_RUNTIME_METRICS_ROUTES",
        r#"["prometheus", "statsd"]"#,
    );
    check(&[], &[], None);
    check(&[found], &["relay"], None);
    check(&[pod, found], &["prometheus", "relay"], None);
    check(
        &[pod, found, both],
        &["prometheus", "statsd", "relay"],
        None,
    );
    check(
        &[("LYFTLEARN_RUNTIME_METRICS_GATEWAY_HOST", "g")],
        &["statsd"],
        None,
    );
}

#[test]
fn what_cannot_be_is_said() {
    let statsd = ("LYFTLEARN_RUNTIME_METRICS_ROUTES", r#"["statsd"]"#);
    let none =
        "metrics.routes has statsd, and neither metrics.gateway.host nor STATSD_HOST says where";
    check(&[statsd], &[], Some(none));
    let found = ("STATSD_HOST", "10.0.0.1");
    let port = "STATSD_PORT is ignored: expected a port, 1 to 65535";
    let linked = ("STATSD_PORT", "tcp://10.0.0.2:8125");
    check(&[statsd, found, linked], &["statsd"], Some(port));
    let protocol = "STATSD_PROTOCOL is ignored: expected udp or tcp";
    let odd = ("STATSD_PROTOCOL", "sctp");
    check(&[statsd, found, odd], &["statsd"], Some(protocol));
}

#[test]
fn what_is_asked_for_only_goes_where_it_can() {
    let routes = |text| ("LYFTLEARN_RUNTIME_METRICS_ROUTES", text);
    let sagemaker = routes(r#"["sagemaker"]"#);
    let none = "metrics.routes has sagemaker, and SAGEMAKER_METRICS_DIRECTORY names no directory";
    check(&[sagemaker], &[], Some(none));
    let directory = (
        "SAGEMAKER_METRICS_DIRECTORY",
        "/opt/ml/output/metrics/sagemaker",
    );
    check(&[directory], &[], None);
    check(&[directory, sagemaker], &["sagemaker"], None);
    let emf = routes(r#"["emf"]"#);
    check(&[emf], &["emf"], None);
    let agent = ("AWS_EMF_AGENT_ENDPOINT", "tcp://127.0.0.1:25888");
    check(&[emf, agent], &["emf"], None);
    let odd = ("AWS_EMF_AGENT_ENDPOINT", "http://127.0.0.1");
    let said = "metrics.routes has emf, and AWS_EMF_AGENT_ENDPOINT names no agent: \
                expected tcp://host:port or udp://host:port";
    check(&[emf, odd], &[], Some(said));
}
