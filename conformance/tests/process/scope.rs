//! The receivers of a stop: the program, but not the processes that it needs to save its work.

use expect_test::expect;

use super::stopping::{RECORDER, SEVEN_SECONDS, deaf, outcome, shared};
use super::*;
use lyftlearn_conformance::programs;

/// Takes a stop as most trainers do: the step is finished, the model saved. Its workers have
/// no handler, so that a signal would end them in the middle of the step.
const TRAINER: &str = "
import os, signal, sys, time
heard = []
def load(number):
    time.sleep(0.05)
    return number
def train(work):
    # The workers first: forked later they would have the handler, too.
    work(load, range(4))
    signal.signal(signal.SIGTERM, lambda *about: heard.append(1))
    open('/shared/ready', 'w').close()
    while not heard: work(load, range(4))
    # What comes after the stop: the last step, and a save that takes its time.
    for _ in range(5): work(load, range(4))
    open('/shared/saved', 'w').write(str(len(heard)))
";

const EXECUTOR: &str = "
if __name__ == '__main__':
    from concurrent.futures import ProcessPoolExecutor
    with ProcessPoolExecutor(2) as pool: train(lambda *job: list(pool.map(*job)))
";

const POOL: &str = "
if __name__ == '__main__':
    import multiprocessing
    with multiprocessing.Pool(2) as pool: train(pool.map)
";

/// Workers that are forked from a server of their own, which the program did not start itself.
const FORKSERVER: &str = "
if __name__ == '__main__':
    import multiprocessing
    context = multiprocessing.get_context('forkserver')
    with context.Pool(2) as pool: train(pool.map)
";

const JOBLIB: &str = "
if __name__ == '__main__':
    import joblib
    with joblib.Parallel(n_jobs=2) as parallel:
        train(lambda load, numbers: parallel(joblib.delayed(load)(number) for number in numbers))
";

const TORCH: &str = "
if __name__ == '__main__':
    import torch.utils.data
    class Rows(torch.utils.data.Dataset):
        def __len__(self): return 8
        def __getitem__(self, at): return load(at)
    loader = torch.utils.data.DataLoader(Rows(), batch_size=2, num_workers=2)
    train(lambda *job: list(loader))
";

/// No helpers; says how often it was told.
const ALONE: &str = "
if __name__ == '__main__': train(lambda *job: time.sleep(0.05))
";

/// `/shared` with a trainer in `/shared/train.py`, and a container that sees it.
fn with_trainer(settings: &str, trainer: &str) -> (World, Sandbox) {
    let (world, container) = shared(settings);
    world.file("shared/train.py", &format!("{TRAINER}{trainer}"));
    // Pools have their locks there.
    std::fs::create_dir(world.path("shm")).unwrap();
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o1777);
    std::fs::set_permissions(world.path("shm"), everybody).unwrap();
    let container = container.mount(world.path("shm"), "/dev/shm");
    (world, container)
}

/// Starts `argv`, asks for a stop once the trainer runs, and checks that it saved, told once.
#[track_caller]
fn check_saved<W: AsRef<OsStr>>(container: &Sandbox, world: &World, argv: &[W], code: i32) {
    let running = container.run(argv);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), code);
    let heard = std::fs::read_to_string(world.path("shared/saved"));
    assert_eq!(heard.unwrap_or_default(), "1", "not saved, or told twice");
    assert_eq!(outcome(world)["class"], "stopped");
}

#[test]
fn a_stop_leaves_the_programs_workers_to_the_program() {
    needs_namespaces!();
    for trainer in [ALONE, EXECUTOR, POOL, FORKSERVER] {
        let (world, container) = with_trainer("", trainer);
        let argv = [find_python(), "/shared/train.py".into()];
        check_saved(&container, &world, &argv, 0);
    }
}

#[test]
fn a_stop_leaves_joblibs_workers_to_the_program() {
    needs_namespaces!();
    let Some(python) = programs::python_with_wheel() else {
        return;
    };
    let (world, container) = with_trainer("", JOBLIB);
    let container = programs::mount_python(container, &python);
    let argv = [python.into_os_string(), "/shared/train.py".into()];
    check_saved(&container, &world, &argv, 0);
}

#[test]
fn a_stop_leaves_torchs_loaders_to_the_program() {
    needs_namespaces!();
    let Some(python) = programs::python_with_torch() else {
        return;
    };
    let (world, container) = with_trainer("", TORCH);
    let argv = [python.into_os_string(), "/shared/train.py".into()];
    check_saved(&container, &world, &argv, 0);
}

/// gunicorn stops its workers itself: if they got the stop directly, they would drop their
/// requests.
#[test]
fn a_servers_workers_finish_the_requests_that_they_have() {
    use std::io::{Read, Write};

    needs_namespaces!();
    let Some(python) = programs::python_with_wheel() else {
        return;
    };
    let (world, container) = with_trainer("", "");
    let app = "
import time
def app(environ, start_response):
    open('/shared/asked', 'w').close()
    time.sleep(1)
    start_response('200 OK', [('Content-Length', '8')])
    return [b'answered']
";
    world.file("shared/app.py", app);
    // A worker that has not begun to handle signals would lose the arbiter's.
    let booted = "def post_worker_init(worker): open(f'/shared/booted.{worker.age}', 'w').close()";
    world.file("shared/gunicorn.conf.py", booted);
    let container = programs::mount_python(container, &python).working_directory("/shared");
    let server = [
        "-m",
        "gunicorn",
        "-w",
        "2",
        "-b",
        "unix:/shared/socket",
        "app:app",
    ];
    let argv: Vec<OsString> = std::iter::once(python.into_os_string())
        .chain(server.map(OsString::from))
        .collect();
    let running = container.run(&argv);
    let connected = || std::os::unix::net::UnixStream::connect(world.path("shared/socket")).ok();
    let mut client = wait::until(connected).expect("it listens");
    appears(&world.path("shared/booted.1"));
    appears(&world.path("shared/booted.2"));
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    appears(&world.path("shared/asked"));
    running.signal(Signal::SIGTERM);
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("answered"), "{answer}");
    check_end(&running.end(), 0);
    assert_eq!(outcome(&world)["class"], "stopped");
}

/// The whole process group gets the stop if a setting says so, and then the workers die first.
#[test]
fn the_group_gets_the_stop_if_a_setting_says_so() {
    needs_namespaces!();
    let (world, container) = with_trainer("[lifecycle]\nsignal_scope = \"group\"\n", EXECUTOR);
    let running = container.run(&[find_python(), "/shared/train.py".into()]);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 1);
    assert!(!world.path("shared/saved").exists());
}

/// A script for `sh -c` in which `@` is the trainer.
#[track_caller]
fn check_saved_behind(shell: &str, script: &str, code: i32) -> World {
    let (world, container) = with_trainer("", EXECUTOR);
    let python = find_python().into_string().unwrap();
    let script = script.replace('@', &format!("{python} /shared/train.py"));
    check_saved(&container, &world, &[shell, "-c", &script], code);
    world
}

#[test]
fn behind_a_shell_the_program_gets_the_stop_first_and_the_shell_last() {
    needs_namespaces!();
    for shell in ["sh", "bash"] {
        check_saved_behind(shell, "@; exit $?", 143);
        check_saved_behind(shell, "@ & wait $!; exit $?", 143);
        // Shells in shells.
        check_saved_behind(shell, "sh -c '@; true'; true", 143);
        check_saved_behind(shell, "(@; true); true", 143);
        // A shell that has something to say about a stop.
        let world = check_saved_behind(
            shell,
            "trap 'touch /shared/trapped; exit 7' TERM; @ & wait $!; exit 8",
            7,
        );
        assert!(world.path("shared/trapped").exists());
    }
}

#[test]
fn a_shell_starts_nothing_more_after_a_stop() {
    needs_namespaces!();
    for shell in ["sh", "bash"] {
        let world = check_saved_behind(shell, "@; touch /shared/next", 143);
        assert!(!world.path("shared/next").exists());
        let world = check_saved_behind(shell, "@ && touch /shared/next", 143);
        assert!(!world.path("shared/next").exists());
    }
}

#[test]
fn a_script_file_is_a_shell_too() {
    needs_namespaces!();
    let (world, container) = with_trainer("", EXECUTOR);
    let python = find_python().into_string().unwrap();
    let script = world.file(
        "shared/entry.sh",
        &format!("#!/bin/sh\n{python} /shared/train.py\ntouch /shared/next\n"),
    );
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(script, executable).unwrap();
    check_saved(&container, &world, &["/shared/entry.sh"], 143);
    assert!(!world.path("shared/next").exists());
}

/// The process that writes a log must outlive the program.
#[test]
fn a_pipelines_reader_stays_for_the_last_lines() {
    needs_namespaces!();
    let trainer = "
if __name__ == '__main__':
    train(lambda *job: time.sleep(0.05))
    for number in range(20_000): print('line', number)
    print('the last line', flush=True)
";
    let (world, container) = with_trainer("", trainer);
    let python = find_python().into_string().unwrap();
    let script = format!("{python} /shared/train.py 2>&1 | tee /shared/log >/dev/null; exit $?");
    check_saved(&container, &world, &["sh", "-c", &script], 143);
    let log = std::fs::read_to_string(world.path("shared/log")).unwrap();
    assert!(log.ends_with("the last line\n"));
}

/// Started in the background next to the program, in no pipeline.
#[test]
fn a_shells_other_children_get_the_stop_with_the_program() {
    needs_namespaces!();
    let sidecar =
        "sh -c \"trap 'touch /shared/sidecar; exit' TERM; while :; do sleep 1000 & wait; done\" &";
    let world = check_saved_behind("sh", &format!("{sidecar} @; exit $?"), 143);
    assert!(world.path("shared/sidecar").exists());
}

#[test]
fn a_shell_without_children_gets_the_stop_itself() {
    needs_namespaces!();
    let (world, container) = shared("");
    let script = "trap 'exit 9' TERM; touch /shared/ready; while :; do :; done";
    let running = container.run(&["sh", "-c", script]);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 9);
}

#[test]
fn a_second_stop_reaches_the_program_behind_a_shell() {
    needs_namespaces!();
    let (world, container) = shared("");
    let python = find_python().into_string().unwrap();
    world.file("shared/recorder.py", RECORDER);
    let script = format!("{python} /shared/recorder.py 2; exit $?");
    let running = container.run(&["sh", "-c", &script]);
    appears(&world.path("shared/ready"));
    for count in 1..=2 {
        running.signal(Signal::SIGTERM);
        let heard = wait::until(|| {
            let text = std::fs::read_to_string(world.path("shared/heard")).unwrap_or_default();
            (text.split_whitespace().count() == count).then_some(())
        });
        assert!(heard.is_some(), "stop {count} was not heard");
    }
    check_end(&running.end(), 143);
}

/// Its own time has passed, and a stopped shell ends as well.
#[test]
fn a_program_behind_a_shell_that_does_not_end_is_killed_in_time() {
    needs_namespaces!();
    let (world, container) = shared(SEVEN_SECONDS);
    let script = format!("sh -c \"{}\"; exit $?", deaf("TERM"));
    let running = container.run(&["sh", "-c", &script]);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 137);
    assert_eq!(outcome(&world)["class"], "budget-exceeded");
}

/// By its name only: this user cannot read the link to its executable.
#[test]
fn a_shell_of_another_user_is_known_by_its_words() {
    needs_namespaces!();
    let (world, container) = with_trainer("user = \"1000:1000\"\n", EXECUTOR);
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(world.path("shared"), everybody).unwrap();
    let python = find_python().into_string().unwrap();
    let script = format!("{python} /shared/train.py; touch /shared/next");
    check_saved(&container, &world, &["sh", "-c", &script], 143);
    assert!(!world.path("shared/next").exists());
}

#[test]
fn other_signals_are_the_programs_alone() {
    needs_namespaces!();
    let (world, container) = shared("");
    // The helper has no handler, and would die.
    let script = "
import os, signal, subprocess, time
helper = subprocess.Popen(['sleep', '1000'])
def told(*about):
    alive = helper.poll() is None
    helper.kill()
    os._exit(5 if alive else 6)
signal.signal(signal.SIGUSR1, told)
open('/shared/ready', 'w').close()
while True: time.sleep(0.01)
";
    let running = container.run(&[find_python(), "-c".into(), script.into()]);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGUSR1);
    check_end(&running.end(), 5);
}

/// What `STOPSIGNAL` of an image or `stopSignal` of a pod sends.
#[test]
fn another_stop_signal_is_a_stop_if_a_setting_says_so() {
    needs_namespaces!();
    let (world, container) =
        with_trainer("[lifecycle]\nstop_on = [\"SIGQUIT\", \"TERM\"]\n", ALONE);
    let running = container.run(&[find_python(), "/shared/train.py".into()]);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGQUIT);
    check_end(&running.end(), 0);
    let outcome = outcome(&world);
    assert_eq!(
        (&outcome["class"], &outcome["stop_signal"]),
        (&json!("stopped"), &json!("SIGQUIT"))
    );
}

#[test]
fn another_stop_signal_that_is_no_stop_is_named() {
    needs_namespaces!();
    let (world, container) = shared("");
    let running = container.run(&["sh", "-c", "touch /shared/ready; while :; do :; done"]);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGQUIT);
    let output = running.end();
    check_end(&output, 131);
    check_reason(
        &outcome(&world),
        &output,
        expect![
            "SIGQUIT ended the program; SIGQUIT came from outside and was not taken for a stop: set STOPSIGNAL SIGTERM in the image, or lifecycle.stop_on"
        ],
    );
}
