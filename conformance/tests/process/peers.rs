//! Clients that close the connection early, and clients that send nothing.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

use lyftlearn_conformance::upstream::Upstream;
use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt::Linger};

use super::agent::agent;
use super::export::{free_port, get};
use super::*;

/// How often a peer does the same.
const TIMES: usize = 50;

struct Served {
    running: sandbox::Running,
    credentials: SocketAddr,
    token: String,
    metrics: u16,
}

/// A container that serves an identity, metrics and StatsD, seen from outside.
fn served(world: &World, upstream: &Upstream) -> Served {
    std::fs::create_dir_all(world.path("run")).unwrap();
    let (metrics, statsd) = (free_port(), free_port());
    let settings = format!(
        "[metrics]\nlisten = \"127.0.0.1:{metrics}\"\n\
         [metrics.statsd]\nmode = \"on\"\nlisten = \"127.0.0.1:{statsd}\"\n"
    );
    let running = world
        .sharing(&settings)
        .mount(world.path("run"), "/run")
        .variable("AWS_CONTAINER_CREDENTIALS_FULL_URI", upstream.uri())
        .variable("AWS_CONTAINER_AUTHORIZATION_TOKEN", world.canary.value())
        .run(&["sh", "-c", "touch /shared/ready; exec sleep 1000"]);
    appears(&world.path("shared/ready"));
    let read = |name: &str| std::fs::read_to_string(world.path(name)).unwrap();
    let uri = read("run/lyftlearn/aws/endpoint");
    let address = uri.strip_prefix("http://").unwrap().split('/').next();
    Served {
        running,
        credentials: address.unwrap().parse().unwrap(),
        token: read("run/lyftlearn/aws/token"),
        metrics,
    }
}

impl Served {
    fn asked(&self) -> String {
        let mut stream = TcpStream::connect(self.credentials).unwrap();
        let limit = Some(wait::PATIENCE);
        stream.set_read_timeout(limit).unwrap();
        let request = format!(
            "GET /v1/credentials HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nConnection: close\r\n\r\n",
            self.credentials, self.token
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[track_caller]
    fn check(&self, what: &str) {
        let mut answer = String::new();
        // The source may take its time at first.
        let given = wait::until(|| {
            answer = self.asked();
            answer.starts_with("HTTP/1.1 200").then_some(())
        });
        assert!(given.is_some(), "{what}: {answer}");
        let answer = get(self.metrics, "GET /metrics HTTP/1.1");
        assert!(answer.starts_with("HTTP/1.1 200"), "{what}: {answer}");
    }

    fn end(self) {
        self.running.signal(Signal::SIGTERM);
        check_end(&self.running.end(), 143);
    }
}

/// Asks, says that it is done, and is gone before it is answered.
fn leaves(address: SocketAddr, request: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    let at_once = linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(&stream, Linger, &at_once).unwrap();
    // The other side may have ended it already.
    let _ = stream.write_all(request.as_bytes());
    let _ = stream.shutdown(Shutdown::Write);
}

#[test]
fn a_peer_that_leaves_does_not_end_the_agent() {
    needs_namespaces!();
    let (world, upstream) = (World::new(), Upstream::new());
    let served = served(&world, &upstream);
    served.check("before");
    let before = agent(served.running.pid_one(), None);
    let metrics: SocketAddr = ([127, 0, 0, 1], served.metrics).into();
    for path in ["/", "/metrics", "/v1/credentials"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
        for _ in 0..TIMES {
            leaves(served.credentials, &request);
            leaves(metrics, &request);
        }
    }
    for name in ["metrics.sock", "agent.sock", "statsd-stream.sock"] {
        for _ in 0..TIMES {
            let path = world.path(&format!("run/lyftlearn/{name}"));
            let mut stream = UnixStream::connect(path).unwrap();
            let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        }
    }
    served.check("after");
    assert_eq!(agent(served.running.pid_one(), None), before);
    // A handler, and so nothing that its children inherit.
    let status = std::fs::read_to_string(format!("/proc/{before}/status")).unwrap();
    let set = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let bits = u64::from_str_radix(line.unwrap().trim(), 16).unwrap();
        bits & 1 << (Signal::SIGPIPE as u32 - 1) != 0
    };
    assert!(set("SigCgt:") && !set("SigIgn:") && !set("SigBlk:"));
    served.end();
}

#[test]
fn a_program_finds_sigpipe_as_pid_one_did() {
    needs_namespaces!();
    let show = ["grep", "-E", "SigIgn|SigBlk|SigCgt", "/proc/self/status"];
    for (found, ignored) in [("SIG_DFL", false), ("SIG_IGN", true)] {
        let world = World::new();
        let python = format!("import signal; signal.signal(signal.SIGPIPE, signal.{found})");
        let container = world.container("agent = \"on\"\n").inheriting(&python);
        let output = ended(&container, &show);
        check_end(&output, 0);
        let text = String::from_utf8(output.stdout).unwrap();
        let bits = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            u64::from_str_radix(line.unwrap().trim(), 16).unwrap() >> (Signal::SIGPIPE as u32 - 1)
                & 1
        };
        assert_eq!(bits("SigIgn:"), u64::from(ignored), "{found}");
        assert_eq!((bits("SigBlk:"), bits("SigCgt:")), (0, 0), "{found}");
    }
}

#[test]
fn a_tool_whose_reader_closes_does_not_fail() {
    needs_namespaces!();
    let world = World::new();
    let script = format!(
        "for tool in inspect 'inspect --json' doctor 'env --all' metrics; do \
         {{ {BINARY} $tool; echo $? >&3; }} | :; done 3>&1 >/dev/null 2>/dev/null"
    );
    let output = ended(&world.container("agent = \"on\"\n"), &["sh", "-c", &script]);
    let codes = String::from_utf8(output.stdout).unwrap();
    // None is 141: what a signal leaves behind.
    assert!(
        codes.lines().count() == 5 && !codes.contains("141"),
        "{codes}"
    );
}

/// Opens so many connections that say nothing, or nearly nothing.
fn idle(address: SocketAddr, count: usize, words: &[u8]) -> Vec<TcpStream> {
    (0..count)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            // One that has been given up already takes no more.
            let _ = stream.write_all(words);
            stream
        })
        .collect()
}

#[test]
fn idle_connections_lock_no_client_out() {
    needs_namespaces!();
    let (world, upstream) = (World::new(), Upstream::new());
    let served = served(&world, &upstream);
    served.check("before");
    let metrics: SocketAddr = ([127, 0, 0, 1], served.metrics).into();
    for words in [&b""[..], b"G", b"GET /metrics HTTP/1.1\r\nHost: x\r\n"] {
        let mut held = idle(served.credentials, 400, words);
        held.extend(idle(metrics, 100, words));
        // The places are taken: the oldest of them are gone, and the newest wait.
        served.check("among connections that say nothing");
        let first = &mut held[0];
        first.set_read_timeout(Some(wait::PATIENCE)).unwrap();
        let mut nothing = Vec::new();
        // Ended, or reset: it has no place any more.
        if let Ok(length) = first.read_to_end(&mut nothing) {
            assert_eq!(length, nothing.len());
        }
        served.check("again");
    }
    served.end();
}

#[test]
fn connections_that_take_no_answer_keep_no_scrape_out() {
    needs_namespaces!();
    let (world, upstream) = (World::new(), Upstream::new());
    let served = served(&world, &upstream);
    let metrics: SocketAddr = ([127, 0, 0, 1], served.metrics).into();
    let request =
        "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Prometheus-Scrape-Timeout-Seconds: 120\r\n\r\n";
    let held = idle(metrics, 40, request.as_bytes());
    served.check("among connections that read nothing");
    drop(held);
    served.end();
}

#[test]
fn idle_statsd_connections_block_and_lose_no_line() {
    needs_namespaces!();
    let (world, upstream) = (World::new(), Upstream::new());
    let served = served(&world, &upstream);
    let state = || {
        let path = world.path("run/lyftlearn/agent.sock");
        let mut text = String::new();
        let mut stream = UnixStream::connect(path).unwrap();
        stream.read_to_string(&mut text).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let address = state()["metrics"]["statsd"]["tcp"]
        .as_str()
        .unwrap()
        .to_owned();
    let address: SocketAddr = address.parse().unwrap();
    // Each leaves a line without its end behind.
    let held = idle(address, 700, b"held:1|c");
    let mut last = TcpStream::connect(address).unwrap();
    last.write_all(b"last:1|c\n").unwrap();
    let shown = |line: &str| {
        wait::until(|| {
            let answer = get(served.metrics, "GET /metrics HTTP/1.1");
            answer.lines().any(|shown| shown == line).then_some(())
        })
    };
    assert!(shown("last_total 1").is_some());
    drop(held);
    assert!(shown("held_total 700").is_some());
    served.end();
}
