//! The observer without an engine: a program of this machine, traced from its child.

use std::path::Path;
use std::process::Command;

use lyftlearn_conformance::probe::observe::{OPENED, Opened};
use lyftlearn_conformance::{command, programs};

fn probe() -> Command {
    let mut probe = Command::new(env!("CARGO_BIN_EXE_lyftlearn-conformance"));
    probe.arg("probe");
    probe
}

#[test]
fn an_entry_point_keeps_its_place_and_what_it_opens_is_written_down() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str| directory.path().join(name).display().to_string();
    for name in ["a file", "another"] {
        std::fs::write(file(name), "").unwrap();
    }
    // A child in another process group, an end by a handled signal, and a file that does not exist. The first
    // output comes before any of these files.
    let script = format!(
        "trap 'echo caught' USR1; kill -USR1 $$; : < '{}'; set -m; (exec cat '{}'); cat '{}' 2>/dev/null; exit 4",
        file("a file"),
        file("another"),
        file("none"),
    );
    let mut observed = probe();
    let here = directory.path().to_str().unwrap();
    let output = command::output(observed.args(["observe", here, "sh", "-c", &script]));
    let error = String::from_utf8_lossy(&output.stderr);
    if error.contains("Operation not permitted") {
        let _: Option<()> = programs::skipped("this machine lets nobody trace");
        return;
    }
    assert_eq!(output.status.code(), Some(4), "{error}");
    assert_eq!(output.stdout, b"caught\n");
    let opened = Opened::read(&std::fs::read_to_string(file(OPENED)).unwrap());
    let of_test: Vec<&String> = opened
        .files
        .iter()
        .filter(|path| path.starts_with(here))
        .collect();
    assert_eq!(of_test, [&file("a file"), &file("another")]);
    let program = |name: &str| {
        let real = ["/bin", "/usr/bin"].map(|bin| Path::new(bin).join(name).canonicalize());
        let real = real.into_iter().flatten().next().unwrap();
        real.display().to_string()
    };
    let programs: Vec<&String> = opened.programs.iter().map(|(_, path, _)| path).collect();
    let (shell, cat) = (program("sh"), program("cat"));
    assert_eq!(programs, [&shell, &cat, &cat]);
    // The kernel opened the program and its loader before anything else.
    assert_eq!(opened.programs[0].2, 0);
    assert!(opened.files.contains(&shell), "{opened:?}");
    let printed = opened.printed.unwrap();
    assert!(opened.files[..printed].contains(&shell), "{opened:?}");
    assert_eq!(opened.files[printed..].first(), Some(&file("a file")));
}

#[test]
fn lines_of_the_runtime_are_not_the_programs_first_output() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().to_str().unwrap();
    // A shell by the runtime's name prints, forks a child that prints, and becomes the program.
    let runtime = directory.path().join("lyftlearn-runtime");
    std::fs::copy("/bin/sh", &runtime).unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let script = format!(
        "echo starting; (echo from a child); : < '{}'; exec cat /proc/self/comm",
        file.display()
    );
    let mut observed = probe();
    let output =
        command::output(observed.args(["observe", here, runtime.to_str().unwrap(), "-c", &script]));
    let error = String::from_utf8_lossy(&output.stderr);
    if error.contains("Operation not permitted") {
        let _: Option<()> = programs::skipped("this machine lets nobody trace");
        return;
    }
    assert_eq!(output.stdout, b"starting\nfrom a child\ncat\n", "{error}");
    let opened = Opened::read(&std::fs::read_to_string(directory.path().join(OPENED)).unwrap());
    let before = &opened.files[..opened.printed.unwrap()];
    assert!(before.contains(&file.display().to_string()), "{opened:?}");
}

#[test]
fn a_silent_program_has_printed_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path().to_str().unwrap();
    let output = command::output(probe().args(["observe", here, "sh", "-c", "exit 3"]));
    if String::from_utf8_lossy(&output.stderr).contains("Operation not permitted") {
        let _: Option<()> = programs::skipped("this machine lets nobody trace");
        return;
    }
    assert_eq!(output.status.code(), Some(3));
    let opened = Opened::read(&std::fs::read_to_string(directory.path().join(OPENED)).unwrap());
    assert_eq!(opened.printed, None, "{opened:?}");
}

#[test]
fn an_observer_that_cannot_write_or_start_reports_it() {
    let said = |words: &[&str]| {
        let output = command::output(probe().args(words));
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let error = said(&["observe", "/not/there", "true"]);
    let expected = "cannot write /not/there/opened: No such file or directory";
    assert!(error.contains(expected), "{error}");
    let error = said(&["begin", "/not/there"]);
    assert!(error.contains("cannot start /not/there: "), "{error}");
}

#[test]
fn the_probe_has_no_use_for_a_jobs_hyperparameters() {
    let arguments = ["--lr", "0.1"];
    let run = |words: &[&str]| command::output(probe().args(words).args(arguments));
    assert_eq!(run(&["exit", "7"]).status.code(), Some(7));
    let seen = run(&["see"]);
    assert!(seen.status.success(), "{seen:?}");
    let said = String::from_utf8_lossy(&seen.stdout).into_owned();
    let view = lyftlearn_conformance::probe::program::view(&said).unwrap();
    assert_eq!(view.argv, arguments);
}

#[test]
fn the_time_from_an_entry_point_to_its_program_leaves_out_the_probe() {
    let own = env!("CARGO_BIN_EXE_lyftlearn-conformance");
    let script = format!("sleep 0.2; exec {own} probe since");
    let output = command::output(probe().args(["begin", "sh", "-c", &script]));
    let said = String::from_utf8_lossy(&output.stdout);
    let micros: u64 = said
        .trim()
        .strip_prefix("since: ")
        .unwrap()
        .parse()
        .unwrap();
    assert!((190_000..10_000_000).contains(&micros), "{micros}");
}
