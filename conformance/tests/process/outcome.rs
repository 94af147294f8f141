//! Why it ended, where each platform looks.

use expect_test::expect;
use lyftlearn_conformance::kubelet::Pod;

use super::*;

/// What a run left: its exit code and `outcome.json`, which outlives PID 1 only because
/// `/run` is mounted here.
struct Left {
    world: World,
    code: i32,
    outcome: Value,
    stderr: String,
}

impl Left {
    fn text(&self, below: &str) -> String {
        std::fs::read_to_string(self.world.path(below)).unwrap_or_default()
    }
}

/// Runs to the end and looks for the planted secret in everything that is left.
#[track_caller]
fn left(world: World, container: &Sandbox, argv: &[&str]) -> Left {
    std::fs::create_dir_all(world.path("run")).unwrap();
    let output = ended(&container.clone().mount(world.path("run"), "/run"), argv);
    let read = |path: &str| std::fs::read(world.path(path)).unwrap_or_default();
    let outcome = read("run/lyftlearn/outcome.json");
    for (what, bytes) in [
        ("stderr", &output.stderr),
        ("outcome.json", &outcome),
        ("the failure file", &read("ml/output/failure")),
    ] {
        world.canary.assert_unseen(what, bytes);
    }
    Left {
        code: output.status.code().unwrap(),
        outcome: serde_json::from_slice(&outcome).unwrap_or(Value::Null),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        world,
    }
}

fn trained(settings: &str, script: &str) -> Left {
    let world = World::new();
    let container = world.training(settings, &json!({}));
    left(world, &container, &["sh", "-c", script])
}

#[track_caller]
fn check_class(left: &Left, code: i32, class: &str) {
    let found = (
        left.code,
        left.outcome["class"].as_str().unwrap_or_default(),
    );
    assert_eq!(found, (code, class), "{} {:#}", left.stderr, left.outcome);
}

#[test]
fn a_completed_program_is_reported_and_the_platforms_file_stays() {
    needs_namespaces!();
    let left = trained("log = \"off\"\n", "exit 0");
    check_class(&left, 0, "completed");
    assert_eq!(left.outcome["exit_code"], 0);
    assert!(left.outcome["seconds"].as_f64().unwrap() >= 0.0);
    assert!(!left.world.path("ml/output/failure").exists());
    assert_eq!(left.stderr, "");
}

#[test]
fn a_failure_is_reported_to_sagemaker_and_in_the_log() {
    needs_namespaces!();
    let left = trained("", "exit 3");
    check_class(&left, 3, "user-error");
    let reason = left.text("ml/output/failure");
    expect!["user error: the program ended with exit code 3"].assert_eq(&reason);
    assert_eq!(left.outcome["reason"], reason.as_str());
    assert!(
        left.stderr
            .ends_with(&format!("lyftlearn-runtime: {reason}\n")),
        "{}",
        left.stderr
    );
}

#[test]
fn an_end_by_a_signal_is_reported_by_its_name() {
    needs_namespaces!();
    let left = trained("", "kill -SEGV $$");
    check_class(&left, 139, "signalled");
    assert_eq!(left.outcome["signal"], "SIGSEGV");
    expect!["SIGSEGV ended the program"].assert_eq(&left.text("ml/output/failure"));
    // A kill that the kernel did not count as an OOM kill is a signal like any other.
    check_class(&trained("", "kill -KILL $$"), 137, "signalled");
}

#[test]
fn a_file_the_program_wrote_is_kept() {
    needs_namespaces!();
    let left = trained("", "echo mine >/opt/ml/output/failure; exit 1");
    check_class(&left, 1, "user-error");
    assert_eq!(left.text("ml/output/failure"), "mine\n");
}

#[test]
fn a_pods_termination_log_is_written_in_place() {
    use std::os::unix::fs::MetadataExt;

    needs_namespaces!();
    let world = World::new();
    let container = world.pod("", "{}");
    let log = Pod::lay_out(&world.path("kubelet"), "digits-1", "trainer").termination_log();
    let before = std::fs::metadata(&log).unwrap().ino();
    let left = left(world, &container, &["sh", "-c", &noted("no such column")]);
    check_class(&left, 1, "user-error");
    expect![[r#"
        ValueError: no such column
          at /app/train.py:12 in main
        user error: the program ended with exit code 1"#]]
    .assert_eq(&std::fs::read_to_string(&log).unwrap());
    assert_eq!(std::fs::metadata(&log).unwrap().ino(), before);
}

/// A record of an uncaught exception, as the Python package writes it in the program's own process.
fn noted(message: &str) -> String {
    let note = json!({
        "pid": 0, "thread": "MainThread", "main_thread": true, "time": 1.0,
        "type": "ValueError", "message": message,
        "file": "/app/train.py", "line": 12, "function": "main",
    });
    format!(
        "sed \"s/\\\"pid\\\":0/\\\"pid\\\":$$/\" \
         >$LYFTLEARN_EXCEPTIONS_DIR/00000000001000000000-2.json <<'EOF'\n{note}\nEOF\nexit 1"
    )
}

#[test]
fn an_exception_is_the_reason_with_its_message_and_its_place() {
    needs_namespaces!();
    let left = trained("", &noted("no such column"));
    check_class(&left, 1, "user-error");
    assert_eq!(left.outcome["exception"]["type"], "ValueError");
    assert_eq!(left.outcome["exception"]["line"], 12);
    expect![[r#"
        ValueError: no such column
          at /app/train.py:12 in main
        user error: the program ended with exit code 1"#]]
    .assert_eq(&left.text("ml/output/failure"));
}

#[test]
fn limits_are_the_platforms_own() {
    needs_namespaces!();
    // Characters for a training job, bytes for a processing job and a pod.
    let left = trained("", &noted(&"é".repeat(3000)));
    let failure = left.text("ml/output/failure");
    assert_eq!(failure.chars().count(), 1024);
    assert!(failure.starts_with("ValueError: é"));
    let world = World::new();
    let container = world.pod("", "{}");
    let log = Pod::lay_out(&world.path("kubelet"), "digits-1", "trainer").termination_log();
    let script = noted(&"é".repeat(3000));
    let pod = super::outcome::left(world, &container, &["sh", "-c", &script]);
    check_class(&pod, 1, "user-error");
    let written = std::fs::read(&log).unwrap();
    assert!((4093..=4096).contains(&written.len()), "{}", written.len());
    assert!(String::from_utf8(written).is_ok());
}

#[test]
fn secrets_in_an_exception_are_redacted() {
    needs_namespaces!();
    let world = World::new();
    let container = world
        .training("[outcome]\nredact = [\"CONNECTION\"]\n", &json!({}))
        .variable("CONNECTION", "db://user:declared@host");
    let message = format!(
        "cannot log in with {} at db://user:declared@host",
        world.canary.value()
    );
    let left = left(world, &container, &["sh", "-c", &noted(&message)]);
    check_class(&left, 1, "user-error");
    let expected = "cannot log in with [redacted] at [redacted]";
    assert_eq!(left.outcome["exception"]["message"], expected);
    assert!(left.text("ml/output/failure").contains(expected));
}

#[test]
fn every_value_that_a_secret_has_had_is_redacted() {
    needs_namespaces!();
    let world = World::new();
    world.file("volume/db", r#"{"prod": {"password": "secret-one-one"}}"#);
    std::fs::create_dir_all(world.path("run")).unwrap();
    let settings = "[secrets.db]\nfrom = \"file:/etc/volume/db\"\nfile = true\nrefresh = 1\n";
    let container = world
        .sharing(settings)
        .mount_read_only(world.path("volume"), "/etc/volume")
        .mount(world.path("run"), "/run");
    let script = format!(
        "touch /shared/one
        for value in two three; do
            until grep -q $value $LYFTLEARN_RUN_DIR/secrets/db; do sleep 0.05; done
            touch /shared/$value
        done
        rm -rf $LYFTLEARN_RUN_DIR/secrets
        {}",
        noted("not secret-one-one, secret-two-two or secret-three-three")
    );
    let running = container.run(&["sh", "-c", &script]);
    appears(&world.path("shared/one"));
    world.file("volume/db", "secret-two-two");
    appears(&world.path("shared/two"));
    world.file("volume/db", "secret-three-three");
    check_end(&running.end(), 1);
    let outcome = std::fs::read(world.path("run/lyftlearn/outcome.json")).unwrap();
    let outcome: Value = serde_json::from_slice(&outcome).unwrap();
    let expected = "not [redacted], [redacted] or [redacted]";
    assert_eq!(outcome["exception"]["message"], expected, "{outcome:#}");
}

#[test]
fn a_failed_start_is_reported_where_the_platform_reads() {
    needs_namespaces!();
    let world = World::new();
    let container = world.training("", &json!({}));
    let unfound = left(world, &container, &["no-such-program"]);
    check_class(&unfound, 127, "not-started");
    expect![[r#"
        lyftlearn-runtime: cannot find the program no-such-program
          hint: give a path, or a name that an executable on PATH has"#]]
    .assert_eq(&unfound.text("ml/output/failure"));
    // Settings that cannot be used leave no model to ask where to write.
    let world = World::new();
    let container = world.training("xyzzy = 1\n", &json!({}));
    let broken = left(world, &container, &["true"]);
    check_class(&broken, 125, "not-started");
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          xyzzy in /etc/lyftlearn/runtime.toml: not a setting"#]]
    .assert_eq(&broken.text("ml/output/failure"));
}

#[test]
fn nothing_to_write_to_changes_no_exit_code() {
    needs_namespaces!();
    let fails = ["sh", "-c", "exit 7"];
    for output in ["absent", "a file", "read-only", "full"] {
        let world = World::new();
        let container = world.training("", &json!({}));
        let container = match output {
            "absent" => container,
            "a file" => container,
            "read-only" => {
                std::fs::create_dir_all(world.path("ml/output")).unwrap();
                container.mount_read_only(world.path("ml/output"), "/opt/ml/output")
            }
            _ => container.mount("/dev/full", "/opt/ml/output/failure"),
        };
        let script = match output {
            "absent" => "rm -r /opt/ml/output /run/lyftlearn; exit 7",
            "a file" => "rm -r /opt/ml/output; : >/opt/ml/output; rm -r /run/lyftlearn; exit 7",
            _ => fails[2],
        };
        check_end(&ended(&container, &["sh", "-c", script]), 7);
    }
}

/// Notes and secrets enough that the helper is still at work when it is looked for.
#[test]
fn a_helper_that_hangs_is_not_waited_for_beyond_the_budget() {
    needs_namespaces!();
    let world = World::new();
    std::fs::create_dir(world.path("shared")).unwrap();
    // It sends the end to a server that never answers, so it is there to be stopped.
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = format!(
        "[lifecycle]\ngrace_seconds = 6\n[events]\nto = [\"http://{}/\"]\n",
        deaf.local_addr().unwrap()
    );
    let container = world
        .container(&settings)
        .mount(world.path("shared"), "/shared");
    let script = format!(
        "trap '{}' TERM; touch /shared/ready; while :; do wait; done",
        noted("x")
            .replace("'EOF'", "EOF")
            .replace("exit 1", "exit 7")
    );
    let running = container.run(&["sh", "-c", &script]);
    appears(&world.path("shared/ready"));
    let one = running.pid_one();
    running.signal(Signal::SIGTERM);
    let stopped = wait::until(|| {
        let children = std::fs::read_to_string(format!("/proc/{one}/task/{one}/children"));
        children.ok()?.split_whitespace().find_map(|child| {
            let line = std::fs::read(format!("/proc/{child}/cmdline")).ok()?;
            line.windows(9)
                .any(|word| word == b"--outcome")
                .then_some(())?;
            let pid = nix::unistd::Pid::from_raw(child.parse().ok()?);
            nix::sys::signal::kill(pid, Signal::SIGSTOP).ok()
        })
    });
    assert!(stopped.is_some(), "the helper was over before it was found");
    let asked = std::time::Instant::now();
    check_end(&running.end(), 7);
    // The stop's budget is six; without a stop it would have been ten.
    assert!(asked.elapsed() < Duration::from_secs(10));
}

#[test]
fn an_end_is_reported_however_long_its_data_are() {
    needs_namespaces!();
    let names: Vec<String> = (0..5000)
        .map(|number| format!("\"VARIABLE_WITH_A_LONG_NAME_{number:05}\""))
        .collect();
    let settings = format!("[outcome]\nredact = [{}]\n", names.join(", "));
    check_class(&trained(&settings, "exit 3"), 3, "user-error");

    let secrets = (0..900).map(|number| {
        let (name, directory) = ("n".repeat(60), "d".repeat(100));
        format!("[secrets.{name}{number}]\nfrom = \"file:/{directory}/{number}\"\n")
    });
    let world = World::new();
    let container = world.training(&secrets.collect::<String>(), &json!({}));
    let left = left(world, &container, &["true"]);
    check_class(&left, 125, "not-started");
    for report in [&left.stderr, &left.text("ml/output/failure")] {
        assert!(report.contains("  and 880 more\n"), "{report}");
    }
}

#[test]
fn an_end_that_no_process_reports_is_written_by_the_first() {
    needs_namespaces!();
    let script = "binary=$(readlink /proc/1/exe)
        mount -t tmpfs none /proc && mount --bind /dev/null $binary; exit 3";
    let left = trained("", script);
    check_class(&left, 3, "user-error");
    let said: Vec<&str> = left.stderr.lines().skip(1).collect();
    expect![[r#"
        lyftlearn-runtime: cannot start the process that reports the end: entity not found
        lyftlearn-runtime: user error: the program ended with exit code 3"#]]
    .assert_eq(&said.join("\n"));
}

#[test]
fn a_java_programs_143_can_be_made_0() {
    needs_namespaces!();
    let settings = "[lifecycle]\nexit_remap = [\"143:0\", \"9:8\"]\n";
    let left = trained(settings, "kill -TERM $$");
    check_class(&left, 0, "completed");
    assert_eq!(left.outcome["exit_code"], 0);
    assert_eq!(left.outcome["signal"], "SIGTERM");
    expect!["the program completed; lifecycle.exit_remap replaced exit code 143 by 0"]
        .assert_eq(left.outcome["reason"].as_str().unwrap());
    assert_eq!(left.text("ml/output/failure"), "");
    assert_eq!(trained(settings, "exit 9").code, 8);
    let left = trained("[lifecycle]\nexit_remap = [\"0:5\"]\n", "exit 0");
    check_class(&left, 5, "user-error");
    expect!["user error: the program ended with exit code 0; lifecycle.exit_remap replaced exit code 0 by 5"].assert_eq(&left.text("ml/output/failure"));
    // It is the runtime that has failed, and not the program.
    let world = World::new();
    let unmapped = world.container("[lifecycle]\nexit_remap = [\"127:0\"]\n");
    check_end(&ended(&unmapped, &["no-such-program"]), 127);
    let none = "[lifecycle]\nexit_remap = []\n";
    assert_eq!(trained(none, "exit 9").code, 9);
    let wrong = ["143", "143:0\", \"143:1"].map(|remap| {
        let world = World::new();
        let wrong = world.container(&format!("[lifecycle]\nexit_remap = [\"{remap}\"]\n"));
        let output = ended(&wrong, &["true"]);
        check_end(&output, 125);
        String::from_utf8_lossy(&output.stderr).into_owned()
    });
    expect![[r#"
        lyftlearn-runtime: cannot use these settings
          lifecycle.exit_remap in /etc/lyftlearn/runtime.toml: expected a list of exit codes, such as ["143:0"]
        lyftlearn-runtime: cannot use these settings
          lifecycle.exit_remap in /etc/lyftlearn/runtime.toml: expected each exit code at most once, such as ["143:0"]
    "#]].assert_eq(&wrong.concat());
}
