//! From the platform's stop signal to the end, in time.

use expect_test::expect;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Instant;

use super::*;

/// A world with `/shared` and `/run` to look into, and a container in it. Its grace is one that no
/// slow machine uses up, unless the settings have another.
pub(super) fn shared(settings: &str) -> (World, Sandbox) {
    let world = World::new();
    for directory in ["shared", "run"] {
        std::fs::create_dir(world.path(directory)).unwrap();
    }
    let container = world
        .container(settings)
        .mount(world.path("shared"), "/shared")
        .mount(world.path("run"), "/run");
    if settings.contains("grace_seconds") {
        return (world, container);
    }
    (world, unhurried(container))
}

pub(super) fn outcome(world: &World) -> Value {
    let text = std::fs::read(world.path("run/lyftlearn/outcome.json")).unwrap();
    world.canary.assert_unseen("outcome.json", &text);
    serde_json::from_slice(&text).unwrap()
}

/// Ignores these signals, and runs when `/shared/ready` exists.
pub(super) fn deaf(signals: &str) -> String {
    format!("trap '' {signals}; touch /shared/ready; while :; do sleep 1000; done")
}

/// Five for the program, and two for the report of its end.
pub(super) const SEVEN_SECONDS: &str = "[lifecycle]\ngrace_seconds = 7\n";

#[test]
fn a_program_that_does_not_end_is_killed_before_the_platform_does_it() {
    needs_namespaces!();
    let (world, container) = shared(SEVEN_SECONDS);
    let running = container.run(&["sh", "-c", &deaf("TERM")]);
    appears(&world.path("shared/ready"));
    let asked = Instant::now();
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 137);
    assert!(asked.elapsed() >= Duration::from_secs(5));
    let outcome = outcome(&world);
    assert_eq!(outcome["class"], "budget-exceeded");
    assert_eq!(outcome["stop_signal"], "SIGTERM");
}

#[test]
fn a_program_that_ends_in_time_ends_as_it_wants() {
    needs_namespaces!();
    let (world, container) = shared(SEVEN_SECONDS);
    let script = "trap 'cp $LYFTLEARN_RUN_DIR/shutdown.json /shared; exit 0' TERM
                  touch /shared/ready; while :; do wait; done";
    let running = container.run(&["sh", "-c", script]);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 0);
    let outcome = outcome(&world);
    assert_eq!(
        (&outcome["class"], &outcome["exit_code"]),
        (&json!("stopped"), &json!(0))
    );
    // The word of it was there before the signal.
    let word = std::fs::read(world.path("shared/shutdown.json")).unwrap();
    let word: Value = serde_json::from_slice(&word).unwrap();
    assert_eq!(word["signal"], "SIGTERM");
    let span = word["deadline"].as_f64().unwrap() - word["requested"].as_f64().unwrap();
    assert!((span - 5.0).abs() < 0.001, "{word}");
}

#[test]
fn the_program_can_read_its_remaining_time() {
    needs_namespaces!();
    let settings = "[lifecycle]\ngrace_seconds = 60\ndrain_seconds = 15\nstop_signal = \"INT\"\n";
    let (_world, container) = shared(settings);
    let output = ended(&container, SHOW);
    check_variables(&output, &[("LYFTLEARN_GRACE_SECONDS", "35")]);
    let workload = workload(&container);
    assert_eq!(workload["lifecycle"]["stop_signal"], "SIGINT");
    let (_world, container) = shared("[lifecycle]\ngrace_seconds = 30\ndrain_seconds = 25\n");
    let output = ended(&container, SHOW);
    check_end(&output, 125);
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          lifecycle.drain_seconds in /etc/lyftlearn/runtime.toml: leaves no time for the program within the platform's grace
    "#]].assert_eq(&String::from_utf8_lossy(&output.stderr));
}

/// Writes down every stop that it hears of, and ends at the last.
pub(super) const RECORDER: &str = "
import os, signal, sys, time
heard = []
def note(number, frame):
    heard.append(signal.Signals(number).name)
    open('/shared/heard', 'w').write(' '.join(heard))
    # A second one may arrive while the first is noted.
    if len(heard) >= int(sys.argv[1]): os._exit(0)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT): signal.signal(number, note)
open('/shared/ready', 'w').close()
while True: time.sleep(0.01)
";

#[track_caller]
fn check_heard(container: &Sandbox, world: &World, sent: &[Signal], heard: &str) {
    let count = heard.split(' ').count().to_string();
    let argv = [find_python(), "-c".into(), RECORDER.into(), count.into()];
    let running = container.run(&argv);
    appears(&world.path("shared/ready"));
    for (number, signal) in sent.iter().enumerate() {
        running.signal(*signal);
        // The next one only when this one has been heard of: equal ones do not queue.
        let so_far = wait::until(|| {
            let text = std::fs::read_to_string(world.path("shared/heard")).unwrap_or_default();
            (text.split(' ').count() > number && !text.is_empty()).then_some(())
        });
        assert!(so_far.is_some(), "nothing was heard of {signal}");
    }
    check_end(&running.end(), 0);
    assert_eq!(
        std::fs::read_to_string(world.path("shared/heard")).unwrap(),
        heard
    );
}

#[test]
fn a_second_stop_is_forwarded_too() {
    needs_namespaces!();
    let (world, container) = shared("");
    check_heard(
        &container,
        &world,
        &[Signal::SIGTERM, Signal::SIGTERM],
        "SIGTERM SIGTERM",
    );
}

#[test]
fn a_stop_comes_as_the_signal_that_the_program_wants() {
    needs_namespaces!();
    let (world, container) = shared("[lifecycle]\nstop_signal = \"SIGQUIT\"\n");
    check_heard(&container, &world, &[Signal::SIGTERM], "SIGQUIT");
    let (world, container) = shared("");
    check_heard(&container, &world, &[Signal::SIGINT], "SIGINT");
}

#[test]
fn a_processing_jobs_interrupt_is_a_stop() {
    needs_namespaces!();
    let (world, container) = shared("");
    let config = json!({
        "ProcessingJobArn": "arn:aws:sagemaker:eu-west-1:111111111111:processing-job/clean-1",
        "ProcessingJobName": "clean-1",
    });
    let config = world.file("processing/processingjobconfig.json", &config.to_string());
    let container = container.mount_read_only(config, "/opt/ml/config/processingjobconfig.json");
    check_heard(&container, &world, &[Signal::SIGINT], "SIGTERM");
    assert_eq!(outcome(&world)["class"], "stopped");
}

#[test]
fn a_drain_delay_holds_the_stop_back_and_a_second_one_ends_it() {
    needs_namespaces!();
    let (world, container) = shared("[lifecycle]\ngrace_seconds = 600\ndrain_seconds = 400\n");
    let argv = [find_python(), "-c".into(), RECORDER.into(), "1".into()];
    let running = container.run(&argv);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGTERM);
    // The stop is visible at once, and the program has not received it yet.
    appears(&world.path("run/lyftlearn/shutdown.json"));
    assert!(!world.path("shared/heard").exists());
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 0);
}

#[test]
fn a_drain_delay_ends_by_itself() {
    needs_namespaces!();
    let (world, container) = shared("[lifecycle]\ngrace_seconds = 30\ndrain_seconds = 1\n");
    let argv = [find_python(), "-c".into(), RECORDER.into(), "1".into()];
    let running = container.run(&argv);
    appears(&world.path("shared/ready"));
    let asked = Instant::now();
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 0);
    assert!(asked.elapsed() >= Duration::from_secs(1));
}

#[test]
fn what_the_program_leaves_behind_is_asked_to_end_and_then_made_to() {
    needs_namespaces!();
    let (world, container) = shared(SEVEN_SECONDS);
    // In sessions of their own, out of the program's group: one listens, one does not.
    let script = "setsid sh -c 'trap \"touch /shared/asked; exit\" TERM; touch /shared/one; while :; do sleep 1000 & wait; done' &
                  setsid sh -c 'trap \"\" TERM; touch /shared/two; while :; do sleep 1000; done' &
                  while ! [ -e /shared/one -a -e /shared/two ]; do :; done; exit 6";
    let output = container.run(&["sh", "-c", script]).end();
    check_end(&output, 6);
    assert!(world.path("shared/asked").exists());
    let outcome = outcome(&world);
    let left = &outcome["left_behind"];
    // The program that handles the signal leaves a child; the other one is killed with its own.
    assert_eq!(left["count"], 4, "{outcome}");
    assert_eq!(left["killed"], 2, "{outcome}");
    assert_eq!(left["names"], json!(["sh", "sh", "sleep", "sleep"]));
    check_reason(
        &outcome,
        &output,
        expect![
            "user error: the program ended with exit code 6; ended 4 processes that the program left behind: sh, sh, sleep, sleep (2 by SIGKILL)"
        ],
    );
}

#[test]
fn what_starts_after_the_request_to_end_is_counted_as_well() {
    needs_namespaces!();
    let (world, container) = shared("[lifecycle]\norphan_seconds = 1\n");
    let script = "setsid sh -c 'trap \"sleep 1000 & sleep 1000 & sleep 1000\" TERM; touch /shared/one; while :; do :; done' &
                  while ! [ -e /shared/one ]; do :; done; exit 6";
    check_end(&container.run(&["sh", "-c", script]).end(), 6);
    let left = &outcome(&world)["left_behind"];
    assert_eq!(left["count"], left["killed"], "{left}");
    let names = left["names"].as_array().unwrap().len();
    assert_eq!(left["count"], names, "{left}");
}

/// supervisord without `nodaemon`, nginx without `daemon off`.
#[test]
fn a_server_that_daemonizes_gets_a_hint() {
    needs_namespaces!();
    let (world, container) = shared("role = \"serving\"\n");
    let output = container
        .run(&[
            "sh",
            "-c",
            "setsid sleep 1000 & until [ \"$(cat /proc/$!/comm)\" = sleep ]; do :; done",
        ])
        .end();
    check_end(&output, 0);
    let outcome = outcome(&world);
    assert_eq!(outcome["class"], "completed");
    check_reason(
        &outcome,
        &output,
        expect![
            "the program completed; ended 1 process that the program left behind: sleep; a server has to stay in the foreground"
        ],
    );
}

/// They notice by a closed pipe that their program is gone, a moment after it.
#[test]
fn helpers_that_end_with_the_program_are_not_named() {
    needs_namespaces!();
    let (world, container) = shared("");
    let script = "mkfifo /shared/pipe; (read line </shared/pipe) & exec 3>/shared/pipe; exit 4";
    check_end(&container.run(&["sh", "-c", script]).end(), 4);
    let outcome = outcome(&world);
    assert_eq!(outcome["left_behind"], Value::Null);
    expect!["user error: the program ended with exit code 4"]
        .assert_eq(outcome["reason"].as_str().unwrap());
}

#[test]
fn how_long_orphans_have_is_a_setting() {
    needs_namespaces!();
    // It would end by itself, a second after it was asked.
    let script = "setsid sh -c 'trap \"sleep 1; exit\" TERM; touch /shared/ready; while :; do sleep 1000 & wait; done' &
                  while ! [ -e /shared/ready ]; do :; done";
    for (seconds, killed) in [(0, true), (20, false)] {
        let (world, container) = shared(&format!("[lifecycle]\norphan_seconds = {seconds}\n"));
        check_end(&container.run(&["sh", "-c", script]).end(), 0);
        let left = &outcome(&world)["left_behind"];
        assert_eq!(left["killed"].as_u64() > Some(0), killed, "{left}");
    }
}

/// The writing end of a pipe that takes nothing more; its reader does not read.
fn full_pipe() -> (OwnedFd, Stdio) {
    let (reader, writer) = nix::unistd::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while rustix::io::write(&writer, &[b'x'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader, writer.into())
}

/// A log collector that hangs: output to `what` must not block.
#[track_caller]
fn check_unread(settings: &str, argv: &[&str], stop: bool, code: i32) {
    let (world, container) = shared(settings);
    let (reader, stderr) = full_pipe();
    let argv: Vec<OsString> = [&[BINARY, "run", "--"], argv]
        .concat()
        .iter()
        .map(OsString::from)
        .collect();
    let streams = [Stdio::null(), Stdio::null(), stderr];
    let running = container.start_on(&argv, streams);
    if stop {
        appears(&world.path("shared/ready"));
        running.signal(Signal::SIGTERM);
    }
    check_end(&running.end(), code);
    drop(reader);
}

#[test]
fn a_reader_of_stderr_that_does_not_read_holds_nothing_up() {
    needs_namespaces!();
    // The line of the start, the reason of the end, and both around a stop.
    check_unread("", &["sh", "-c", "exit 3"], false, 3);
    let trapped = "trap 'exit 5' TERM; touch /shared/ready; while :; do :; done";
    check_unread("", &["sh", "-c", trapped], true, 5);
    // A report of a start that fails.
    check_unread("role = \"none\"\n", &["true"], false, 125);
    check_unread("", &["no-such-program"], false, 127);
}

#[test]
fn a_start_again_knows_nothing_of_the_last_end() {
    needs_namespaces!();
    let (world, container) = shared(SEVEN_SECONDS);
    std::fs::create_dir(world.path("run/lyftlearn")).unwrap();
    for name in ["shutdown.json", "outcome.json", "not-started"] {
        world.file(&format!("run/lyftlearn/{name}"), "{}");
    }
    world.file("run/lyftlearn/exceptions/1-1.json", "{}");
    let output = ended(
        &container,
        &["sh", "-c", "cd $LYFTLEARN_RUN_DIR; ls . exceptions"],
    );
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        ".:\nenvironment.json\nexceptions\nhyperparameters.json\nmetrics.region\nruntime.json\nworkload.json\n\nexceptions:\n"
    );
}
