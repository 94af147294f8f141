//! The route from executors to a driver without Spark: the delivered variables, the preflight and
//! doctor, behind a real firewall.

use std::process::Stdio;

use expect_test::expect;
use lyftlearn_conformance::command::Server;
use lyftlearn_conformance::firewalled::{DRIVER, Networks, Route};
use lyftlearn_conformance::programs;
use lyftlearn_conformance::terminal::Terminal;

use super::*;

const SETTINGS: &str = "[spark]\nports = \"20000-20031\"\nexecutors = \"10.78.0.0/16\"\n";
const OPTIONS: &str =
    "-Dspark.driver.port=20000 -Dspark.driver.blockManager.port=20016 -Dspark.port.maxRetries=15";

/// A container in the driver's network.
fn container(world: &World, networks: &Networks, settings: &str) -> Sandbox {
    let hosts = world.file("hosts", "127.0.0.1 localhost\n10.77.1.2 notebook\n");
    let container = world.container(settings).namespace(networks.driver());
    container.mount_read_only(hosts, "/etc/hosts")
}

/// What `spark reach` says in the executors' network, and its exit code.
fn reach(networks: &Networks, target: &str) -> (i32, String) {
    let mut asking = networks.in_executors(programs::binary().to_str().unwrap());
    let output = command::output(asking.env_clear().args(["spark", "reach", target]));
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

#[track_caller]
fn check_spark(container: &Sandbox, host: Option<&str>, options: Option<&str>) {
    let output = ended(container, SHOW);
    check_end(&output, 0);
    let found = variables(&output);
    let value = |name: &str| found.get(name).map(String::as_str);
    assert_eq!(value("SPARK_LOCAL_HOSTNAME"), host);
    assert_eq!(value("SPARK_SUBMIT_OPTS"), options);
}

#[test]
fn the_address_is_the_one_from_which_executors_are_reached() {
    needs_namespaces!();
    let world = World::new();
    let networks = Networks::new();
    let with = |settings: &str| container(&world, &networks, settings);
    let six = "[spark]\naddress = \"fd77::2\"\n";
    for (route, settings, host, options) in [
        (Route::Firewall, "", Some(DRIVER), None),
        (Route::Firewall, SETTINGS, Some(DRIVER), Some(OPTIONS)),
        (Route::Elsewhere, "", None, None),
        (Route::Elsewhere, SETTINGS, Some(DRIVER), Some(OPTIONS)),
        (Route::None, "", None, None),
        (Route::Six, "", Some("[fd77::2]"), None),
        (Route::None, six, Some("[fd77::2]"), None),
        (
            Route::Firewall,
            "[spark]\naddress = \"notebook\"\n",
            Some("notebook"),
            None,
        ),
        (
            Route::Firewall,
            "[spark]\naddress = \"10.9.9.9\"\n",
            None,
            None,
        ),
        (Route::Firewall, "[spark]\nmode = \"off\"\n", None, None),
    ] {
        networks.route(route);
        check_spark(&with(settings), host, options);
    }
    networks.route(Route::Firewall);
    let own = |name: &str, value: &str| with(SETTINGS).variable(name, value);
    let both = format!("{OPTIONS} -Dmine=1");
    check_spark(
        &own("SPARK_LOCAL_HOSTNAME", "mine"),
        Some("mine"),
        Some(OPTIONS),
    );
    check_spark(
        &own("SPARK_LOCAL_HOSTNAME", ""),
        Some(DRIVER),
        Some(OPTIONS),
    );
    check_spark(&own("SPARK_LOCAL_IP", "10.77.1.2"), None, Some(OPTIONS));
    check_spark(
        &own("SPARK_SUBMIT_OPTS", "-Dmine=1"),
        Some(DRIVER),
        Some(&both),
    );
    check_spark(&own("SPARK_REMOTE", "sc://x:15002"), None, None);
    check_spark(&own("LYFTLEARN_RUNTIME", "off"), None, None);
    // A blank one that this runtime does not replace is gone: Spark takes it for a name.
    networks.route(Route::None);
    check_spark(&with("").variable("SPARK_LOCAL_HOSTNAME", ""), None, None);
}

#[test]
fn repeated_deliveries_add_nothing() {
    needs_namespaces!();
    let world = World::new();
    let networks = Networks::new();
    let container =
        container(&world, &networks, SETTINGS).variable("SPARK_SUBMIT_OPTS", "-Dmine=1");
    let both = format!("{OPTIONS} -Dmine=1");
    let twice = [BINARY, "exec", BINARY, "exec", "env", "-0"];
    let output = ended(&container, &twice);
    let expected = [
        ("SPARK_LOCAL_HOSTNAME", DRIVER),
        ("SPARK_SUBMIT_OPTS", &both),
    ];
    check_variables(&output, &expected);
    // kubectl exec: the container's own environment, and the view of the program beside it.
    std::fs::create_dir_all(world.path("shared")).unwrap();
    let sharing = container.clone().mount(world.path("shared"), "/shared");
    let running = sharing.run(&["sh", "-c", "touch /shared/up; exec sleep 1000"]);
    appears(&world.path("shared/up"));
    let output = running.enter(&[BINARY, "exec", "env", "-0"]).unwrap();
    check_variables(&output, &expected);
    // Its own variables are no choice of a user's.
    let inspect = [BINARY, "inspect"];
    let shown = ended(&container, &inspect);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let line = "  a driver here is 10.77.1.2 (the route to 10.78.0.0/16), RPC 20000-20015, blocks 20016-20031\n";
    assert!(shown.contains(line), "{shown}");
    let explained = ended(
        &container,
        &[
            BINARY,
            "explain",
            "SPARK_SUBMIT_OPTS",
            "SPARK_LOCAL_HOSTNAME",
        ],
    );
    let explained = String::from_utf8_lossy(&explained.stdout).into_owned();
    let rows: Vec<&str> = explained.lines().skip(1).collect();
    let expected = [
        ("SPARK_SUBMIT_OPTS ", " runtime ", both.as_str()),
        ("  overrides ", " environment ", " -Dmine=1"),
        ("SPARK_LOCAL_HOSTNAME ", " runtime ", " 10.77.1.2"),
    ];
    assert_eq!(rows.len(), expected.len(), "{explained}");
    for (row, (name, layer, value)) in rows.iter().zip(expected) {
        let whole = row.starts_with(name) && row.contains(layer) && row.ends_with(value);
        assert!(whole, "{explained}");
    }
}

#[test]
fn a_start_speaks_of_spark_where_it_is_meant() {
    needs_namespaces!();
    let world = World::new();
    let networks = Networks::new();
    networks.route(Route::Elsewhere);
    let log = |container: &Sandbox| {
        let output = ended(container, &["true"]);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let sentence = "spark: no address that other hosts can reach: the default route leaves by eth0, which has only 169.254.255.10. Name the executors' network: spark.executors = \"10.78.0.0/16\"";
    let nothing = container(&world, &networks, "");
    assert!(!log(&nothing).contains("spark"), "{}", log(&nothing));
    let home = nothing.clone().variable("SPARK_HOME", "/opt/spark");
    assert!(log(&home).contains(sentence), "{}", log(&home));
    // inspect is asked, and so says it.
    let output = ended(&nothing, &[BINARY, "inspect"]);
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains(sentence), "{shown}");
}

#[test]
fn a_preflight_tells_an_open_range_from_a_closed_one() {
    needs_namespaces!();
    let world = World::new();
    let networks = Networks::new();
    networks.admit(&["20000:20031"]);
    let target = format!("{DRIVER}:20000-20031");
    let listener = |seconds: &str| {
        let mut listening = networks.in_driver(programs::binary().to_str().unwrap());
        listening
            .args(["spark", "listen", seconds])
            .env_clear()
            .env("LYFTLEARN_RUNTIME_SPARK_PORTS", "20000-20031")
            .env("LYFTLEARN_RUNTIME_SPARK_EXECUTORS", "10.78.0.0/16");
        let mut server = Server::answering(&mut listening);
        let begin = server.line();
        let run = server.line();
        assert_eq!(
            run.trim(),
            format!("lyftlearn-runtime spark reach {target}")
        );
        let _ = (server.line(), server.line());
        (server, begin)
    };
    let (mut server, begin) = listener("60");
    expect!["listening at 10.77.1.2 for 60 s, on 20000-20031; run in 10.78.0.0/16:"]
        .assert_eq(&begin);
    // The usual way back is open: the whole range is reached, and both end.
    assert_eq!(
        reach(&networks, &target),
        (0, "10.77.1.2 20000-20031: reachable\n".to_owned())
    );
    assert_eq!(server.line(), "reached: 20000-20031");
    assert_eq!(server.end().code(), Some(0));
    // No process listens any more.
    let (code, said) = reach(&networks, &target);
    assert_eq!(code, 1);
    expect![[r#"
        10.77.1.2 20000-20031: refused: nothing listens there, and the network is probably open; a firewall that sends resets looks the same
          fix: start there: lyftlearn-runtime spark listen
    "#]]
    .assert_eq(&said);
    // One half of the range is not admitted.
    networks.admit(&["20000:20015"]);
    let (mut server, _) = listener("5");
    let (code, said) = reach(&networks, &target);
    assert_eq!(code, 1);
    expect![[r#"
        10.77.1.2 20000-20015: reachable
        10.77.1.2 20016-20031: no answer in 3 s: dropped by a security group or a network policy, or no route back
          fix: admit TCP 20000-20031 from 10.78.1.2/32 in the security group of the interface that has 10.77.1.2
    "#]]
    .assert_eq(&said);
    assert_eq!(server.line(), "reached: 20000-20015");
    assert_eq!(server.line(), "not reached in 5 s: 20016-20031");
    assert_eq!(
        server.line().trim(),
        "fix: admit TCP 20000-20031 from 10.78.0.0/16 in the security group of the interface that has 10.77.1.2"
    );
    assert_eq!(server.end().code(), Some(1));
    // A client outside of the executors' network proves nothing, and this is reported.
    networks.admit(&["20000:20031"]);
    let (mut server, _) = listener("3");
    let caller = "import socket; socket.create_connection(('10.77.1.2', 20000), 5, ('10.79.1.2', 0)).recv(64)";
    let mut stranger = networks.in_executors("python3");
    assert!(command::succeeds(stranger.args(["-c", caller])));
    let stranger = server.line();
    expect![
        "reached from 10.79.1.2, which is not in 10.78.0.0/16: admit only the executors' network"
    ]
    .assert_eq(&stranger);
    assert_eq!(server.line(), "not reached in 3 s: 20000-20031");
    let _ = server.line();
    assert_eq!(server.end().code(), Some(1));
    drop(world);
}

#[test]
fn the_shell_line_reaches_a_listener_where_there_is_no_binary() {
    needs_namespaces!();
    let networks = Networks::new();
    networks.admit(&["20000:20003"]);
    let mut listening = networks.in_driver(programs::binary().to_str().unwrap());
    listening.args(["spark", "listen", "60"]).env_clear();
    listening.env("LYFTLEARN_RUNTIME_SPARK_PORTS", "20000-20003");
    let mut server = Server::answering(&mut listening);
    let _ = (server.line(), server.line(), server.line());
    let line = server.line();
    let mut shell = networks.in_executors("sh");
    let output = command::output(shell.args(["-c", line.trim()]));
    assert!(
        output.status.success() && output.stdout.is_empty(),
        "{output:?}"
    );
    assert_eq!(server.line(), "reached: 20000-20003");
    assert_eq!(server.end().code(), Some(0));
}

#[test]
fn a_name_that_executors_cannot_resolve_is_reported() {
    needs_namespaces!();
    let networks = Networks::new();
    let (code, said) = reach(&networks, "notebook-7f.invalid:20000-20031");
    assert_eq!(code, 1);
    expect![[r#"
        notebook-7f.invalid: the advertised name does not resolve in this network
          fix: advertise the address: unset spark.driver.host, and spark.address if it is a name
    "#]]
    .assert_eq(&said);
    let (code, said) = reach(&networks, "[fd99::1]:20000");
    assert_eq!(code, 1, "{said}");
}

/// A driver in a container that `doctor` examines: `held` are the driver's ports.
fn examined(networks: &Networks, world: &World, ready: &dyn Fn()) -> String {
    let driver = "import socket, sys\n\
        held = [socket.create_server(('10.77.1.2', port), backlog=8) for port in (20000, 20016)]\n\
        open('/shared/up', 'w')\n\
        kept = []\n\
        while True: kept.append(held[0].accept())\n";
    let place = world.sharing(SETTINGS).namespace(networks.driver());
    let _ = std::fs::remove_file(world.path("shared/up"));
    let running = place.run(&["/usr/bin/python3", "-c", driver]);
    appears(&world.path("shared/up"));
    ready();
    let found = wait::until(|| {
        let output = running.enter(&[BINARY, "doctor"]).ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines = text
            .lines()
            .skip_while(|line| !line.contains("  spark "))
            .take_while(|line| !line.is_empty());
        let found: Vec<&str> = lines.collect();
        (!found.is_empty()).then(|| found.join("\n"))
    });
    let text = found.unwrap();
    // For how many seconds it runs is by chance.
    let mut words: Vec<String> = text.split(' ').map(ToOwned::to_owned).collect();
    for at in 1..words.len() {
        if words[at].starts_with("s)") && words[at - 1].parse::<u32>().is_ok() {
            words[at - 1] = "N".to_owned();
        }
    }
    words.join(" ")
}

#[test]
fn a_doctor_tells_why_a_driver_has_no_executors() {
    needs_namespaces!();
    let world = World::new();
    let networks = Networks::new();
    let sentence = |text: &str| text.lines().skip(2).collect::<Vec<_>>().join("\n");
    let nobody = examined(&networks, &world, &|| {});
    expect![[r#"
        ok    spark      10.77.1.2 (the route to 10.78.0.0/16)
        ok    spark      of ports 20000-20031 these are in use: 20000 (python3), 20016 (python3)
        note  spark      nothing has connected to 10.77.1.2:20000 (python3, N s): executors cannot reach it, or there are none. Run there: lyftlearn-runtime spark reach 10.77.1.2:20000
              fix: admit TCP 20000-20031 from 10.78.0.0/16 in the security group of the interface that has 10.77.1.2"#]].assert_eq(&nobody);
    networks.drop_answers("20000:20031");
    let asking = |script: &str| {
        let mut asking = networks.in_executors("python3");
        let asking = asking.args(["-c", script]);
        Server::start(
            asking
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::piped()),
        )
        .unwrap()
    };
    let knock = "import socket, sys\ns = socket.socket(); s.setblocking(False); s.connect_ex(('10.77.1.2', 20000)); print('asked', flush=True); sys.stdin.read()";
    let asked = std::cell::RefCell::new(Vec::new());
    let no_answer = examined(&networks, &world, &|| {
        let mut server = asking(knock);
        assert_eq!(server.line(), "asked");
        asked.borrow_mut().push(server);
    });
    expect![[r#"
        FAIL  spark      10.78.1.2 asks 10.77.1.2:20000, and the answer does not get back: outgoing traffic to 10.78.1.2 is blocked
              fix: let TCP from 10.77.1.2, ports 20000-20031, out to 10.78.0.0/16"#]].assert_eq(&sentence(&no_answer));
    asked.borrow_mut().clear();
    networks.admit(&["20000:20031"]);
    let connect = |ports: &str| {
        format!(
            "import socket, sys\nkept = [socket.create_connection(('10.77.1.2', port), 20) for port in ({ports})]; print('connected', flush=True); sys.stdin.read()"
        )
    };
    let connected = |ports: &str| {
        let script = connect(ports);
        let text = examined(&networks, &world, &|| {
            let mut server = asking(&script);
            assert_eq!(server.line(), "connected");
            asked.borrow_mut().push(server);
        });
        asked.borrow_mut().clear();
        sentence(&text)
    };
    let half = connected("20000,");
    expect![[r#"
        note  spark      1 executor is connected to 10.77.1.2:20000, and none to a port for blocks: no task has run yet, or only half of the range is open
              fix: admit TCP 20000-20031 from 10.78.0.0/16 in the security group of the interface that has 10.77.1.2"#]].assert_eq(&half);
    let both = connected("20000, 20000, 20016");
    expect![[r#"
        ok    spark      2 executors are connected to 10.77.1.2:20000; the job waits for cores and memory, not for the network"#]].assert_eq(&both);
}

#[test]
fn doctor_reads_the_images_spark_configuration() {
    needs_namespaces!();
    let world = World::new();
    let networks = Networks::new();
    let defaults = "spark.master spark://10.78.1.2:7077\nspark.driver.bindAddress 0.0.0.0\n";
    let conf = world.file("conf/spark-defaults.conf", defaults);
    let container = container(&world, &networks, SETTINGS)
        .mount_read_only(conf, "/opt/spark/conf/spark-defaults.conf")
        .variable("SPARK_HOME", "/opt/spark")
        .variable("AWS_ACCESS_KEY_ID", "AKIA")
        .variable("AWS_SECRET_ACCESS_KEY", "x");
    let output = ended(&container, &[BINARY, "doctor"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text
        .lines()
        .skip_while(|line| !line.contains("  spark "))
        .take_while(|line| !line.is_empty());
    // How long a refusal takes is by chance.
    let lines = lines.map(|line| line.split(" (0.").next().unwrap());
    let text = lines.collect::<Vec<_>>().join("\n");
    expect![[r#"
        ok    spark      10.77.1.2 (the route to 10.78.0.0/16)
        FAIL  spark      spark.driver.bindAddress = 0.0.0.0 in /opt/spark/conf/spark-defaults.conf: with Spark 4.3 on Kubernetes executors are told to connect to 0.0.0.0
              fix: remove it
        FAIL  spark      master 10.78.1.2:7077: connection refused
              fix: admit this container in the master's security group, or correct spark.master
        note  spark      Spark copies AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY to executors, where they end with the session
              fix: set credentials.mode = "broker"
        ok    spark      ports 20000-20031 are free"#]].assert_eq(&text);
}

#[test]
fn a_wait_shows_its_progress_on_a_terminal_alone() {
    needs_namespaces!();
    let world = World::new();
    let networks = Networks::new();
    let mut terminal = Terminal::new();
    terminal.resize(24, 80);
    let words = [BINARY, "spark", "listen", "3"].map(OsString::from);
    // Nobody connects: it waits for all of its three seconds.
    let container = container(&world, &networks, SETTINGS);
    let streams = [Stdio::null(), Stdio::piped(), terminal.stream()];
    let running = container.start_on(&words, streams);
    terminal.shows("waiting for connections, at most 3 s, 1 s");
    terminal.shows("\r\u{1b}[K");
    assert_eq!(running.end().status.code(), Some(1));
    let piped = container.start(&words).end();
    assert_eq!(String::from_utf8_lossy(&piped.stderr), "");
}
