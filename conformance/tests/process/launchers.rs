//! A stop below a launcher of distributed training: each rank gets it once, and the launcher gets
//! it when the first rank is gone. The launcher is PyTorch's own.

use super::stopping::{outcome, shared};
use super::*;
use lyftlearn_conformance::programs;

/// SageMaker's.
const PATIENT: &str = "[lifecycle]\ngrace_seconds = 120\n";

/// A rank of two, with a helper that a signal would end. It saves for as many seconds as its
/// argument says, and ends together with the other, as ranks that meet at a barrier do.
const RANK: &str = "
import os, pathlib, signal, subprocess, sys, time
rank = os.environ['LOCAL_RANK']
shared = pathlib.Path('/shared')
helper = subprocess.Popen(['sleep', '1000'])
heard = []
signal.signal(signal.SIGTERM, lambda *about: heard.append(1))
with open(shared / f'started.{rank}', 'a') as started: started.write('x')
(shared / f'ready.{rank}').touch()
while not heard: time.sleep(0.01)
time.sleep(float(sys.argv[1]))
whole = 'whole' if helper.poll() is None else 'alone'
(shared / f'saved.{rank}').write_text(f'{len(heard)} {whole}')
while not (shared / f'saved.{1 - int(rank)}').exists(): time.sleep(0.01)
helper.kill()
";

const TORCHRUN: [&str; 6] = [
    "/usr/bin/python3",
    "-m",
    "torch.distributed.run",
    "--max_restarts=3",
    "--nproc_per_node=2",
    "/shared/train.py",
];

/// `/shared` with a script of two ranks, and a container that sees it.
fn with_ranks(settings: &str) -> (World, Sandbox) {
    let (world, container) = shared(settings);
    world.file("shared/train.py", RANK);
    // Debian's torch cannot read the default of these two under its Python: a rank that is not
    // there.
    let container = container
        .variable("PET_REDIRECTS", "9:1")
        .variable("PET_TEE", "9:1");
    (world, container.own_network())
}

/// Starts `argv`, and asks for a stop once both ranks run.
#[track_caller]
fn stopped_while_training(
    container: &Sandbox,
    world: &World,
    argv: &[&str],
    seconds: u64,
) -> Output {
    let running = container.run(argv);
    for rank in ["ready.0", "ready.1"] {
        // torch takes its time on a busy machine.
        let path = world.path("shared").join(rank);
        let found = wait::until(|| path.exists().then_some(()));
        assert!(found.is_some(), "{rank} does not appear");
    }
    running.signal(Signal::SIGTERM);
    running.end_within(Duration::from_secs(60 + seconds))
}

/// Checks that both saved, told once, and were not started again.
#[track_caller]
fn check_saved(world: &World, output: &Output) {
    for rank in 0..2 {
        let saved = std::fs::read_to_string(world.path(&format!("shared/saved.{rank}")));
        let saved = saved.unwrap_or_default();
        assert_eq!(saved, "1 whole", "rank {rank}: {output:#?}");
        let started = std::fs::read_to_string(world.path(&format!("shared/started.{rank}")));
        assert_eq!(started.unwrap(), "x", "rank {rank} was started again");
    }
    assert_eq!(outcome(world)["class"], "stopped", "{output:#?}");
}

/// Longer than the thirty seconds that torchrun gives its ranks.
#[test]
fn ranks_have_the_whole_grace_for_their_save() {
    needs_namespaces!();
    if programs::python_with_torch().is_none() {
        return;
    }
    let (world, container) = with_ranks(PATIENT);
    let argv = [&TORCHRUN[..], &["33"]].concat();
    check_saved(
        &world,
        &stopped_while_training(&container, &world, &argv, 33),
    );
}

#[test]
fn behind_a_shell_the_ranks_of_a_launcher_get_the_stop_first() {
    needs_namespaces!();
    if programs::python_with_torch().is_none() {
        return;
    }
    let script = format!("{} 1; exit $?", TORCHRUN.join(" "));
    let (world, container) = with_ranks(PATIENT);
    let argv = ["bash", "-c", &script];
    check_saved(
        &world,
        &stopped_while_training(&container, &world, &argv, 1),
    );
}

/// Its own half a minute does not matter then, and no rank gets the stop twice. The exception that
/// torchrun raises for the stop is recorded by the Python package, and is not a failure.
#[test]
fn with_a_short_grace_the_launcher_passes_the_stop_on() {
    needs_namespaces!();
    let (Some(_), Some(python)) = (programs::python_with_torch(), programs::python_with_wheel())
    else {
        return;
    };
    let (world, container) = with_ranks("[lifecycle]\ngrace_seconds = 30\n");
    let container = programs::mount_python(container, &python)
        .variable("PYTHONPATH", "/usr/lib/python3/dist-packages");
    let own = python.to_str().unwrap();
    let argv = [&[own], &TORCHRUN[1..], &["1"]].concat();
    let output = stopped_while_training(&container, &world, &argv, 1);
    check_saved(&world, &output);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("SignalException"), "{said}");
}

/// It still imports what it needs, or meets the other nodes.
#[test]
fn a_launcher_without_ranks_gets_the_stop_at_once() {
    needs_namespaces!();
    let (world, container) = shared(PATIENT);
    let waiting = "import pathlib, time\npathlib.Path('/shared/ready').touch()\ntime.sleep(1000)\n";
    world.file("shared/torchrun", waiting);
    let running = container.run(&["/usr/bin/python3", "/shared/torchrun"]);
    appears(&world.path("shared/ready"));
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
    assert_eq!(outcome(&world)["class"], "stopped");
}
