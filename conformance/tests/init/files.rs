//! The files that a program finds open.

use super::*;

/// Which standard streams are closed, and which other files are open: Python opens
/// nothing that stays.
const OPEN: &str = "import os\n\
    def is_open(fd):\n    \
    try: os.fstat(fd)\n    \
    except OSError: return False\n    \
    return True\n\
    found = [fd for fd in range(64) if is_open(fd)]\n\
    with open('/shared/found', 'w') as report: report.write(f'{found}\\n')\n";

/// The files of a program that is started after `python` has been done.
fn open(python: &str, with: &[&str]) -> String {
    let world = World::new();
    let argv = words(&[with, &["python3", "-c", OPEN]].concat());
    // The shell that makes a sandbox leaves one of its descriptors open.
    let output = stage(&world)
        .inheriting("os.closerange(3, 64)")
        .inheriting(python)
        .start(&argv)
        .end();
    check_end(&output, 0);
    std::fs::read_to_string(world.path("shared/found")).unwrap()
}

#[track_caller]
fn check(python: &str, expected: &str) {
    assert_eq!(open(python, &[]), expected);
    assert_eq!(open(python, &[BINARY, "run", "--"]), expected);
}

#[test]
fn the_program_inherits_only_the_callers_files() {
    needs_namespaces!();
    check("pass", "[0, 1, 2]\n");
    check(
        "for fd in 3, 5, 9, 10: os.dup2(os.open('/dev/null', os.O_RDWR), 40); os.dup2(40, fd)\nos.close(40)",
        "[0, 1, 2, 3, 5, 9, 10]\n",
    );
}

#[test]
fn closed_standard_streams_stay_closed() {
    needs_namespaces!();
    check("os.close(0)", "[1, 2]\n");
    check("os.close(1)", "[0, 2]\n");
    check("os.close(2)", "[0, 1]\n");
    check("os.closerange(0, 3)", "[]\n");
    // Nothing of ours slips in under their numbers.
    check(
        "os.closerange(0, 3); os.dup2(os.open('/dev/null', os.O_RDWR), 7); os.close(0)",
        "[7]\n",
    );
}

#[test]
fn pid_one_holds_no_inherited_file_open() {
    needs_namespaces!();
    let world = World::new();
    // A reader beside PID 1 sees the end once all writers are gone.
    let container = stage(&world).inheriting(
        "reader, writer = os.pipe()\n\
         if os.fork() == 0:\n    \
         os.close(writer)\n    \
         assert os.read(reader, 1) == b''\n    \
         open('/shared/end', 'w').close(); os._exit(0)\n\
         os.dup2(writer, 9); os.close(writer); os.close(reader)",
    );
    let script = "touch /shared/ready; exec 9>&-; exec sleep 1000";
    let running = container.run(&["bash", "-c", script]);
    appears(&world.path("shared/end"));
    // The end is visible before PID 1 has closed the last of its own. What stays is the run
    // directory, which it has locked.
    let held = || {
        let files = std::fs::read_dir(format!("/proc/{}/fd", running.pid_one())).unwrap();
        let mut held: Vec<String> = files
            .map(|file| {
                let file = file.unwrap();
                match std::fs::read_link(file.path()) {
                    Ok(target) if target.ends_with("lyftlearn") => "its own".to_owned(),
                    _ => file.file_name().into_string().unwrap(),
                }
            })
            .collect();
        held.sort();
        held
    };
    wait_for("PID 1 keeps files open", || {
        (held() == ["0", "1", "2", "its own"]).then_some(())
    });
    running.signal(Signal::SIGTERM);
    check_end(&running.end(), 143);
}

#[test]
fn stdin_and_stdout_pass_through_to_their_end() {
    needs_namespaces!();
    let world = World::new();
    let script = format!("printf 'a\\0b' | {BINARY} run -- cat | {{ cat; echo end; }}");
    let output = stage(&world).start(&words(&["sh", "-c", &script])).end();
    check_end(&output, 0);
    assert_eq!(output.stdout, b"a\0bend\n");
}
