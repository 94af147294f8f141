//! The process beside the program: kept alive, and never in its way.

use expect_test::expect;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::*;

/// Starts `script` with the agent, and `/shared` and `/run` to look into.
fn with_agent(world: &World, script: &str) -> sandbox::Running {
    for directory in ["shared", "run"] {
        std::fs::create_dir(world.path(directory)).unwrap();
    }
    world
        .container("agent = \"on\"\n[lifecycle]\ngrace_seconds = 20\n")
        .mount(world.path("shared"), "/shared")
        .mount(world.path("run"), "/run")
        .run(&["sh", "-c", script])
}

/// What the agent says of itself; waits until it is there, however often it dies.
fn state(world: &World) -> Value {
    let mut text = String::new();
    let mut stream = UnixStream::connect(world.path("run/lyftlearn/agent.sock")).unwrap();
    stream.set_read_timeout(Some(wait::PATIENCE)).unwrap();
    stream.read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The agent as this side of the namespaces sees it.
pub(super) fn agent_of(one: i32) -> Option<i32> {
    let children = std::fs::read_to_string(format!("/proc/{one}/task/{one}/children")).ok()?;
    children.split_whitespace().find_map(|child| {
        let line = std::fs::read(format!("/proc/{child}/cmdline")).ok()?;
        let agent = line.split(|byte| *byte == 0).any(|word| word == b"--agent");
        agent.then(|| child.parse().ok()).flatten()
    })
}

#[track_caller]
pub(super) fn agent(one: i32, but: Option<i32>) -> i32 {
    let found = wait::until(|| agent_of(one).filter(|pid| Some(*pid) != but));
    found.expect("an agent is there")
}

pub(super) fn kill(pid: i32, signal: Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
}

#[test]
fn its_socket_is_there_before_the_program_and_answers() {
    needs_namespaces!();
    let world = World::new();
    let running = with_agent(
        &world,
        "test -S $LYFTLEARN_RUN_DIR/agent.sock && stat -c %a $LYFTLEARN_RUN_DIR/agent.sock && touch /shared/ready && exec sleep 1000",
    );
    appears(&world.path("shared/ready"));
    let state = state(&world);
    assert_eq!(state["version"], env!("CARGO_PKG_VERSION"));
    running.signal(Signal::SIGTERM);
    let output = running.end();
    check_end(&output, 143);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "600\n");
}

#[test]
fn the_agent_restarts_and_no_client_is_refused() {
    needs_namespaces!();
    let world = World::new();
    let running = with_agent(&world, "touch /shared/ready; exec sleep 1000");
    appears(&world.path("shared/ready"));
    let one = running.pid_one();
    let mut last = None;
    for _ in 0..3 {
        let pid = agent(one, last);
        kill(pid, Signal::SIGKILL);
        last = Some(pid);
        // Connects at once: the socket is PID 1's, and the question waits in it.
        assert!(state(&world)["pid"].as_i64().is_some());
    }
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
}

#[test]
fn it_hears_of_the_end_after_the_program_and_ends_with_it() {
    needs_namespaces!();
    let world = World::new();
    // Asked to stop, the program looks whether the agent is still there.
    let script =
        "trap 'exec 3<>/shared/question; read word <&3; exit 42' TERM; mkfifo /shared/question
                  touch /shared/ready; while :; do wait; done";
    let running = with_agent(&world, script);
    appears(&world.path("shared/ready"));
    let pid = agent(running.pid_one(), None);
    running.signal(Signal::SIGTERM);
    appears(&world.path("run/lyftlearn/shutdown.json"));
    assert!(state(&world)["pid"].as_i64().is_some());
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    std::fs::write(world.path("shared/question"), "end\n").unwrap();
    check_end(&running.end(), 42);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn its_end_is_never_taken_for_the_programs() {
    needs_namespaces!();
    let world = World::new();
    let script = "touch /shared/ready; while ! [ -e /shared/go ]; do :; done; exit 5";
    let running = with_agent(&world, script);
    appears(&world.path("shared/ready"));
    kill(agent(running.pid_one(), None), Signal::SIGKILL);
    agent(running.pid_one(), None);
    world.file("shared/go", "");
    check_end(&running.end(), 5);
}

#[test]
fn one_that_hangs_holds_nothing_up() {
    needs_namespaces!();
    let world = World::new();
    let script = "touch /shared/ready; while ! [ -e /shared/go ]; do :; done; exit 5";
    let running = with_agent(&world, script);
    appears(&world.path("shared/ready"));
    kill(agent(running.pid_one(), None), Signal::SIGSTOP);
    world.file("shared/go", "");
    check_end(&running.end(), 5);
}

#[test]
fn the_agent_runs_only_if_needed_and_not_by_hand() {
    needs_namespaces!();
    let world = World::new();
    let output = ended(&world.container(""), &["sh", "-c", "ls $LYFTLEARN_RUN_DIR"]);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "environment.json\nexceptions\nhyperparameters.json\nmetrics.region\nruntime.json\nworkload.json\n"
    );
    let by_hand: [&[&str]; 4] = [
        &["--agent"],
        &["--agent", "4711"],
        &["--outcome", "x"],
        &["--second-stage"],
    ];
    let said = by_hand.map(|argv| {
        let argv = std::iter::once(&BINARY).chain(argv);
        let argv: Vec<OsString> = argv.map(Into::into).collect();
        let output = world.container("").start(&argv).end();
        check_end(&output, 125);
        String::from_utf8(output.stderr).unwrap()
    });
    expect![[r#"
        lyftlearn-runtime: cannot use --agent: only lyftlearn-runtime run calls it
          hint: lyftlearn-runtime --help shows all; an image's ENTRYPOINT is ["lyftlearn-runtime", "run", "--"]
        lyftlearn-runtime: cannot serve as agent: not started by lyftlearn-runtime run
          hint: lyftlearn-runtime run starts it by itself; see the setting agent
        lyftlearn-runtime: cannot use --outcome: only lyftlearn-runtime run calls it
          hint: lyftlearn-runtime --help shows all; an image's ENTRYPOINT is ["lyftlearn-runtime", "run", "--"]
        lyftlearn-runtime: cannot use --second-stage: only lyftlearn-runtime run calls it
          hint: lyftlearn-runtime --help shows all; an image's ENTRYPOINT is ["lyftlearn-runtime", "run", "--"]
    "#]].assert_eq(&said.concat());
}
