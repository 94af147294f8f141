//! Where metrics go from which world.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use expect_test::{Expect, expect};
use lyftlearn_runtime::{Facts, resolve};

/// Which problems are about metrics.
fn about_metrics(problems: &[String]) -> String {
    let words = [
        "STATSD",
        "OTEL",
        "otlp",
        "emf",
        "COLLECTOR",
        "metrics.",
        "$",
    ];
    let about = problems
        .iter()
        .filter(|problem| words.iter().any(|word| problem.contains(word)));
    about.map(|problem| format!("{problem}\n")).collect()
}

/// The routes of the metrics, and their problems.
fn resolved(variables: &[(&str, &str)]) -> (Vec<String>, String) {
    let mut facts = Facts::empty();
    for (name, value) in variables {
        facts = facts.with_var(*name, *value);
    }
    let resolved = resolve(&facts).unwrap();
    let routes = resolved.workload.metrics.routes;
    (routes, about_metrics(&resolved.problems))
}

#[track_caller]
fn check(variables: &[(&str, &str)], routes: &[&str]) {
    let (found, problems) = resolved(variables);
    assert_eq!(
        (found, problems.as_str()),
        (routes.iter().map(|&route| route.to_owned()).collect(), "")
    );
}

#[track_caller]
fn check_problem(variables: &[(&str, &str)], routes: &[&str], problem: Expect) {
    let (found, problems) = resolved(variables);
    assert_eq!(found, routes);
    problem.assert_eq(&problems);
}

#[test]
fn scraped_metrics_are_not_pushed_unless_requested() {
    let pod = ("LYFTLEARN_RUNTIME_PLATFORM", "kubernetes");
    let found = ("STATSD_HOST", "10.0.0.1");
    let both = (
        "LYFTLEARN_RUNTIME_METRICS_ROUTES",
        r#"["prometheus", "statsd"]"#,
    );
    check(&[], &[]);
    check(&[found], &["relay"]);
    check(&[pod, found], &["prometheus", "relay"]);
    check(&[pod, found, both], &["prometheus", "statsd", "relay"]);
    check(
        &[("LYFTLEARN_RUNTIME_METRICS_GATEWAY_HOST", "g")],
        &["statsd"],
    );
}

#[test]
fn impossible_routes_are_reported() {
    let statsd = ("LYFTLEARN_RUNTIME_METRICS_ROUTES", r#"["statsd"]"#);
    check_problem(
        &[statsd],
        &[],
        expect![[r#"
        metrics.routes has statsd, but no gateway is set: set metrics.gateway.host or STATSD_HOST
    "#]],
    );
    let found = ("STATSD_HOST", "10.0.0.1");
    let linked = ("STATSD_PORT", "tcp://10.0.0.2:8125");
    check_problem(
        &[statsd, found, linked],
        &["statsd"],
        expect![[r#"
        STATSD_PORT is ignored: expected a port, 1 to 65535
        $STATSD_PORT names no gateway for metrics, and is left unchanged
    "#]],
    );
    let odd = ("STATSD_PROTOCOL", "sctp");
    check_problem(
        &[statsd, found, odd],
        &["statsd"],
        expect![[r#"
        STATSD_PROTOCOL is ignored: expected udp or tcp
        $STATSD_PROTOCOL names no gateway for metrics, and is left unchanged
    "#]],
    );
}

#[test]
fn the_replaced_server_gets_its_clients_lines() {
    let pod = ("LYFTLEARN_RUNTIME_PLATFORM", "kubernetes");
    let all = ("LYFTLEARN_RUNTIME_METRICS_INTERCEPT", "all");
    let nobody = ("LYFTLEARN_RUNTIME_METRICS_INTERCEPT", "false");
    let off = ("LYFTLEARN_RUNTIME_METRICS_STATSD_MODE", "off");
    let totals = ("LYFTLEARN_RUNTIME_METRICS_GATEWAY_MODE", "aggregate");
    let own = ("LYFTLEARN_RUNTIME_METRICS_GATEWAY_HOST", "gateway");
    let statsd = ("STATSD_HOST", "10.0.0.1");
    let node = ("DD_AGENT_HOST", "10.0.0.1");
    let url = ("DD_DOGSTATSD_URL", "udp://10.0.0.1:8126");
    check(&[pod, node], &["prometheus"]);
    check(&[pod, all, node], &["prometheus", "relay"]);
    check(&[pod, all, url], &["prometheus", "relay"]);
    check(&[pod, all, node, totals], &["prometheus", "statsd"]);
    check(&[pod, all, node, off], &["prometheus"]);
    check(&[pod, statsd, totals], &["prometheus", "statsd"]);
    check(&[pod, statsd, nobody], &["prometheus"]);
    check(&[pod, statsd, off], &["prometheus"]);
    check(&[statsd, own], &["statsd", "relay"]);
    // A sidecar that does not run: this runtime listens in its place, and no gateway gets the
    // metrics.
    let sidecar = ("STATSD_HOST", "localhost");
    let elsewhere = ("STATSD_PORT", "9125");
    let here = ("LYFTLEARN_RUNTIME_METRICS_STATSD_LISTEN", "127.0.0.1:9125");
    check(&[sidecar], &[]);
    check(&[pod, sidecar], &["prometheus", "relay"]);
    check(&[sidecar, elsewhere], &["relay"]);
    check(&[sidecar, elsewhere, here], &[]);
    check(&[sidecar, own], &["statsd", "relay"]);
    check(&[sidecar, totals], &[]);
    let asked = ("LYFTLEARN_RUNTIME_METRICS_ROUTES", r#"["statsd"]"#);
    check_problem(
        &[sidecar, asked],
        &[],
        expect![[r#"
        metrics.routes has statsd, but the gateway's address is this runtime's own StatsD address
    "#]],
    );
    check(&[sidecar, asked, off], &["statsd"]);
}

#[test]
fn clients_with_unknown_variables_are_left_alone() {
    let all = ("LYFTLEARN_RUNTIME_METRICS_INTERCEPT", "all");
    let host = ("STATSD_HOST", "10.0.0.1");
    let node = ("DD_AGENT_HOST", "10.0.0.1");
    let problems = [
        vec![host, ("STATSD_PORT", "x")],
        vec![host, ("STATSD_PORT", "0")],
        vec![host, ("STATSD_PROTOCOL", "sctp")],
        vec![all, node, ("DD_DOGSTATSD_PORT", "x")],
        vec![all, node, ("DD_DOGSTATSD_URL", "unix:///run/dsd.socket")],
        vec![all, ("DD_DOGSTATSD_URL", "udp://10.0.0.1:x")],
    ]
    .map(|variables| {
        let (routes, problem) = resolved(&variables);
        assert!(routes.is_empty(), "{routes:?}");
        problem
    });
    expect![[r#"
        STATSD_PORT is ignored: expected a port, 1 to 65535
        $STATSD_PORT names no gateway for metrics, and is left unchanged
        STATSD_PORT is ignored: expected a port, 1 to 65535
        $STATSD_PORT names no gateway for metrics, and is left unchanged
        STATSD_PROTOCOL is ignored: expected udp or tcp
        $STATSD_PROTOCOL names no gateway for metrics, and is left unchanged
        $DD_DOGSTATSD_PORT names no gateway for metrics, and is left unchanged
        $DD_DOGSTATSD_URL names no gateway for metrics, and is left unchanged
        $DD_DOGSTATSD_URL names no gateway for metrics, and is left unchanged
    "#]]
    .assert_eq(&problems.concat());
    let off = ("LYFTLEARN_RUNTIME_METRICS_STATSD_MODE", "off");
    let socket = ("DD_DOGSTATSD_URL", "unix:///run/dsd.socket");
    check(&[all, off, socket], &[]);
}

#[test]
fn a_document_names_a_server_where_no_variable_does() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("etc/lyftlearn/config");
    std::fs::create_dir_all(&place).unwrap();
    let document = r#"{"STATSD_HOST": "10.0.0.1", "STATSD_PROTOCOL": "sctp"}"#;
    std::fs::write(place.join("environment.json"), document).unwrap();
    let facts = Facts::empty().with_root(root.path());
    let resolved = resolve(&facts).unwrap();
    expect![[r#"
        STATSD_PROTOCOL is ignored: expected udp or tcp
        $STATSD_PROTOCOL names no gateway for metrics, and is left unchanged
    "#]]
    .assert_eq(&about_metrics(&resolved.problems));
    let facts = facts.with_var("STATSD_PROTOCOL", "udp");
    let routes = resolve(&facts).unwrap().workload.metrics.routes;
    assert_eq!(routes, ["relay"]);
}

#[test]
fn a_document_overrides_the_images_variables() {
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
fn requested_routes_without_a_destination_are_reported() {
    let routes = |text| ("LYFTLEARN_RUNTIME_METRICS_ROUTES", text);
    let sagemaker = routes(r#"["sagemaker"]"#);
    check_problem(
        &[sagemaker],
        &[],
        expect![[r#"
        metrics.routes has sagemaker, but SAGEMAKER_METRICS_DIRECTORY is not a directory
    "#]],
    );
    let directory = (
        "SAGEMAKER_METRICS_DIRECTORY",
        "/opt/ml/output/metrics/sagemaker",
    );
    check(&[directory], &[]);
    check(&[directory, sagemaker], &["sagemaker"]);
    let emf = routes(r#"["emf"]"#);
    check(&[emf], &["emf"]);
    let agent = ("AWS_EMF_AGENT_ENDPOINT", "tcp://127.0.0.1:25888");
    check(&[emf, agent], &["emf"]);
    let odd = ("AWS_EMF_AGENT_ENDPOINT", "http://127.0.0.1");
    check_problem(
        &[emf, odd],
        &[],
        expect![[r#"
        metrics.routes has emf, but AWS_EMF_AGENT_ENDPOINT is invalid: expected tcp://host:port or udp://host:port
    "#]],
    );
}

#[test]
fn sdk_variables_count_only_for_requested_routes() {
    let routes = ("LYFTLEARN_RUNTIME_METRICS_ROUTES", r#"["otlp"]"#);
    let all = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
    let own = (
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "https://collector/own",
    );
    check(&[all, own], &[]);
    check(&[routes, all], &["otlp"]);
    check(&[routes, own], &["otlp"]);
    check_problem(
        &[routes],
        &[],
        expect![[r#"
        metrics.routes has otlp, but no endpoint is set: set metrics.otlp.endpoint or OTEL_EXPORTER_OTLP_ENDPOINT
    "#]],
    );
    check_problem(
        &[routes, ("OTEL_EXPORTER_OTLP_ENDPOINT", "")],
        &[],
        expect![[r#"
            metrics.routes has otlp, but no endpoint is set: set metrics.otlp.endpoint or OTEL_EXPORTER_OTLP_ENDPOINT
        "#]],
    );
    let odd = ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318");
    check_problem(
        &[routes, odd],
        &[],
        expect![[r#"
            metrics.routes has otlp, but OTEL_EXPORTER_OTLP_ENDPOINT is invalid: expected a URL, such as http://collector:4318
        "#]],
    );
    let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    check_problem(
        &[routes, all, grpc],
        &[],
        expect![[r#"
            metrics.routes has otlp, but OTEL_EXPORTER_OTLP_PROTOCOL selects gRPC, which is not supported: set metrics.otlp.endpoint to an HTTP endpoint
        "#]],
    );
    let http = ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf");
    check(&[routes, all, grpc, http], &["otlp"]);
    let timeout = ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s");
    check_problem(
        &[routes, all, timeout],
        &["otlp"],
        expect![[r#"
        OTEL_EXPORTER_OTLP_TIMEOUT is ignored: expected milliseconds
    "#]],
    );
}

#[test]
fn a_collectors_key_may_be_a_secret_that_is_still_to_come() {
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
        let about = |problem: &String| problem.starts_with("metrics.otlp.headers_variable ");
        let found = resolved.problems.iter().any(about);
        assert_eq!(found, !may_come, "{secret}: {:?}", resolved.problems);
    }
}

#[test]
fn a_collector_of_this_runtimes_own_is_named_by_a_setting() {
    let endpoint = (
        "LYFTLEARN_RUNTIME_METRICS_OTLP_ENDPOINT",
        "http://collector:4318",
    );
    check(&[endpoint], &["otlp"]);
    let elsewhere = ("LYFTLEARN_RUNTIME_METRICS_ROUTES", r#"["prometheus"]"#);
    check(&[endpoint, elsewhere], &["prometheus"]);
    // Headers for an SDK's server are not sent to another one.
    let headers = ("OTEL_EXPORTER_OTLP_HEADERS", "no headers");
    check(&[endpoint, headers], &["otlp"]);
    let variable = (
        "LYFTLEARN_RUNTIME_METRICS_OTLP_HEADERS_VARIABLE",
        "COLLECTOR_KEY",
    );
    check_problem(
        &[endpoint, variable],
        &["otlp"],
        expect![[r#"
        metrics.otlp.headers_variable names a variable that is not set
    "#]],
    );
    let odd = ["secret", "a b=secret", "=secret", "a=%ff", "a=%0asecret"];
    let problems = odd.map(|odd| {
        let key = ("COLLECTOR_KEY", odd);
        let (routes, problem) = resolved(&[endpoint, variable, key]);
        assert_eq!(routes, ["otlp"]);
        problem
    });
    assert_eq!(problems, [(); 5].map(|()| problems[0].clone()));
    expect![[r#"
        COLLECTOR_KEY is ignored: expected name=value,name=value
    "#]]
    .assert_eq(&problems[0]);
    let key = ("COLLECTOR_KEY", "api-key=s%20t,, other = x=y");
    check(&[endpoint, variable, key], &["otlp"]);
    let odd = ("OTEL_RESOURCE_ATTRIBUTES", "no pairs");
    check_problem(
        &[endpoint, odd],
        &["otlp"],
        expect![[r#"
        OTEL_RESOURCE_ATTRIBUTES is ignored: expected name=value,name=value
    "#]],
    );
}
