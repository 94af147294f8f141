//! `credentials.required`: a start waits for its identity, and does without a program rather than
//! without that.

use expect_test::{Expect, expect};
use std::ffi::OsString;

use super::*;

const TOUCH: &[&str] = &["touch", "/shared/ran"];

/// More than a test waits for the end of a container: who waits for all of it fails.
const LONG: u32 = 600;

fn settings(seconds: u32) -> String {
    format!("[credentials]\nrequired = true\nstartup_seconds = {seconds}\n")
}

#[test]
fn the_program_starts_once_there_are_credentials() {
    let mut stage = stage!();
    stage.mood(&json!({"status": 503}));
    let argv = stage.reading(&["boto3"]);
    let running = stage.container(&settings(60)).run(&argv);
    let asked_again = wait::until(|| (stage.asked().len() >= 3).then_some(()));
    assert!(asked_again.is_some(), "it asks again by itself");
    assert!(stage.keys_of("boto3").is_empty());
    stage.mood(&json!({"life": 3600}));
    let output = running.end();
    check_end(&output, 0);
    stage.check_unseen(&output);
    // The first key was passed on: the process that refreshes it did not fetch another.
    assert_eq!(stage.keys_of("boto3"), ["ASIA000000000001"]);
}

#[test]
fn what_the_start_waited_for_is_asked_for_once_and_anew_by_another_agent() {
    let mut stage = stage!();
    let read = stage.reading(&["boto3"]).join(" ");
    let script = format!(
        "{read} && touch /shared/read && while ! [ -e /shared/killed ]; do :; done; exec {read}"
    );
    let running = stage.container(&settings(60)).run(&["sh", "-c", &script]);
    appears(&stage.world.path("shared/read"));
    assert_eq!(stage.keys_of("boto3"), ["ASIA000000000001"]);
    assert_eq!(stage.asked().len(), 1);
    let pid_one = running.pid_one();
    let children = std::fs::read_to_string(format!("/proc/{pid_one}/task/{pid_one}/children"));
    let children = children.unwrap();
    let agents: Vec<&str> = (children.split_whitespace())
        .filter(|pid| {
            let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap();
            words
                .split(|byte| *byte == 0)
                .any(|word| word == b"--agent")
        })
        .collect();
    let [agent] = agents.as_slice() else {
        panic!("one agent of {children}");
    };
    let agent = nix::unistd::Pid::from_raw(agent.parse().unwrap());
    nix::sys::signal::kill(agent, Signal::SIGKILL).unwrap();
    stage.world.file("shared/killed", "");
    check_end(&running.end(), 0);
    assert_eq!(stage.keys_of("boto3")[1], "ASIA000000000002");
    assert_eq!(stage.asked().len(), 2);
}

#[test]
fn without_credentials_in_time_nothing_is_started() {
    let mut stage = stage!();
    stage.mood(&json!({"status": 404}));
    let output = ended(&stage.container(&settings(5)), TOUCH);
    check_end(&output, 125);
    expect![[r#"
        lyftlearn-runtime: cannot start without credentials, which credentials.required demands: the source container returned no credentials within 5 s
          because: its endpoint answered 404: it has no credentials for this container
          hint: lyftlearn-runtime doctor shows each step of it; credentials.startup_seconds waits longer
    "#]].assert_eq(&stderr(&output));
    assert!(!stage.world.path("shared/ran").exists());
    let asked = stage.asked().len();
    assert!((3..20).contains(&asked), "{asked} questions in 5 s");
}

#[test]
fn an_exec_without_pid_one_waits_as_well() {
    let mut stage = stage!();
    let container = stage.container(&settings(5));
    let words = |argv: &[&str]| -> Vec<OsString> {
        let ours = [BINARY, "exec", "--"].iter().chain(argv);
        ours.map(OsString::from).collect()
    };
    stage.mood(&json!({"status": 404}));
    let output = container.start(&words(TOUCH)).end();
    check_end(&output, 125);
    let said = stderr(&output);
    assert!(
        said.contains("credentials.required") && said.contains(" 5 s\n"),
        "{said}"
    );
    assert!(!stage.world.path("shared/ran").exists());

    stage.mood(&json!({"life": 3600}));
    let before = stage.asked().len();
    let read = stage.reading(&["boto3"]);
    let read: Vec<&str> = read.iter().map(String::as_str).collect();
    check_end(&container.start(&words(&read)).end(), 0);
    // No process serves the first key, so the program fetches its own from the platform.
    assert_eq!(stage.keys_of("boto3"), ["ASIA000000000002"]);
    assert_eq!(stage.asked().len(), before + 2);
    // Beside a PID 1 that has waited nothing is waited for.
    let running = container.run(&["sh", "-c", "touch /shared/ready; exec sleep 1000"]);
    appears(&stage.world.path("shared/ready"));
    stage.mood(&json!({"status": 404}));
    let beside = running.enter(&[BINARY, "exec", "--", "true"]).unwrap();
    check_end(&beside, 0);
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
}

#[test]
fn a_stop_ends_the_waiting_at_once() {
    for command in ["run", "exec"] {
        let mut stage = stage!();
        stage.mood(&json!({"hangs": true}));
        let argv: Vec<OsString> = [BINARY, command, "--"].map(OsString::from).into();
        let touch = TOUCH.iter().map(OsString::from);
        let argv: Vec<OsString> = argv.into_iter().chain(touch).collect();
        let running = stage.container(&settings(LONG)).start(&argv);
        let asked = wait::until(|| (!stage.asked().is_empty()).then_some(()));
        assert!(asked.is_some());
        running.signal(Signal::SIGTERM);
        check_end(&running.end(), 143);
        assert!(!stage.world.path("shared/ran").exists());
    }
}

/// A start that fails before its time limit.
#[track_caller]
fn check_hopeless(stage: &Stage, container: &Sandbox, report: Expect) {
    let output = ended(container, TOUCH);
    check_end(&output, 125);
    report.assert_eq(&stderr(&output));
    assert!(!stage.world.path("shared/ran").exists());
}

#[test]
fn where_there_is_no_source_nothing_is_waited_for() {
    let stage = stage!();
    let container = stage.bare(&settings(LONG));
    check_hopeless(
        &stage,
        &container,
        expect![[r#"
        lyftlearn-runtime: cannot start without credentials, which credentials.required demands: the environment names no source
          hint: give the pod a service account with a role, or the container AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    "#]],
    );
    // Half of what a service account's role takes.
    let container = container.variable("AWS_WEB_IDENTITY_TOKEN_FILE", "/shared/token");
    check_hopeless(
        &stage,
        &container,
        expect![[r#"
        lyftlearn-runtime: cannot start without credentials, which credentials.required demands: the environment names no source
          because: AWS_WEB_IDENTITY_TOKEN_FILE is set, AWS_ROLE_ARN is not; annotate the service account with eks.amazonaws.com/role-arn
          hint: give the pod a service account with a role, or the container AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
    "#]],
    );
}

#[test]
fn errors_that_waiting_cannot_fix_fail_immediately() {
    let stage = stage!();
    let withheld = format!("{}mode = \"off\"\n", settings(LONG));
    check_hopeless(
        &stage,
        &stage.container(&withheld),
        expect![[r#"
        lyftlearn-runtime: cannot start without credentials, which credentials.required demands: credentials.mode is off
          hint: remove one of the two settings
    "#]],
    );
    // A role is assumed, but the region is unknown.
    let assumed = format!(
        "{}[credentials.assume_role]\narn = \"arn:aws:iam::123456789012:role/ranking\"\n",
        settings(LONG)
    );
    let nowhere = stage.container(&assumed).variable("AWS_REGION", "");
    check_hopeless(
        &stage,
        &nowhere,
        expect![[r#"
            lyftlearn-runtime: cannot start without credentials, which credentials.required demands: the source container returned no credentials
              because: STS needs a region: set AWS_REGION
              hint: lyftlearn-runtime doctor shows each step of it
        "#]],
    );
}

#[test]
fn an_isolated_job_gets_a_message_about_isolation() {
    let stage = stage!();
    let job = stage
        .world
        .training(&settings(LONG), &json!({}))
        .network(&stage.network)
        .variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "")
        .variable("HOSTNAME", "algo-1");
    let output = ended(&job, TOUCH);
    check_end(&output, 125);
    expect![[r#"
        lyftlearn-runtime: cannot start without credentials, which credentials.required demands: this container is isolated by design
          hint: turn EnableNetworkIsolation off, or credentials.required where the job runs isolated
    "#]].assert_eq(&stderr(&output));
}
