//! What a bug of ours costs: everything but the program and its exit code.

use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow};

use super::{Armed, Budget, Policy, Program, Scope, Status, arm, supervise};

const ALONE: &str = "init::tests::alone_in_its_process";
/// Again and again: the stop that the bug comes with is lost with it.
const ASKS: &str =
    "trap 'exit 42' TERM; for i in 1 2 3 4 5 6 7 8 9; do kill -TERM $PPID; sleep 0.2; done";
const TOLD: &str = "LYFTLEARN_TEST_ALONE";

/// Waiting for any child and blocking signals are a whole process's affair.
#[test]
fn after_a_bug_the_program_keeps_its_signals_and_its_exit_code() {
    let itself = std::env::current_exe().unwrap();
    // Every thread of the harness inherits the mask; or one that blocks nothing would end.
    let before = SigSet::all()
        .thread_swap_mask(SigmaskHow::SIG_BLOCK)
        .unwrap();
    let started = Command::new(itself)
        .args(["--exact", ALONE, "--nocapture"])
        .env(TOLD, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    before.thread_set_mask().unwrap();
    let output = started.unwrap().wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}");
    assert!(shown.contains("the ending is told"), "{shown}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whether it was started for this")]
fn alone_in_its_process() {
    if std::env::var_os(TOLD).is_none() {
        return;
    }
    let program = Program {
        file: "/bin/sh".into(),
        argv: ["sh", "-c", ASKS].map(Into::into).to_vec(),
        environment: Vec::new(),
        user: None,
    };
    let policy = Policy {
        scope: Scope::Group,
        asked_by: vec![15],
        stop_signal: 15,
        budget: Budget {
            drain: Duration::ZERO,
            orphans: Duration::from_secs(5),
            program: Duration::from_secs(20),
            whole: Duration::from_secs(24),
        },
    };
    let mut bug = |_, _, _| panic!("a bug of ours");
    let armed = Armed {
        before: SigSet::empty(),
        ..arm().unwrap()
    };
    let ending = supervise(armed, program, &policy, None, &[], &mut || (), &mut bug).unwrap();
    assert_eq!(ending.status, Status::Exited(42));
    assert!(ending.failed);
    println!("the ending is told");
}
