//! Help for every command, the program's own `--help`, and output on a terminal.

use std::process::Command;

use lyftlearn_conformance::programs;
use lyftlearn_conformance::terminal::Terminal;
use lyftlearn_runtime::commands::{COMMANDS, Command as Row};

use super::*;

/// The binary where it is, without a container.
fn tool(words: &[&str]) -> Command {
    let mut command = Command::new(programs::binary());
    command
        .args(words)
        .env_clear()
        .env("TERM", "xterm-256color");
    command
}

fn paths(row: &'static Row, before: &[&'static str], found: &mut Vec<Vec<&'static str>>) {
    for below in row.subcommands {
        let path = [before, &[below.name]].concat();
        paths(below, &path, found);
        found.push(path);
    }
}

#[test]
fn every_command_has_help() {
    let mut all = Vec::new();
    paths(&COMMANDS, &[], &mut all);
    assert!(all.len() > 10, "{all:?}");
    for path in all {
        let [asked, short, by_help] = [
            [&path[..], &["--help"]].concat(),
            [&path[..], &["-h"]].concat(),
            [&["help"], &path[..]].concat(),
        ]
        .map(|words| command::output(&mut tool(&words)));
        check_end(&asked, 0);
        let text = String::from_utf8(asked.stdout).unwrap();
        assert!(text.contains("\nexit codes\n"), "{path:?}: {text}");
        let usage = format!("\n  lyftlearn-runtime {}", path.join(" "));
        assert!(text.contains(&usage), "{path:?}: {text}");
        assert_eq!(text.as_bytes(), short.stdout);
        assert_eq!(text.as_bytes(), by_help.stdout);
        assert!(asked.stderr.is_empty());
    }
}

#[test]
fn without_a_command_help_is_an_error() {
    for (words, summary) in [
        (&[][..], COMMANDS.summary),
        (&["spark"], COMMANDS.at(&["spark"]).unwrap().summary),
    ] {
        let output = command::output(&mut tool(words));
        check_end(&output, 2);
        assert_eq!(output.stdout, b"");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(summary.split(' ').next().unwrap()), "{text}");
        assert!(text.contains("\ncommands\n"), "{text}");
    }
}

#[test]
fn the_version_has_two_spellings() {
    let [long, short] = ["--version", "-V"].map(|word| command::output(&mut tool(&[word])));
    check_end(&long, 0);
    let version = format!("lyftlearn-runtime {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(long.stdout.clone()).unwrap(), version);
    assert_eq!(long.stdout, short.stdout);
}

#[test]
fn help_behind_the_program_is_the_programs() {
    needs_namespaces!();
    let world = World::new();
    let container = world.container("");
    let show = ["printf", "%s\\n", "--help", "-h", "--version"];
    for words in [
        [&[BINARY, "run"], &show[..]].concat(),
        [&[BINARY, "run", "--"], &show[..]].concat(),
        [&[BINARY, "exec", "--"], &show[..]].concat(),
    ] {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let output = container.start(&words).end();
        check_end(&output, 0);
        assert_eq!(output.stdout, b"--help\n-h\n--version\n", "{words:?}");
    }
}

#[test]
fn colours_are_for_terminals_unless_a_variable_says_otherwise() {
    let coloured = |pairs: &[(&str, &str)]| {
        let output = command::output(tool(&["help"]).envs(pairs.iter().copied()));
        check_end(&output, 0);
        output.stdout.contains(&0x1b)
    };
    assert!(!coloured(&[]));
    assert!(coloured(&[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    let page = command::output(tool(&["explain"]).env("CLICOLOR_FORCE", "1"));
    check_end(&page, 0);
    let json = command::output(tool(&["inspect", "--json"]).env("CLICOLOR_FORCE", "1"));
    assert!(page.stdout.contains(&0x1b) && !json.stdout.contains(&0x1b));
}

#[test]
fn a_terminal_is_never_overrun() {
    let on_terminal = |columns: u16, sought: &str| {
        let mut terminal = Terminal::new();
        terminal.resize(24, columns);
        let mut child = tool(&["help", "run"])
            .stdout(terminal.stream())
            .spawn()
            .unwrap();
        terminal.shows(sought);
        let status = wait::until(|| child.try_wait().unwrap());
        assert!(status.expect("help ends").success());
    };
    // The same sentence, broken where the width of each terminal says.
    on_terminal(60, "starts PROGRAM, forwards\r\n");
    on_terminal(
        200,
        "forwards signals to it, reaps orphans, and ends with the program's exit code.\r\n",
    );
    on_terminal(60, "\u{1b}[1m--signal-scope SCOPE");
}

#[test]
fn doctor_runs_what_was_asked_for_and_closes_with_counts() {
    needs_namespaces!();
    let world = World::new();
    let words = [BINARY, "doctor", "--only", "region,spark"].map(OsString::from);
    let output = world
        .container("spark.mode = \"off\"\n")
        .start(&words)
        .end();
    let shown = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = shown.lines().collect();
    let [findings @ .., "", counts] = lines.as_slice() else {
        panic!("{shown}");
    };
    let known = |line: &&str| line.contains(" region ") || line.contains(" spark ");
    let known = findings
        .iter()
        .filter(|line| !line.starts_with("      fix:"))
        .all(known);
    assert!(known, "{shown}");
    let failed = shown.matches("FAIL").count();
    assert!(counts.starts_with(&format!("{failed} failed, ")), "{shown}");
    assert_eq!(output.status.code(), Some(i32::from(failed > 0)));
}

#[test]
fn inspect_counts_its_problems_first_and_lists_them_last() {
    needs_namespaces!();
    let world = World::new();
    let container = world
        .container("")
        .variable("LYFTLEARN_RUNTIME_SERVICE_HOST", "10.0.0.1")
        .variable("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/x");
    let output = container.start(&[BINARY.into(), "inspect".into()]).end();
    check_end(&output, 0);
    let shown = String::from_utf8(output.stdout).unwrap();
    let mut lines = shown.lines();
    assert!(lines.next().unwrap().starts_with("local (host)"), "{shown}");
    let counted = lines.next().unwrap();
    assert!(
        counted.contains("problem") && counted.ends_with(", at the end"),
        "{shown}"
    );
    let (_, last) = shown.rsplit_once("\n\n").unwrap();
    assert!(last.starts_with("problems\n  "), "{shown}");
}
