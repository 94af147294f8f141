//! What is concluded from what PID 1 saw.

use super::{Class, End, Exception, How, Outcome, Redact, Stopped, cause};

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
        time,
    }
}

#[track_caller]
fn check(end: &End, exceptions: Vec<Exception>, oom_kills: u64, class: Class, reason: &str) {
    let outcome = Outcome::of(end, exceptions, Some(oom_kills), &Redact::default());
    assert_eq!((outcome.class, outcome.reason.as_str()), (class, reason));
}

#[test]
fn every_end_has_its_class_and_its_sentence() {
    check(
        &exited(0),
        vec![],
        1,
        Class::Completed,
        "the program completed",
    );
    check(
        &exited(0),
        vec![exception("ValueError", 8, 1.0)],
        2,
        Class::Completed,
        "the program completed",
    );
    check(
        &exited(3),
        vec![],
        1,
        Class::UserError,
        "user error: the program ended with exit code 3",
    );
    check(
        &exited(1),
        vec![exception("ValueError", 7, 1.0)],
        1,
        Class::UserError,
        "ValueError: a message\n  at /app/train.py:12 in main\nuser error: the program ended with exit code 1",
    );
    check(
        &signalled(11),
        vec![],
        1,
        Class::Signalled,
        "SIGSEGV ended the program",
    );
    check(
        &signalled(KILL),
        vec![],
        1,
        Class::Signalled,
        "SIGKILL ended the program",
    );
    check(
        &signalled(KILL),
        vec![],
        2,
        Class::OutOfMemory,
        "out of memory: the kernel killed 1 process of this container; SIGKILL ended the program",
    );
    // Only children were killed, and the program said so by its exit code alone.
    check(
        &exited(1),
        vec![],
        4,
        Class::OutOfMemory,
        "out of memory: the kernel killed 3 processes of this container; the program ended with exit code 1",
    );
    check(
        &stopped(exited(0)),
        vec![],
        1,
        Class::Stopped,
        "stopped by SIGTERM; 3.2 s later the program ended with exit code 0",
    );
    check(
        &stopped(signalled(TERM)),
        vec![],
        1,
        Class::Stopped,
        "stopped by SIGTERM; 3.2 s later SIGTERM ended the program",
    );
    check(
        &stopped(exited(1)),
        vec![exception("KeyboardInterrupt", 7, 1.0)],
        1,
        Class::Stopped,
        "stopped by SIGTERM; 3.2 s later the program ended with exit code 1",
    );
    check(
        &stopped(exited(1)),
        vec![exception("OSError", 7, 1.0)],
        1,
        Class::UserError,
        "OSError: a message\n  at /app/train.py:12 in main\nuser error: the program ended with exit code 1",
    );
    check(
        &End {
            killed: true,
            ..stopped(signalled(KILL))
        },
        vec![],
        2,
        Class::BudgetExceeded,
        "time budget exceeded: still running and killed 3.2 s after SIGTERM",
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
        "lyftlearn-runtime: cannot find the program x",
    );
    check(
        &End {
            how: How::default(),
            ..stopped(exited(143))
        },
        vec![],
        1,
        Class::Stopped,
        "stopped by SIGTERM before the program started",
    );
    check(
        &End {
            failed: true,
            ..exited(3)
        },
        vec![],
        1,
        Class::RuntimeFailure,
        "a bug of lyftlearn-runtime came between; the program ended with exit code 3",
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
        "time budget exceeded: still running and killed 3.2 s after SIGTERM",
    );
}

#[test]
fn without_counters_a_kill_is_a_signal() {
    let outcome = Outcome::of(&signalled(KILL), vec![], None, &Redact::default());
    assert_eq!((outcome.class, outcome.oom_kills), (Class::Signalled, None));
}

#[test]
fn the_first_failure_wins_unless_the_program_has_one_of_its_own() {
    const CHILD_FAILED: &str = "torch.distributed.elastic.multiprocessing.errors.ChildFailedError";
    let found = |exceptions| cause(exceptions, Some(7)).map(|exception| exception.kind);
    assert_eq!(
        found(vec![
            exception(CHILD_FAILED, 7, 9.0),
            exception("KeyError", 9, 5.0),
            exception("ValueError", 8, 4.0),
        ])
        .as_deref(),
        Some("ValueError")
    );
    assert_eq!(
        found(vec![
            exception("ValueError", 8, 4.0),
            exception("OSError", 7, 9.0)
        ])
        .as_deref(),
        Some("OSError")
    );
    assert_eq!(found(vec![]), None);
}

#[test]
fn secrets_are_taken_out_wherever_the_program_says_them() {
    let variables = [
        ("DB_PASSWORD", "hunter2hunter2"),
        ("MY_OWN", "declared-value"),
        ("API_TOKEN_FILE", "/etc/token"),
        ("USER_TOKEN", "abc"),
        ("EMPTY_SECRET", ""),
    ];
    let redact = Redact::new(variables.into_iter(), &["MY_OWN".to_owned()]);
    assert_eq!(
        redact.text("login hunter2hunter2 with declared-value at /etc/token for abc"),
        "login [redacted] with [redacted] at /etc/token for abc"
    );
    let mut noted = exception("ValueError", 7, 1.0);
    noted.message = format!("{}hunter2hunter2", "x".repeat(4090));
    let outcome = Outcome::of(&exited(1), vec![noted], None, &redact);
    let shown = serde_json::to_string(&outcome).unwrap();
    assert!(!shown.contains("hunter"), "{shown}");
}

#[cfg(feature = "agent")]
#[test]
fn a_class_is_shown_by_the_name_that_it_is_told_by() {
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
fn a_secret_that_was_cut_before_it_came_here_is_not_shown_in_part() {
    let secret = "correct-horse-battery-staple-0123456789";
    let redact = Redact::default().with(vec![secret.to_owned(), "é-ünïcödé-secret".to_owned()]);
    for shown in 1..secret.len() {
        // As the package cuts: at so many characters.
        let before = "x".repeat(4096 - shown);
        let noted: String = format!("{before}{secret} and more")
            .chars()
            .take(4096)
            .collect();
        let text = redact.text(&noted);
        let rest = text.strip_prefix(&before).unwrap();
        assert!("[redacted]".starts_with(rest), "{shown}");
        // By somebody else, elsewhere: as far as it can be told from innocent text.
        if shown >= 6 {
            let text = redact.text(&format!("login {}", &secret[..shown]));
            assert_eq!(text, "login [redacted]", "{shown}");
            let text = redact.text(&format!("{} failed", &secret[secret.len() - shown..]));
            assert_eq!(text, "[redacted] failed", "{shown}");
        }
    }
    // Many values make a text shorter, and what lay beyond the limit comes into sight.
    let many = format!("{secret} ").repeat(200);
    let noted: String = many.chars().take(4096).collect();
    assert!(!redact.text(&noted).contains("correct"));
    assert_eq!(redact.text("with é-ünïcöd"), "with [redacted]");
    assert_eq!(redact.text("a corrected text"), "a corrected text");
    assert_eq!(redact.text("innocent"), "innocent");
    assert_eq!(redact.text(""), "");
}

#[test]
fn a_value_that_repeats_itself_takes_no_longer() {
    let value = "a".repeat(100_000);
    let redact = Redact::default().with(vec![format!("{value}b")]);
    let text = redact.text(&value);
    assert_eq!(text, "[redacted]");
}
