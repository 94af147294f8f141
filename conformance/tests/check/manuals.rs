//! Man pages and completions of both programs.

use std::path::Path;
use std::process::Command;

use lyftlearn_conformance::command;
use lyftlearn_runtime::commands::COMMANDS;

use crate::line::said;

#[test]
fn every_command_of_both_programs_has_a_man_page() {
    let directory = tempfile::tempdir().unwrap();
    let (code, _, words) = said(&["manuals", directory.path().to_str().unwrap()]);
    assert_eq!(code, Some(0), "{words}");
    let page = |name: &str| {
        let path = directory.path().join("man1").join(format!("{name}.1"));
        std::fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
    };
    for command in COMMANDS.subcommands {
        let name = format!("lyftlearn-runtime-{}", command.name);
        for below in command.subcommands {
            let text = page(&format!("{name}-{}", below.name));
            assert!(text.contains("EXIT STATUS"), "{text}");
        }
        let text = page(&name);
        assert!(text.contains("EXIT STATUS"), "{text}");
        for flag in command.options {
            let option = flag.name.replace('-', "\\-");
            assert!(text.contains(&option), "{option} in {text}");
        }
    }
    for name in ["check", "run", "list", "explain", "init", "report"] {
        page(&format!("lyftlearn-conformance-{name}"));
    }
}

/// What bash offers for the last of these words.
#[track_caller]
fn check_completed(script: &Path, words: &[&str], expected: &[&str]) {
    let function = format!("_{}", words[0].replace('-', "__"));
    let line: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let (last, before) = (&line[line.len() - 1], &line[line.len() - 2]);
    let asked = format!(
        "source {}; COMP_WORDS=({}); COMP_CWORD={}; {function} {} {last} {before}; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display(),
        line.join(" "),
        line.len() - 1,
        line[0],
    );
    let output = command::output(Command::new("bash").args(["-c", &asked]));
    let offered = String::from_utf8_lossy(&output.stdout).into_owned();
    let offered: Vec<&str> = offered.lines().collect();
    assert_eq!(offered, expected, "{words:?}");
}

#[test]
fn bash_completes_commands_options_and_values() {
    let directory = tempfile::tempdir().unwrap();
    let (code, _, words) = said(&["manuals", directory.path().to_str().unwrap()]);
    assert_eq!(code, Some(0), "{words}");
    let script = |name: &str| directory.path().join("completions").join(name);
    let runtime = script("lyftlearn-runtime.bash");
    for (words, expected) in [
        (&["insp"][..], &["inspect"][..]),
        (&["run", "--signal-scope", ""], &["auto", "group", "child"]),
        (&["spark", "li"], &["listen"]),
        (&["explain", "--layer", "con"], &["config"]),
        (&["doctor", "--on"], &["--only"]),
    ] {
        let words = [&["lyftlearn-runtime"], words].concat();
        check_completed(&runtime, &words, expected);
    }
    let checker = script("lyftlearn-conformance.bash");
    for (words, expected) in [
        (&["ch"][..], &["check"][..]),
        (&["check", "--eng"], &["--engine"]),
        (&["check", "--profile", "re"], &["restricted"]),
    ] {
        let words = [&["lyftlearn-conformance"], words].concat();
        check_completed(&checker, &words, expected);
    }
    // The same as the subcommand prints.
    let (_, printed, _) = said(&["completions", "bash"]);
    assert_eq!(printed, std::fs::read_to_string(&checker).unwrap());
}
