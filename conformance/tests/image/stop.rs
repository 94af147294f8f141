//! Stops: the program gets the time that it needs and the platform gives, and no more.

use std::time::Duration;

use crate::container::{As, Case, Ended};

/// How long the engine would wait before it killed the container: no test needs half of it.
const ENGINE: u32 = 60;

/// The program had the time that it needed, and so did the container. Neither had all of the
/// engine's: that would have killed it, which `Container::stop` reports.
#[track_caller]
fn check_took(ended: &Ended, program: f64, took: Duration, container: f64) {
    let after = ended.outcome["seconds_after_stop"].as_f64().unwrap();
    assert!(
        after >= program,
        "the program ended {after} s after the stop, and needed {program} s"
    );
    assert!(
        took.as_secs_f64() >= container,
        "the stop took {took:?}, and needed {container} s"
    );
    eprintln!("stopped in {took:.2?}, the program in {after:.2} s");
}

/// A trainer that writes a checkpoint for so long is let, and its own 0 is the job's.
#[track_caller]
pub(crate) fn check_checkpoint(name: &str, seconds: &str) {
    let case = Case {
        name,
        made: As::Training,
        settings: &format!(
            "[commands]\ntrain = [\"python3\", \"/opt/tests/checkpoint.py\", \"{seconds}\"]\n"
        ),
        options: &[],
        argv: &["train"],
    };
    let Some(container) = case.start() else {
        return;
    };
    container.says("training", 1);
    let took = container.stop(120);
    let ended = container.end();
    // No file either: SageMaker would show it as the reason of a failure.
    ended.check(0, "stopped", None);
    let checkpoints = container.work.path().join("ml/checkpoints");
    let written: Vec<_> = std::fs::read_dir(checkpoints)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(written, ["checkpoint"]);
    assert_eq!(ended.outcome["stop_signal"], "SIGTERM");
    let seconds = seconds.parse().unwrap();
    check_took(&ended, seconds, took, seconds);
}

#[test]
fn a_trainer_writes_its_checkpoint_and_ends_with_its_own_code() {
    check_checkpoint("checkpoint", "3");
}

/// A program that does not end is killed by the runtime, while there is time to say so.
#[track_caller]
fn check_killed(name: &str, made: As, reason: bool) {
    let case = Case {
        name,
        made,
        settings: "lifecycle.grace_seconds = 7\n",
        options: &[],
        argv: &["sh", "-c", "trap '' TERM; echo training; sleep 1000"],
    };
    let Some(container) = case.start() else {
        return;
    };
    container.says("training", 1);
    let took = container.stop(ENGINE);
    let ended = container.end();
    check_took(&ended, 5.0, took, 5.0);
    let after = ended.outcome["seconds_after_stop"].as_f64().unwrap();
    let said = format!("time budget exceeded: still running and killed {after:.1} s after SIGTERM");
    ended.check(137, "budget-exceeded", reason.then_some(&said));
    let line = format!("lyftlearn-runtime: {said}\n");
    assert!(ended.log.contains(&line), "{}", ended.log);
}

#[test]
fn a_program_that_does_not_stop_is_killed_before_the_engine_would() {
    check_killed("deaf", As::Container, false);
    check_killed("deaf-pod", As::Pod, true);
}

#[test]
fn orphans_that_do_not_stop_end_with_the_budget() {
    let case = Case {
        name: "orphans",
        made: As::Container,
        settings: "lifecycle.grace_seconds = 7\n",
        options: &[],
        argv: &[
            "sh",
            "-c",
            "(trap '' TERM; setsid sleep 1000 & setsid sleep 1000 &)
             trap 'exit 0' TERM; echo running; while :; do sleep 0.05; done",
        ],
    };
    let Some(container) = case.start() else {
        return;
    };
    container.says("running", 1);
    let took = container.stop(ENGINE);
    let ended = container.end();
    // The program's own end, and its own time of it.
    ended.check(0, "stopped", None);
    check_took(&ended, 0.0, took, 5.0);
}

#[test]
fn a_container_that_is_started_again_sees_nothing_of_its_last_end() {
    let case = Case {
        name: "again",
        made: As::Container,
        settings: "",
        options: &[],
        argv: &[
            "sh",
            "-c",
            "echo saw $(ls $LYFTLEARN_RUN_DIR); trap 'exit 0' TERM
             [ ! -e /enough ] || exit 0
             while :; do sleep 0.05; done",
        ],
    };
    let Some(container) = case.start() else {
        return;
    };
    let first = container.says("saw ", 1);
    container.stop(10);
    container.end().check(0, "stopped", None);
    container.start_again();
    assert_eq!(container.says("saw ", 2), first);
    // `podman restart` is a stop and a start.
    container.place.podman(&["restart", &container.name]);
    assert_eq!(container.says("saw ", 3), first);
    let (done, said) = container.exec("root", &["touch", "/enough"]);
    assert!(done, "{said}");
    container.place.podman(&["restart", &container.name]);
    let ended = container.end();
    assert_eq!(ended.log.matches("saw ").count(), 4, "{}", ended.log);
    ended.check(0, "completed", None);
    assert_eq!(ended.outcome["stop_signal"], serde_json::Value::Null);
}
