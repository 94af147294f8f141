//! Which of several failures is the reason, as real programs end.

use expect_test::expect;

use std::path::Path;

use lyftlearn_conformance::kubelet::Pod;
use lyftlearn_conformance::programs;

use super::*;

/// Has Python do at its start what it does where the wheel is installed.
const AS_INSTALLED: &str = "exec(open('/notes/lyftlearn_runtime.pth').read())\n";

/// Tries another process's luck before it fails itself.
const TRAINER: &str = r#"
import subprocess, sys
for number in range(int(sys.argv[1])):
    subprocess.run([sys.executable, "-c", f"raise RuntimeError('probe {number}, tolerated')"],
                   stderr=subprocess.DEVNULL)
raise ValueError("shard 7 has no label column")
"#;

const ARGUMENTS: &str = r#"
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.parse_args(["--lr", "fast"])
"#;

pub(super) fn noting(world: &World, container: Sandbox) -> Sandbox {
    let notes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lyftlearn-runtime-py/wheel/purelib");
    world.file("start/sitecustomize.py", AS_INSTALLED);
    world.file("programs/train.py", TRAINER);
    world.file("programs/arguments.py", ARGUMENTS);
    std::fs::create_dir_all(world.path("run")).unwrap();
    container
        .mount_read_only(notes.canonicalize().unwrap(), "/notes")
        .mount_read_only(world.path("start"), "/start")
        .mount_read_only(world.path("programs"), "/programs")
        .mount(world.path("run"), "/run")
        .variable("PYTHONPATH", "/start:/notes")
        .variable("PYTHONDONTWRITEBYTECODE", "1")
        .variable("PY", find_python())
}

/// What the platform's file says after `script` has ended with `code`.
#[track_caller]
fn failed(script: &str, code: i32) -> String {
    let world = World::new();
    let container = noting(&world, world.training("", &json!({})));
    check_end(&ended(&container, &["sh", "-c", script]), code);
    std::fs::read_to_string(world.path("ml/output/failure")).unwrap()
}

#[test]
fn the_reason_is_the_cause_of_the_end_and_not_a_tolerated_error() {
    needs_namespaces!();
    let own = [
        "exec $PY /programs/train.py 3",
        "$PY /programs/train.py 3; exit $?",
        "exec $PY /programs/train.py 70",
        "$PY /programs/train.py 0 | cat; exit 1",
    ];
    expect![[r#"
        ValueError: shard 7 has no label column
          at /programs/train.py:6 in <module>
        user error: the program ended with exit code 1"#]]
    .assert_eq(&the_same(own.map(|script| failed(script, 1))));
    let probe = r#"$PY -c "import absent_altogether" 2>/dev/null"#;
    let probed = format!("{probe}; exec $PY /programs/arguments.py");
    let wrong = [
        "exec $PY /programs/arguments.py",
        "$PY /programs/arguments.py; exit $?",
        &probed,
    ];
    expect![[r#"
        SystemExit: arguments.py: error: argument --lr: invalid float value: 'fast'
          at /programs/arguments.py:5 in <module>
        user error: the program ended with exit code 2"#]]
    .assert_eq(&the_same(wrong.map(|script| failed(script, 2))));
    let exits = format!("{probe}; exec $PY -c 'import sys; sys.exit(\"no table name\")'");
    expect![[r#"
        SystemExit: no table name
          at <string>:1 in <module>
        user error: the program ended with exit code 1"#]]
    .assert_eq(&failed(&exits, 1));
    // At most mentioned: the shell went on, and fails by itself.
    let reason = failed(&format!("{probe}; ls /no/such/dataset"), 2);
    let (first, earlier) = reason.split_once('\n').unwrap();
    expect!["user error: the program ended with exit code 2"].assert_eq(first);
    assert!(
        earlier.starts_with("earlier, in process ")
            && earlier.ends_with(": ModuleNotFoundError: No module named 'absent_altogether'"),
        "{earlier}"
    );
}

/// The same after a stop that comes when `/run/ready` exists.
#[track_caller]
fn stopped(script: &str, code: i32) -> (String, Value) {
    let world = World::new();
    let container = noting(&world, world.training("", &json!({})));
    let running = container.run(&["sh", "-c", script]);
    appears(&world.path("run/ready"));
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), code);
    let outcome = std::fs::read(world.path("run/lyftlearn/outcome.json")).unwrap();
    let failure = std::fs::read_to_string(world.path("ml/output/failure")).unwrap();
    (failure, serde_json::from_slice(&outcome).unwrap())
}

#[test]
fn an_exception_is_the_reason_also_where_a_signal_ends_the_program() {
    needs_namespaces!();
    // A library that crashes in its teardown.
    let crash = r#"exec $PY -c "
import atexit, os
atexit.register(os.abort)
raise ValueError('no label column')""#;
    expect![[r#"
        ValueError: no label column
          at <string>:4 in <module>
        user error: SIGABRT ended the program"#]]
    .assert_eq(&failed(crash, 134));
    let interrupt = r#"exec $PY -c "
import _thread, threading, time
def load():
    try: raise ValueError('no label column')
    finally: _thread.interrupt_main()
threading.Thread(target=load, name='loader').start()
while True: time.sleep(0.01)""#;
    expect![[r#"
        ValueError: no label column
          at <string>:4 in load
        user error: SIGINT ended the program"#]]
    .assert_eq(&failed(interrupt, 130));
}

#[test]
fn an_exception_is_the_reason_also_where_a_stop_ends_the_program() {
    needs_namespaces!();
    let save = r#"exec $PY -c "
import atexit, os, signal, time
atexit.register(os.abort)
def save(*_): raise RuntimeError('cannot save the checkpoint: disk full')
signal.signal(signal.SIGTERM, save)
open('/run/ready', 'w').close()
while True: time.sleep(0.01)""#;
    let (failure, outcome) = stopped(save, 134);
    expect![[r#"
        RuntimeError: cannot save the checkpoint: disk full
          at <string>:4 in save
        user error: SIGABRT ended the program"#]]
    .assert_eq(&failure);
    assert_eq!(outcome["class"], "user-error", "{outcome:#}");
    assert_eq!(outcome["signal"], "SIGABRT");
    // A shell receives the stop after its child, and dies of it.
    let behind_a_shell = save.replace("exec $PY", "$PY") + "; exit $?";
    let (failure, outcome) = stopped(&behind_a_shell, 143);
    assert!(
        failure.starts_with("RuntimeError: cannot save the checkpoint: disk full\n"),
        "{failure}"
    );
    assert_eq!(outcome["class"], "user-error", "{outcome:#}");
    // Another thread keeps the process alive until the platform stops it.
    let kept = r#"exec $PY -c "
import os, sys, threading, time
def stay():
    notes = os.environ['LYFTLEARN_EXCEPTIONS_DIR']
    while not any(name.endswith('.json') and name[0] != '.' for name in os.listdir(notes)): pass
    open('/run/ready', 'w').close()
    while True: time.sleep(0.01)
threading.Thread(target=stay).start()
raise ValueError('no label column')""#;
    let (failure, outcome) = stopped(kept, 143);
    expect![[r#"
        ValueError: no label column
          at <string>:9 in <module>
        user error: SIGTERM ended the program"#]]
    .assert_eq(&failure);
    assert_eq!(outcome["exception"]["type"], "ValueError", "{outcome:#}");
}

/// Hides how long it took.
fn without_seconds(reason: &str) -> String {
    let words = reason.split(' ').map(|word| match word.parse::<f64>() {
        Ok(_) => "…",
        Err(_) => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_message_to_end_with_after_a_stop_is_no_failure() {
    needs_namespaces!();
    let exits = r#"exec $PY -c "
import signal, sys, time
def leave(*_): sys.exit('SIGTERM received, checkpoint saved')
signal.signal(signal.SIGTERM, leave)
open('/run/ready', 'w').close()
while True: time.sleep(0.01)""#;
    let (failure, outcome) = stopped(exits, 1);
    assert_eq!(outcome["class"], "stopped", "{outcome:#}");
    assert_eq!(outcome["exception"], Value::Null);
    expect![[r#"
        stopped by SIGTERM; … s later the program ended with exit code 1
        SystemExit: SIGTERM received, checkpoint saved"#]]
    .assert_eq(&without_seconds(&failure));
    let behind_a_shell = exits.replace("exec $PY", "$PY") + "; exit $?";
    let (failure, outcome) = stopped(&behind_a_shell, 143);
    assert_eq!(outcome["class"], "stopped", "{outcome:#}");
    expect![[r#"
        stopped by SIGTERM; … s later SIGTERM ended the program
        SystemExit: SIGTERM received, checkpoint saved"#]]
    .assert_eq(&without_seconds(&failure));
}

#[test]
fn a_failure_that_the_program_tolerated_itself_is_not_the_cause() {
    needs_namespaces!();
    let caught = r#"exec $PY -c "
import sys
try: sys.exit('probe: no apex')
except SystemExit: pass
exit(1)""#;
    expect!["user error: the program ended with exit code 1"].assert_eq(&failed(caught, 1));
    let logged = r#"exec $PY -c "
import sys
try: import absent_altogether
except ImportError: sys.excepthook(*sys.exc_info())
sys.exit(3)""#;
    expect![[r#"
        user error: the program ended with exit code 3
        earlier: ModuleNotFoundError: No module named 'absent_altogether'"#]]
    .assert_eq(&failed(logged, 3));
}

#[test]
fn a_long_message_keeps_its_end_where_a_notebooks_cause_is() {
    needs_namespaces!();
    let script = r#"$PY -c "
raise RuntimeError('In [7]:\n' + 'a line of the cell\n' * 300 + 'ValueError: no label column')""#;
    let reason = failed(script, 1);
    assert_eq!(reason.chars().count(), 1024);
    assert!(reason.starts_with("RuntimeError: In [7]:\n"), "{reason}");
    let (_, end) = reason
        .split_once("\nValueError: no label column\n")
        .unwrap();
    expect![[r#"
          at <string>:2 in <module>
        user error: the program ended with exit code 1"#]]
    .assert_eq(end);
}

#[test]
fn a_termination_log_stays_empty_where_there_is_no_more_to_say_than_the_exit_code() {
    needs_namespaces!();
    let log_of = |script: &str, code: i32| {
        let world = World::new();
        let container = noting(&world, world.pod("", "{}"));
        let log = Pod::lay_out(&world.path("kubelet"), "digits-1", "trainer").termination_log();
        check_end(&ended(&container, &["sh", "-c", script]), code);
        std::fs::read_to_string(&log).unwrap()
    };
    for (script, code) in [
        ("exit 4", 4),
        ("$PY -c 'import absent_altogether'; exit 4", 4),
        ("kill -SEGV $$", 139),
        ("exec /no/such/program", 127),
    ] {
        assert_eq!(log_of(script, code), "", "{script}");
    }
    let exit = r#"exec $PY -c "import sys; sys.exit('no table name')""#;
    expect![[r#"
        SystemExit: no table name
          at <string>:1 in <module>
        user error: the program ended with exit code 1"#]]
    .assert_eq(&log_of(exit, 1));
}

/// Below another `run`, as `train` of a toolkit may start one.
#[test]
fn a_nested_run_leaves_the_platforms_file_to_the_outer_one() {
    needs_namespaces!();
    let of = |nested: &str| {
        let world = World::new();
        let container = world.training("", &json!({}));
        let words = [
            "sh".into(),
            "-c".into(),
            format!("{nested}; exit 4").into(),
            OsString::from(BINARY),
        ];
        check_end(&ended(&container, &words), 4);
        std::fs::read_to_string(world.path("ml/output/failure")).unwrap()
    };
    let nested = [
        "$0 run -- sh -c 'exit 3'",
        "$0 run -- no-such-program",
        "LYFTLEARN_RUNTIME_XYZZY=1 $0 run -- true",
    ];
    expect!["user error: the program ended with exit code 4"].assert_eq(&the_same(nested.map(of)));
    let own = "echo mine >/opt/ml/output/failure; $0 run -- sh -c 'exit 3'";
    assert_eq!(of(own), "mine\n");
}

/// What an earlier run on the same volume left is not this one's.
#[test]
fn a_reason_that_was_there_before_is_not_the_programs_own() {
    needs_namespaces!();
    let world = World::new();
    let container = world.training("", &json!({}));
    let failure = world.path("ml/output/failure");
    let run = |script: &str, code: i32| {
        check_end(&ended(&container, &["sh", "-c", script]), code);
        std::fs::read_to_string(&failure).ok()
    };
    expect!["user error: the program ended with exit code 3"].assert_eq(&run("exit 3", 3).unwrap());
    expect!["user error: the program ended with exit code 4"].assert_eq(&run("exit 4", 4).unwrap());
    assert_eq!(
        run("echo mine >/opt/ml/output/failure; exit 5", 5),
        Some("mine\n".to_owned())
    );
    assert_eq!(run("test ! -e /opt/ml/output/failure", 0), None);
    std::fs::write(&failure, "of an earlier run").unwrap();
    check_end(&ended(&container, &["no-such-program"]), 127);
    let told = std::fs::read_to_string(&failure).unwrap();
    assert!(told.contains("no-such-program"), "{told}");

    let world = World::new();
    let container = world.pod("", "{}");
    let log = Pod::lay_out(&world.path("kubelet"), "digits-1", "trainer").termination_log();
    std::fs::write(&log, "of an earlier run").unwrap();
    check_end(&ended(&container, &["true"]), 0);
    assert_eq!(std::fs::read(&log).unwrap(), b"");
    // Settings that cannot be used leave no model to ask.
    let broken = World::new();
    let container = broken.training("xyzzy = 1\n", &json!({}));
    let failure = broken.file("ml/output/failure", "of an earlier run");
    check_end(&ended(&container, &["true"]), 125);
    let told = std::fs::read_to_string(&failure).unwrap();
    assert!(told.contains("xyzzy"), "{told}");
}

#[test]
fn what_a_message_would_do_to_a_terminal_is_shown() {
    needs_namespaces!();
    let script = r#"exec $PY -c "raise ValueError('\x1b[2Jgone\r\u202egnp.exe')""#;
    let reason = failed(script, 1);
    assert!(
        reason.starts_with("ValueError: \\u{1b}[2Jgone\\r\\u{202e}gnp.exe\n"),
        "{reason}"
    );
    let world = World::new();
    let named = world
        .training("", &json!({}))
        .variable("TRAINING_JOB_NAME", "a\nb\u{1b}c");
    let output = ended(&named, &["true"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains(", job a\\nb\\u{1b}c"), "{stderr}");
    let output = ended(&world.container(""), &["no\u{1b}[2Jsuch"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.contains("\\u{1b}[2J") && !stderr.contains('\u{1b}'),
        "{stderr}"
    );
}

const SERVED: &str = r#"
async def app(scope, receive, send):
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    open("/shared/drained", "w").close()
    await send({"type": "lifespan.shutdown.complete"})
"#;

/// uvicorn raises the signal once more when it has drained.
#[test]
fn a_uvicorn_that_has_drained_was_stopped_and_may_end_with_0() {
    needs_namespaces!();
    let Some(python) = programs::python_with_wheel() else {
        return;
    };
    let place = "import os, uvicorn; print(os.path.dirname(os.path.dirname(uvicorn.__file__)))";
    let packages = programs::asked(&python, place);
    for (settings, code) in [("", 143), ("[lifecycle]\nexit_remap = [\"143:0\"]\n", 0)] {
        let world = World::new();
        std::fs::create_dir_all(world.path("run")).unwrap();
        world.file("app/served.py", SERVED);
        let container = world
            .sharing(settings)
            .mount(world.path("run"), "/run")
            .mount_read_only(packages.as_str(), "/packages")
            .mount_read_only(world.path("app"), "/app")
            .variable("PYTHONPATH", "/packages:/app");
        let container = unhurried(container);
        let argv = ["-m", "uvicorn", "--uds", "/shared/socket", "served:app"];
        let mut words = vec![find_python()];
        words.extend(argv.map(OsString::from));
        let running = container.run(&words);
        appears(&world.path("shared/socket"));
        running.signal(Signal::SIGTERM);
        check_end(&running.end(), code);
        assert!(world.path("shared/drained").exists());
        let text = std::fs::read(world.path("run/lyftlearn/outcome.json")).unwrap();
        let outcome: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(outcome["class"], "stopped", "{outcome:#}");
        assert_eq!(outcome["exit_code"], code);
        assert_eq!(outcome["signal"], "SIGTERM");
    }
}
