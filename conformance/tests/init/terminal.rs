//! A container with a terminal, as `docker run -t` makes one.

use std::process::Stdio;

use lyftlearn_conformance::terminal::Terminal;

use super::*;

/// PID 1 leads a session with this controlling terminal.
fn on(terminal: &Terminal, container: &Sandbox, argv: &[&str]) -> Running {
    on_streams(
        container,
        argv,
        [terminal.stream(), terminal.stream(), terminal.stream()],
    )
}

fn on_streams(container: &Sandbox, argv: &[&str], streams: [Stdio; 3]) -> Running {
    let ours = ["setsid", "--ctty", BINARY, "run", "--"];
    container.start_on(&words(&[&ours, argv].concat()), streams)
}

/// A program that writes down what it receives, from before it starts: what reaches it
/// of the hand-over waits for it.
fn receiver(world: &World, terminal: &Terminal) -> (Running, PathBuf) {
    let all_blocked =
        stage(world).inheriting("signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))");
    let running = on(terminal, &all_blocked, &[ACTOR, "receive", "/shared/log"]);
    let log = world.path("shared/log");
    shows(&log, &["ready"]);
    (running, log)
}

#[track_caller]
fn shows(log: &Path, expected: &[&str]) {
    wait::until(|| (lines(log).len() >= expected.len()).then_some(()));
    assert_eq!(lines(log), expected);
}

#[test]
fn the_program_is_in_the_foreground_and_reads_the_input() {
    needs_namespaces!();
    let world = World::new();
    let mut terminal = Terminal::new();
    let script = "import os, sys\n\
                  assert os.getpgrp() == os.getpid() != 1 and os.getsid(0) == 1\n\
                  assert os.tcgetpgrp(0) == os.getpgrp(), os.tcgetpgrp(0)\n\
                  print('reads:', flush=True); print('read', input(), flush=True)\n\
                  open('/dev/tty').close(); sys.exit(3)\n";
    let container = stage(&world).mount("/dev/tty", "/dev/tty");
    let running = on(&terminal, &container, &["python3", "-c", script]);
    terminal.shows("reads:");
    terminal.types("a line\n");
    terminal.shows("read a line");
    check_end(&running.end(), 3);
}

#[test]
fn the_hand_over_reaches_no_program_as_a_signal() {
    needs_namespaces!();
    let world = World::new();
    let terminal = Terminal::new();
    let (running, log) = receiver(&world, &terminal);
    running.send(&[10]);
    shows(&log, &["ready", "10"]);
}

#[test]
fn keys_that_are_signals_arrive_once() {
    needs_namespaces!();
    let world = World::new();
    let mut terminal = Terminal::new();
    let (running, log) = receiver(&world, &terminal);
    terminal.types("\x03");
    shows(&log, &["ready", "2"]);
    terminal.types("\x1c");
    shows(&log, &["ready", "2", "3"]);
    terminal.types("\x1a");
    shows(&log, &["ready", "2", "3", "20"]);
    // A duplicate would have arrived by then.
    running.send(&[10]);
    shows(&log, &["ready", "2", "3", "20", "10"]);
}

#[test]
fn a_change_of_the_windows_size_arrives() {
    needs_namespaces!();
    let world = World::new();
    let terminal = Terminal::new();
    let (running, log) = receiver(&world, &terminal);
    terminal.resize(50, 132);
    shows(&log, &["ready", "28"]);
    running.send(&[10]);
    shows(&log, &["ready", "28", "10"]);
}

#[test]
fn a_terminal_that_hangs_up_reaches_the_program_as_hup() {
    needs_namespaces!();
    let world = World::new();
    let terminal = Terminal::new();
    let (running, log) = receiver(&world, &terminal);
    terminal.hang_up();
    wait_for("no HUP", || lines(&log).contains(&"1".into()).then_some(()));
    running.send(&[10]);
    wait_for("no USR1", || {
        lines(&log).contains(&"10".into()).then_some(())
    });
    let hups = lines(&log).iter().filter(|line| *line == "1").count();
    assert_eq!(hups, 1, "{:?}", lines(&log));
    // A program that does not handle it ends.
    let terminal = Terminal::new();
    let world = World::new();
    let running = on(
        &terminal,
        &stage(&world),
        &["sh", "-c", "touch /shared/ready; exec sleep 1000"],
    );
    appears(&world.path("shared/ready"));
    terminal.hang_up();
    check_end(&running.end(), 129);
}

#[test]
fn a_shell_as_the_program_has_its_job_control() {
    needs_namespaces!();
    let world = World::new();
    let mut terminal = Terminal::new();
    let container = stage(&world)
        .mount("/dev/tty", "/dev/tty")
        .variable("PS1", "prompt> ");
    let running = on(
        &terminal,
        &container,
        &["bash", "--norc", "--noprofile", "-i"],
    );
    terminal.shows("prompt> ");
    terminal.types("case $- in *m*) echo job control: yes;; esac\n");
    terminal.shows("\njob control: yes");
    terminal.types("sleep 1000 & jobs\n");
    terminal.shows("Running");
    terminal.types("fg\n");
    terminal.shows("\nsleep 1000\r\n");
    let shell = children(running.pid_one())[0];
    let job = children(shell)[0];
    wait_for("the job is not in the foreground", || {
        (executes(job, "/bin/sleep") && stat(job, 2) == stat(job, 5)).then_some(())
    });
    terminal.types("\x1a");
    terminal.shows("Stopped");
    terminal.shows("prompt> ");
    reaches_state(job, "T");
    reaches_state(running.pid_one(), "S");
    terminal.types("fg\n");
    terminal.shows("\nsleep 1000\r\n");
    reaches_state(job, "S");
    terminal.types("\x03");
    terminal.shows("prompt> ");
    terminal.types("echo code $?\n");
    terminal.shows("\ncode 130");
    terminal.types("exit 5\n");
    check_end(&running.end(), 5);
}

/// The streams are `terminal`; what the session has for its own is another one or none.
#[track_caller]
fn check_not_controlling(leads: &str) {
    let world = World::new();
    let (own, mut terminal) = (Terminal::new(), Terminal::new());
    let reads =
        "import sys\nprint('reads:', flush=True); print('read', input(), flush=True); sys.exit(21)";
    let script = format!("{leads} sh -c 'exec \"$@\" <&1' sh \"$@\"");
    let ours = [
        "sh", "-c", &script, "sh", BINARY, "run", "--", "python3", "-c", reads,
    ];
    let running = stage(&world).start_on(
        &words(&ours),
        [own.stream(), terminal.stream(), terminal.stream()],
    );
    terminal.shows("reads:");
    terminal.types("a line\n");
    terminal.shows("read a line");
    check_end(&running.end(), 21);
}

#[test]
fn a_terminal_that_does_not_control_is_one_to_read_from() {
    needs_namespaces!();
    check_not_controlling("exec setsid --ctty");
    check_not_controlling("exec setsid");
    // As started: in the session of the process that started the container.
    check_not_controlling("exec env");
}

#[test]
fn a_terminal_on_any_one_stream_is_handed_over() {
    needs_namespaces!();
    let script = "import os, sys\n\
                  terminal = next(fd for fd in range(3) if os.isatty(fd))\n\
                  assert os.tcgetpgrp(terminal) == os.getpgrp()\n\
                  sys.exit(10 + terminal)\n";
    for number in 1..3 {
        let world = World::new();
        let terminal = Terminal::new();
        // The session's terminal comes in on stdin, and stays on one of the others.
        let keep = match number {
            1 => "exec \"$@\" </dev/null 2>/dev/null",
            _ => "exec \"$@\" </dev/null >/dev/null",
        };
        let argv = [
            "setsid", "--ctty", "sh", "-c", keep, "sh", BINARY, "run", "--", "python3", "-c",
            script,
        ];
        let streams = [terminal.stream(), terminal.stream(), terminal.stream()];
        let running = stage(&world).start_on(&words(&argv), streams);
        check_end(&running.end(), 10 + number);
    }
}

#[test]
fn a_stop_reaches_a_program_on_a_terminal() {
    needs_namespaces!();
    let world = World::new();
    let terminal = Terminal::new();
    let running = on(
        &terminal,
        &stage(&world),
        &["sh", "-c", "touch /shared/ready; exec sleep 1000"],
    );
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
    // A program that cannot start is reported through the second stage as well.
    let mut terminal = Terminal::new();
    let running = on(&terminal, &stage(&world), &["/usr"]);
    terminal.shows("lyftlearn-runtime: cannot execute /usr");
    check_end(&running.end(), 126);
}
