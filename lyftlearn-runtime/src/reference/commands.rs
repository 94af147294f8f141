//! `docs/reference/commands.md`, from the register of subcommands.

use std::fmt::Write;

use expect_test::expect_file;

use super::{cell, page};
use crate::commands::{COMMANDS, Command};

const INTRODUCTION: &str = "\
`run` is for an image's `ENTRYPOINT`. `exec` gives another process in the container the same view. The other commands look and \
change nothing. `lyftlearn-runtime help COMMAND` prints the same text, and every command has `--help`.";

/// A bar would end a cell, and a line of help is no sentence of Markdown.
fn shown(text: &str) -> String {
    cell(text).replace('<', "&lt;")
}

fn describe(text: &mut String, path: &[&str], command: &Command) {
    let words = path.join(" ");
    write!(text, "\n## {words}\n\n{}.\n", shown(command.summary)).unwrap();
    for paragraph in command.details {
        write!(text, "\n{}\n", shown(paragraph)).unwrap();
    }
    if !command.usage.is_empty() {
        text.push_str("\n<!-- untested: generated from the code -->\n```text\n");
        for usage in command.usage {
            writeln!(text, "{words} {usage}").unwrap();
        }
        text.push_str("```\n");
    }
    if !(command.arguments.is_empty() && command.options.is_empty()) {
        text.push_str("\n| argument or option | meaning | default |\n|---|---|---|\n");
    }
    for argument in command.arguments {
        writeln!(
            text,
            "| `{}` | {} | |",
            argument.name,
            shown(argument.meaning)
        )
        .unwrap();
    }
    for flag in command.options {
        let value = flag
            .value
            .map_or(String::new(), |(name, _)| format!(" {name}"));
        let default = flag
            .default
            .map_or(String::new(), |default| format!("`{default}`"));
        writeln!(
            text,
            "| `{}{value}` | {} | {default} |",
            flag.name,
            shown(flag.meaning)
        )
        .unwrap();
    }
    if !command.exit_codes.is_empty() {
        text.push_str("\n| exit code | when |\n|---|---|\n");
    }
    for code in command.exit_codes {
        writeln!(text, "| {} | {} |", code.code, shown(code.meaning)).unwrap();
    }
    for example in command.examples {
        write!(
            text,
            "\n{}:\n\n<!-- untested: generated from the code -->\n```text\n{}\n```\n",
            shown(example.purpose),
            example.command
        )
        .unwrap();
    }
    for below in command.subcommands {
        describe(text, &[path, &[below.name]].concat(), below);
    }
}

#[test]
fn commands() {
    let mut text = page("Commands", INTRODUCTION);
    describe(&mut text, &[COMMANDS.name], &COMMANDS);
    expect_file!["../../../docs/reference/commands.md"].assert_eq(&text);
}
