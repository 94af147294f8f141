//! A stop behind a program that dies of it and leaves its trainer behind.

use super::stopping::{outcome, shared};
use super::*;

/// Saves when it is asked to, for as long as `/shared/go` does not exist.
const TRAINER: &str = "
import os, signal, time
def save(*about):
    open('/shared/heard', 'a').write('x')
    open('/shared/saving', 'w').close()
    while not os.path.exists('/shared/go'): time.sleep(0.01)
    open('/shared/saved', 'w').close()
    os._exit(0)
signal.signal(signal.SIGTERM, save)
open('/shared/ready', 'w').close()
while True: time.sleep(0.01)
";

const WRAPPER: &str = "
import subprocess, sys
sys.exit(subprocess.run([sys.executable, '/shared/train.py']).returncode)
";

/// Its second child has another session, and is told to end as well.
const WRAPPER_OF_TWO: &str = "
import subprocess, sys
trainer = subprocess.Popen([sys.executable, '/shared/train.py'])
other = 'trap \"touch /shared/asked; exit\" TERM; touch /shared/other; while :; do :; done'
subprocess.Popen(['sh', '-c', other], start_new_session=True)
trainer.wait()
";

/// Exits by itself, and does not wait for its trainer.
const IMPATIENT: &str = "
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *about: os._exit(3))
trainer = subprocess.Popen([sys.executable, '/shared/train.py'])
while trainer.poll() is None: time.sleep(0.01)
";

const DEAF: &str = "
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open('/shared/ready', 'w').close()
while True: time.sleep(0.01)
";

/// Leftover processes are killed at once if nothing gives them more time.
const NO_TIME: &str = "[lifecycle]\norphan_seconds = 0\n";

fn started(settings: &str, wrapper: &str, trainer: &str) -> (World, sandbox::Running) {
    let (world, container) = shared(settings);
    world.file("shared/train.py", trainer);
    let words = [find_python(), "-c".into(), wrapper.into()];
    let running = container.run(&words);
    appears(&world.path("shared/ready"));
    (world, running)
}

#[test]
fn a_trainer_behind_a_wrapper_that_died_of_the_stop_can_save() {
    needs_namespaces!();
    let (world, running) = started(NO_TIME, WRAPPER, TRAINER);
    running.signal(Signal::SIGTERM);
    appears(&world.path("shared/saving"));
    world.file("shared/go", "");
    check_end(&running.end(), 143);
    assert!(world.path("shared/saved").exists());
    let outcome = outcome(&world);
    assert_eq!(outcome["class"], "stopped", "{outcome:#}");
    assert_eq!(outcome["left_behind"]["killed"], 0, "{outcome:#}");
}

#[test]
fn a_process_that_ignores_a_stop_or_that_a_program_did_not_wait_for_has_no_more_time() {
    needs_namespaces!();
    for (wrapper, trainer, code) in [(WRAPPER, DEAF, 143), (IMPATIENT, TRAINER, 3)] {
        let (world, running) = started(NO_TIME, wrapper, trainer);
        running.signal(Signal::SIGTERM);
        check_end(&running.end(), code);
        assert!(!world.path("shared/saved").exists());
        let outcome = outcome(&world);
        assert_eq!(outcome["left_behind"]["killed"], 1, "{outcome:#}");
    }
}

#[test]
fn a_process_of_the_group_that_was_asked_to_end_is_not_asked_again() {
    needs_namespaces!();
    let settings = "[lifecycle]\norphan_seconds = 0\nsignal_scope = \"group\"\n";
    let (world, running) = started(settings, WRAPPER_OF_TWO, TRAINER);
    appears(&world.path("shared/other"));
    running.signal(Signal::SIGTERM);
    // PID 1 looks at both at the same time, when the wrapper is gone.
    appears(&world.path("shared/asked"));
    world.file("shared/go", "");
    check_end(&running.end(), 143);
    let heard = std::fs::read_to_string(world.path("shared/heard")).unwrap();
    assert_eq!(heard, "x");
    assert!(world.path("shared/saved").exists());
    let outcome = outcome(&world);
    assert_eq!(outcome["left_behind"]["count"], 2, "{outcome:#}");
    assert_eq!(outcome["left_behind"]["killed"], 0, "{outcome:#}");
}
