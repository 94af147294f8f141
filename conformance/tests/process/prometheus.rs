//! A Prometheus server as it comes from the distribution, and containers that share a network
//! with servers that were there before.

use std::process::{Command, Stdio};

use lyftlearn_conformance::command::Server;
use lyftlearn_conformance::programs::skipped;

use super::export::{free_port, get};
use super::statsd::{Shell, check_lines};
use super::*;

fn prometheus(world: &World, scraped: u16, port: u16) -> Option<Server> {
    let config = world.file(
        "prometheus.yml",
        &format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs: [{{job_name: trainer, static_configs: [{{targets: ['127.0.0.1:{scraped}']}}]}}]\n"
        ),
    );
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            world.path("series").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match Server::start(&mut command) {
        Ok(server) => Some(server),
        Err(_) => skipped("no prometheus: run `make setup` first"),
    }
}

const TEN: &str = "python3 -c \"import os, socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); \
    s.connect((os.environ['STATSD_HOST'], int(os.environ['STATSD_PORT']))); \
    [s.send(b'requests:1|c|#split:train') for _ in range(10)]\"";

#[test]
fn a_real_server_scrapes_a_container_and_answers_from_it() {
    needs_namespaces!();
    let world = World::new();
    let (scraped, port) = (free_port(), free_port());
    let Some(_server) = prometheus(&world, scraped, port) else {
        return;
    };
    for directory in ["shared", "run"] {
        std::fs::create_dir_all(world.path(directory)).unwrap();
    }
    let container = (world.pod("metrics.statsd = \"on\"\n", "{}"))
        .mount(world.path("shared"), "/shared")
        .mount(world.path("run"), "/run")
        .variable(
            "LYFTLEARN_RUNTIME_METRICS_LISTEN",
            format!("127.0.0.1:{scraped}"),
        );
    let mut shell = Shell::start(&world, &container);
    shell.run(TEN);
    check_lines(&world, 10);
    let mut last = String::new();
    let answered = wait::until(|| {
        // Its own port opens when its storage is there.
        std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
        last = get(port, "GET /api/v1/query?query=requests_total HTTP/1.0");
        let body = last.split_once("\r\n\r\n")?.1;
        let answer: Value = serde_json::from_str(body).ok()?;
        let found = &answer["data"]["result"][0];
        (found["metric"]["split"] == "train" && found["value"][1] == "10").then_some(())
    });
    assert!(answered.is_some(), "{last}");
    world.canary.assert_unseen("an answer", last.as_bytes());
    shell.end();
}

#[test]
fn containers_beside_servers_that_have_the_usual_ports_start_and_leave_them_alone() {
    needs_namespaces!();
    let world = World::new();
    // A pod's network: a StatsD sidecar, an exporter on the usual port, and two containers.
    let send = "import os, socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); \
                s.connect((os.environ['STATSD_HOST'], int(os.environ['STATSD_PORT']))); s.send(b'a:1|c')";
    let script = format!(
        "import os, socket, subprocess\n\
         udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(('127.0.0.1', 8125)); udp.settimeout(20)\n\
         tcp = socket.create_server(('0.0.0.0', 9102)); tcp.settimeout(0)\n\
         one = ['unshare', '--pid', '--mount', '--fork', '--mount-proc', 'sh', '-c', \
                'mount -t tmpfs none /run && exec \"$@\"', 'sh', '{BINARY}', 'run', '--', 'python3', '-c', \"{send}\"]\n\
         both = [subprocess.Popen(one) for _ in range(2)]\n\
         codes = [container.wait() for container in both]\n\
         print(codes, udp.recv(99), udp.recv(99))\n\
         try: tcp.accept(); print('asked')\n\
         except BlockingIOError: pass"
    );
    let container = (world.pod("", "{}"))
        .own_network()
        .variable("LYFTLEARN_RUNTIME_METRICS_LISTEN", "0.0.0.0:9102")
        .variable("STATSD_HOST", "127.0.0.1")
        .variable("STATSD_PORT", "8125");
    let output = container
        .start(&["/usr/bin/python3", "-c", &script].map(OsString::from))
        .end();
    check_end(&output, 0);
    // Each is passed on to the sidecar, once.
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "[0, 0] b'a:1|c' b'a:1|c'\n"
    );
    // The port that is taken is a problem of each.
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        said.matches("address in use; metrics.listen ").count(),
        2,
        "{said}"
    );
}
