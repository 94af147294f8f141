//! How a program ended, as an exit code.

use super::*;

#[test]
fn every_signal_that_ends_a_program_gives_128_and_its_number() {
    needs_namespaces!();
    let world = World::new();
    // What these do by default is to be ignored or to stop.
    let script = format!(
        r#"
SURVIVED = [signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH]
STOPPED = [signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU]
for number in range(1, 65):
    if number not in SURVIVED + STOPPED:
        code, _ = Container(["{BINARY}", "run", "--", "{ACTOR}", "die", str(number)]).end()
        print(number, code)
for number in SURVIVED:
    code, _ = Container(["{BINARY}", "run", "--", "{ACTOR}", "die", str(number)]).end()
    print("survived", number, code)
"#
    );
    let survived = [17, 18, 23, 28];
    let stopped = [19, 20, 21, 22];
    let mut expected: String = (1..=64)
        .filter(|number| !survived.contains(number) && !stopped.contains(number))
        .map(|number| format!("{number} {}\n", 128 + number))
        .collect();
    expected.extend(survived.map(|number| format!("survived {number} 1\n")));
    assert_eq!(rounds(&stage(&world), &script), expected);
}

#[track_caller]
fn check_remapped(remap: &str, argv: &[&str], code: i32) {
    let world = World::new();
    let settings = match remap {
        "" => String::new(),
        remap => format!("[lifecycle]\nexit_remap = [{remap}]\n"),
    };
    check_end(&ended(&world.container(&settings), argv), code);
}

#[test]
fn an_exit_code_can_stand_for_another() {
    needs_namespaces!();
    let ends_of_term = ["sh", "-c", "kill -TERM $$"];
    check_remapped("", &ends_of_term, 143);
    check_remapped("\"143:0\"", &ends_of_term, 0);
    check_remapped("\"143:0\"", &["sh", "-c", "exit 143"], 0);
    check_remapped("\"143:0\"", &["sh", "-c", "exit 42"], 42);
    check_remapped("\"143:0\", \"42:7\"", &["sh", "-c", "exit 42"], 7);
}

#[test]
fn a_stop_that_was_asked_for_can_be_a_success() {
    needs_namespaces!();
    let world = World::new();
    let container = world.sharing("[lifecycle]\nexit_remap = [\"143:0\"]\n");
    let running = container.run(&["sh", "-c", "touch /shared/ready; exec sleep 1000"]);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 0);
}
