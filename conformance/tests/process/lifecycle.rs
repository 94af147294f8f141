//! Signals, exit codes and orphans.

use super::*;

#[test]
fn every_exit_code_is_passed_on() {
    needs_namespaces!();
    // 256 starts in one container: the shim beside others, as in a wrapper.
    let world = World::new();
    let script = format!(
        "i=0; while [ $i -lt 256 ]; do {BINARY} run -- sh -c \"exit $i\"; [ $? = $i ] || echo $i; i=$((i+1)); done"
    );
    let output = world
        .container("log = \"off\"\n")
        .start(&["sh".into(), "-c".into(), script.into()])
        .end();
    check_end(&output, 0);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
}

#[test]
fn a_program_that_a_signal_ended_gives_128_and_its_number() {
    needs_namespaces!();
    let world = World::new();
    for signal in [1, 2, 3, 6, 9, 11, 13, 15, 34, 64] {
        let reset = if signal == 9 {
            ""
        } else {
            "signal.signal(int(sys.argv[1]), signal.SIG_DFL);"
        };
        let script =
            format!("import os, signal, sys; {reset} os.kill(os.getpid(), int(sys.argv[1]))");
        let argv = [
            find_python(),
            "-c".into(),
            script.into(),
            signal.to_string().into(),
        ];
        check_end(&ended(&world.container(""), &argv), 128 + signal);
    }
}

#[test]
fn a_signal_reaches_the_whole_group_and_the_programs_code_comes_out() {
    needs_namespaces!();
    let world = World::new();
    std::fs::create_dir(world.path("shared")).unwrap();
    let container = world.container("").mount(world.path("shared"), "/shared");
    let script = "sh -c 'trap \"touch /shared/child; exit 0\" TERM; touch /shared/ready; while :; do sleep 1000 & wait; done' &
                  trap 'wait; exit 42' TERM; while :; do wait; done";
    let running = container.run(&["sh", "-c", script]);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGTERM);
    let output = running.end();
    check_end(&output, 42);
    assert!(world.path("shared/child").exists());
}

#[test]
fn with_the_scope_child_only_the_program_gets_the_stop() {
    needs_namespaces!();
    let world = World::new();
    std::fs::create_dir(world.path("shared")).unwrap();
    let container = world.container("").mount(world.path("shared"), "/shared");
    // The program acknowledges only after its child has had a later signal: by then a
    // TERM that was sent to both would have been there.
    let script = "sh -c 'trap \"touch /shared/child\" TERM; trap \"touch /shared/later\" WINCH; touch /shared/ready;
                         while :; do sleep 1000 & wait; done' & child=$!
                  trap 'kill -WINCH $child; while ! [ -e /shared/later ]; do :; done; [ -e /shared/child ] || exit 42' TERM
                  while :; do wait; done";
    let argv = [
        BINARY,
        "run",
        "--signal-scope",
        "child",
        "--",
        "sh",
        "-c",
        script,
    ]
    .map(OsString::from);
    let running = container.start(&argv);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 42);
}

#[test]
fn a_program_without_a_handler_ends_of_the_signal() {
    needs_namespaces!();
    let world = World::new();
    std::fs::create_dir(world.path("shared")).unwrap();
    let container = world.container("").mount(world.path("shared"), "/shared");
    for signal in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGHUP,
        Signal::SIGUSR1,
    ] {
        let running = container.run(&["sh", "-c", "touch /shared/ready; exec sleep 1000"]);
        appears(&world.path("shared/ready"));
        std::fs::remove_file(world.path("shared/ready")).unwrap();
        running.signal(signal);
        check_end(&running.end(), 128 + signal as i32);
    }
}

#[test]
fn orphans_are_reaped() {
    needs_namespaces!();
    let world = World::new();
    std::fs::create_dir(world.path("shared")).unwrap();
    let container = world.container("").mount(world.path("shared"), "/shared");
    let script = "i=0; while [ $i -lt 200 ]; do (true &); i=$((i+1)); done; touch /shared/ready; exec sleep 1000";
    let running = container.run(&["sh", "-c", script]);
    appears(&world.path("shared/ready"));
    let one = running.pid_one();
    let left = wait::until(|| (children(one).len() == 1).then_some(()));
    assert!(left.is_some(), "PID 1 still has {:?}", children(one));
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
}

#[test]
fn a_stop_that_comes_before_the_start_ends_it_with_143() {
    needs_namespaces!();
    let world = World::new();
    // Blocked by the shell's parent and pending when the runtime takes over: it
    // must be found, and nothing may be started any more.
    let script = format!(
        "import os, signal\n\
         signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n\
         os.kill(os.getpid(), signal.SIGTERM)\n\
         os.execv('{BINARY}', ['{BINARY}', 'run', '--', 'echo', 'started'])\n"
    );
    let python = find_python();
    let output = world
        .container("log = \"off\"\n")
        .start(&[python, "-c".into(), script.into()])
        .end();
    check_end(&output, 143);
    assert_eq!(output.stdout, b"");
}

/// No shell's own signal handling stands between: 0 from the sandbox means the
/// runtime's exit, never a signal to the outer process.
#[test]
fn the_sandbox_itself_passes_codes_on() {
    needs_namespaces!();
    let output = Sandbox::new()
        .start(&["sh".into(), "-c".into(), "exit 77".into()])
        .end();
    check_end(&output, 77);
    assert_eq!(output.status.signal(), None);
}

fn children(pid: i32) -> Vec<String> {
    let list =
        std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace().map(ToOwned::to_owned).collect()
}

#[test]
fn a_parent_that_ignored_sigchld_does_not_cost_the_exit_code() {
    needs_namespaces!();
    let world = World::new();
    let script = format!(
        "import os, signal\n\
         signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n\
         os.execv('{BINARY}', ['{BINARY}', 'run', '--', 'sh', '-c', 'exit 42'])\n"
    );
    let output = world
        .container("")
        .start(&[find_python(), "-c".into(), script.into()])
        .end();
    check_end(&output, 42);
}

#[test]
fn a_program_that_moved_to_another_group_still_gets_the_stop() {
    needs_namespaces!();
    let world = World::new();
    std::fs::create_dir(world.path("shared")).unwrap();
    let container = world.container("").mount(world.path("shared"), "/shared");
    let script = "import os, signal\n\
                  child = os.fork()\n\
                  if child == 0:\n    os.setpgid(0, 0); signal.pause()\n\
                  os.setpgid(child, child) if os.getpgid(child) != child else None\n\
                  os.setpgid(0, child)\n\
                  open('/shared/ready', 'w').close()\n\
                  signal.pause()\n";
    let running = container.run(&[find_python(), "-c".into(), script.into()]);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
}
