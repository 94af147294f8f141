//! CloudWatch's documents, held to the published schema, and to its agent by TCP: one that
//! reads, one that is stuck, and none.

use std::io::Read;
use std::net::TcpListener;

use lyftlearn_conformance::programs;
use nix::sys::socket::{setsockopt, sockopt::RcvBuf};

use super::export::{counted, outcome};
use super::*;

const SETTINGS: &str = "routes = [\"emf\"]\n[metrics.emf]\ndimensions = [\"split\"]\n";
/// As many as need more than ten documents, half a megabyte that fits into no buffer on the way,
/// and take a tenth of what the agent has at its end even in a debug build.
const METRICS: u64 = 1_000;

/// Counts so many metrics; by the unix socket, where nothing gets lost.
fn many(metrics: u64) -> String {
    format!(
        "import os, socket\n\
         s = socket.socket(socket.AF_UNIX)\n\
         s.connect(os.environ['LYFTLEARN_RUN_DIR'] + '/statsd-stream.sock')\n\
         for n in range({metrics}): s.sendall(b'n%04d%s:1|c|#split:train\\n' % (n, b'x' * 200))\n"
    )
}

fn endpoint(agent: &TcpListener) -> String {
    format!("tcp://{}", agent.local_addr().unwrap())
}

/// What an agent that reads gets of a program's metrics.
fn read(world: &World, program: &str) -> String {
    let agent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = endpoint(&agent);
    let received = std::thread::spawn(move || {
        agent.set_nonblocking(true).unwrap();
        let accepted = wait::until(|| agent.accept().ok());
        let (mut stream, _) = accepted.expect("the runtime's agent connects");
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(wait::PATIENCE)).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    });
    let agent = [("AWS_EMF_AGENT_ENDPOINT", endpoint.as_str())];
    counted(world, SETTINGS, &agent, program);
    received.join().unwrap()
}

#[test]
fn an_agent_has_a_document_in_each_line_and_each_metric_once() {
    needs_namespaces!();
    let world = World::new();
    let text = read(&world, &many(METRICS));
    assert_eq!(outcome(&world)["metrics"], json!({"undelivered": 0}));
    world.canary.assert_unseen("documents", text.as_bytes());
    let mut told = 0;
    for line in text.lines() {
        // CloudWatch's agent takes no longer line.
        assert!(line.len() <= 256 << 10);
        let document: Value = serde_json::from_str(line).unwrap();
        assert_eq!(document["_aws"]["LogGroupName"], "LyftLearn-metrics");
        let metrics = &document["_aws"]["CloudWatchMetrics"][0]["Metrics"];
        for metric in metrics.as_array().unwrap() {
            assert_eq!(document[metric["Name"].as_str().unwrap()], 1.0);
            told += 1;
        }
    }
    assert_eq!(told, METRICS);
}

#[test]
fn documents_are_what_the_published_schema_allows() {
    const KINDS: &str = "import os, socket\n\
        s = socket.socket(socket.AF_UNIX)\n\
        s.connect(os.environ['LYFTLEARN_RUN_DIR'] + '/statsd-stream.sock')\n\
        lines = ['rows:3|c', 'level \"\u{e9}\":-0.25|g', 'read_bytes_total:1000000000000000000|c', 'who:a|s']\n\
        lines += ['t:%d|ms' % (n % 7) for n in range(10_000)] + ['c%d:0.1|c' % n for n in range(300)]\n\
        for line in lines: s.sendall((line + '|#split:x,host:a\\n').encode())\n";
    const VALIDATE: &str = "import json, sys, jsonschema\n\
        schema = jsonschema.Draft7Validator(json.load(open(sys.argv[1])))\n\
        for line in open(sys.argv[2]): schema.validate(json.loads(line))\n";
    needs_namespaces!();
    let Some((python, schema)) = programs::python_with_emf_schema() else {
        return;
    };
    let world = World::new();
    let text = read(&world, KINDS);
    for name in [
        "rows",
        "level____",
        "read_bytes_total",
        "who",
        "t_seconds",
        "c299",
    ] {
        assert!(text.contains(&format!("\"{name}")), "no {name}");
    }
    let documents = world.path("documents");
    std::fs::write(&documents, text).unwrap();
    let mut validating = std::process::Command::new(python);
    validating.args(["-c", VALIDATE]).args([schema, documents]);
    check_end(&command::output(&mut validating), 0);
}

#[track_caller]
fn check_undelivered(endpoint: &str, possible: std::ops::RangeInclusive<u64>) {
    let world = World::new();
    let agent = [("AWS_EMF_AGENT_ENDPOINT", endpoint)];
    // The program ends as ever, with its own code.
    counted(&world, SETTINGS, &agent, &many(METRICS));
    let undelivered = outcome(&world)["metrics"]["undelivered"].as_u64();
    assert!(possible.contains(&undelivered.unwrap()), "{undelivered:?}");
}

#[test]
fn an_emf_agent_that_does_not_read_blocks_nothing_and_losses_are_counted() {
    needs_namespaces!();
    let stuck = TcpListener::bind("127.0.0.1:0").unwrap();
    setsockopt(&stuck, RcvBuf, &4_096).unwrap();
    check_undelivered(&endpoint(&stuck), 1..=METRICS);
}

#[test]
fn without_an_agent_all_of_it_is_counted() {
    needs_namespaces!();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = endpoint(&gone);
    drop(gone);
    check_undelivered(&endpoint, METRICS..=METRICS);
}

/// A program that counts five rows, and then does something, has them told.
#[track_caller]
fn check_told(then: &str) {
    let send = format!("printf 'rows:5|c' >/dev/udp/127.0.0.1/$STATSD_PORT; {then}");
    for _ in 0..10 {
        let world = World::new();
        std::fs::create_dir(world.path("run")).unwrap();
        let settings = format!("[metrics]\nstatsd = \"on\"\n{SETTINGS}");
        let container = world.container(&settings).mount(world.path("run"), "/run");
        let container = unhurried(container);
        let output = ended(&container, &["bash", "-c", &send]);
        check_end(&output, 0);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["rows"], 5.0);
        assert_eq!(outcome(&world)["metrics"], json!({"undelivered": 0}));
    }
}

/// By then the agent has not been started yet, or is still starting.
#[test]
fn metrics_of_a_short_program_are_sent() {
    needs_namespaces!();
    check_told("");
}

/// PID 1 sees both ends at once: it must not take the end of the first agent for the end of the one
/// that exports the rest.
#[test]
fn metrics_survive_a_program_that_kills_the_agent() {
    needs_namespaces!();
    check_told("until kill -9 -1 2>/dev/null; do :; done");
}
