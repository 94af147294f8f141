//! A stop that comes while the start is being prepared.

use std::time::Instant;

use serde_json::json;

use super::*;

#[test]
fn a_stop_at_any_moment_of_the_start_is_never_lost() {
    needs_namespaces!();
    let world = World::new();
    let script = format!(
        r#"
ARGV = ["{BINARY}", "run", "--", "{ACTOR}", "handle", "42"]


def whole() -> float:
    container = Container(ARGV)
    container.says(b"ready\n")
    seconds = container.elapsed()
    container.signal(signal.SIGTERM)
    print("ready", *container.end())
    return seconds


seconds = min(whole() for _ in range(5))
for step in range(300):
    container = Container(ARGV)
    while container.elapsed() < seconds * 1.2 * step / 300:
        pass
    armed = container.armed()
    container.signal(signal.SIGTERM)
    if not armed:
        # The kernel drops what comes before PID 1's first act; nobody else may.
        while not container.armed():
            pass
        container.signal(signal.SIGTERM)
    print("start", *container.end())
"#
    );
    let shown = rounds(&stage(&world), &script);
    let count = |found: &str| shown.lines().filter(|line| *line == found).count();
    assert_eq!(count("ready 42 b'handled\\n'"), 5, "{shown}");
    let early = count("start 143 b''");
    let late = count("start 42 b'ready\\nhandled\\n'") + count("start 42 b'handled\\n'");
    assert_eq!(early + late, 300, "{shown}");
    assert!(early > 0, "no stop came before the program: {shown}");
}

#[test]
fn a_stop_while_a_large_document_is_read_is_answered_at_once() {
    needs_namespaces!();
    let world = World::new();
    let container = world.training("", &json!({"vocabulary": "x".repeat(150 << 20)}));
    std::fs::create_dir(world.path("shared")).unwrap();
    let container = container.mount(world.path("shared"), "/shared");
    let reading = || {
        let running = container.run(&["touch", "/shared/started"]);
        let one = running.pid_one();
        wait_for("nothing is read", || {
            let statm = std::fs::read_to_string(format!("/proc/{one}/statm")).ok()?;
            let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
            (pages > (40 << 20) / 4096).then_some(())
        });
        (running, Instant::now())
    };
    let (running, asked) = reading();
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
    let took = asked.elapsed();
    assert!(!world.path("shared/started").exists());
    // The same without a stop.
    let (running, begun) = reading();
    check_end(&running.end(), 0);
    let whole = begun.elapsed();
    assert!(took < whole / 2, "it took {took:?} of {whole:?}");
}
