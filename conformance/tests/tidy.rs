//! The house rules of tests that no compiler holds: nothing is waited for without a deadline, and
//! nothing fails because a machine is slow.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "reads the repository, not the world; a test fails by panicking"
)]

use std::path::{Path, PathBuf};

/// How a process is waited for without a deadline, and how a thread waits for nothing.
const ENDLESS: &[&str] = &[
    ".output()",
    ".status()",
    ".wait()",
    ".wait_with_output()",
    "thread::sleep",
];

/// How a test fails on a busy machine: a time that something took has a limit, or what has to come has
/// a short one. What hangs is found by `wait::PATIENCE`.
const TIMED: &[&str] = &["elapsed() < ", "took < ", "wait::within(Duration::from_"];

/// Lines that look the same but do something else.
const ALL_THE_SAME: &[(&str, &str)] = &[
    // An answer of HTTP has a status.
    ("src/probe/http.rs", "answer.status()"),
    ("src/probe/identity.rs", "answer.status()"),
    ("src/story.rs", "answer.status()"),
    ("tests/kubernetes/serving.rs", "answer.status()"),
    // Bytes to send.
    ("src/probe/taken.rs", "self.buffers.output()"),
    // The probe as a program waits for signals as long as its container lives, which has a deadline.
    ("src/probe/program.rs", "set.wait()"),
    // What clients do: they let the time of a drain pass, and pause.
    ("tests/image/load.rs", "thread::sleep"),
    ("tests/image/pod.rs", "thread::sleep"),
    // The checker's own limits for an image, the platform's, and what takes minutes.
    ("src/check/running.rs", "wait::within("),
    ("src/engine/session/following.rs", "wait::within("),
    ("src/probe/program.rs", "wait::within("),
    ("src/probe/standin.rs", "wait::within("),
    ("src/story.rs", "wait::within("),
    ("tests/image/spark.rs", "wait::within("),
    ("tests/kubernetes/identity.rs", "wait::within("),
    // A load, and a deadline.
    ("src/probe/http.rs", "while began.elapsed() < "),
    (
        "tests/init/job_control.rs",
        "start.elapsed() < wait::PATIENCE",
    ),
    // Less than the same without a stop takes, in the same run or by a constant of the runtime.
    ("tests/init/start.rs", "took < whole / 2"),
    ("tests/process/outcome.rs", "asked.elapsed() < "),
];

fn files(directory: &Path, extensions: &[&str], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extensions, found);
        } else if path
            .extension()
            .is_some_and(|extension| extensions.iter().any(|wanted| extension == *wanted))
        {
            found.push(path);
        }
    }
}

/// A line without its texts and its comment: Python in a text may wait as it likes.
fn code(line: &str, in_text: &mut bool) -> String {
    let mut code = String::new();
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' if *in_text => drop(letters.next()),
            '\'' if !*in_text && letters.peek() == Some(&'"') => drop(letters.next()),
            '"' => *in_text = !*in_text,
            '/' if !*in_text && letters.peek() == Some(&'/') => break,
            _ if *in_text => {}
            _ => code.push(letter),
        }
    }
    code
}

/// No line of the crate has one of these words.
#[track_caller]
fn check_absent(words: &[&str], see: &str) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    files(&here.join("src"), &["rs"], &mut paths);
    files(&here.join("tests"), &["rs"], &mut paths);
    assert!(paths.len() > 60, "the tests were not read");
    let mut wrong = Vec::new();
    for path in paths {
        let name = path.strip_prefix(here).unwrap().display().to_string();
        let mut in_text = false;
        for (number, line) in std::fs::read_to_string(&path).unwrap().lines().enumerate() {
            let code = code(line, &mut in_text);
            let allowed = ALL_THE_SAME
                .iter()
                .any(|(file, word)| *file == name && code.contains(word));
            if !allowed && words.iter().any(|word| code.contains(word)) {
                wrong.push(format!("{name}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{see}:\n{}", wrong.join("\n"));
}

#[test]
fn nothing_is_waited_for_without_a_deadline() {
    check_absent(ENDLESS, "see src/command.rs and src/wait.rs");
}

#[test]
fn nothing_fails_because_a_machine_is_slow() {
    check_absent(TIMED, "a limit on a time; wait for a condition");
}

/// Python runs a handler between two steps of the program: a signal that comes just before this call is
/// slept through. With a handler, `while True: time.sleep(0.01)`.
const PAUSE: &str = "signal.pause()";

/// Programs without a handler: the kernel ends them.
const PAUSES: &[&str] = &[
    "tests/image/programs/starve_agent.py",
    "tests/process/lifecycle.rs",
    "tests/process/toolkit.rs",
    "tests/tidy.rs",
];

#[test]
fn no_program_sleeps_through_a_signal() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    files(&here.join("tests"), &["rs", "py"], &mut paths);
    paths.retain(|path| std::fs::read_to_string(path).unwrap().contains(PAUSE));
    paths.sort();
    let names = paths.iter().map(|path| path.strip_prefix(here).unwrap());
    assert_eq!(
        names.collect::<Vec<_>>(),
        PAUSES.iter().map(Path::new).collect::<Vec<_>>()
    );
}

/// What each module of the image checker may know. They are in order: each knows only earlier ones.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("trouble", &[]),
    ("files", &["trouble"]),
    ("image_toml", &["trouble"]),
    ("place", &["files", "kubelet", "sagemaker"]),
    ("layout", &["trouble"]),
    (
        "engine",
        &["command", "files", "layout", "place", "trouble", "wait"],
    ),
    ("probe", &["command", "engine", "wait"]),
    (
        "check",
        &[
            "engine",
            "files",
            "image_toml",
            "layout",
            "place",
            "probe",
            "same_job",
            "trouble",
            "wait",
        ],
    ),
    (
        "pods",
        &["check", "engine", "image_toml", "place", "trouble"],
    ),
    ("report", &["check", "probe"]),
];

#[test]
fn modules_of_the_checker_know_each_other_one_way() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (module, allowed) in MAY_KNOW {
        let mut paths = vec![source.join(format!("{module}.rs"))];
        if source.join(module).is_dir() {
            files(&source.join(module), &["rs"], &mut paths);
        }
        for path in paths {
            let text = std::fs::read_to_string(&path).unwrap();
            for (at, _) in text.match_indices("crate::") {
                let rest = &text[at + "crate::".len()..];
                let end = rest.find(|letter: char| !(letter.is_ascii_lowercase() || letter == '_'));
                let known = &rest[..end.unwrap_or(rest.len())];
                if known != *module && !allowed.contains(&known) {
                    wrong.push(format!("{} knows {known}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A test that `make test` leaves out says why, and which command runs it.
#[test]
fn what_is_left_out_has_a_reason_and_a_command() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let makefile = std::fs::read_to_string(repository.join("Makefile")).unwrap();
    let mut found = Vec::new();
    for part in ["conformance/src", "conformance/tests", "lyftlearn-runtime"] {
        files(&repository.join(part), &["rs"], &mut found);
    }
    let mut seen = 0;
    for path in found {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            let Some(rest) = line.strip_prefix("#[ignore") else {
                continue;
            };
            seen += 1;
            let function = lines.next().unwrap();
            let said = rest
                .split('"')
                .nth(1)
                .and_then(|why| why.split_once(": make "));
            let run = said.is_some_and(|(why, target)| {
                !why.is_empty() && runs(&makefile, target, &path, function)
            });
            assert!(
                run,
                "{}: {line} {function}: write #[ignore = \"WHY: make TARGET\"], and have TARGET run it",
                path.display()
            );
        }
    }
    assert!(seen > 0);
}

/// Whether a command of the Makefile runs a test: its names, if it has some, are parts of the test's.
fn runs(makefile: &str, target: &str, path: &Path, function: &str) -> bool {
    let Some((_, recipe)) = makefile.split_once(&format!("\n{target}:")) else {
        return false;
    };
    let recipe = recipe.split("\n\n").next().unwrap();
    let path = path.with_extension("").display().to_string();
    let (_, path) = path.split_once("/tests/").unwrap();
    let (binary, modules) = path.split_once('/').unwrap_or((path, ""));
    let function = function.trim_start_matches("fn ");
    let name = format!("{}::{function}", modules.replace('/', "::"));
    let mut names = recipe
        .split_whitespace()
        .filter(|word| word.contains("::"))
        .peekable();
    recipe.contains(&format!("--test {binary}"))
        && (names.peek().is_none() || names.any(|part| name.contains(part)))
}
