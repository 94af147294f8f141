//! Which note is the cause.

use super::{Exception, Last, Link, Origin, Root, STORE_IS_GONE, link};

const PROGRAM: i32 = 7;
/// When the program ended.
const END: f64 = 100.0;
const TORCHRUN: &str = "torch.distributed.elastic.multiprocessing.errors.ChildFailedError";

/// A note of a process that was started at 0 and ends by its exception.
fn note(kind: &str, pid: i32, parents: &[i32], time: f64) -> Exception {
    Exception {
        kind: kind.to_owned(),
        message: String::new(),
        file: None,
        line: None,
        function: None,
        pid,
        thread: "MainThread".to_owned(),
        main_thread: true,
        rank: None,
        time,
        cause: None,
        origin: Origin {
            parents: parents.to_vec(),
            started: Some(0.0),
            ended: Some(time),
            exit_code: Some(1),
            logged: false,
        },
    }
}

fn started(note: Exception, started: f64) -> Exception {
    let started = Some(started);
    let origin = Origin {
        started,
        ..note.origin
    };
    Exception { origin, ..note }
}

fn in_thread(note: Exception) -> Exception {
    let origin = Origin {
        ended: None,
        exit_code: None,
        ..note.origin
    };
    Exception {
        thread: "loader".to_owned(),
        main_thread: false,
        origin,
        ..note
    }
}

fn ended(code: Option<i32>, stopped: bool) -> Last {
    Last {
        program: Some(PROGRAM),
        code,
        stopped,
        time: Some(END),
    }
}

#[track_caller]
fn check_code(code: i32, notes: &[Exception], expected: Option<Result<&str, &str>>) {
    check_last(ended(Some(code), false), notes, expected);
}

/// `Ok` the cause, `Err` one that is only mentioned.
#[track_caller]
fn check_last(last: Last, notes: &[Exception], expected: Option<Result<&str, &str>>) {
    let found = link(notes.to_vec(), last);
    let found = found.as_ref().map(|found| match found {
        Link::Cause(note) => Ok(note.kind.as_str()),
        Link::Earlier(note) => Err(note.kind.as_str()),
    });
    assert_eq!(found, expected);
}

#[track_caller]
fn check(notes: &[Exception], expected: Option<Result<&str, &str>>) {
    check_code(1, notes, expected);
}

#[test]
fn the_programs_own_exception_is_the_cause_whatever_others_noted() {
    check(&[], None);
    let probe = |pid, time| note("ImportError", pid, &[PROGRAM, 1], time);
    let own = note("ValueError", PROGRAM, &[1], 99.9);
    check(
        &[probe(8, 99.7), probe(9, 99.8), own.clone()],
        Some(Ok("ValueError")),
    );
    // A cleanup that fails afterwards.
    check(&[own.clone(), probe(8, 99.95)], Some(Ok("ValueError")));
    // Its end may take a while.
    check(
        &[note("ValueError", PROGRAM, &[1], 40.0)],
        Some(Ok("ValueError")),
    );
}

#[test]
fn another_process_counts_when_its_end_led_to_the_programs() {
    let trainer = |time| note("ValueError", 8, &[PROGRAM, 1], time);
    check(&[trainer(99.5)], Some(Ok("ValueError")));
    check(&[trainer(98.5)], Some(Err("ValueError")));
    // A teardown that takes seconds, after which it ends.
    let mut slow = trainer(90.0);
    slow.origin.ended = Some(99.9);
    check(&[slow], Some(Ok("ValueError")));
    // Its teardown crashed, and the shell around it reports that.
    check_code(134, &[trainer(99.9)], Some(Ok("ValueError")));
    check_code(134, &[trainer(98.5)], Some(Err("ValueError")));
    // Another exit code, and a process of somebody else's.
    check_code(2, &[trainer(99.9)], Some(Err("ValueError")));
    let stranger = note("ValueError", 8, &[5, 1], 99.9);
    check(&[stranger], Some(Err("ValueError")));
}

#[test]
fn what_the_failing_process_tolerated_is_not_the_cause() {
    let probe = |pid| note("ImportError", pid, &[8, PROGRAM, 1], 99.8);
    let trainer = note("ValueError", 8, &[PROGRAM, 1], 99.9);
    check(
        &[probe(9), probe(10), probe(11), trainer],
        Some(Ok("ValueError")),
    );
}

#[test]
fn of_commands_in_turn_the_last_counts_and_of_those_at_once_the_first() {
    let one = note("KeyError", 8, &[PROGRAM, 1], 99.5);
    let other = |started_at| started(note("OSError", 9, &[PROGRAM, 1], 99.9), started_at);
    check(&[one.clone(), other(99.6)], Some(Ok("OSError")));
    check(&[one, other(1.0)], Some(Ok("KeyError")));
}

#[test]
fn a_launcher_passes_on_the_first_failure_of_its_last_attempt() {
    let worker = |kind, pid, time, at| started(note(kind, pid, &[PROGRAM, 1], time), at);
    let launcher = note(TORCHRUN, PROGRAM, &[1], 99.9);
    let notes = [
        worker("MemoryError", 8, 20.0, 10.0),
        worker("KeyError", 9, 60.0, 50.0),
        worker("OSError", 10, 61.0, 50.0),
        launcher.clone(),
    ];
    check(&notes, Some(Ok("KeyError")));
    check(&[launcher], Some(Ok(TORCHRUN)));
    // Behind a shell that stays, with a child that a worker tolerated.
    let notes = [
        note("ImportError", 10, &[9, 8, PROGRAM, 1], 60.0),
        note("KeyError", 9, &[8, PROGRAM, 1], 61.0),
        note(TORCHRUN, 8, &[PROGRAM, 1], 99.9),
    ];
    check(&notes, Some(Ok("KeyError")));
}

#[test]
fn a_rank_that_lost_its_peer_is_no_cause_beside_one_that_failed() {
    let rank = |rank, message: &str, time| Exception {
        rank: Some(rank),
        message: message.to_owned(),
        ..note(
            "RuntimeError",
            8 + i32::try_from(rank).unwrap(),
            &[PROGRAM, 1],
            time,
        )
    };
    const GLOO: &str = "[../gloo/transport/tcp/pair.cc:598] Connection closed by peer [10.0.0.2]:1";
    const NCCL: &str = "ncclRemoteError: remote process exited or there was a network error";
    let launcher = note(TORCHRUN, PROGRAM, &[1], 99.9);
    let cause = |ranks: &[Exception]| {
        let notes = [ranks, std::slice::from_ref(&launcher)].concat();
        match link(notes, ended(Some(1), false)) {
            Some(Link::Cause(note)) => (note.rank, note.is_by_a_peer()),
            other => panic!("{other:?}"),
        }
    };
    let failed = rank(2, "loss is nan", 60.2);
    let lost = [rank(0, GLOO, 60.0), rank(1, NCCL, 60.1)];
    assert_eq!(cause(&[&lost[..], &[failed]].concat()), (Some(2), false));
    assert_eq!(cause(&lost), (Some(0), true));
    // A program's own words for a file.
    let own = Exception {
        rank: None,
        ..rank(0, "Broken pipe", 60.0)
    };
    assert!(!own.is_by_a_peer());
}

/// torchrun's own exception on the nodes that stay, when the host of its store has left.
#[test]
fn a_store_that_went_away_is_a_peers_end_and_one_that_was_never_reached_is_not() {
    let launcher = |kind: &str, message: &str| Exception {
        cause: Some(Root {
            kind: "RuntimeError".to_owned(),
            message: message.to_owned(),
            ..Root::default()
        }),
        ..note(kind, PROGRAM, &[1], 99.9)
    };
    assert!(launcher(STORE_IS_GONE, "Broken pipe").is_by_a_peer());
    assert!(launcher(STORE_IS_GONE, "Connection reset by peer").is_by_a_peer());
    assert!(!launcher(STORE_IS_GONE, "connect() timed out").is_by_a_peer());
    assert!(!launcher("ValueError", "Broken pipe").is_by_a_peer());
}

#[test]
fn a_failed_command_is_explained_by_its_own_recent_exception() {
    const CHECKED: &str = "subprocess.CalledProcessError";
    let own = note(CHECKED, PROGRAM, &[1], 99.9);
    let child = |time| note("KeyError", 8, &[PROGRAM, 1], time);
    check(&[child(99.8), own.clone()], Some(Ok("KeyError")));
    check(&[child(50.0), own], Some(Ok(CHECKED)));
}

#[test]
fn a_thread_counts_when_it_has_just_died() {
    let thread = |time| in_thread(note("KeyError", PROGRAM, &[1], time));
    check(&[thread(99.5)], Some(Ok("KeyError")));
    check(&[thread(40.0)], Some(Err("KeyError")));
    let own = note("ValueError", PROGRAM, &[1], 99.9);
    check(&[thread(99.5), own], Some(Ok("ValueError")));
}

#[test]
fn an_exit_text_belongs_to_its_exit_code() {
    let mut text = note("SystemExit", PROGRAM, &[1], 99.9);
    text.origin.exit_code = Some(2);
    check_code(2, &[text.clone()], Some(Ok("SystemExit")));
    check_code(3, &[text], Some(Err("SystemExit")));
}

#[test]
fn an_exception_of_the_main_thread_is_the_cause_of_an_end_by_a_signal() {
    let signalled = |notes: &[Exception], expected| {
        for stopped in [false, true] {
            check_last(ended(None, stopped), notes, expected);
        }
    };
    // A teardown that crashes, or another thread that stays until it is killed.
    signalled(
        &[note("ValueError", PROGRAM, &[1], 40.0)],
        Some(Ok("ValueError")),
    );
    // The signal says it already, or has nothing to do with it.
    signalled(&[note("KeyboardInterrupt", PROGRAM, &[1], 99.9)], None);
    let grandchild = note("KeyError", 9, &[8, PROGRAM, 1], 99.9);
    signalled(&[grandchild], Some(Err("KeyError")));
    let text = note("SystemExit", PROGRAM, &[1], 99.9);
    signalled(&[text], Some(Err("SystemExit")));
}

#[test]
fn a_thread_that_interrupts_the_main_one_is_the_cause() {
    let thread = |time| in_thread(note("KeyError", PROGRAM, &[1], time));
    let main = note("KeyboardInterrupt", PROGRAM, &[1], 99.9);
    let cause = Some(Ok("KeyError"));
    for code in [None, Some(130)] {
        check_last(ended(code, false), &[thread(99.8), main.clone()], cause);
    }
    check_last(ended(None, false), &[thread(99.8)], cause);
    // A stop may be such an interrupt, and threads fail while the program ends.
    let interrupt = Some(Ok("KeyboardInterrupt"));
    let notes = [thread(99.8), main.clone()];
    check_last(ended(Some(130), true), &notes, interrupt);
    check_last(ended(None, true), &notes, Some(Err("KeyError")));
    let afterwards = [main, thread(99.95)];
    check_last(ended(Some(130), false), &afterwards, interrupt);
}

#[test]
fn behind_a_shell_that_a_stop_has_ended_its_child_says_why() {
    let trainer = |time| note("OSError", 8, &[PROGRAM, 1], time);
    check_last(ended(None, true), &[trainer(99.9)], Some(Ok("OSError")));
    check_last(ended(None, true), &[trainer(98.5)], Some(Err("OSError")));
    // Its parent was gone by then.
    check_last(ended(None, true), &[trainer(100.1)], Some(Err("OSError")));
    check_last(ended(None, false), &[trainer(99.9)], Some(Err("OSError")));
}

#[test]
fn an_exception_that_was_only_logged_counts_if_the_program_exits_at_once() {
    let logged = |time| {
        let mut logged = note("ImportError", PROGRAM, &[1], time);
        logged.origin.logged = true;
        logged
    };
    check(&[logged(99.9)], Some(Ok("ImportError")));
    check(&[logged(40.0)], Some(Err("ImportError")));
    check_code(3, &[logged(99.9)], Some(Err("ImportError")));
    check_last(
        ended(None, false),
        &[logged(99.9)],
        Some(Err("ImportError")),
    );
    let own = note("ValueError", PROGRAM, &[1], 99.95);
    check(&[logged(99.9), own], Some(Ok("ValueError")));
}
