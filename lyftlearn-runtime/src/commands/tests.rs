//! Rules for every row.

use std::collections::BTreeSet;

use super::{COMMANDS, Command, Value};

/// Every command with the words that lead to it.
fn every(command: &'static Command, before: &str, found: &mut Vec<(String, &'static Command)>) {
    let path = format!("{before}{}", command.name);
    for below in command.subcommands {
        every(below, &format!("{path} "), found);
    }
    found.push((path, command));
}

fn all() -> Vec<(String, &'static Command)> {
    let mut found = Vec::new();
    every(&COMMANDS, "", &mut found);
    found
}

#[test]
fn every_command_is_complete() {
    for (path, command) in all() {
        assert!(!command.usage.is_empty(), "{path} has no usage");
        assert!(!command.exit_codes.is_empty(), "{path} has no exit codes");
        let has_examples = !command.examples.is_empty() || !command.subcommands.is_empty();
        assert!(has_examples, "{path} has no example");
        let codes: BTreeSet<&str> = command.exit_codes.iter().map(|row| row.code).collect();
        assert_eq!(codes.len(), command.exit_codes.len(), "{path}");
    }
}

#[test]
fn summaries_and_meanings_are_sentences_without_a_full_stop() {
    for (path, command) in all() {
        let meanings = command.options.iter().map(|flag| flag.meaning);
        let meanings = meanings.chain(command.arguments.iter().map(|argument| argument.meaning));
        let meanings = meanings.chain(command.exit_codes.iter().map(|code| code.meaning));
        for text in meanings.chain([command.summary]) {
            let begins = text.chars().next().is_some_and(char::is_uppercase);
            let own_name = text.starts_with("lyftlearn-runtime");
            assert!(begins || own_name, "{path}: {text}");
            assert!(!text.ends_with('.'), "{path}: {text}");
        }
        for text in command.details {
            assert!(text.ends_with('.'), "{path}: {text}");
        }
    }
}

#[test]
fn options_are_unique_and_spelled_with_two_hyphens() {
    for (path, command) in all() {
        let names: BTreeSet<&str> = command.options.iter().map(|flag| flag.name).collect();
        assert_eq!(names.len(), command.options.len(), "{path}");
        assert!(names.iter().all(|name| name.starts_with("--")), "{path}");
        for flag in command.options {
            if let Some((_, Value::OneOf(choices))) = flag.value
                && let Some(default) = flag.default
            {
                let first = default.split(',').next().unwrap_or_default();
                assert!(choices.contains(&first), "{path} {}", flag.name);
            }
        }
    }
}

#[test]
fn a_path_of_names_leads_to_a_command() {
    assert_eq!(COMMANDS.at(&["spark", "reach"]).unwrap().name, "reach");
    assert!(COMMANDS.at(&["spark", "rech"]).is_none());
    assert!(COMMANDS.at(&["run"]).unwrap().starts_a_program());
    assert!(!COMMANDS.at(&["diff"]).unwrap().starts_a_program());
}
