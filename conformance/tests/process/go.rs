//! Peers that are written in Go, as they come from the module proxy: Lyft's client of StatsD,
//! Prometheus' server for StatsD, and OpenTelemetry's collector. `make test-go` builds them and runs
//! these tests.

use std::path::Path;
use std::process::{Command, Stdio};

use expect_test::expect;
use lyftlearn_conformance::command::Server;
use lyftlearn_conformance::programs;

use super::export::{free_port, get, outcome};
use super::*;

/// `NewTimer` of lyft/gostats counts in microseconds.
const GOSTATS: &str = "[metrics.statsd]\nmode = \"on\"\nmicroseconds = [\"digits.step\"]\n";

/// The samples of the page for a scraper whose names begin with `beginning`, sorted.
fn samples(page: &str, beginning: &str) -> Vec<String> {
    let mut found: Vec<String> = page
        .lines()
        .filter(|line| line.starts_with(beginning) && !line.contains("_bucket{"))
        .map(ToOwned::to_owned)
        .collect();
    found.sort();
    found
}

/// Waits until a page has a line that begins so.
#[track_caller]
fn page_with(port: u16, beginning: &str) -> String {
    check_listens(port);
    let mut page = String::new();
    let found = wait::until(|| {
        // A server of Go keeps connections of HTTP/1.1.
        page = get(port, "GET /metrics HTTP/1.0");
        let found = page.lines().any(|line| line.starts_with(beginning));
        found.then_some(())
    });
    assert!(found.is_some(), "{beginning} in {page}");
    page
}

#[track_caller]
fn check_listens(port: u16) {
    let listens = wait::until(|| std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    assert!(listens.is_some(), "nothing listens at {port}");
}

/// A process of these peers that this machine runs, once it listens at `port`.
fn served(command: &mut Command, port: u16) -> Server {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let server = Server::start(command).unwrap();
    check_listens(port);
    server
}

/// As the pod of a program that counts, with `/shared`.
fn pod(world: &World, settings: &str, peers: &Path, port: u16) -> Sandbox {
    std::fs::create_dir_all(world.path("shared")).unwrap();
    (world.pod(settings, "{}"))
        .mount(world.path("shared"), "/shared")
        .mount_read_only(peers, "/opt/go")
        .variable(
            "LYFTLEARN_RUNTIME_METRICS_LISTEN",
            format!("127.0.0.1:{port}"),
        )
        .variable("LYFTLEARN_RUNTIME_METRICS_STATSD_LISTEN", "127.0.0.1:0")
}

#[test]
#[ignore = "needs Go, and builds its peers for minutes: make test-go"]
fn lyfts_client_finds_us_and_its_values_arrive_with_their_labels() {
    needs_namespaces!();
    let Some(peers) = programs::go_peers() else {
        return;
    };
    // The library's default is TCP.
    for protocol in [None, Some("tcp"), Some("udp")] {
        let world = World::new();
        let port = free_port();
        let container = pod(&world, GOSTATS, &peers, port);
        let container = match protocol {
            Some(protocol) => container.variable("STATSD_PROTOCOL", protocol),
            None => container,
        };
        let running = container.run(&["sh", "-c", "/opt/go/gostats && exec sleep 600"]);
        let page = page_with(port, "digits_rows_total");
        assert_eq!(
            samples(&page, "digits_"),
            [
                "digits_batches_total{_f=\"i\",team=\"ranking\"} 7",
                "digits_epoch_seconds_count{team=\"ranking\"} 1",
                "digits_epoch_seconds_sum{team=\"ranking\"} 0.25",
                "digits_queue{name=\"first\",team=\"ranking\"} 7",
                "digits_rows_total{split=\"train_v1\",team=\"ranking\"} 2000",
                "digits_step_seconds_count{team=\"ranking\"} 1",
                "digits_step_seconds_sum{team=\"ranking\"} 0.25",
            ],
            "{protocol:?}"
        );
        running.signal(Signal::SIGTERM);
        check_end(&running.end(), 143);
    }
}

/// statsd_exporter, and the port of its page; it takes StatsD at `port`.
fn exporter(peers: &Path, port: u16, protocol: &str) -> (Server, u16) {
    let page = free_port();
    let other = if protocol == "udp" { "tcp" } else { "udp" };
    let mut command = Command::new(peers.join("statsd_exporter"));
    command
        .arg(format!("--web.listen-address=127.0.0.1:{page}"))
        .arg(format!("--statsd.listen-{protocol}=127.0.0.1:{port}"))
        .arg(format!("--statsd.listen-{other}="))
        .arg("--statsd.unixsocket-mode=755");
    (served(&mut command, page), page)
}

/// A job of SageMaker's whose metrics go to that server.
fn training(world: &World, settings: &str, peers: &Path, port: u16, protocol: &str) -> Sandbox {
    for directory in ["run", "shared"] {
        std::fs::create_dir_all(world.path(directory)).unwrap();
    }
    let statsd = "[metrics.statsd]\nmode = \"on\"\nlisten = \"127.0.0.1:0\"\n";
    (world.training(&format!("{statsd}{settings}"), &json!({})))
        .mount(world.path("run"), "/run")
        .mount(world.path("shared"), "/shared")
        .mount_read_only(peers, "/opt/go")
        .variable("STATSD_HOST", "127.0.0.1")
        .variable("STATSD_PORT", port.to_string())
        .variable("STATSD_PROTOCOL", protocol)
}

/// Sends timings, of each series another number, and keeps our page once that has arrived.
const TIMING: &str = "import os, socket, subprocess\n\
    to = (os.environ['STATSD_HOST'], int(os.environ['STATSD_PORT']))\n\
    statsd = socket.create_connection(to)\n\
    for n in 1, 2, 48, 49, 93, 99, 105, 246:\n\
    \x20   statsd.sendall(b'span.__n=%d:320|ms\\n' % n * n)\n\
    statsd.sendall(b'rows.__split=train:5|c\\nrows.__split=test:1500|c\\nqueue:7|g\\n')\n\
    statsd.close()\n\
    page = ''\n\
    while '\\nqueue 7\\n' not in page:\n\
    \x20   page = subprocess.run([os.environ['RUNTIME'], 'metrics'], check=True, stdout=subprocess.PIPE, text=True).stdout\n\
    open('/shared/shown', 'w').write(page)\n";

/// A sample without what the two pages differ in: the suffix of counters, which StatsD has not.
fn plain(sample: &str) -> String {
    sample.replacen("rows_total{", "rows{", 1)
}

#[test]
#[ignore = "needs Go, and builds its peers for minutes: make test-go"]
fn statsd_exporter_as_the_gateway_shows_what_our_page_shows() {
    needs_namespaces!();
    let Some(peers) = programs::go_peers() else {
        return;
    };
    for protocol in ["udp", "tcp"] {
        let world = World::new();
        let port = free_port();
        let (_server, page) = exporter(&peers, port, protocol);
        let settings = "[metrics.gateway]\nmode = \"aggregate\"\ntags = \"dogstatsd\"\n";
        let container = training(&world, settings, &peers, port, protocol);
        let container = container.variable("RUNTIME", BINARY);
        let output = container.run(&["python3", "-c", TIMING]).end();
        check_end(&output, 0);
        assert_eq!(outcome(&world)["metrics"], json!({"undelivered": 0}));
        let theirs = page_with(page, "queue ");
        let ours = std::fs::read_to_string(world.path("shared/shown")).unwrap();
        let mut compared = 0;
        for name in ["rows", "queue", "span_seconds_count"] {
            let ours: Vec<String> = samples(&ours, name).iter().map(|one| plain(one)).collect();
            compared += ours.len();
            assert_eq!(samples(&theirs, name), ours, "{protocol}");
        }
        assert_eq!(compared, 11, "{ours}");
        // A server of StatsD gets the middle of a bucket, which is an eighth of an octave wide.
        let sums = (samples(&theirs, "span_seconds_sum").into_iter())
            .zip(samples(&ours, "span_seconds_sum"));
        for (theirs, ours) in sums {
            let value = |line: &str| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap();
            let off = (value(&theirs) / value(&ours) - 1.0).abs();
            assert!(off < 0.05, "{theirs}, {ours}");
        }
    }
}

#[test]
#[ignore = "needs Go, and builds its peers for minutes: make test-go"]
fn lyfts_client_through_us_has_labels_at_a_gateway_that_does_not_know_its_tags() {
    needs_namespaces!();
    let Some(peers) = programs::go_peers() else {
        return;
    };
    let shown = |settings: &str, last: &str| {
        let world = World::new();
        let port = free_port();
        let (_server, page) = exporter(&peers, port, "tcp");
        let container = training(&world, settings, &peers, port, "tcp");
        check_end(&ended(&container, &["/opt/go/gostats"]), 0);
        samples(&page_with(page, last), "digits_")
    };
    // As it would be without this runtime.
    let relayed = shown("", "digits_rows___");
    assert!(
        relayed.contains(&"digits_rows___split_train_v1___team_ranking 2000".to_owned()),
        "{relayed:#?}"
    );
    let settings = "[metrics.gateway]\nmode = \"aggregate\"\ntags = \"dogstatsd\"\n";
    let counted = shown(settings, "digits_rows{");
    for line in [
        "digits_batches{_f=\"i\",team=\"ranking\"} 7",
        "digits_epoch_seconds_count{team=\"ranking\"} 1",
        "digits_queue{name=\"first\",team=\"ranking\"} 7",
        "digits_rows{split=\"train_v1\",team=\"ranking\"} 2000",
    ] {
        assert!(counted.contains(&line.to_owned()), "{line}: {counted:#?}");
    }
}

/// A pod's other container that came first, with its own defaults, and then a start beside it.
const BESIDE: &str = "
import subprocess, sys, urllib.request
exporter = subprocess.Popen(['/opt/go/statsd_exporter'], stderr=subprocess.DEVNULL)
def page():
    while True:
        try:
            return urllib.request.urlopen('http://127.0.0.1:9102/metrics').read().decode()
        except OSError:
            assert exporter.poll() is None
page()
program = 'echo to-the-exporter:1\\|c >/dev/udp/127.0.0.1/9125; echo $STATSD_HOST; exit 7'
code = subprocess.run([sys.argv[1], 'run', 'bash', '-c', program]).returncode
while 'to_the_exporter 1' not in page():
    assert exporter.poll() is None
exporter.kill()
exporter.wait()
sys.exit(code)
";

#[test]
#[ignore = "needs Go, and builds its peers for minutes: make test-go"]
fn statsd_exporter_that_was_first_keeps_its_port_and_the_program_runs() {
    needs_namespaces!();
    let Some(peers) = programs::go_peers() else {
        return;
    };
    let world = World::new();
    let container = (world.pod("", "{}"))
        .mount_read_only(&peers, "/opt/go")
        .variable("LYFTLEARN_RUNTIME_METRICS_LISTEN", "0.0.0.0:9102")
        .own_network();
    let output = container
        .start(&["/usr/bin/python3", "-c", BESIDE, BINARY].map(OsString::from))
        .end();
    check_end(&output, 7);
    expect![[r#"
        lyftlearn-runtime: kubernetes (pod), job, job digits-1; cannot listen on 0.0.0.0:9102 for Prometheus: address in use; metrics.listen takes another port, or off
        lyftlearn-runtime: user error: the program ended with exit code 7
    "#]].assert_eq(&String::from_utf8_lossy(&output.stderr));
}

/// OpenTelemetry's collector, which sends on to `port` what it receives; and where it listens.
fn collector(world: &World, peers: &Path, port: u16) -> (Server, u16) {
    let http = free_port();
    let config = world.file(
        "collector.yaml",
        &format!(
            "receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:{http}'}}}}}}}}\n\
             exporters: {{otlp_http: {{endpoint: 'http://127.0.0.1:{port}'}}}}\n\
             service:\n\
             \x20 telemetry: {{metrics: {{level: none}}}}\n\
             \x20 pipelines: {{metrics: {{receivers: [otlp], exporters: [otlp_http]}}}}\n"
        ),
    );
    let mut command = Command::new(peers.join("collector"));
    command.arg("--config").arg(config);
    (served(&mut command, http), http)
}

#[test]
#[ignore = "needs Go, and builds its peers for minutes: make test-go"]
fn opentelemetrys_collector_passes_on_equal_values() {
    needs_namespaces!();
    let Some(peers) = programs::go_peers() else {
        return;
    };
    let world = World::new();
    let Some((_behind, behind)) = otlp::collector(&world, 200) else {
        return;
    };
    let (_server, port) = collector(&world, &peers, behind);
    let container = otlp::container(&world, port);
    check_end(&container.run(&["python3", "-c", otlp::COUNTING]).end(), 0);
    assert_eq!(outcome(&world)["metrics"], json!({"undelivered": 0}));
    let passed_on = wait::until(|| {
        let all = otlp::received(&world);
        all.into_iter()
            .find(|request| otlp::metric(request, "rows").is_some())
    });
    otlp::check_metrics(&passed_on.unwrap());
}
