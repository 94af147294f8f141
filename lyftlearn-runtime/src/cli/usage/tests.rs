//! Which words are the runtime's, and which are a program's.

use std::ffi::OsString;

use super::{Asked, parse};

/// The command line as it was understood.
#[track_caller]
fn check(words: &str, expected: &str) {
    let arguments: Vec<OsString> = words.split_whitespace().map(OsString::from).collect();
    let path = |path: Vec<&crate::commands::Command>| {
        let names: Vec<&str> = path.iter().skip(1).map(|command| command.name).collect();
        names.join(" ")
    };
    let shown = match parse(arguments) {
        Ok(Asked::Help(command)) => format!("help of [{}]", path(command)),
        Ok(Asked::NoCommand(command)) => format!("no command after [{}]", path(command)),
        Ok(Asked::Version) => "version".to_owned(),
        Ok(Asked::Command(given)) => {
            let flags = given.flags.iter();
            let flags: Vec<String> = flags
                .map(|(name, value)| format!("{name}={}", value.display()))
                .collect();
            let words: Vec<_> = given
                .words
                .iter()
                .map(|word| word.to_string_lossy())
                .collect();
            format!("{} {flags:?} {words:?}", given.names().join(" ")).replace('"', "")
        }
        Err(err) => err.to_string(),
    };
    assert_eq!(shown, expected, "{words}");
}

#[test]
fn help_before_the_program_is_the_runtimes_own() {
    check("run --help", "help of [run]");
    check("run -h", "help of [run]");
    check("run --signal-scope child --help -- prog", "help of [run]");
    check("exec --help", "help of [exec]");
    check("spark --help", "help of [spark]");
    check("spark listen --help", "help of [spark listen]");
    check("spark listen 5 --help", "help of [spark listen]");
    check("diff a b --help", "help of [diff]");
    check("--help", "help of []");
    check("-h", "help of []");
    for command in ["inspect", "env", "explain", "snapshot", "doctor", "help"] {
        check(
            &format!("{command} --help"),
            &format!("help of [{command}]"),
        );
    }
}

#[test]
fn help_after_the_program_is_the_programs() {
    check("run prog --help", "run [] [prog, --help]");
    check("run -- prog --help", "run [] [prog, --help]");
    check("run -- --help", "run [] [--help]");
    check("run -- -h", "run [] [-h]");
    check("exec prog -h", "exec [] [prog, -h]");
    check("run - --help", "run [] [-, --help]");
    check("inspect train --json", "inspect [] [train, --json]");
}

#[test]
fn options_of_tools_may_follow_their_words() {
    check("explain A --json B", "explain [--json=] [A, B]");
    check("explain -- --json", "explain [] [--json]");
    check("diff a --format=json b", "diff [--format=json] [a, b]");
    check(
        "doctor --only paths,peers",
        "doctor [--only=paths,peers] []",
    );
}

#[test]
fn mistakes_are_found_by_the_register() {
    check("", "no command after []");
    check("spark", "no command after [spark]");
    check("--version", "version");
    check("-V", "version");
    check("rnu", "unknown command: rnu");
    check("spark lisen", "unknown command: spark lisen");
    check(
        "doctor --only path",
        "cannot use --only: expected a list of detection, paths, limits, peers, identity, secrets, metrics, events, region and spark",
    );
    check("inspect --json=yes", "cannot use --json: it takes no value");
    check(
        "run --json",
        "cannot use --json: lyftlearn-runtime run has no such option",
    );
    check(
        "diff a b c",
        "cannot use c: lyftlearn-runtime diff takes no such argument",
    );
}
