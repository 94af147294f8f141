//! Tests the conclusions from PID 1's observations.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use expect_test::{Expect, expect};

mod classes;

use super::cause::{Origin, Root};
use super::{Class, End, Exception, How, Outcome, Redact, Stopped};

const TERM: i32 = 15;
const KILL: i32 = 9;

fn exited(code: i32) -> End {
    End {
        how: How::Exited {
            code,
            program: Some(7),
        },
        exit_code: u8::try_from(code).unwrap(),
        oom_counter: Some(("/counter".into(), 1)),
        ..End::default()
    }
}

fn signalled(signal: i32) -> End {
    End {
        how: How::Signalled {
            signal,
            program: Some(7),
        },
        exit_code: u8::try_from(128 + signal).unwrap(),
        oom_counter: Some(("/counter".into(), 1)),
        ..End::default()
    }
}

fn stopped(end: End) -> End {
    End {
        stop: Some(Stopped {
            signal: TERM,
            seconds: Some(3.21),
        }),
        ..end
    }
}

fn exception(kind: &str, pid: i32, time: f64) -> Exception {
    Exception {
        kind: kind.to_owned(),
        message: "a message".to_owned(),
        file: Some("/app/train.py".to_owned()),
        line: Some(12),
        function: Some("main".to_owned()),
        pid,
        thread: "MainThread".to_owned(),
        main_thread: true,
        rank: None,
        time,
        cause: None,
        origin: Origin::default(),
    }
}

#[track_caller]
fn check(end: &End, exceptions: Vec<Exception>, oom_kills: u64, class: Class, reason: Expect) {
    let outcome = Outcome::of(end, exceptions, Some(oom_kills), &Redact::default());
    assert_eq!(outcome.class, class);
    reason.assert_eq(&outcome.reason);
}

#[test]
fn every_end_has_its_class_and_its_sentence() {
    check(
        &exited(0),
        vec![],
        1,
        Class::Completed,
        expect!["the program completed"],
    );
    check(
        &exited(0),
        vec![exception("ValueError", 8, 1.0)],
        2,
        Class::Completed,
        expect!["the program completed"],
    );
    check(
        &exited(3),
        vec![],
        1,
        Class::UserError,
        expect!["user error: the program ended with exit code 3"],
    );
    check(
        &exited(1),
        vec![exception("ValueError", 7, 1.0)],
        1,
        Class::UserError,
        expect![[r#"
            ValueError: a message
              at /app/train.py:12 in main
            user error: the program ended with exit code 1"#]],
    );
    check(
        &signalled(11),
        vec![],
        1,
        Class::Signalled,
        expect!["SIGSEGV ended the program"],
    );
    check(
        &signalled(KILL),
        vec![],
        1,
        Class::Signalled,
        expect!["SIGKILL ended the program"],
    );
    check(
        &signalled(KILL),
        vec![],
        2,
        Class::OutOfMemory,
        expect![
            "out of memory: the kernel killed 1 process of this container; SIGKILL ended the program"
        ],
    );
    // Only children were killed, and the program said so by its exit code alone.
    check(
        &exited(1),
        vec![],
        4,
        Class::OutOfMemory,
        expect![
            "out of memory: the kernel killed 3 processes of this container; the program ended with exit code 1"
        ],
    );
    check(
        &stopped(exited(0)),
        vec![],
        1,
        Class::Stopped,
        expect!["stopped by SIGTERM; 3.2 s later the program ended with exit code 0"],
    );
    check(
        &stopped(signalled(TERM)),
        vec![],
        1,
        Class::Stopped,
        expect!["stopped by SIGTERM; 3.2 s later SIGTERM ended the program"],
    );
    check(
        &stopped(exited(1)),
        vec![exception("KeyboardInterrupt", 7, 1.0)],
        1,
        Class::Stopped,
        expect!["stopped by SIGTERM; 3.2 s later the program ended with exit code 1"],
    );
    check(
        &stopped(exited(1)),
        vec![exception("OSError", 7, 1.0)],
        1,
        Class::UserError,
        expect![[r#"
            OSError: a message
              at /app/train.py:12 in main
            user error: the program ended with exit code 1"#]],
    );
    check(
        &signalled(6),
        vec![exception("OSError", 7, 1.0)],
        1,
        Class::UserError,
        expect![[r#"
            OSError: a message
              at /app/train.py:12 in main
            user error: SIGABRT ended the program"#]],
    );
    check(
        &stopped(signalled(TERM)),
        vec![exception("OSError", 7, 1.0)],
        1,
        Class::UserError,
        expect![[r#"
            OSError: a message
              at /app/train.py:12 in main
            user error: SIGTERM ended the program"#]],
    );
    check(
        &End {
            killed: true,
            ..stopped(signalled(KILL))
        },
        vec![exception("OSError", 7, 1.0)],
        2,
        Class::UserError,
        expect![[r#"
            OSError: a message
              at /app/train.py:12 in main
            user error: still running and killed 3.2 s after SIGTERM"#]],
    );
    check(
        &signalled(11),
        vec![exception("OSError", 8, 1.0)],
        1,
        Class::Signalled,
        expect![[r#"
            SIGSEGV ended the program
            earlier, in process 8: OSError: a message"#]],
    );
    // The kernel's counter says what killed it, whatever it had noted before.
    check(
        &signalled(KILL),
        vec![exception("OSError", 7, 1.0)],
        2,
        Class::OutOfMemory,
        expect![
            "out of memory: the kernel killed 1 process of this container; SIGKILL ended the program"
        ],
    );
    check(
        &End {
            killed: true,
            ..stopped(signalled(KILL))
        },
        vec![],
        2,
        Class::BudgetExceeded,
        expect!["time budget exceeded: still running and killed 3.2 s after SIGTERM"],
    );
    check(
        &End {
            how: How::NotStarted {
                report: "lyftlearn-runtime: cannot find the program x\n".to_owned(),
            },
            ..exited(127)
        },
        vec![],
        1,
        Class::NotStarted,
        expect!["lyftlearn-runtime: cannot find the program x"],
    );
    check(
        &End {
            how: How::default(),
            ..stopped(exited(143))
        },
        vec![],
        1,
        Class::Stopped,
        expect!["stopped by SIGTERM before the program started"],
    );
    check(
        &End {
            failed: true,
            ..exited(3)
        },
        vec![],
        1,
        Class::RuntimeFailure,
        expect!["internal error in lyftlearn-runtime; the program ended with exit code 3"],
    );
    check(
        &End {
            how: How::Unkillable,
            killed: true,
            ..stopped(exited(137))
        },
        vec![],
        1,
        Class::BudgetExceeded,
        expect!["time budget exceeded: still running and killed 3.2 s after SIGTERM"],
    );
}

#[test]
fn the_cause_of_an_exception_is_reported_with_its_place() {
    let mut raised = exception("RuntimeError", 7, 1.0);
    raised.cause = Some(Root {
        kind: "KeyError".to_owned(),
        message: "'label'".to_owned(),
        file: Some("/app/data.py".to_owned()),
        line: Some(7),
        function: Some("load".to_owned()),
    });
    check(
        &exited(1),
        vec![raised],
        1,
        Class::UserError,
        expect![[r#"
        RuntimeError: a message
          at /app/train.py:12 in main
        caused by KeyError: 'label'
          at /app/data.py:7 in load
        user error: the program ended with exit code 1"#]],
    );
}

#[test]
fn an_exception_that_only_repeats_the_exit_code_is_recognized() {
    let says_more = |end: &End, exceptions, kills| {
        Outcome::of(end, exceptions, Some(kills), &Redact::default()).says_more_than_its_code()
    };
    let own = || vec![exception("ValueError", 7, 1.0)];
    let others = || vec![exception("ValueError", 8, 1.0)];
    assert!(!says_more(&exited(3), vec![], 1));
    assert!(!says_more(&exited(3), others(), 1));
    assert!(!says_more(&signalled(11), vec![], 1));
    assert!(says_more(&exited(1), own(), 1));
    assert!(says_more(&signalled(KILL), vec![], 2));
    assert!(says_more(&stopped(exited(3)), vec![], 1));
    let failed = true;
    assert!(says_more(
        &End {
            failed,
            ..exited(3)
        },
        vec![],
        1
    ));
    let how = How::default();
    assert!(says_more(&End { how, ..exited(127) }, vec![], 1));
}

#[test]
fn nothing_in_an_outcome_moves_a_cursor() {
    let mut red = exception("Value\u{1b}[1mError", 7, 1.0);
    red.message = "\u{1b}[31mred\u{1b}[0m\rgone \u{202e}txt.exe\n".to_owned();
    red.file = Some("/app/\u{7}.py".to_owned());
    let outcome = Outcome::of(&exited(1), vec![red], None, &Redact::default());
    let shown = serde_json::to_string(&outcome).unwrap();
    for text in [&shown, &outcome.reason] {
        assert!(
            !text.contains(['\u{1b}', '\r', '\u{7}', '\u{202e}']) && !text.contains("\\u001b"),
            "{text}"
        );
    }
    assert!(
        outcome.reason.contains("\\u{1b}[31mred"),
        "{}",
        outcome.reason
    );
}

#[test]
fn secrets_are_redacted_wherever_they_occur() {
    let variables = [
        ("DB_PASSWORD", "hunter2hunter2"),
        ("MY_OWN", "declared-value"),
        ("API_TOKEN_FILE", "/etc/token"),
        ("USER_TOKEN", "abc"),
        ("EMPTY_SECRET", ""),
    ];
    let redact = Redact::new(
        &variables.map(|(name, value)| (name.into(), value.into())),
        &["MY_OWN".to_owned()],
    );
    assert_eq!(
        redact.text("login hunter2hunter2 with declared-value at /etc/token for abc"),
        "login [redacted] with [redacted] at /etc/token for abc"
    );
    // What the package's own limit has divided.
    for (text, shown) in [
        (
            "login hunter2hu\u{2026} failed",
            "login [redacted]\u{2026} failed",
        ),
        (
            "login \u{2026}2hunter2 failed",
            "login \u{2026}[redacted] failed",
        ),
        (
            "login hunter2\u{2026}hunter2",
            "login [redacted]\u{2026}[redacted]",
        ),
        ("wait\u{2026} done\u{2026}", "wait\u{2026} done\u{2026}"),
        ("a hu\u{2026}r2", "a hu\u{2026}r2"),
    ] {
        assert_eq!(redact.text(text), shown);
    }
    let mut noted = exception("ValueError", 7, 1.0);
    noted.message = format!("{}hunter2hunter2", "x".repeat(4090));
    let outcome = Outcome::of(&exited(1), vec![noted], None, &redact);
    let shown = serde_json::to_string(&outcome).unwrap();
    assert!(!shown.contains("hunter"), "{shown}");
}

#[cfg(feature = "agent")]
#[test]
fn a_class_is_displayed_by_its_serialized_name() {
    for class in [
        Class::Completed,
        Class::UserError,
        Class::Signalled,
        Class::OutOfMemory,
        Class::Stopped,
        Class::BudgetExceeded,
        Class::NotStarted,
        Class::RuntimeFailure,
    ] {
        assert_eq!(serde_json::json!(class), class.name());
    }
}

#[test]
fn a_value_that_repeats_itself_takes_no_longer() {
    let value = "a".repeat(100_000);
    let redact = Redact::default().with(vec![format!("{value}b").into_bytes()]);
    let text = redact.text(&format!("{value}\u{2026}end"));
    assert_eq!(text, "[redacted]\u{2026}end");
}

#[test]
fn values_that_overlap_leave_nothing_of_each_other() {
    let secrets = ["canary7391qzx", "1qzx-overlaps-it"].map(Into::into);
    let redact = Redact::default().with(secrets.to_vec());
    for (said, shown) in [
        ("<canary7391qzx-overlaps-it>", "<[redacted]>"),
        ("<canary7391qzxcanary7391qzx>", "<[redacted][redacted]>"),
        // A part of both, between two places where something is left out.
        ("…1qzx-over…", "…[redacted]…"),
        ("…1qzx…", "…[redacted]…"),
    ] {
        assert_eq!(redact.text(said), shown);
    }
    // What repeats itself is found where it overlaps itself.
    let redact = Redact::default().with(vec![b"abcdefgabcdefg".to_vec()]);
    assert_eq!(redact.text("<abcdefgabcdefgabcdefg>"), "<[redacted]>");
}

#[test]
fn the_line_end_of_a_variable_is_no_part_of_the_secret() {
    let variables = [("API_TOKEN".into(), "canary7391qzx\n".into())];
    let redact = Redact::new(&variables, &[]);
    assert_eq!(redact.text("refused: canary7391qzx"), "refused: [redacted]");
}

#[test]
fn a_variable_is_found_in_the_forms_of_a_secret() {
    let value = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
    let variables = [
        ("DB_PASSWORD".into(), value(b"p/ss word")),
        ("BINARY_TOKEN".into(), value(b"\xff\xfetoken")),
        ("PIN".into(), value(b"1 2")),
        ("OWN".into(), value(b"{\"in\": [\"listed-hunter3\"]}")),
    ];
    let redact = Redact::new(&variables, &["PIN".to_owned(), "OWN".to_owned()]);
    assert_eq!(
        redact.text("p%2Fss+word cC9zcyB3b3Jk //50b2tlbg== 1 2 1%202 listed-hunter3"),
        "[redacted] [redacted] [redacted] [redacted] 1%202 [redacted]"
    );
}
