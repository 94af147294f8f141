//! Which class an end has, and what follows in its reason.

use expect_test::expect;

use super::{KILL, TERM, check, exception, exited, signalled, stopped};
use crate::outcome::{Class, End, Exception, Outcome, Redact};

#[test]
fn the_class_follows_the_exit_code_that_the_platform_sees() {
    let remapped = |exit_code, end| End { exit_code, ..end };
    let failed = || vec![exception("ValueError", 7, 1.0)];
    check(
        &remapped(0, exited(3)),
        failed(),
        2,
        Class::Completed,
        expect!["the program completed; lifecycle.exit_remap replaced exit code 3 by 0"],
    );
    check(
        &remapped(0, signalled(TERM)),
        vec![],
        1,
        Class::Completed,
        expect!["the program completed; lifecycle.exit_remap replaced exit code 143 by 0"],
    );
    check(
        &remapped(5, exited(0)),
        vec![],
        1,
        Class::UserError,
        expect![
            "user error: the program ended with exit code 0; lifecycle.exit_remap replaced exit code 0 by 5"
        ],
    );
    check(
        &remapped(0, stopped(exited(1))),
        failed(),
        1,
        Class::Stopped,
        expect![
            "stopped by SIGTERM; 3.2 s later the program ended with exit code 1; lifecycle.exit_remap replaced exit code 1 by 0"
        ],
    );
    check(
        &remapped(1, signalled(TERM)),
        vec![],
        1,
        Class::Signalled,
        expect!["SIGTERM ended the program; lifecycle.exit_remap replaced exit code 143 by 1"],
    );
    assert!(remapped(0, exited(3)).completed());
    assert!(!remapped(5, exited(0)).completed());
}

#[test]
fn without_counters_a_kill_is_a_signal() {
    let outcome = Outcome::of(&signalled(KILL), vec![], None, &Redact::default());
    assert_eq!((outcome.class, outcome.oom_kills), (Class::Signalled, None));
}

#[test]
fn a_launcher_that_ends_after_a_stop_is_stopped() {
    const TOLD: &str = "torch.distributed.elastic.multiprocessing.api.SignalException";
    let told = || vec![exception(TOLD, 7, 1.0)];
    check(
        &stopped(exited(1)),
        told(),
        1,
        Class::Stopped,
        expect!["stopped by SIGTERM; 3.2 s later the program ended with exit code 1"],
    );
    // Without a stop somebody else has told it.
    let outcome = Outcome::of(&exited(1), told(), None, &Redact::default());
    assert_eq!(outcome.class, Class::UserError);
}

#[test]
fn a_text_to_end_with_after_a_stop_is_no_failure() {
    let text = |pid: i32| {
        let mut text = exception("SystemExit", pid, 1.0);
        text.message = "stopped early at epoch 3\nby a signal".to_owned();
        text.origin.exit_code = Some(1);
        text.origin.parents = vec![7];
        vec![text]
    };
    // The program's own, and that of one behind a shell.
    for pid in [7, 8] {
        check(
            &stopped(exited(1)),
            text(pid),
            1,
            Class::Stopped,
            expect![[r#"
                stopped by SIGTERM; 3.2 s later the program ended with exit code 1
                SystemExit: stopped early at epoch 3\nby a signal"#]],
        );
    }
    let outcome = Outcome::of(&stopped(exited(1)), text(7), None, &Redact::default());
    assert_eq!(outcome.exception, None);
    // Without a stop it is one.
    let outcome = Outcome::of(&exited(1), text(7), None, &Redact::default());
    assert_eq!(outcome.class, Class::UserError);
}

#[test]
fn another_process_s_exception_is_no_more_than_mentioned() {
    let mut probe = exception("ImportError", 8, 1.0);
    probe.message = "no\nmodule".to_owned();
    let outcome = Outcome::of(&exited(2), vec![probe.clone()], None, &Redact::default());
    assert_eq!(outcome.exception, None);
    expect!["user error: the program ended with exit code 2"].assert_eq(&outcome.ended);
    expect![[r#"
        user error: the program ended with exit code 2
        earlier, in process 8: ImportError: no\nmodule"#]]
    .assert_eq(&outcome.reason);
    probe.message = "x".repeat(5000);
    let outcome = Outcome::of(&exited(2), vec![probe.clone()], None, &Redact::default());
    assert!(outcome.reason.len() < 400, "{}", outcome.reason);
    // Nor does it make a stop something else.
    let outcome = Outcome::of(&stopped(exited(2)), vec![probe], None, &Redact::default());
    assert!(!outcome.reason.contains("earlier"), "{}", outcome.reason);
}

#[test]
fn a_lost_peer_is_reported_first() {
    let lost = || Exception {
        message: "Connection closed by peer [10.0.0.2]:1234".to_owned(),
        rank: Some(1),
        file: None,
        ..exception("RuntimeError", 7, 1.0)
    };
    let together = End {
        host: Some("algo-2".to_owned()),
        ..exited(1)
    };
    check(
        &together,
        vec![lost()],
        1,
        Class::UserError,
        expect![[r#"
            another node ended first: RuntimeError: Connection closed by peer [10.0.0.2]:1234
            user error: the program ended with exit code 1"#]],
    );
    let alone = Outcome::of(&exited(1), vec![lost()], None, &Redact::default());
    assert!(!alone.reason.contains("another node"), "{}", alone.reason);
}
