//! Containers and servers that share a network: `inspect` shows the owner of each port.

use expect_test::expect;

use super::export::free_port;
use super::*;

/// Listeners as `listener protocol port holder`; ports that were given by chance as `any`.
fn listeners(document: &str, chance: bool) -> Vec<String> {
    let view: Value = serde_json::from_str(document).unwrap();
    let all = view["listeners"].as_array().unwrap().iter();
    let mut found: Vec<String> = all
        .map(|one| {
            let text = |field: &str| one[field].as_str().unwrap().to_owned();
            let address = text("address");
            let port = address.rsplit(':').next().unwrap();
            let known = ["8125", "9102"].contains(&port) || !chance;
            let port = if known { port } else { "any" };
            format!(
                "{} {} {port} {}",
                text("listener"),
                text("protocol"),
                text("holder")
            )
        })
        .collect();
    // Both loopback addresses.
    found.dedup();
    found
}

#[test]
fn inspect_shows_the_owner_of_each_port() {
    needs_namespaces!();
    let world = World::new();
    std::fs::create_dir(world.path("shared")).unwrap();
    // A pod's network: a StatsD sidecar that was there first, and two containers of one image,
    // the second of which comes too late for the exporter's port.
    let script = format!(
        "import os, socket, subprocess\n\
         udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(('127.0.0.1', 8125))\n\
         def start(name, wait):\n\
         \x20   own = ['unshare', '--pid', '--mount', '--fork', '--mount-proc', 'sh', '-c', \
                'mount -t tmpfs none /run && exec \"$@\"', 'sh', '{BINARY}', 'run', '--', 'sh', '-c', \
                f'{BINARY} inspect --json >/shared/{{name}}; {BINARY} inspect >/shared/{{name}}.txt; \
                {BINARY} doctor >/shared/{{name}}.doctor; touch /shared/{{name}}.done; {{wait}}']\n\
         \x20   one = subprocess.Popen(own)\n\
         \x20   while not os.path.exists(f'/shared/{{name}}.done') and one.poll() is None: pass\n\
         \x20   return one\n\
         first = start('first', 'until [ -e /shared/go ]; do :; done')\n\
         second = start('second', '')\n\
         print(second.wait(), first.poll())\n\
         open('/shared/go', 'w'); print(first.wait())\n"
    );
    let container = (world.pod("metrics.statsd = \"on\"\n", "{}"))
        .mount(world.path("shared"), "/shared")
        .variable("LYFTLEARN_RUNTIME_METRICS_LISTEN", "0.0.0.0:9102")
        .own_network();
    let output = container
        .start(&["/usr/bin/python3", "-c", &script].map(OsString::from))
        .end();
    check_end(&output, 0);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "0 None\n0\n");
    let read = |name: &str| std::fs::read_to_string(world.path(&format!("shared/{name}"))).unwrap();
    let common = [
        "statsd tcp any ours",
        "statsd udp 8125 another",
        "statsd udp any ours",
    ];
    let with = |prometheus: &'static str| {
        let first = ["dogstatsd udp any ours", prometheus];
        first.into_iter().chain(common).collect::<Vec<_>>()
    };
    assert_eq!(
        listeners(&read("first"), true),
        with("prometheus tcp 9102 ours")
    );
    assert_eq!(
        listeners(&read("second"), true),
        with("prometheus tcp 9102 another")
    );
    let words = |name: &str, port: &str, holder: &str| {
        format!("{:<28} {port}, {holder}\n", format!("listeners.{name}"))
    };
    let ours = words("prometheus", "0.0.0.0:9102 tcp", "this runtime");
    let theirs = words("prometheus", "0.0.0.0:9102 tcp", "another process");
    let sidecar = words("statsd", "127.0.0.1:8125 udp", "another process");
    for (name, port) in [("first.txt", ours), ("second.txt", theirs)] {
        let text = read(name);
        assert!(text.contains(&port) && text.contains(&sidecar), "{text}");
    }
    // A container without a port does not mistake the neighbour's answers for its own.
    assert!(read("first.doctor").contains("0.0.0.0:9102: is answered by this runtime\n"));
    assert!(
        read("second.doctor").contains("0.0.0.0:9102: another process listens there\n"),
        "{}",
        read("second.doctor")
    );
}

#[test]
fn ports_of_a_planned_start_are_shown() {
    needs_namespaces!();
    let world = World::new();
    let (taken, free) = (
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
        free_port(),
    );
    let port = taken.local_addr().unwrap().port();
    for (port, holder) in [(port, "another"), (free, "nobody")] {
        let settings = format!(
            "[metrics]\nlisten = \"127.0.0.1:{port}\"\n[metrics.statsd]\nmode = \"on\"\nlisten = \"127.0.0.1:{free}\"\n"
        );
        let output = world
            .container(&settings)
            .start(&[BINARY, "inspect", "--json"].map(OsString::from))
            .end();
        check_end(&output, 0);
        let found = listeners(&String::from_utf8(output.stdout).unwrap(), false);
        for expected in [
            format!("prometheus tcp {port} {holder}"),
            format!("statsd udp {free} nobody"),
        ] {
            assert!(found.contains(&expected), "{expected}: {found:?}");
        }
    }
}

#[test]
fn the_line_of_the_start_names_a_port_that_others_may_want() {
    needs_namespaces!();
    let container = |world: &World, listen: &str| {
        (world.pod("", "{}"))
            .own_network()
            .variable("LYFTLEARN_RUNTIME_METRICS_LISTEN", listen)
    };
    let listens = ["0.0.0.0:9102", "[::]:9102", "127.0.0.1:9102", "off"];
    let lines = listens.map(|listen| {
        let output = ended(&container(&World::new(), listen), &["true"]);
        check_end(&output, 0);
        let said = String::from_utf8(output.stderr).unwrap();
        format!("{listen}\n  {said}")
    });
    expect![[r#"
        0.0.0.0:9102
          lyftlearn-runtime: kubernetes (pod), job, job digits-1, metrics at :9102
        [::]:9102
          lyftlearn-runtime: kubernetes (pod), job, job digits-1, metrics at :9102
        127.0.0.1:9102
          lyftlearn-runtime: kubernetes (pod), job, job digits-1
        off
          lyftlearn-runtime: kubernetes (pod), job, job digits-1
    "#]]
    .assert_eq(&lines.concat());
    // Somebody else was first.
    let script = format!(
        "import socket, subprocess; taken = socket.create_server(('0.0.0.0', 9102)); \
         print(subprocess.run(['{BINARY}', 'run', 'true']).returncode)"
    );
    let world = World::new();
    let output = container(&world, "0.0.0.0:9102")
        .start(&["/usr/bin/python3", "-c", &script].map(OsString::from))
        .end();
    check_end(&output, 0);
    expect![[r#"
        lyftlearn-runtime: kubernetes (pod), job, job digits-1; cannot listen on 0.0.0.0:9102 for Prometheus: address in use; metrics.listen takes another port, or off
    "#]].assert_eq(&String::from_utf8_lossy(&output.stderr));
}
