//! The signals that reach the program when they are sent to PID 1.

use super::*;

/// Told to PID 1 after everything else: the kernel hands the lowest number out first, so
/// all that was sent before it has come when it comes.
const LAST: i32 = 64;

/// A program that writes down what it receives.
fn receiver(world: &World, container: &Sandbox) -> (Running, PathBuf) {
    let running = container.run(&[ACTOR, "receive", "/shared/log"]);
    let log = world.path("shared/log");
    received(&log, &[]);
    waits(&running);
    (running, log)
}

/// Until PID 1 waits for signals it loses 32 to 34, whatever it does about it: musl's
/// posix_spawn unblocks them, and the program may be there before PID 1 can block them
/// again.
#[track_caller]
fn waits(running: &Running) {
    reaches_state(running.pid_one(), "S");
}

/// Waits until as many are there as are expected.
#[track_caller]
fn received(log: &Path, expected: &[i32]) {
    let numbers: Vec<String> = std::iter::once("ready".to_owned())
        .chain(expected.iter().map(ToString::to_string))
        .collect();
    wait::until(|| (lines(log).len() >= numbers.len()).then_some(()));
    assert_eq!(lines(log), numbers);
}

/// All that a program can receive but CHLD, which is PID 1's own.
fn every() -> Vec<i32> {
    let unforwardable = [Signal::SIGKILL, Signal::SIGSTOP, Signal::SIGCHLD].map(|it| it as i32);
    (1..=64)
        .filter(|number| !unforwardable.contains(number))
        .collect()
}

#[test]
fn every_signal_reaches_the_program_once() {
    needs_namespaces!();
    let world = World::new();
    let (running, log) = receiver(&world, &stage(&world));
    let mut sent = every();
    assert_eq!(sent.len(), 61);
    for count in 0..sent.len() {
        running.send(&[sent[count]]);
        received(&log, &sent[..=count]);
    }
    // One that came twice would show before this.
    sent.push(10);
    running.send(&[10]);
    received(&log, &sent);
}

#[test]
fn signals_from_inside_the_container_count_too() {
    needs_namespaces!();
    let world = World::new();
    let (running, log) = receiver(&world, &stage(&world));
    let mut sent = Vec::new();
    for number in every() {
        let kill = format!("kill -{number} 1");
        assert!(
            running
                .enter(&["sh", "-c", &kill])
                .unwrap()
                .status
                .success()
        );
        sent.push(number);
        received(&log, &sent);
    }
}

#[test]
fn the_programs_own_signals_to_pid_one_come_back_to_it() {
    needs_namespaces!();
    let world = World::new();
    let script = "import os, signal\n\
                  sent = [signal.SIGHUP, signal.SIGUSR2, signal.SIGTERM, signal.SIGRTMIN, 50]\n\
                  signal.pthread_sigmask(signal.SIG_BLOCK, sent)\n\
                  for number in sent:\n    \
                  os.kill(1, number)\n    \
                  assert signal.sigtimedwait(sent, 20).si_signo == number\n";
    check_end(
        &ended(&stage(&world), &[find_python(), "-c".into(), script.into()]),
        0,
    );
}

#[test]
fn ten_different_signals_back_to_back_all_arrive() {
    needs_namespaces!();
    let world = World::new();
    let (running, log) = receiver(&world, &stage(&world));
    let ten = [15, 1, 28, 2, 30, 3, 10, 14, 12, 13];
    for round in 1..=20 {
        running.send(&ten);
        running.send(&[LAST]);
        let all = 1 + round * (ten.len() + 1);
        wait::until(|| (lines(&log).len() >= all).then_some(()));
        let mut found = lines(&log).split_off(all - ten.len() - 1);
        assert_eq!(found.pop().as_deref(), Some("64"));
        let mut expected = ten.map(|number| number.to_string());
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }
}

#[test]
fn two_hundred_queued_realtime_signals_arrive_in_order() {
    needs_namespaces!();
    let world = World::new();
    let (running, log) = receiver(&world, &stage(&world));
    let sent: Vec<i32> = (0..200).map(|count| 34 + count / 10).collect();
    // Held up, so that all 200 are queued before the first is taken.
    running.signal(Signal::SIGSTOP);
    running.send(&sent);
    running.signal(Signal::SIGCONT);
    wait_for("the last does not come", || {
        (lines(&log).len() > sent.len() + 1).then_some(())
    });
    // The kernel lets PID 1 go on before SIGCONT itself is queued: it may come after some of them.
    let mut found = lines(&log);
    found.retain(|line| *line != (Signal::SIGCONT as i32).to_string());
    let sent = sent.iter().map(ToString::to_string);
    let expected: Vec<String> = std::iter::once("ready".to_owned()).chain(sent).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_scope_decides_the_receivers() {
    needs_namespaces!();
    for (scope, child_receives) in [("group", true), ("child", false)] {
        let world = World::new();
        let script = format!(
            "{ACTOR} receive /shared/child & echo $! >/shared/pid; exec {ACTOR} receive /shared/log"
        );
        let argv = [
            BINARY,
            "run",
            "--signal-scope",
            scope,
            "--",
            "sh",
            "-c",
            &script,
        ];
        let running = stage(&world).start(&words(&argv));
        let (log, child) = (world.path("shared/log"), world.path("shared/child"));
        received(&log, &[]);
        received(&child, &[]);
        waits(&running);
        let sent = [12, 33, 34, 50];
        running.send(&sent);
        received(&log, &sent);
        // Signals that were sent to the child earlier have arrived before this one.
        let last = format!("kill -{LAST} $(cat /shared/pid)");
        assert!(
            running
                .enter(&["sh", "-c", &last])
                .unwrap()
                .status
                .success()
        );
        let mut expected = if child_receives {
            sent.to_vec()
        } else {
            Vec::new()
        };
        expected.push(LAST);
        received(&child, &expected);
    }
}

#[test]
fn a_command_that_a_shell_has_just_forked_receives_the_stop() {
    needs_namespaces!();
    let world = World::new();
    // The runtime recognizes a shell by the name of its executable.
    let container = stage(&world).mount_read_only(actor(), "/opt/sh");
    let running = container.run(&["/opt/sh", "fork-late", "/shared/log"]);
    let log = world.path("shared/log");
    wait_for("the shell does not fork", || {
        (!lines(&log).is_empty()).then_some(())
    });
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 0);
}

#[test]
fn what_stops_a_program_stops_it_and_not_pid_one() {
    needs_namespaces!();
    let world = World::new();
    for number in [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU] {
        let running = stage(&world).run(&["sh", "-c", "exec sleep 1000"]);
        let one = running.pid_one();
        wait_for("the program does not start", || {
            (children(one).len() == 1).then_some(())
        });
        let program = children(one)[0];
        running.signal(number);
        reaches_state(program, "T");
        reaches_state(one, "S");
        // Held up as it is, it still hears the next one.
        running.signal(Signal::SIGCONT);
        reaches_state(program, "S");
        running.signal(number);
        reaches_state(program, "T");
        running.send(&[15, 18]);
        check_end(&running.end(), 143);
    }
}

#[test]
fn a_sigchld_sent_by_hand_does_no_harm() {
    needs_namespaces!();
    let world = World::new();
    let (running, log) = receiver(&world, &stage(&world));
    running.send(&[17, 17, 17, 10]);
    received(&log, &[10]);
    running.send(&[17]);
    let inside = running.enter(&["sh", "-c", "kill -17 1; kill -17 1"]);
    assert!(inside.unwrap().status.success());
    running.send(&[12]);
    received(&log, &[10, 12]);
    running.send(&[17]);
    let program = children(running.pid_one())[0];
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(program), Signal::SIGKILL).unwrap();
    check_end(&running.end(), 137);
}

#[test]
fn signals_that_were_blocked_or_ignored_before_are_forwarded_all_the_same() {
    needs_namespaces!();
    for how in [
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))",
        "for ignored in 1, 2, 3, 10, 15, 34:\n    signal.signal(ignored, signal.SIG_IGN)",
    ] {
        let world = World::new();
        let (running, log) = receiver(&world, &stage(&world).inheriting(how));
        for count in 0..6 {
            let sent = [1, 2, 3, 10, 15, 34];
            running.send(&[sent[count]]);
            received(&log, &sent[..=count]);
        }
    }
}
