//! PID 1 when there is no memory any more.

use super::*;

/// PID 1 may have as much as it has, and no page more.
fn starve(one: i32, limit: &str) {
    let pages = std::fs::read_to_string(format!("/proc/{one}/statm")).unwrap();
    let pages: Vec<u64> = pages
        .split_whitespace()
        .map(|word| word.parse().unwrap())
        .collect();
    let has = match limit {
        "as" => pages[0] * 4096,
        _ => 0,
    };
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

#[track_caller]
fn check_starved(limits: &[&str]) {
    let world = World::new();
    let running = stage(&world).run(&["python3", "-c", PROGRAM]);
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
    check_starved(&["as"]);
    check_starved(&["data"]);
    check_starved(&["as", "data"]);
}
