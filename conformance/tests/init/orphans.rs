//! Whatever has no parent any more is PID 1's.

use super::*;

/// Of all the processes that a container can see, none has ended without being reaped.
#[track_caller]
fn check_no_zombie(running: &Running) {
    let states = "cat /proc/[0-9]*/stat 2>/dev/null | sed 's/^.*) //' | cut -c 1 | sort -u";
    wait_for("a zombie is left", || {
        let output = running.enter(&["sh", "-c", states]).unwrap();
        (!output.stdout.is_empty() && !output.stdout.contains(&b'Z')).then_some(())
    });
}

#[test]
fn ten_thousand_orphans_leave_no_zombie() {
    needs_namespaces!();
    let world = World::new();
    let running = stage(&world).run(&[ACTOR, "orphans", "10000", "/shared/ready"]);
    appears(&world.path("shared/ready"));
    let one = running.pid_one();
    wait_for("orphans are left", || {
        (children(one).len() == 1).then_some(())
    });
    check_no_zombie(&running);
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
}

#[test]
fn orphans_that_end_with_the_program_do_not_hide_its_code() {
    needs_namespaces!();
    let world = World::new();
    let script = format!(
        r#"
for code in range(60):
    container = Container(["{BINARY}", "run", "--", "{ACTOR}", "together", "60", str(code)])
    ended, _ = container.end()
    if ended != code:
        print(f"{{ended}} for {{code}}")
"#
    );
    assert_eq!(rounds(&stage(&world), &script), "");
}

#[test]
fn next_to_others_the_shim_adopts_its_own_orphans() {
    needs_namespaces!();
    let world = World::new();
    // The program sees the new parent of its orphan, and that no zombie is left.
    let script = "import os, signal, subprocess\n\
                  shim = os.getppid()\n\
                  orphan = int(subprocess.check_output(['sh', '-c', 'sleep 1000 >/dev/null & echo $!']))\n\
                  parent = lambda pid: int(open(f'/proc/{pid}/stat').read().rsplit(') ')[1].split()[1])\n\
                  assert shim != 1 and parent(orphan) == shim, (shim, parent(orphan))\n\
                  for _ in range(50): subprocess.check_call(['sh', '-c', 'true & true &'])\n\
                  children = lambda: open(f'/proc/{shim}/task/{shim}/children').read().split()\n\
                  while len(children()) > 2: pass\n\
                  os.kill(os.getpid(), signal.SIGTERM)\n";
    let argv = [
        "sh",
        "-c",
        "\"$@\"; exit $?",
        "sh",
        BINARY,
        "run",
        "--",
        "python3",
        "-c",
        script,
    ];
    let running = stage(&world).start(&words(&argv));
    check_end(&running.end(), 143);
}

#[test]
fn a_program_that_stops_and_continues_has_not_ended() {
    needs_namespaces!();
    let world = World::new();
    let script = "import os, signal\n\
                  parent = os.getpid()\n\
                  child = os.fork()\n\
                  if child == 0:\n    \
                  for _ in range(20):\n        \
                  os.kill(parent, signal.SIGSTOP)\n        \
                  while open(f'/proc/{parent}/stat').read().rsplit(') ')[1][0] != 'T': pass\n        \
                  os.kill(parent, signal.SIGCONT)\n    \
                  os._exit(7)\n\
                  os.waitpid(child, 0)\n\
                  raise SystemExit(42)\n";
    let argv = [find_python(), "-c".into(), script.into()];
    check_end(&ended(&stage(&world), &argv), 42);
    // And beside others, where stops are looked at.
    let argv: Vec<OsString> = ["sh", "-c", "\"$@\"; exit $?", "sh", BINARY, "run", "--"]
        .map(OsString::from)
        .into_iter()
        .chain(argv)
        .collect();
    check_end(&stage(&world).start(&argv).end(), 42);
}
