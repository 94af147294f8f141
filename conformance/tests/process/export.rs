//! Metrics on their way out of a container: scraped, pushed, and nothing lost at any ending.

use expect_test::expect;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};

use lyftlearn_conformance::programs;

use super::*;

/// A StatsD server that adds up what it receives.
#[derive(Clone, Default)]
pub(super) struct Gateway(Arc<Mutex<Vec<u8>>>);

impl Gateway {
    pub(super) fn udp(self) -> (Self, u16) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        let here = self.clone();
        std::thread::spawn(move || {
            let mut packet = [0; 65_536];
            while let Ok(length) = socket.recv(&mut packet) {
                assert!(length <= 1_432, "{length}");
                let mut text = here.0.lock().unwrap();
                text.extend_from_slice(&packet[..length]);
                text.push(b'\n');
            }
        });
        (self, port)
    }

    pub(super) fn tcp(self) -> (Self, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let here = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut text = Vec::new();
                let _ = stream.unwrap().read_to_end(&mut text);
                here.0.lock().unwrap().extend_from_slice(&text);
            }
        });
        (self, port)
    }

    /// All of it, as it came.
    pub(super) fn received(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    /// Of each counter the sum.
    pub(super) fn totals(&self) -> BTreeMap<String, f64> {
        let text = String::from_utf8(self.received()).unwrap();
        let mut totals = BTreeMap::new();
        for line in text.lines() {
            let (name, rest) = line.split_once(':').unwrap();
            let (value, kind) = rest.split_once('|').unwrap();
            if kind.starts_with('c') {
                *totals.entry(name.to_owned()).or_default() += value.parse::<f64>().unwrap();
            }
        }
        totals
    }
}

fn gateway(port: u16, protocol: &str) -> String {
    format!(
        "[metrics]\nregion_bytes = 1048576\n[metrics.gateway]\nhost = \"127.0.0.1\"\nport = {port}\nprotocol = \"{protocol}\"\nseconds = 1\n"
    )
}

/// A container whose Python has the package; `None` if the wheel is not built.
fn with_python(world: &World, settings: &str) -> Option<(Sandbox, OsString)> {
    packaged(unhurried(world.sharing(settings)))
}

pub(super) fn packaged(container: Sandbox) -> Option<(Sandbox, OsString)> {
    let python = programs::python_with_wheel()?;
    let place = "import os, lyftlearn_runtime as rt; print(os.path.dirname(rt.__file__))";
    let place = programs::asked(&python, place);
    let container = container
        .mount_read_only(place, "/site/lyftlearn_runtime")
        .variable("PYTHONPATH", "/site");
    Some((container, find_python()))
}

/// Counts 1,000 rows in this process and 500 in a child of it, then ends by `last`.
fn counting(last: &str) -> String {
    format!(
        "import os, signal, sys\nimport lyftlearn_runtime as rt\n\
         rows = rt.metrics.counter('rows', {{'split': 'train'}})\n\
         for _ in range(1000): rows.inc()\n\
         if os.fork() == 0:\n    rows.inc(500)\n    os._exit(0)\n\
         os.wait()\n{last}\n"
    )
}

pub(super) fn outcome(world: &World) -> Value {
    let text = std::fs::read(world.path("run/lyftlearn/outcome.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn no_ending_loses_a_count() {
    needs_namespaces!();
    for (last, code) in [
        ("sys.exit(0)", 0),
        ("os._exit(7)", 7),
        ("raise ValueError", 1),
        ("os.kill(os.getpid(), signal.SIGTERM)", 143),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137),
    ] {
        for protocol in ["udp", "tcp"] {
            let world = World::new();
            std::fs::create_dir(world.path("run")).unwrap();
            let (gateway_here, port) = match protocol {
                "udp" => Gateway::default().udp(),
                _ => Gateway::default().tcp(),
            };
            let Some((container, python)) = with_python(&world, &gateway(port, protocol)) else {
                return;
            };
            let container = container.mount(world.path("run"), "/run");
            let argv = [python, "-c".into(), counting(last).into()];
            let output = container.run(&argv).end();
            check_end(&output, code);
            // The server's own thread may not have added it up yet.
            let all = wait::until(|| {
                let totals = gateway_here.totals();
                (totals.get("rows.__split=train") == Some(&1_500.0)).then_some(())
            });
            assert!(
                all.is_some(),
                "{last} {protocol}: {:?}",
                gateway_here.totals()
            );
            assert_eq!(outcome(&world)["metrics"], json!({"undelivered": 0}));
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!said.contains("not delivered"), "{said}");
            world
                .canary
                .assert_unseen("what was sent", &gateway_here.0.lock().unwrap());
        }
    }
}

#[test]
fn a_server_that_is_not_there_costs_a_line_and_no_time() {
    needs_namespaces!();
    let world = World::new();
    std::fs::create_dir(world.path("run")).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    drop(taken);
    let Some((container, python)) = with_python(&world, &gateway(port, "tcp")) else {
        return;
    };
    let container = container.mount(world.path("run"), "/run");
    let output = container
        .run(&[python, "-c".into(), counting("").into()])
        .end();
    check_end(&output, 0);
    let left = outcome(&world)["metrics"]["undelivered"].as_u64().unwrap();
    assert!(left > 0);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    expect![[r#"
        lyftlearn-runtime: local (host), job
        lyftlearn-runtime: N metrics were not delivered
    "#]]
    .assert_eq(&said.replace(&left.to_string(), "N"));
}

#[test]
fn an_agent_that_dies_sends_nothing_twice() {
    needs_namespaces!();
    let world = World::new();
    let (here, port) = Gateway::default().udp();
    let Some((container, python)) = with_python(&world, &gateway(port, "udp")) else {
        return;
    };
    let last =
        "open('/shared/ready', 'w')\nwhile not os.path.exists('/shared/go'): pass\nrows.inc(5)";
    let running = container.run(&[python, "-c".into(), counting(last).into()]);
    appears(&world.path("shared/ready"));
    let sent = |total: f64| {
        wait::until(|| (here.totals().get("rows.__split=train") == Some(&total)).then_some(()))
    };
    assert!(sent(1_500.0).is_some(), "{:?}", here.totals());
    let first = agent::agent(running.pid_one(), None);
    agent::kill(first, Signal::SIGKILL);
    agent::agent(running.pid_one(), Some(first));
    world.file("shared/go", "");
    check_end(&running.end(), 0);
    assert!(sent(1_505.0).is_some(), "{:?}", here.totals());
}

pub(super) fn free_port() -> u16 {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    taken.local_addr().unwrap().port()
}

pub(super) fn get(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(wait::PATIENCE)).unwrap();
    stream
        .write_all(format!("{request}\r\nHost: x\r\n\r\n").as_bytes())
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn prometheus_and_clients_inside_get_the_metrics() {
    needs_namespaces!();
    let world = World::new();
    let port = free_port();
    let settings =
        format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\nlabels = [\"role\", \"rank\"]\n");
    let script = format!(
        "{BINARY} metrics > /shared/shown; touch /shared/ready; \
         while ! [ -e /shared/go ]; do :; done"
    );
    let running = world.sharing(&settings).run(&["sh", "-c", &script]);
    appears(&world.path("shared/ready"));
    let line = "lyftlearn_runtime_agent_starts_total{rank=\"0\",role=\"job\"} 1\n";
    let shown = std::fs::read_to_string(world.path("shared/shown")).unwrap();
    assert!(shown.contains(line), "{shown}");
    let answer = get(port, "GET /metrics HTTP/1.1");
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{answer}"
    );
    assert!(answer.contains(line), "{answer}");
    world.canary.assert_unseen("an answer", answer.as_bytes());
    let open = "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version=1.0.0";
    let answer = get(port, open);
    assert!(
        answer.contains("version=1.0.0") && answer.contains("# EOF\n"),
        "{answer}"
    );
    assert!(get(port, "GET / HTTP/1.1").starts_with("HTTP/1.1 404"));
    assert!(get(port, "POST /metrics HTTP/1.1").starts_with("HTTP/1.1 405"));
    let head = get(port, "HEAD /metrics HTTP/1.1");
    assert!(
        head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    // Clients that send a request and do not read the response do not block others.
    let slow: Vec<TcpStream> = (0..10)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    assert!(get(port, "GET /metrics HTTP/1.1").contains(line));
    drop(slow);
    world.file("shared/go", "");
    check_end(&running.end(), 0);
}

#[test]
fn a_port_in_use_is_reported_and_stops_nothing() {
    needs_namespaces!();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let world = World::new();
    let settings = format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n");
    let output = ended(&world.container(&settings), &["true"]);
    check_end(&output, 0);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    expect![[r#"
        lyftlearn-runtime: local (host), job; cannot listen on 127.0.0.1:PORT for Prometheus: address in use; metrics.listen takes another port, or off
    "#]].assert_eq(&said.replace(&port.to_string(), "PORT"));
}

#[test]
fn metrics_without_a_route_are_reported() {
    needs_namespaces!();
    let world = World::new();
    let Some((container, python)) =
        with_python(&world, "platform = \"sagemaker\"\nrole = \"training\"\n")
    else {
        return;
    };
    std::fs::create_dir(world.path("run")).unwrap();
    let container = container.mount(world.path("run"), "/run");
    let output = container
        .run(&[python, "-c".into(), counting("").into()])
        .end();
    check_end(&output, 0);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    expect![[r#"
        lyftlearn-runtime: sagemaker (training), training
        lyftlearn-runtime: 1 metric was counted, but no route delivers them; see metrics.routes
    "#]]
    .assert_eq(&said);
}

/// Sends one counter by StatsD, as a client does that knows nothing of this runtime.
const ONE_COUNTER: &str = "import os, socket\n\
    to = (os.environ['STATSD_HOST'], int(os.environ['STATSD_PORT']))\n\
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'rows.__split=train:5|c', to)\n";

#[track_caller]
fn counted_once(world: &World, settings: &str, variables: &[(&str, &str)]) -> Output {
    counted(world, settings, variables, ONE_COUNTER)
}

/// Runs a program that sends what it counts by StatsD.
#[track_caller]
pub(super) fn counted(
    world: &World,
    settings: &str,
    variables: &[(&str, &str)],
    program: &str,
) -> Output {
    std::fs::create_dir(world.path("run")).unwrap();
    let settings = format!("[metrics]\nstatsd = \"on\"\n{settings}");
    let container = world.sharing(&settings).mount(world.path("run"), "/run");
    let mut container = unhurried(container);
    for (name, value) in variables {
        container = container.variable(name, value);
    }
    let output = container
        .run(&[find_python(), "-c".into(), program.into()])
        .end();
    check_end(&output, 0);
    output
}

#[test]
fn sagemakers_file_has_the_totals() {
    needs_namespaces!();
    let world = World::new();
    let directory = ("SAGEMAKER_METRICS_DIRECTORY", "/shared/metrics");
    counted_once(&world, "routes = [\"sagemaker\"]\n", &[directory]);
    assert_eq!(outcome(&world)["metrics"], json!({"undelivered": 0}));
    let mut files = std::fs::read_dir(world.path("shared/metrics")).unwrap();
    let text = std::fs::read_to_string(files.next().unwrap().unwrap().path()).unwrap();
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(line["MetricName"], "rows{split=train}");
    assert_eq!(line["Value"], 5.0);
}

#[test]
fn cloudwatchs_document_is_a_line_of_stdout_or_goes_to_its_agent() {
    needs_namespaces!();
    let settings = "routes = [\"emf\"]\n[metrics.emf]\ndimensions = [\"split\"]\n";
    let check = |text: &[u8]| {
        let document: Value = serde_json::from_slice(text).unwrap();
        assert_eq!(document["rows"], 5.0);
        assert_eq!(document["split"], "train");
        document
    };
    let world = World::new();
    let output = counted_once(&world, settings, &[]);
    let document = check(&output.stdout);
    assert!(document["_aws"]["LogGroupName"].is_null());
    assert_eq!(outcome(&world)["metrics"], json!({"undelivered": 0}));

    let world = World::new();
    let agent = UdpSocket::bind("127.0.0.1:0").unwrap();
    agent.set_read_timeout(Some(wait::PATIENCE)).unwrap();
    let endpoint = format!("udp://{}", agent.local_addr().unwrap());
    counted_once(&world, settings, &[("AWS_EMF_AGENT_ENDPOINT", &endpoint)]);
    let mut packet = [0; 65_536];
    let length = agent.recv(&mut packet).unwrap();
    let document = check(&packet[..length]);
    assert_eq!(document["_aws"]["LogGroupName"], "LyftLearn-metrics");
}
