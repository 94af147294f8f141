//! Metrics by OpenTelemetry's protocol: to a collector that decodes them with the protocol's own
//! package, and through one that people run.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use lyftlearn_conformance::command::Server;
use lyftlearn_conformance::programs;

use super::export::{free_port, outcome};
use super::*;

/// A collector that answers with `status`, and its port.
pub(super) fn collector(world: &World, status: u16) -> Option<(Server, u16)> {
    collector_with(world, &status.to_string(), None)
}

/// The same; by TLS where there is to be a `root` of trust.
fn collector_with(world: &World, status: &str, root: Option<PathBuf>) -> Option<(Server, u16)> {
    let python = programs::python_with_collector()?;
    let program = programs::repository().join("conformance/tests/process/programs/collector.py");
    let mut command = Command::new(python);
    command
        .arg(program)
        .arg(world.path("received"))
        .arg(status)
        .args(root);
    let mut server = Server::answering(&mut command);
    let port = server.line().parse().unwrap();
    Some((server, port))
}

/// Rotel, as it comes from PyPI, which sends on to `port` what it receives.
fn rotel(port: u16) -> Option<(Server, u16)> {
    let python = programs::python_with_collector()?;
    let place = "import os, rotel; print(os.path.dirname(rotel.__file__))";
    let place = programs::asked(&python, place);
    let (http, grpc) = (free_port(), free_port());
    let mut command = Command::new(PathBuf::from(place).join("rotel-agent"));
    command
        .arg("start")
        .arg(format!("--otlp-http-endpoint=127.0.0.1:{http}"))
        .arg(format!("--otlp-grpc-endpoint=127.0.0.1:{grpc}"))
        .args(["--exporter=otlp", "--otlp-exporter-protocol=http"])
        .arg(format!("--otlp-exporter-endpoint=http://127.0.0.1:{port}"))
        .args(["--batch-timeout=100ms"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let server = Server::start(&mut command).unwrap();
    let listens = wait::until(|| std::net::TcpStream::connect(("127.0.0.1", http)).ok());
    assert!(listens.is_some());
    Some((server, http))
}

/// Counts by StatsD, of each kind something.
pub(super) const COUNTING: &str = "import os, socket\n\
    to = (os.environ['STATSD_HOST'], int(os.environ['STATSD_PORT']))\n\
    statsd = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
    for line in ['rows.__split=train:5|c', 'queue:7|g', 'users:a|s', 'users:b|s', \
                 'step:320|ms', 'step:0|ms', 'step:1000|ms|@0.1']:\n\
    \x20   statsd.sendto(line.encode(), to)\n";

fn settings(endpoint: &str) -> String {
    format!(
        "job.name = \"churn\"\n[metrics.statsd]\nmode = \"on\"\nlisten = \"127.0.0.1:0\"\n[metrics.otlp]\nendpoint = \"{endpoint}\"\n\
         headers_variable = \"COLLECTOR_KEY\"\n"
    )
}

pub(super) fn container(world: &World, port: u16) -> Sandbox {
    std::fs::create_dir_all(world.path("run")).unwrap();
    unhurried(world.sharing(&settings(&format!("http://127.0.0.1:{port}"))))
        .mount(world.path("run"), "/run")
        .variable("COLLECTOR_KEY", format!("api-key={}", world.canary.value()))
}

/// Requests, as a collector has taken them down.
pub(super) fn received(world: &World) -> Vec<Value> {
    let text = std::fs::read_to_string(world.path("received")).unwrap_or_default();
    // The last line may be half written.
    (text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n')))
    .map(|line| serde_json::from_str(line).unwrap())
    .collect()
}

/// A metric of a request.
pub(super) fn metric<'a>(request: &'a Value, name: &str) -> Option<&'a Value> {
    let all = request["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array()?;
    all.iter().find(|metric| metric["name"] == name)
}

#[track_caller]
pub(super) fn check_metrics(request: &Value) {
    let found = |name| metric(request, name).unwrap_or_else(|| panic!("{name} in {request:#}"));
    let sum = &found("rows")["sum"];
    assert_eq!(
        sum["aggregationTemporality"],
        "AGGREGATION_TEMPORALITY_CUMULATIVE"
    );
    assert_eq!(sum["isMonotonic"], true);
    let point = &sum["dataPoints"][0];
    assert_eq!(point["asDouble"], 5.0);
    let label = json!([{"key": "split", "value": {"stringValue": "train"}}]);
    assert_eq!(point["attributes"], label);
    let time = |name: &str| point[name].as_str().unwrap().parse::<u64>().unwrap();
    assert!(time("startTimeUnixNano") < time("timeUnixNano"));
    assert_eq!(found("queue")["gauge"]["dataPoints"][0]["asDouble"], 7.0);
    assert_eq!(found("users")["gauge"]["dataPoints"][0]["asDouble"], 2.0);
    let step = found("step_seconds");
    assert_eq!(step["unit"], "s");
    let point = &step["exponentialHistogram"]["dataPoints"][0];
    // 2^(-14/8) < 0.32 <= 2^(-13/8), and 1 ends the bucket below 0.
    assert_eq!(point["scale"], 3);
    assert_eq!(
        (&point["count"], &point["zeroCount"]),
        (&json!("12"), &json!("1"))
    );
    assert_eq!(point["positive"]["offset"], -14);
    let mut counts = vec!["0"; 14];
    (counts[0], counts[13]) = ("1", "10");
    assert_eq!(point["positive"]["bucketCounts"], json!(counts));
    assert!((point["sum"].as_f64().unwrap() - 10.32).abs() < 1e-9);
    assert!(metric(request, "lyftlearn_runtime_info").is_some());
}

#[test]
fn a_collector_gets_the_totals_and_their_resource() {
    needs_namespaces!();
    let world = World::new();
    let Some((_server, port)) = collector(&world, 200) else {
        return;
    };
    // Inside, where clients of StatsD are sent here, a start would pass their lines on to here.
    let script =
        format!("env -u STATSD_HOST {BINARY} inspect > /shared/inspected; exec python3 -c \"$0\"");
    let output = container(&world, port)
        .run(&["sh", "-c", &script, COUNTING])
        .end();
    check_end(&output, 0);
    assert_eq!(outcome(&world)["metrics"], json!({"undelivered": 0}));
    let requests = received(&world);
    let request = requests.last().unwrap();
    check_metrics(request);
    assert_eq!(request["key"], world.canary.value());
    let resource = request["resourceMetrics"][0]["resource"]["attributes"].clone();
    let of = |name: &str| {
        let all = resource.as_array().unwrap();
        let found = all.iter().find(|pair| pair["key"] == name);
        found.map(|pair| pair["value"]["stringValue"].clone())
    };
    assert_eq!(of("service.name"), Some(json!("churn")));
    assert_eq!(of("lyftlearn.role"), Some(json!("job")));
    assert!(of("service.instance.id").is_some());
    let inspected = std::fs::read(world.path("shared/inspected")).unwrap();
    let text = String::from_utf8_lossy(&inspected).into_owned();
    assert!(
        text.contains("metrics.routes               otlp\n"),
        "{text}"
    );
    for said in [inspected, output.stderr, output.stdout] {
        world.canary.assert_unseen("what was said", &said);
    }
    for file in ["workload.json", "environment.json", "outcome.json"] {
        let text = std::fs::read(world.path(&format!("run/lyftlearn/{file}"))).unwrap();
        world.canary.assert_unseen(file, &text);
    }
}

#[test]
fn a_collectors_key_may_be_a_secret() {
    needs_namespaces!();
    let world = World::new();
    let Some((_server, port)) = collector(&world, 200) else {
        return;
    };
    let key = format!("api-key={}\n", world.canary.value());
    world.file("key", &key);
    std::fs::create_dir_all(world.path("run")).unwrap();
    let secret = "[secrets.collector]\nfrom = \"file:/etc/key\"\nenv = \"COLLECTOR_KEY\"\n";
    let settings = settings(&format!("http://127.0.0.1:{port}"));
    let container = (world.sharing(&format!("{settings}{secret}")))
        .mount(world.path("run"), "/run")
        .mount_read_only(world.path("key"), "/etc/key");
    // As the process that starts it sees it.
    let script = format!(
        "env -u STATSD_HOST -u COLLECTOR_KEY {BINARY} inspect > /shared/inspected; exec python3 -c \"$0\""
    );
    let output = container.run(&["sh", "-c", &script, COUNTING]).end();
    check_end(&output, 0);
    assert_eq!(outcome(&world)["metrics"], json!({"undelivered": 0}));
    let request = received(&world).pop().unwrap();
    assert_eq!(request["key"], world.canary.value());
    let inspected = std::fs::read_to_string(world.path("shared/inspected")).unwrap();
    assert!(!inspected.contains("headers_variable"), "{inspected}");
    for said in [inspected.into_bytes(), output.stderr, output.stdout] {
        world.canary.assert_unseen("what was said", &said);
    }
}

#[test]
fn a_collector_of_a_companys_own_is_trusted_by_the_root_that_is_named() {
    needs_namespaces!();
    let world = World::new();
    let root = world.path("root.pem");
    let Some((_server, port)) = collector_with(&world, "200", Some(root.clone())) else {
        return;
    };
    let endpoint = format!("https://127.0.0.1:{port}");
    let counting = |variable: &str| {
        let container = container(&world, port)
            .variable("LYFTLEARN_RUNTIME_METRICS_OTLP_ENDPOINT", &endpoint)
            .mount_read_only(&root, "/etc/root.pem")
            .variable(variable, "/etc/root.pem");
        check_end(&container.run(&["python3", "-c", COUNTING]).end(), 0);
        outcome(&world)["metrics"]["undelivered"].as_u64().unwrap()
    };
    assert_eq!(counting("SSL_CERT_FILE"), 0);
    check_metrics(&received(&world)[0]);
    // AWS's own roots are for AWS only.
    for variable in ["AWS_CA_BUNDLE", "UNRELATED"] {
        let before = received(&world).len();
        assert!(counting(variable) > 4, "{variable}");
        assert_eq!(received(&world).len(), before);
    }
}

#[test]
fn a_collector_that_people_run_understands_it() {
    needs_namespaces!();
    let world = World::new();
    let Some((_behind, port)) = collector(&world, 200) else {
        return;
    };
    let Some((_server, port)) = rotel(port) else {
        return;
    };
    let output = container(&world, port)
        .run(&["python3", "-c", COUNTING])
        .end();
    check_end(&output, 0);
    assert_eq!(outcome(&world)["metrics"], json!({"undelivered": 0}));
    // It sends on when it sees fit.
    let passed_on = wait::until(|| {
        let all = received(&world);
        all.into_iter()
            .find(|request| metric(request, "rows").is_some())
    });
    check_metrics(&passed_on.unwrap());
}

#[test]
fn undelivered_values_are_counted_and_cost_no_time() {
    needs_namespaces!();
    for (status, why) in [(Some(401), "refused"), (Some(503), "busy"), (None, "gone")] {
        let world = World::new();
        let port = free_port();
        let server = match status {
            Some(status) => match collector(&world, status) {
                Some(server) => Some(server),
                None => return,
            },
            None => None,
        };
        let port = server.as_ref().map_or(port, |(_, port)| *port);
        let output = container(&world, port)
            .run(&["python3", "-c", COUNTING])
            .end();
        check_end(&output, 0);
        let left = outcome(&world)["metrics"]["undelivered"].as_u64().unwrap();
        assert!(left > 4, "{why}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let count = format!(": {left} metrics were not delivered\n");
        assert!(said.contains(&count), "{why}: {said}");
        world.canary.assert_unseen(why, said.as_bytes());
        // A busy server gets a retry; a refusal is final.
        let asked = received(&world).len();
        match status {
            Some(401) => assert_eq!(asked, 1),
            Some(_) => assert!(asked > 1, "{asked}"),
            None => assert_eq!(asked, 0),
        }
    }
}

#[test]
fn an_agent_that_is_started_again_goes_on_with_the_same_totals() {
    needs_namespaces!();
    let world = World::new();
    let Some((_server, port)) = collector(&world, 200) else {
        return;
    };
    let script = format!(
        "{COUNTING}import time\nopen('/shared/ready', 'w')\nwhile not os.path.exists('/shared/go'): pass\n\
         statsd.sendto(b'rows.__split=train:1|c', to)\n"
    );
    let running = container(&world, port)
        .variable("LYFTLEARN_RUNTIME_METRICS_OTLP_SECONDS", "1")
        .run(&["python3", "-c", &script]);
    appears(&world.path("shared/ready"));
    let told = |total: f64| {
        wait::until(|| {
            let all = received(&world);
            let point = &metric(all.last()?, "rows")?["sum"]["dataPoints"][0];
            (point["asDouble"] == total).then(|| point["startTimeUnixNano"].clone())
        })
    };
    let begun = told(5.0).unwrap();
    let first = agent::agent(running.pid_one(), None);
    agent::kill(first, Signal::SIGKILL);
    agent::agent(running.pid_one(), Some(first));
    world.file("shared/go", "");
    check_end(&running.end(), 0);
    assert_eq!(told(6.0), Some(begun));
}
