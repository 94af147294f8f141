//! PID 1 when there is no memory any more.

use super::*;

/// PID 1 may have as much as it has, and no page more.
fn starve(one: i32, limit: &str) {
    let counted = match limit {
        "as" => "VmSize:",
        _ => "VmData:",
    };
    let status = std::fs::read_to_string(format!("/proc/{one}/status")).unwrap();
    let has = status.lines().find_map(|line| line.strip_prefix(counted));
    let kibibytes: u64 = has.unwrap().trim().trim_end_matches(" kB").parse().unwrap();
    let has = kibibytes * 1024;
    let mut limiting = Command::new("prlimit");
    limiting.args(["--pid", &one.to_string(), &format!("--{limit}={has}:{has}")]);
    assert!(command::succeeds(&mut limiting));
}

/// A program that is controlled by signals: make an orphan, count the children that are left, and
/// end.
const PROGRAM: &str = "import os, signal, subprocess\n\
    orders = [signal.SIGUSR1, signal.SIGRTMIN, signal.SIGTERM]\n\
    signal.pthread_sigmask(signal.SIG_BLOCK, orders)\n\
    open('/shared/ready', 'w').close()\n\
    assert signal.sigwait(orders) == signal.SIGUSR1\n\
    assert signal.sigwait(orders) == signal.SIGRTMIN\n\
    for _ in range(100): subprocess.check_call(['sh', '-c', 'true & true &'])\n\
    while len(open('/proc/1/task/1/children').read().split()) > 1: pass\n\
    open('/shared/reaped', 'w').close()\n\
    assert signal.sigwait(orders) == signal.SIGTERM\n\
    raise SystemExit(42)\n";

/// What a start leaves free in the heap depends on what it has read, here on the number of
/// variables.
#[track_caller]
fn check_starved(variables: usize, limits: &[&str]) {
    let world = World::new();
    let container = (0..variables).fold(stage(&world), |container, number| {
        container.variable(format!("VARIABLE_{number}"), "value")
    });
    let running = container.run(&["python3", "-c", PROGRAM]);
    appears(&world.path("shared/ready"));
    reaches_state(running.pid_one(), "S");
    for limit in limits {
        starve(running.pid_one(), limit);
    }
    running.send(&[10]);
    running.send(&[34]);
    appears(&world.path("shared/reaped"));
    running.send(&[15]);
    check_end(&running.end(), 42);
}

#[test]
fn without_memory_it_forwards_and_reaps_and_gives_the_code() {
    needs_namespaces!();
    for variables in [0, 40] {
        check_starved(variables, &["as"]);
        check_starved(variables, &["data"]);
        check_starved(variables, &["as", "data"]);
    }
}
