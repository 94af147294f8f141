//! Not PID 1, on a terminal that belongs to somebody else.

use std::time::Instant;

use lyftlearn_conformance::terminal::Terminal;

use super::*;

/// bash under another name, which distinguishes it from a sandbox that is being built.
const SHELL: &str = "/opt/interactive";

fn on(world: &World, terminal: &Terminal, argv: &[&str]) -> Running {
    let container = stage(world)
        .mount("/dev/tty", "/dev/tty")
        .mount_read_only("/bin/bash", SHELL)
        .variable("PS1", "prompt> ");
    container.start_on(
        &words(&[&["setsid", "--ctty"], argv].concat()),
        [terminal.stream(), terminal.stream(), terminal.stream()],
    )
}

/// An interactive shell as PID 1, at its prompt.
fn shell(world: &World, terminal: &mut Terminal) -> Running {
    let running = on(world, terminal, &[SHELL, "--norc", "--noprofile", "-i"]);
    terminal.shows("prompt> ");
    running
}

fn only_child(pid: i32) -> i32 {
    wait::until(|| match children(pid)[..] {
        [child] => Some(child),
        _ => None,
    })
    .unwrap()
}

/// Only then does it receive the input.
fn in_the_foreground(pid: i32, file: &str) {
    wait_for("the program is not in the foreground", || {
        (executes(pid, file) && stat(pid, 2) == stat(pid, 5)).then_some(())
    });
}

/// Without the poll's step, for moments that are over sooner.
fn wait_at_once(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < wait::PATIENCE);
    }
}

#[test]
fn as_a_shells_job_it_stops_and_resumes_with_its_program() {
    needs_namespaces!();
    let world = World::new();
    let mut terminal = Terminal::new();
    let running = shell(&world, &mut terminal);
    terminal.types(&format!("{BINARY} run -- cat\n"));
    let shim = only_child(running.pid_one());
    let program = only_child(shim);
    in_the_foreground(program, "/bin/cat");
    terminal.types("typed\n");
    terminal.shows("typed\r\ntyped\r\n");
    for _ in 0..2 {
        terminal.types("\x1a");
        terminal.shows("Stopped");
        terminal.shows("prompt> ");
        reaches_state(program, "T");
        reaches_state(shim, "T");
        terminal.types("fg\n");
        reaches_state(program, "S");
        reaches_state(shim, "S");
        in_the_foreground(program, "/bin/cat");
        terminal.types("again\n");
        terminal.shows("again\r\nagain\r\n");
    }
    terminal.types("\x03");
    terminal.shows("prompt> ");
    terminal.types("echo code $?\n");
    terminal.shows("code 130\r\n");
    terminal.types("exit 4\n");
    check_end(&running.end(), 4);
}

#[test]
fn a_stop_at_any_moment_of_the_start_stops_the_job() {
    needs_namespaces!();
    let world = World::new();
    let mut terminal = Terminal::new();
    let running = shell(&world, &mut terminal);
    let one = running.pid_one();
    for step in 0..60 {
        terminal.types(&format!("{BINARY} run -- sleep 1000\n"));
        // Until it is exec's turn the shell's own child lets it pass.
        wait_at_once(|| children(one).iter().any(|job| executes(*job, BINARY)));
        let until = Instant::now() + Duration::from_micros(100 * step);
        wait_at_once(|| Instant::now() >= until);
        terminal.types("\x1a");
        terminal.shows("Stopped");
        terminal.types("fg; echo code $?\n");
        wait_at_once(|| {
            let jobs = children(one).into_iter();
            jobs.flat_map(children).any(|program| {
                executes(program, "/bin/sleep") && stat(program, 2) == stat(program, 5)
            })
        });
        terminal.types("\x03");
        terminal.shows("code 130\r\n");
        terminal.shows("prompt> ");
    }
    terminal.types("exit 4\n");
    check_end(&running.end(), 4);
}

#[test]
fn without_its_own_terminal_it_stops_as_well() {
    needs_namespaces!();
    let world = World::new();
    let mut terminal = Terminal::new();
    let running = shell(&world, &mut terminal);
    terminal.types(&format!(
        "{BINARY} run -- sleep 1000 </dev/null >/dev/null 2>&1\n"
    ));
    let shim = only_child(running.pid_one());
    let program = only_child(shim);
    wait_for("the program does not start", || {
        executes(program, "/bin/sleep").then_some(())
    });
    terminal.types("\x1a");
    terminal.shows("Stopped");
    reaches_state(program, "T");
    terminal.types("fg; echo code $?\n");
    reaches_state(program, "S");
    reaches_state(shim, "S");
    terminal.types("\x03");
    terminal.shows("code 130\r\n");
    terminal.types("exit 4\n");
    check_end(&running.end(), 4);
}

#[test]
fn a_job_that_was_stopped_goes_on_in_the_background() {
    needs_namespaces!();
    let world = World::new();
    let mut terminal = Terminal::new();
    let running = shell(&world, &mut terminal);
    terminal.types(&format!("{BINARY} run -- sleep 1000\n"));
    let shim = only_child(running.pid_one());
    let program = only_child(shim);
    in_the_foreground(program, "/bin/sleep");
    terminal.types("\x1a");
    terminal.shows("Stopped");
    terminal.types("bg\n");
    terminal.shows("&\r\n");
    reaches_state(program, "S");
    reaches_state(shim, "S");
    // The terminal is still the shell's.
    terminal.types("echo at the prompt\n");
    terminal.shows("\r\nat the prompt\r\n");
    terminal.types("kill %1; wait %1; echo code $?\n");
    terminal.shows("code 143\r\n");
    terminal.types("exit 4\n");
    check_end(&running.end(), 4);
}

#[test]
fn a_job_of_the_background_can_be_brought_to_the_foreground() {
    needs_namespaces!();
    let world = World::new();
    let mut terminal = Terminal::new();
    let running = shell(&world, &mut terminal);
    terminal.types(&format!("{BINARY} run -- cat &\n"));
    let shim = only_child(running.pid_one());
    let program = only_child(shim);
    reaches_state(program, "T");
    reaches_state(shim, "T");
    terminal.types("fg\n");
    in_the_foreground(program, "/bin/cat");
    terminal.types("typed\n");
    terminal.shows("typed\r\ntyped\r\n");
    terminal.types("\x04");
    terminal.shows("prompt> ");
    terminal.types("exit 4\n");
    check_end(&running.end(), 4);
}

#[test]
fn the_terminal_is_given_back_at_the_end() {
    needs_namespaces!();
    let world = World::new();
    let mut terminal = Terminal::new();
    let script =
        format!("{BINARY} run -- sh -c 'exit 3'; echo code $?; read line; echo read $line");
    let running = on(&world, &terminal, &[SHELL, "-c", &script]);
    terminal.shows("code 3");
    terminal.types("typed\n");
    terminal.shows("read typed");
    check_end(&running.end(), 0);
    // However the program ended.
    let mut terminal = Terminal::new();
    let script = format!("{BINARY} run -- sleep 1000; echo code $?; read line; echo read $line");
    let running = on(&world, &terminal, &[SHELL, "-c", &script]);
    let shim = only_child(running.pid_one());
    let program = only_child(shim);
    in_the_foreground(program, "/bin/sleep");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(shim), Signal::SIGTERM).unwrap();
    terminal.shows("code 143");
    terminal.types("typed\n");
    terminal.shows("read typed");
    check_end(&running.end(), 0);
}
