//! The region that all processes of a container count in: made before the program, and gone
//! with it.

use expect_test::expect;

use super::*;

const SHOW_REGION: &str = "stat -c '%F %a %u %s' $LYFTLEARN_RUN_DIR/metrics.region";

#[track_caller]
fn check_region(container: &Sandbox, expected: &str) {
    let output = ended(container, &["sh", "-c", SHOW_REGION]);
    check_end(&output, 0);
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        format!("{expected}\n")
    );
}

#[test]
fn it_is_the_programs_users_and_as_large_as_the_settings_say() {
    needs_namespaces!();
    let world = World::new();
    check_region(&world.container(""), "regular file 600 0 1048576");
    let settings = "user = \"1000:1000\"\n[metrics]\nregion_bytes = 262144\n";
    check_region(&world.container(settings), "regular file 600 1000 262144");
}

#[test]
fn it_can_be_switched_off() {
    needs_namespaces!();
    let world = World::new();
    let container = world.container("[metrics]\nregion_bytes = 0\n");
    let output = ended(&container, &["sh", "-c", "ls $LYFTLEARN_RUN_DIR"]);
    check_end(&output, 0);
    let files = String::from_utf8(output.stdout).unwrap();
    assert!(files.contains("workload.json"), "{files}");
    assert!(!files.contains("metrics.region"), "{files}");
}

#[test]
fn it_is_smaller_where_there_is_no_room_and_that_is_a_problem() {
    needs_namespaces!();
    let world = World::new();
    let least = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))";
    let container = world.container("").inheriting(least);
    let output = ended(&container, &["sh", "-c", SHOW_REGION]);
    check_end(&output, 0);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(shown, "regular file 600 0 299008\n");
    let said = String::from_utf8(output.stderr).unwrap();
    expect![[r#"
        lyftlearn-runtime: local (host), job; metrics.region has 299008 bytes: there was no room for 1048576
    "#]].assert_eq(&said);
    let none = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))";
    let container = world.container("").inheriting(none);
    let script = "test ! -e $LYFTLEARN_RUN_DIR/metrics.region";
    check_end(&ended(&container, &["sh", "-c", script]), 0);
}

#[test]
fn the_region_is_in_memory_even_if_the_run_directory_is_not() {
    needs_namespaces!();
    let world = World::new();
    std::fs::create_dir(world.path("run")).unwrap();
    // The sandbox's root is a tmpfs, and so is every directory in it.
    let container = world
        .container("log = \"off\"\n")
        .mount(world.path("run"), "/run")
        .inheriting("import os; os.mkdir('/dev/shm', 0o1777)");
    let script = format!(
        "{BINARY} run -- sh -c 'readlink $LYFTLEARN_RUN_DIR/metrics.region \
         && stat -Lc \"%F %a %s\" $LYFTLEARN_RUN_DIR/metrics.region && ls /dev/shm'; ls /dev/shm"
    );
    let output = container
        .start(&["sh", "-c", &script].map(OsString::from))
        .end();
    check_end(&output, 0);
    let shown = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = shown.lines().collect();
    // It is gone with the one that made it.
    let [link, kind, name] = lines[..] else {
        panic!("{shown}");
    };
    assert_eq!(link, format!("/dev/shm/{name}"));
    assert!(name.starts_with("lyftlearn-metrics-"), "{name}");
    assert_eq!(kind, "regular file 600 1048576");
}

#[test]
fn a_program_that_overwrites_its_region_does_not_harm_the_agent() {
    needs_namespaces!();
    let world = World::new();
    let port = super::export::free_port();
    // Longer than any memory, and saying so of itself; then full of anything; then cut off.
    let script = "import os, struct, time\n\
         path = os.environ['LYFTLEARN_RUN_DIR'] + '/metrics.region'\n\
         f = open(path, 'r+b')\n\
         def wait(name):\n\
         \x20   open('/shared/at-' + name, 'w')\n\
         \x20   while not os.path.exists('/shared/' + name): time.sleep(0.01)\n\
         wait('long')\n\
         f.truncate(1 << 40); f.seek(16); f.write(struct.pack('<Q', 1 << 37)); f.flush()\n\
         wait('garbage')\n\
         f.truncate(1 << 20); f.seek(64 * 8); f.write(os.urandom((1 << 20) - 512)); f.flush()\n\
         f.seek(16); f.write(struct.pack('<Q', 1 << 17)); f.seek(128); f.write(b'\\xff' * 128); f.flush()\n\
         wait('short')\n\
         f.truncate(0)\n\
         wait('end')\n";
    let settings = format!("[metrics]\nlisten = \"127.0.0.1:{port}\"\n");
    let running = (world.sharing(&settings)).run(&["/usr/bin/python3", "-c", script]);
    appears(&world.path("shared/at-long"));
    let one = running.pid_one();
    let before = super::agent::agent(one, None);
    for (step, next) in [("long", "garbage"), ("garbage", "short"), ("short", "end")] {
        world.file(&format!("shared/{step}"), "");
        appears(&world.path(&format!("shared/at-{next}")));
        for _ in 0..3 {
            let answer = super::export::get(port, "GET /metrics HTTP/1.1");
            assert!(answer.starts_with("HTTP/1.1 200"), "{step}: {answer}");
        }
    }
    assert_eq!(super::agent::agent(one, None), before);
    let status = std::fs::read_to_string(format!("/proc/{before}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak: u64 = peak
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    assert!(peak < 64 << 10, "{peak} kB");
    // One that is started on such a file goes on as well.
    super::agent::kill(before, Signal::SIGKILL);
    super::agent::agent(one, Some(before));
    let answer = super::export::get(port, "GET /metrics HTTP/1.1");
    assert!(
        answer.contains("lyftlearn_runtime_agent_starts_total 2\n"),
        "{answer}"
    );
    world.file("shared/end", "");
    check_end(&running.end(), 0);
}
