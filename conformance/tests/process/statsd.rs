//! StatsD input: clients from PyPI, ended in different ways, and the totals after all lines are
//! read.

use expect_test::expect;

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;

use lyftlearn_conformance::programs::{repository, skipped};

use super::agent::{agent, kill};
use super::*;

const LINES: &str = "lyftlearn_runtime_statsd_lines_total";
const ON: &str = "log = \"off\"\n[metrics.statsd]\nmode = \"on\"\n";

/// The clients' packages, where the build leaves them.
fn packages() -> Option<std::path::PathBuf> {
    let libraries = std::fs::read_dir(repository().join("target/venv/lib"));
    let mut places = libraries.into_iter().flatten().flatten();
    let found = places.find_map(|place| {
        let packages = place.path().join("site-packages");
        let both = ["statsd", "datadog"].map(|name| packages.join(name).is_dir());
        both.into_iter().all(|there| there).then_some(packages)
    });
    found.or_else(|| skipped("no Python with statsd and datadog: run `make build` first"))
}

/// With `/shared` and `/run` to examine, and its own loopback.
pub(super) fn looked_into(world: &World, container: Sandbox) -> Sandbox {
    for directory in ["shared", "run"] {
        std::fs::create_dir_all(world.path(directory)).unwrap();
    }
    container
        .mount(world.path("shared"), "/shared")
        .mount(world.path("run"), "/run")
        .own_network()
}

fn with_clients(world: &World, settings: &str, packages: &Path) -> Sandbox {
    let programs = repository().join("conformance/tests/process/programs");
    looked_into(world, world.container(settings))
        .mount_read_only(packages, "/packages")
        .mount_read_only(programs, "/programs")
        .variable("PYTHONPATH", "/packages")
        .variable("PYTHONDONTWRITEBYTECODE", "1")
}

/// What the agent says of metrics, once it has read everything that has arrived.
pub(super) fn account(world: &World) -> Value {
    let mut text = String::new();
    let mut stream = UnixStream::connect(world.path("run/lyftlearn/agent.sock")).unwrap();
    let limit = Some(wait::PATIENCE);
    stream.set_read_timeout(limit).unwrap();
    stream.read_to_string(&mut text).unwrap();
    let mut state: Value = serde_json::from_str(&text).unwrap();
    state["metrics"].take()
}

fn sum(account: &Value, metric: &str) -> f64 {
    let counts = account["counts"][metric].as_object();
    counts.map_or(0.0, |counts| {
        counts.values().filter_map(Value::as_f64).sum()
    })
}

#[track_caller]
pub(super) fn check_lines(world: &World, expected: u32) {
    let account = account(world);
    assert_eq!(sum(&account, LINES), f64::from(expected), "{account:#}");
    for nothing in [
        "lyftlearn_runtime_statsd_refused_lines_total",
        "lyftlearn_runtime_statsd_kernel_drops_total",
        "lyftlearn_runtime_statsd_truncated_packets_total",
    ] {
        assert_eq!(sum(&account, nothing), 0.0, "{account:#}");
    }
}

/// A program that runs a command for each line that it is given, and says when it is done. It
/// holds both ends of the pipe: a writer that goes is no end of it.
const RUNS: &str = "mkfifo /shared/commands; exec 3<>/shared/commands; touch /shared/ready; n=0
    while read -r command <&3; do eval \"$command\"; n=$((n+1)); touch /shared/done-$n; done";

pub(super) struct Shell<'a> {
    world: &'a World,
    pub(super) running: sandbox::Running,
    done: u32,
}

impl<'a> Shell<'a> {
    pub(super) fn start(world: &'a World, container: &Sandbox) -> Self {
        let running = container.run(&["sh", "-c", RUNS]);
        appears(&world.path("shared/ready"));
        Self {
            world,
            running,
            done: 0,
        }
    }

    #[track_caller]
    pub(super) fn run(&mut self, command: &str) {
        std::fs::write(self.world.path("shared/commands"), format!("{command}\n")).unwrap();
        self.done += 1;
        appears(&self.world.path(&format!("shared/done-{}", self.done)));
    }

    pub(super) fn end(self) {
        self.running.signal(Signal::SIGTERM);
        check_end(&self.running.end(), 143);
    }
}

#[test]
fn no_line_that_left_a_client_is_lost_however_the_client_ends() {
    needs_namespaces!();
    let Some(packages) = packages() else { return };
    let world = World::new();
    let mut shell = Shell::start(&world, &with_clients(&world, ON, &packages));
    let mut sent = 0;
    for client in [
        "statsd",
        "pipeline",
        "tcp",
        "datadog",
        "datadog-unix",
        "datadog-stream",
        "datadog-buffered",
    ] {
        for ending in ["exit", "_exit", "SIGTERM", "SIGKILL"] {
            shell.run(&format!(
                "python3 /programs/clients.py {client} {ending} 200"
            ));
            sent += 200;
            check_lines(&world, sent);
        }
    }
    shell.end();
}

#[test]
fn a_killed_agent_loses_no_count_and_new_lines_wait() {
    needs_namespaces!();
    let Some(packages) = packages() else { return };
    let world = World::new();
    let mut shell = Shell::start(&world, &with_clients(&world, ON, &packages));
    let mut last = None;
    for round in 1..=3 {
        shell.run("python3 /programs/clients.py statsd exit 500");
        check_lines(&world, round * 1_500 - 1_000);
        let pid = agent(shell.running.pid_one(), last);
        kill(pid, Signal::SIGKILL);
        last = Some(pid);
        shell.run("python3 /programs/clients.py datadog SIGKILL 500");
        shell.run("python3 /programs/clients.py tcp exit 500");
        check_lines(&world, round * 1_500);
    }
    assert_eq!(account(&world)["kept"], json!(true));
    shell.end();
}

#[test]
fn a_flood_of_packets_is_counted_to_the_last_line() {
    needs_namespaces!();
    let world = World::new();
    let container = looked_into(&world, world.container(ON));
    let mut shell = Shell::start(&world, &container);
    let flood = "import os, socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); \
                 s.connect((os.environ['STATSD_HOST'], int(os.environ['STATSD_PORT']))); \
                 packet = b'\\n'.join(b'a.%d:1|c|#k:%d' % (n, n) for n in range(20)); \
                 [s.send(packet) for _ in range(20_000)]";
    shell.run(&format!("python3 -c \"{flood}\""));
    let account = account(&world);
    // What the kernel had no room for on this machine is known by number.
    let lost = sum(&account, "lyftlearn_runtime_statsd_kernel_drops_total") * 20.0;
    assert_eq!(sum(&account, LINES) + lost, 400_000.0, "{account:#}");
    shell.end();
}

/// What the program has of these variables.
fn told(container: &Sandbox) -> BTreeMap<String, String> {
    let mut found = variables(&ended(container, SHOW));
    found.retain(|name, _| name.starts_with("STATSD_") || name.starts_with("DD_"));
    found
}

#[test]
fn on_sagemaker_clients_find_it_where_they_look() {
    needs_namespaces!();
    let world = World::new();
    let container = world.training("log = \"off\"\n", &json!({})).own_network();
    assert!(told(&container).is_empty());
    let container = container
        .variable("STATSD_HOST", "gateway.internal")
        .variable("STATSD_PROTOCOL", "tcp");
    let found = told(&container);
    assert_eq!(found["STATSD_HOST"], "127.0.0.1");
    assert_eq!(found["STATSD_PORT"], "8125");
    assert_eq!(found["STATSD_PROTOCOL"], "tcp");
    assert_eq!(found["DD_AGENT_HOST"], "127.0.0.1");
    assert_ne!(found["DD_DOGSTATSD_PORT"], "8125");
    // Both addresses of localhost, by UDP and TCP.
    let script = "import socket\n\
        for family, host in (socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1'):\n    \
        socket.create_connection((host, 8125))\n    \
        s = socket.socket(family, socket.SOCK_DGRAM); s.connect((host, 8125)); s.send(b'a:1|c'); s.send(b'a:1|c')";
    check_end(&ended(&container, &["python3", "-c", script]), 0);
}

#[test]
fn in_a_pod_the_usual_port_is_left_to_a_sidecar_that_comes_later() {
    needs_namespaces!();
    let world = World::new();
    let container = world.pod("log = \"off\"\n", "{}").own_network();
    let container = container.variable("STATSD_HOST", "gateway.internal");
    let found = told(&container);
    assert_eq!(found["STATSD_HOST"], "127.0.0.1");
    assert_ne!(found["STATSD_PORT"], "8125");
    let sidecar = "import socket; socket.create_server(('127.0.0.1', 8125)); \
                   socket.socket(socket.AF_INET, socket.SOCK_DGRAM).bind(('', 8125))";
    check_end(&ended(&container, &["python3", "-c", sidecar]), 0);
}

#[test]
fn what_the_user_points_elsewhere_stays_as_the_settings_say() {
    needs_namespaces!();
    let world = World::new();
    let run = |settings: &str, found: &[(&str, &str)]| {
        let container = found.iter().fold(
            world.container(&format!("{ON}{settings}")).own_network(),
            |container, (name, value)| container.variable(*name, *value),
        );
        told(&container)
    };
    let datadog = [("DD_AGENT_HOST", "10.0.0.1"), ("STATSD_PORT", "9125")];
    let found = run("", &datadog);
    assert_eq!(found["DD_AGENT_HOST"], "10.0.0.1");
    assert_eq!(found["STATSD_PORT"], "8125");
    assert!(!found.contains_key("DD_DOGSTATSD_URL"));
    let found = run("[metrics]\nintercept = \"all\"\n", &datadog);
    assert_eq!(found["DD_AGENT_HOST"], "127.0.0.1");
    let found = run("[metrics]\nintercept = false\n", &datadog);
    assert_eq!(found["DD_AGENT_HOST"], "10.0.0.1");
    assert_eq!(found["STATSD_PORT"], "9125");
    assert_eq!(found.len(), 2);
    // A malformed variable is not replaced.
    let found = run("", &[("STATSD_HOST", "gateway"), ("STATSD_PORT", "x")]);
    assert_eq!(found["STATSD_PORT"], "x");
    assert_eq!(found["STATSD_HOST"], "gateway");
}

#[test]
fn a_server_that_has_the_port_already_keeps_it() {
    needs_namespaces!();
    let world = World::new();
    let container = looked_into(&world, world.container("metrics.statsd = \"on\"\n"));
    let script = format!(
        "import os, socket\n\
         udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(('127.0.0.1', 8125)); udp.settimeout(0)\n\
         tcp = socket.create_server(('127.0.0.1', 8125))\n\
         code = os.spawnv(os.P_WAIT, '{BINARY}', ['{BINARY}', 'run', '--', 'sh', '-c', 'echo $STATSD_PORT; exit 7'])\n\
         try: udp.recv(1)\n\
         except BlockingIOError: os._exit(code)"
    );
    let output = container
        .start(&["/usr/bin/python3", "-c", &script].map(OsString::from))
        .end();
    check_end(&output, 7);
    let port = String::from_utf8(output.stdout).unwrap();
    assert!(
        port.trim().parse::<u16>().is_ok_and(|port| port != 8125),
        "{port}"
    );
    let said = String::from_utf8(output.stderr).unwrap();
    expect![[r#"
        lyftlearn-runtime: local (host), job; StatsD listens on another port than 8125: another process listens there
        lyftlearn-runtime: user error: the program ended with exit code 7
    "#]].assert_eq(&said.replace(port.trim(), "PORT"));
}

#[test]
fn two_containers_that_share_a_network_both_receive_their_lines() {
    needs_namespaces!();
    let world = World::new();
    let container = looked_into(&world, world.container(ON));
    let mut shell = Shell::start(&world, &container);
    // A container beside: its own processes and files, the same network.
    let send = "import os, socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); \
                s.connect((os.environ['STATSD_HOST'], int(os.environ['STATSD_PORT']))); \
                [s.send(b'a:1|c') for _ in range(10)]; print(os.environ['STATSD_PORT'])";
    shell.run(&format!("python3 -c \"{send}\" >/shared/first"));
    shell.run(&format!(
        "env -u STATSD_HOST -u STATSD_PORT unshare --pid --mount --fork --mount-proc sh -c \
         'mount -t tmpfs none /run && exec {BINARY} run -- python3 -c \"{}\"' >/shared/second",
        send.replace('\'', "'\\''")
    ));
    check_lines(&world, 10);
    let port = |name: &str| std::fs::read_to_string(world.path(&format!("shared/{name}"))).unwrap();
    assert_eq!(port("first"), "8125\n");
    assert!(port("second").trim().parse::<u16>().is_ok());
    assert_ne!(port("second"), port("first"));
    shell.end();
}

#[test]
fn programs_that_start_later_get_the_same_address() {
    needs_namespaces!();
    let world = World::new();
    let container = looked_into(&world, world.pod(ON, "{}"));
    let mut shell = Shell::start(&world, &container);
    shell.run("echo $STATSD_PORT $DD_DOGSTATSD_URL >/shared/told");
    let exec = [
        BINARY,
        "exec",
        "--",
        "sh",
        "-c",
        "echo $STATSD_PORT $DD_DOGSTATSD_URL",
    ];
    let beside = shell.running.enter(&exec).unwrap();
    check_end(&beside, 0);
    let told = std::fs::read(world.path("shared/told")).unwrap();
    assert_eq!(beside.stdout, told);
    let account = account(&world);
    for (listener, part) in [
        ("udp", "127.0.0.1:"),
        ("datagram", "/run/lyftlearn/statsd.sock"),
    ] {
        let address = account["statsd"][listener].as_str().unwrap();
        assert!(address.starts_with(part), "{account:#}");
    }
    shell.end();
}

#[test]
fn an_agent_that_is_not_root_finds_what_its_predecessor_counted() {
    needs_namespaces!();
    let world = World::new();
    let container = looked_into(&world, world.container(ON)).user(1000);
    for directory in ["shared", "run"] {
        use std::os::unix::fs::PermissionsExt;
        let all = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(world.path(directory), all).unwrap();
    }
    let mut shell = Shell::start(&world, &container);
    let send = "python3 -c \"import os, socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); \
                s.connect(('127.0.0.1', 8125)); [s.send(b'a:1|c') for _ in range(10)]\"";
    shell.run(send);
    check_lines(&world, 10);
    kill(agent(shell.running.pid_one(), None), Signal::SIGKILL);
    shell.run(send);
    check_lines(&world, 20);
    assert_eq!(account(&world)["kept"], json!(true));
    shell.end();
}

#[test]
fn lines_and_their_tags_are_nobodys_to_see() {
    needs_namespaces!();
    let world = World::new();
    let container = looked_into(&world, world.container(ON));
    let mut shell = Shell::start(&world, &container);
    let secret = world.canary.value();
    shell.run(&format!(
        "python3 -c \"import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); \
         s.connect(('127.0.0.1', 8125)); s.send(b'{secret}:1|c\\n{secret}:x|c|#{secret}')\""
    ));
    let account = account(&world);
    assert_eq!(sum(&account, LINES), 2.0);
    world
        .canary
        .assert_unseen("the state", account.to_string().as_bytes());
    shell.end();
}
