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
        None => assert!(!resolved.problems.iter().any(|said| {
            ["STATSD", "OTEL", "otlp", "COLLECTOR", "$"]
                .iter()
                .any(|word| said.contains(word))
        })),
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
fn whoever_is_stood_in_for_gets_what_was_meant_for_it() {
    let pod = ("LYFTLEARN_RUNTIME_PLATFORM", "kubernetes");
    let all = ("LYFTLEARN_RUNTIME_METRICS_INTERCEPT", "all");
    let nobody = ("LYFTLEARN_RUNTIME_METRICS_INTERCEPT", "false");
    let off = ("LYFTLEARN_RUNTIME_METRICS_STATSD_MODE", "off");
    let totals = ("LYFTLEARN_RUNTIME_METRICS_GATEWAY_MODE", "aggregate");
    let own = ("LYFTLEARN_RUNTIME_METRICS_GATEWAY_HOST", "gateway");
    let statsd = ("STATSD_HOST", "10.0.0.1");
    let node = ("DD_AGENT_HOST", "10.0.0.1");
    let url = ("DD_DOGSTATSD_URL", "udp://10.0.0.1:8126");
    check(&[pod, node], &["prometheus"], None);
    check(&[pod, all, node], &["prometheus", "relay"], None);
    check(&[pod, all, url], &["prometheus", "relay"], None);
    check(&[pod, all, node, totals], &["prometheus", "statsd"], None);
    check(&[pod, all, node, off], &["prometheus"], None);
    check(&[pod, statsd, totals], &["prometheus", "statsd"], None);
    check(&[pod, statsd, nobody], &["prometheus"], None);
    check(&[pod, statsd, off], &["prometheus"], None);
    check(&[statsd, own], &["statsd", "relay"], None);
    // A sidecar that is not there: this runtime is heard in its place, and it is nobody's.
    let sidecar = ("STATSD_HOST", "localhost");
    let elsewhere = ("STATSD_PORT", "9125");
    let here = ("LYFTLEARN_RUNTIME_METRICS_STATSD_LISTEN", "127.0.0.1:9125");
    check(&[sidecar], &[], None);
    check(&[pod, sidecar], &["prometheus", "relay"], None);
    check(&[sidecar, elsewhere], &["relay"], None);
    check(&[sidecar, elsewhere, here], &[], None);
    check(&[sidecar, own], &["statsd", "relay"], None);
    check(&[sidecar, totals], &[], None);
    let asked = ("LYFTLEARN_RUNTIME_METRICS_ROUTES", r#"["statsd"]"#);
    let said =
        "metrics.routes has statsd, and its server is where this runtime is to listen itself";
    check(&[sidecar, asked], &[], Some(said));
    check(&[sidecar, asked, off], &["statsd"], None);
}

#[test]
fn who_sends_by_what_is_not_understood_is_left_alone() {
    let said = |name| format!("${name} names no gateway for metrics, and is left as it is");
    let all = ("LYFTLEARN_RUNTIME_METRICS_INTERCEPT", "all");
    let host = ("STATSD_HOST", "10.0.0.1");
    let node = ("DD_AGENT_HOST", "10.0.0.1");
    for (found, variables) in [
        ("STATSD_PORT", vec![host, ("STATSD_PORT", "x")]),
        ("STATSD_PORT", vec![host, ("STATSD_PORT", "0")]),
        ("STATSD_PROTOCOL", vec![host, ("STATSD_PROTOCOL", "sctp")]),
        (
            "DD_DOGSTATSD_PORT",
            vec![all, node, ("DD_DOGSTATSD_PORT", "x")],
        ),
        (
            "DD_DOGSTATSD_URL",
            vec![all, node, ("DD_DOGSTATSD_URL", "unix:///run/dsd.socket")],
        ),
        (
            "DD_DOGSTATSD_URL",
            vec![all, ("DD_DOGSTATSD_URL", "udp://10.0.0.1:x")],
        ),
    ] {
        check(&variables, &[], Some(&said(found)));
    }
    let off = ("LYFTLEARN_RUNTIME_METRICS_STATSD_MODE", "off");
    let socket = ("DD_DOGSTATSD_URL", "unix:///run/dsd.socket");
    check(&[all, off, socket], &[], None);
}

#[test]
fn a_document_names_a_server_where_no_variable_does() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("etc/lyftlearn/config");
    std::fs::create_dir_all(&place).unwrap();
    let document = r#"{"STATSD_HOST": "10.0.0.1", "STATSD_PROTOCOL": "sctp"}"#;
    std::fs::write(place.join("environment.json"), document).unwrap();
    let facts = Facts::empty().with_root(root.path());
    let said = "$STATSD_PROTOCOL names no gateway for metrics, and is left as it is";
    let resolved = resolve(&facts).unwrap();
    assert!(resolved.problems.iter().any(|problem| problem == said));
    let facts = facts.with_var("STATSD_PROTOCOL", "udp");
    let routes = resolve(&facts).unwrap().workload.metrics.routes;
    assert_eq!(routes, ["relay"]);
}

#[test]
fn a_document_stands_over_what_only_the_image_says() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("etc/lyftlearn/config");
    std::fs::create_dir_all(&place).unwrap();
    let document = r#"{"STATSD_PROTOCOL": "udp"}"#;
    std::fs::write(place.join("environment.json"), document).unwrap();
    let facts = Facts::empty()
        .with_root(root.path())
        .with_var("STATSD_HOST", "10.0.0.1")
        .with_var("STATSD_PROTOCOL", "sctp");
    let routes = |facts: &Facts| resolve(facts).unwrap().workload.metrics.routes;
    assert!(routes(&facts).is_empty());
    let image = root.path().join("etc/lyftlearn/image-environment");
    std::fs::write(image, "PATH=/bin\0STATSD_PROTOCOL=sctp\0").unwrap();
    assert_eq!(routes(&facts), ["relay"]);
    // The deployment has said something else.
    let facts = facts.with_var("STATSD_PROTOCOL", "odd");
    assert!(routes(&facts).is_empty());
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

#[test]
fn what_the_environment_says_to_an_sdk_counts_only_when_asked() {
    let routes = ("LYFTLEARN_RUNTIME_METRICS_ROUTES", r#"["otlp"]"#);
    let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
    let own = (
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "https://collector/own",
    );
    check(&[all, own], &[], None);
    check(&[routes, all], &["otlp"], None);
    check(&[routes, own], &["otlp"], None);
    let none = "metrics.routes has otlp, and neither metrics.otlp.endpoint nor OTEL_EXPORTER_OTLP_ENDPOINT says where";
    check(&[routes], &[], Some(none));
    check(
        &[routes, ("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
        &[],
        Some(none),
    );
    let odd = ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318");
    let said = "metrics.routes has otlp, and OTEL_EXPORTER_OTLP_ENDPOINT names no server: \
                expected a URL, such as http://collector:4318";
    check(&[routes, odd], &[], Some(said));
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let said = "metrics.routes has otlp, and OTEL_EXPORTER_OTLP_PROTOCOL asks for grpc: \
                metrics.otlp.endpoint names a server that takes HTTP";
    check(&[routes, all, grpc], &[], Some(said));
    let http = ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf");
    check(&[routes, all, grpc, http], &["otlp"], None);
    let timeout = ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s");
    let said = "OTEL_EXPORTER_OTLP_TIMEOUT is ignored: expected milliseconds";
    check(&[routes, all, timeout], &["otlp"], Some(said));
}

#[test]
fn a_collectors_key_may_be_a_secret_that_is_still_to_come() {
    let said = "metrics.otlp.headers_variable names a variable that is not set";
    for (secret, may_come) in [
        (
            "secrets.collector]\nfrom = \"file:/key\"\nenv = \"COLLECTOR_KEY\"",
            true,
        ),
        ("secrets.collector-key]\nfrom = \"file:/key\"", true),
        (
            "secrets.all]\nfrom = \"file:/keys\"\nenv_prefix = \"COLLECTOR_\"",
            true,
        ),
        ("secrets.db]\nfrom = \"file:/key\"", false),
        (
            "secrets.collector-key]\nfrom.sagemaker = \"file:/key\"",
            false,
        ),
    ] {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().join("etc/lyftlearn/config");
        std::fs::create_dir_all(&place).unwrap();
        let otlp = "[metrics.otlp]\nendpoint = \"http://collector:4318\"\nheaders_variable = \"COLLECTOR_KEY\"";
        std::fs::write(place.join("runtime.toml"), format!("{otlp}\n[{secret}\n")).unwrap();
        let resolved = resolve(&Facts::empty().with_root(root.path())).unwrap();
        let found = resolved.problems.iter().any(|problem| problem == said);
        assert_eq!(found, !may_come, "{secret}: {:?}", resolved.problems);
    }
}

#[test]
fn a_collector_of_this_runtimes_own_is_named_by_a_setting() {
    let endpoint = (
        "LYFTLEARN_RUNTIME_METRICS_OTLP_ENDPOINT",
        "http://collector:4318",
    );
    check(&[endpoint], &["otlp"], None);
    let elsewhere = ("LYFTLEARN_RUNTIME_METRICS_ROUTES", r#"["prometheus"]"#);
    check(&[endpoint, elsewhere], &["prometheus"], None);
    // What is meant for an SDK's server is not shown to another.
    let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "no headers");
    check(&[endpoint, headers], &["otlp"], None);
    let variable = (
        "LYFTLEARN_RUNTIME_METRICS_OTLP_HEADERS_VARIABLE",
        "COLLECTOR_KEY",
    );
    let said = "metrics.otlp.headers_variable names a variable that is not set";
    check(&[endpoint, variable], &["otlp"], Some(said));
    let said = "COLLECTOR_KEY is ignored: expected name=value,name=value";
    for odd in ["secret", "a b=secret", "=secret", "a=%ff", "a=%0asecret"] {
        let key = ("COLLECTOR_KEY", odd);
        check(&[endpoint, variable, key], &["otlp"], Some(said));
    }
    let key = ("COLLECTOR_KEY", "api-key=s%20t,, other = x=y");
    check(&[endpoint, variable, key], &["otlp"], None);
    let odd = ("OTEL_RESOURCE_ATTRIBUTES", "no pairs");
    let said = "OTEL_RESOURCE_ATTRIBUTES is ignored: expected name=value,name=value";
    check(&[endpoint, odd], &["otlp"], Some(said));
}
