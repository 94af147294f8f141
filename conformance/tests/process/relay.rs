//! StatsD in and metrics out, together: what a client sends to a gateway arrives there, byte
//! for byte or as totals, once, and whatever the gateway does costs the program nothing.

use std::net::{TcpListener, TcpStream};

use super::export::{Gateway, free_port, get, outcome, packaged};
use super::statsd::{Shell, check_lines, looked_into};
use super::*;

/// Of this machine's network any port, so that tests do not meet.
const SETTINGS: &str =
    "[metrics.gateway]\nseconds = 1\n[metrics.statsd]\nlisten = \"127.0.0.1:0\"\n";
const LINES: u32 = 500;

/// Sends as a client does that knows nothing of this runtime, and counts beside it.
const SENDS: &str = "
import os, socket
import lyftlearn_runtime as rt
rt.metrics.counter('rows', {'split': 'train'}).inc(1500)
rt.metrics.counter('both').inc(7)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((os.environ['STATSD_HOST'], int(os.environ['STATSD_PORT'])))
for n in range(500):
    s.send(b'requests:1|c|#n:%d,k:v\\n\\xffodd\\x01 line %d' % (n % 10, n))
s.send(b'both:1|c')
s.close()
";

/// The lines of `SENDS`, as they left the client.
fn lines() -> Vec<Vec<u8>> {
    let packets = (0..LINES).flat_map(|n| {
        let first = format!("requests:1|c|#n:{},k:v", n % 10).into_bytes();
        [
            first,
            [b"\xffodd\x01 line ", n.to_string().as_bytes()].concat(),
        ]
    });
    packets.chain([b"both:1|c".to_vec()]).collect()
}

fn served(protocol: &str) -> (Gateway, u16) {
    match protocol {
        "udp" => Gateway::default().udp(),
        _ => Gateway::default().tcp(),
    }
}

/// A training container with a gateway on this machine in its variables.
fn training(world: &World, settings: &str, port: u16, protocol: &str) -> Sandbox {
    std::fs::create_dir_all(world.path("run")).unwrap();
    (world.training(settings, &json!({})))
        .mount(world.path("run"), "/run")
        .variable("STATSD_HOST", "127.0.0.1")
        .variable("STATSD_PORT", port.to_string())
        .variable("STATSD_PROTOCOL", protocol)
}

/// What a gateway has received, but for what the runtime counts of itself.
fn received(gateway: &Gateway) -> Vec<Vec<u8>> {
    let all = gateway.received();
    let lines = all.split(|byte| *byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"lyftlearn_runtime_"));
    lines.map(<[u8]>::to_vec).collect()
}

#[test]
fn lines_arrive_byte_for_byte_and_once_with_the_programs_own_totals_beside_them() {
    needs_namespaces!();
    for protocol in ["udp", "tcp"] {
        let world = World::new();
        let (gateway, port) = served(protocol);
        let container = training(&world, SETTINGS, port, protocol);
        let Some((container, python)) = packaged(container) else {
            return;
        };
        check_end(
            &container.run(&[python, "-c".into(), SENDS.into()]).end(),
            0,
        );
        // What the program counts itself comes last. Of a name that clients use, too, its
        // own part is no line that was passed on.
        let own = [b"both:7|c".to_vec(), b"rows.__split=train:1500|c".to_vec()];
        let all = wait::until(|| {
            let all = received(&gateway);
            own.iter().all(|line| all.contains(line)).then_some(all)
        });
        let (own_lines, passed): (Vec<_>, Vec<_>) = (all.unwrap_or_else(|| received(&gateway)))
            .into_iter()
            .partition(|line| own.contains(line));
        assert_eq!(own_lines, own, "{protocol}");
        assert!(passed == lines(), "{protocol}: {} lines", passed.len());
        assert_eq!(outcome(&world)["metrics"], json!({"undelivered": 0}));
    }
}

#[test]
fn totals_are_exact_where_they_are_sent_in_place_of_lines() {
    needs_namespaces!();
    for protocol in ["udp", "tcp"] {
        let world = World::new();
        let (gateway, port) = served(protocol);
        let settings = format!("[metrics.gateway]\nmode = \"aggregate\"\n{SETTINGS}")
            .replace("[metrics.gateway]\nseconds", "seconds");
        let container = training(&world, &settings, port, protocol);
        let Some((container, python)) = packaged(container) else {
            return;
        };
        check_end(
            &container.run(&[python, "-c".into(), SENDS.into()]).end(),
            0,
        );
        let expected: BTreeMap<String, f64> = (0..10)
            .map(|n| (format!("requests.__k=v.__n={n}"), 50.0))
            .chain([
                ("both".to_owned(), 8.0),
                ("rows.__split=train".to_owned(), 1_500.0),
            ])
            .collect();
        let found = || {
            let mut totals = gateway.totals();
            totals.retain(|name, _| !name.starts_with("lyftlearn_runtime_"));
            totals
        };
        let all = wait::until(|| (found() == expected).then_some(()));
        assert!(all.is_some(), "{protocol}: {:?}", found());
        // A malformed line is counted, and not forwarded.
        let odd = gateway.received();
        assert!(!odd.windows(3).any(|three| three == b"odd"));
    }
}

const TEN: &str = "python3 -c \"import os, socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); \
    s.connect((os.environ['STATSD_HOST'], int(os.environ['STATSD_PORT']))); \
    [s.send(b'requests:1|c') for _ in range(10)]\"";

#[test]
fn an_images_setting_for_a_sidecar_that_is_not_there_makes_no_loop() {
    needs_namespaces!();
    for mode in ["relay", "aggregate"] {
        let world = World::new();
        let settings = format!("[metrics.gateway]\nmode = \"{mode}\"\nseconds = 1\n");
        let container = world.training(&settings, &json!({}));
        let container = looked_into(&world, container)
            .variable("STATSD_HOST", "127.0.0.1")
            .variable("STATSD_PORT", "8125");
        let mut shell = Shell::start(&world, &container);
        shell.run(TEN);
        check_lines(&world, 10);
        // Long enough for the values that are sent at each flush.
        let flushed = wait::until(|| (uptime(&world) > 3.0).then_some(()));
        assert!(flushed.is_some());
        check_lines(&world, 10);
        shell.end();
    }
}

#[test]
fn a_server_that_owns_the_port_gets_the_clients_lines() {
    needs_namespaces!();
    let listen = "[metrics.statsd]\nlisten = \"127.0.0.1:8125\"\n";
    let totals = "[metrics.gateway]\nmode = \"aggregate\"\n";
    for (pod, settings) in [(false, ""), (false, totals), (true, listen)] {
        let world = World::new();
        let container = if pod {
            world.pod(settings, "{}")
        } else {
            world.container(settings)
        };
        let container = looked_into(&world, container)
            .variable("LYFTLEARN_RUNTIME_METRICS_LISTEN", "off")
            .variable("STATSD_HOST", "127.0.0.1")
            .variable("PROGRAM", TEN);
        let script = format!(
            "import os, socket\n\
             udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(('127.0.0.1', 8125)); udp.settimeout(20)\n\
             code = os.spawnv(os.P_WAIT, '{BINARY}', ['{BINARY}', 'run', '--', 'sh', '-c', os.environ['PROGRAM']])\n\
             count = 0\n\
             while count < 10:\n\
             \x20   for line in udp.recv(65536).decode().split():\n\
             \x20       if line.startswith('requests:'): count += int(line[9:].split('|')[0])\n\
             print(count)\n\
             raise SystemExit(code)"
        );
        let output = container
            .start(&["/usr/bin/python3", "-c", &script].map(OsString::from))
            .end();
        check_end(&output, 0);
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "10\n",
            "{settings}"
        );
    }
}

fn uptime(world: &World) -> f64 {
    let mut text = String::new();
    let mut stream =
        std::os::unix::net::UnixStream::connect(world.path("run/lyftlearn/agent.sock")).unwrap();
    std::io::Read::read_to_string(&mut stream, &mut text).unwrap();
    let state: Value = serde_json::from_str(&text).unwrap();
    state["uptime_seconds"].as_f64().unwrap()
}

#[test]
fn a_pod_is_scraped_and_its_gateway_gets_the_lines() {
    needs_namespaces!();
    let world = World::new();
    let (gateway, port) = served("tcp");
    let scraped = free_port();
    for directory in ["shared", "run"] {
        std::fs::create_dir_all(world.path(directory)).unwrap();
    }
    let container = (world.pod("", "{}"))
        .mount(world.path("shared"), "/shared")
        .mount(world.path("run"), "/run")
        .variable(
            "LYFTLEARN_RUNTIME_METRICS_LISTEN",
            format!("127.0.0.1:{scraped}"),
        )
        .variable("STATSD_HOST", "127.0.0.1")
        .variable("STATSD_PORT", port.to_string())
        .variable("STATSD_PROTOCOL", "tcp");
    let mut shell = Shell::start(&world, &container);
    shell.run(TEN);
    check_lines(&world, 10);
    let answer = get(scraped, "GET /metrics HTTP/1.1");
    assert!(answer.contains("\nrequests_total 10\n"), "{answer}");
    shell.end();
    let expected = vec![b"requests:1|c".to_vec(); 10];
    let all = wait::until(|| (received(&gateway) == expected).then_some(()));
    assert!(all.is_some(), "{:?}", received(&gateway).len());
    // Scraped metrics are not pushed as well.
    assert!(!gateway.received().starts_with(b"lyftlearn_runtime_"));
    assert_eq!(gateway.received(), b"requests:1|c\n".repeat(10));
}

/// Ten times what waits for a gateway, at once, over a connection that would be held up.
const MANY: &str = "import os, socket; \
    s = socket.create_connection((os.environ['STATSD_HOST'], int(os.environ['STATSD_PORT']))); \
    line = b'requests:1|c|#padding:' + b'x' * 177 + b'\\n'; \
    [s.sendall(line * 100) for _ in range(2_000)]; s.close()";
const MANY_LINES: u64 = 200_000;

#[track_caller]
fn check_untaken(port: u16, least: u64) {
    let world = World::new();
    let container = training(&world, SETTINGS, port, "tcp");
    let output = ended(&container, &["python3", "-c", MANY]);
    check_end(&output, 0);
    let left = outcome(&world)["metrics"]["undelivered"].as_u64().unwrap();
    assert!(left >= least, "{left}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let count = format!(": {left} metrics were not delivered\n");
    assert!(said.contains(&count), "{said}");
}

#[test]
fn an_absent_gateway_blocks_no_client_and_every_line_is_sent_later() {
    needs_namespaces!();
    check_untaken(free_port(), MANY_LINES);
}

#[test]
fn a_gateway_that_does_not_read_blocks_no_client_and_losses_are_counted() {
    needs_namespaces!();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let _held: Vec<TcpStream> = listener.incoming().map_while(Result::ok).collect();
    });
    // What the kernels on the way hold has been delivered as far as anybody here can know.
    check_untaken(port, MANY_LINES / 2);
}
