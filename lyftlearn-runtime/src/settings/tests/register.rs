//! What the register says of each setting is true, and plain.

use super::doors::{needed, told};
use super::{file, read};
use crate::error::Error;
use crate::layers::{Key, Unset};
use crate::settings::secrets::FIELDS;
use crate::settings::{REGISTER, Settings};

/// Values that are wrong for most settings, in one way or another.
const WRONG: &[&str] = &["true", "1", "\"\\n\"", "[[1]]", "1.5", "[\"\\n\"]"];

/// Words that make a sentence hard to read, or hide what acts in it.
const HARD: &[&str] = &["who", "whom", "whoever", "nobody", "told", "lies", "stands"];

fn written(key: &Key, value: &str) -> Result<Settings, Error> {
    of_file(&format!("{}{} = {value}\n", needed(key.name), key.name))
}

/// The same of a field of a secret.
fn declared(field: &Key, value: &str) -> Result<Settings, Error> {
    let source = match field.name {
        name if name.starts_with("from") => "",
        _ => "from = \"env:A\"\n",
    };
    of_file(&format!("[secrets.a]\n{source}{} = {value}\n", field.name))
}

fn of_file(text: &str) -> Result<Settings, Error> {
    read(&[file("/runtime.toml", text)], std::iter::empty(), &[])
}

/// Every row, each with what reads it.
fn rows() -> impl Iterator<Item = (&'static Key, Written)> {
    let keys = REGISTER.keys().map(|key| (key, written as Written));
    keys.chain(FIELDS.iter().map(|field| (field, declared as Written)))
}

type Written = fn(&Key, &str) -> Result<Settings, Error>;

#[test]
fn every_example_is_a_value_of_its_setting() {
    for (key, written) in rows() {
        if let Err(error) = written(key, key.example) {
            panic!("{} = {}: {}", key.name, key.example, error.report());
        }
    }
}

#[test]
fn every_default_value_is_what_holds_without_it() {
    let without = told(Settings::default());
    let mut values = 0;
    for key in REGISTER.keys() {
        let Unset::Value(default) = key.default else {
            continue;
        };
        values += 1;
        let variable = key.variable();
        let variables = [(variable.as_str(), Some(default))];
        let with = read(&[], variables.into_iter(), &[]);
        let with = told(with.unwrap_or_else(|error| panic!("{}", error.report())));
        assert_eq!(with, without, "${variable}={default}");
    }
    assert!(values > 30, "{values} defaults are values");
}

#[test]
fn every_default_of_a_field_is_what_holds_without_it() {
    let secrets = |text: &str| of_file(text).unwrap_or_else(|error| panic!("{}", error.report()));
    let source = "[secrets.a]\nfrom = \"env:A\"\n";
    for field in FIELDS {
        let Unset::Value(default) = field.default else {
            continue;
        };
        let with = secrets(&format!("{source}{} = {default}\n", field.name));
        assert_eq!(with.secrets, secrets(source).secrets, "{}", field.name);
    }
}

#[test]
fn a_mistake_expects_what_the_register_says() {
    for (key, written) in rows() {
        let expected = format!("expected {}\n", key.expected());
        let said = WRONG.iter().any(|wrong| match written(key, wrong) {
            Ok(_) => false,
            Err(error) => error.report().ends_with(&expected),
        });
        assert!(said, "{} does not say: {expected}", key.name);
    }
}

#[test]
fn every_setting_is_described_in_short_and_plain_sentences() {
    for (key, _) in rows() {
        let sentences: Vec<&str> = key.doc.split_inclusive(". ").collect();
        assert!(
            (1..=3).contains(&sentences.len()) && key.doc.ends_with('.'),
            "{} has {} sentences",
            key.name,
            sentences.len()
        );
        for sentence in sentences {
            let count = sentence.split_whitespace().count();
            assert!((2..25).contains(&count), "{}: {count} words", key.name);
        }
        let texts = match key.default {
            Unset::Text(text) => [key.doc, text],
            Unset::Value(_) => [key.doc, ""],
        };
        for text in texts {
            let mut words = text.split(|letter: char| !letter.is_alphanumeric());
            let hard = words.find(|word| HARD.contains(word));
            assert_eq!(hard, None, "{}", key.name);
        }
    }
}
