//! `--help`: a row of the register as text.

use super::output;
use super::page::{Ink, Page};
#[cfg(test)]
use crate::commands::COMMANDS;
use crate::commands::{Command, Flag, Value};
use crate::error::Error;
use crate::stderr;

/// For a reader without a terminal; as wide as man pages are.
const WIDTH: usize = 80;

/// Of the command at the end of `path`, which starts with the binary.
pub(super) fn show(path: &[&'static Command]) -> Result<u8, Error> {
    let mut page = Page::for_stdout().wrapped_at(WIDTH);
    write(&mut page, path);
    output::data(page.into_text().as_bytes())?;
    Ok(0)
}

/// For a command line that stops short of a command: a container must not seem to succeed.
pub(super) fn show_instead(path: &[&'static Command]) {
    let mut page = Page::for_stderr().wrapped_at(WIDTH);
    write(&mut page, path);
    stderr::painted(&page.into_text());
}

fn write(page: &mut Page, path: &[&'static Command]) {
    let Some(command) = path.last() else { return };
    let name = spelled(path);
    page.line(0, Ink::Plain, &format!("{}.", command.summary));
    for paragraph in command.details {
        page.gap();
        page.line(0, Ink::Plain, paragraph);
    }
    heading(page, "usage");
    for form in command.usage {
        page.line(2, Ink::Plain, format!("{name} {form}").trim_end());
    }
    if !command.subcommands.is_empty() {
        heading(page, "commands");
        let rows = command.subcommands.iter().filter(|below| here(below));
        columns(
            page,
            rows.map(|below| (below.name.to_owned(), below.summary.to_owned())),
        );
    }
    if !command.arguments.is_empty() {
        heading(page, "arguments");
        let rows = command.arguments.iter();
        columns(
            page,
            rows.map(|argument| (argument.name.to_owned(), argument.meaning.to_owned())),
        );
    }
    heading(page, "options");
    let help = ("--help, -h".to_owned(), "Print this help".to_owned());
    let rows = command
        .options
        .iter()
        .map(|flag| (with_value(flag), what(flag)));
    columns(page, rows.chain([help]));
    if !command.examples.is_empty() {
        heading(page, "examples");
        for example in command.examples {
            page.line(2, Ink::Faint, example.purpose);
            // In one piece, to be copied.
            page.verbatim(4, example.command);
        }
    }
    heading(page, "exit codes");
    let rows = command.exit_codes.iter();
    columns(
        page,
        rows.map(|row| (row.code.to_owned(), row.meaning.to_owned())),
    );
    if !command.subcommands.is_empty() {
        page.gap();
        page.line(
            0,
            Ink::Plain,
            &format!("{name} COMMAND --help shows the help of a command."),
        );
    }
}

/// The words that lead to a command.
pub(super) fn spelled(path: &[&'static Command]) -> String {
    let names: Vec<&str> = path.iter().map(|command| command.name).collect();
    names.join(" ")
}

/// Whether this build has the command.
pub(super) fn here(command: &Command) -> bool {
    cfg!(feature = "agent") || !["credentials", "metrics"].contains(&command.name)
}

fn heading(page: &mut Page, text: &str) {
    page.gap();
    page.line(0, Ink::Heading, text);
}

fn columns(page: &mut Page, rows: impl Iterator<Item = (String, String)>) {
    let rows: Vec<(String, String)> = rows.collect();
    let widest = rows.iter().map(|(name, _)| name.chars().count()).max();
    let width = widest.unwrap_or_default().min(24);
    for (name, meaning) in &rows {
        page.row(2, &[(Ink::Name, name, width)], Ink::Plain, meaning);
    }
}

fn with_value(flag: &Flag) -> String {
    match flag.value {
        Some((value, _)) => format!("{} {value}", flag.name),
        None => flag.name.to_owned(),
    }
}

fn what(flag: &Flag) -> String {
    let choices = flag.value.map(|(_, value)| value);
    let mut text = flag.meaning.to_owned();
    if let Some(choices) = choices.and_then(choices_of) {
        text.push_str(&format!(" [{choices}]"));
    }
    if let Some(default) = flag.default {
        text.push_str(&format!(" [default: {default}]"));
    }
    text
}

fn choices_of(value: Value) -> Option<String> {
    match value {
        Value::OneOf(choices) | Value::SomeOf(choices) => Some(choices.join(", ")),
        Value::Text | Value::File | Value::Directory => None,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::{COMMANDS, Command, Page, WIDTH, write};

    fn pages(path: &[&'static Command], found: &mut String) {
        let mut page = Page::plain(Some(WIDTH));
        write(&mut page, path);
        found.push_str(&page.into_text());
        for below in path.last().map_or(&[][..], |last| last.subcommands) {
            found.push_str("\n----\n\n");
            pages(&[path, &[below]].concat(), found);
        }
    }

    #[test]
    fn every_page_is_as_it_was_reviewed() {
        let mut all = String::new();
        pages(&[&COMMANDS], &mut all);
        assert!(
            all.lines()
                .all(|line| line.len() <= WIDTH || line.starts_with("    "))
        );
        expect_file!["help.txt"].assert_eq(&all);
    }
}
