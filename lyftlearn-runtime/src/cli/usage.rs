//! The command line, parsed by the register: an option that is not listed there does not exist.

mod fault;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use lexopt::{Arg, Parser};

use super::help::{here, spelled};
use crate::commands::{COMMANDS, Command, Flag, Value};
use crate::error::Error;
use crate::facts::Facts;

pub(super) use fault::UsageFault;

/// The words that lead to a command, from the binary on.
pub(super) type CommandPath = Vec<&'static Command>;

/// A command line, understood.
pub(super) enum Asked {
    Help(CommandPath),
    /// The words end before a command.
    NoCommand(CommandPath),
    Version,
    Command(Given),
}

/// A command's options and the words after them.
pub(super) struct Given {
    path: CommandPath,
    flags: Vec<(&'static str, OsString)>,
    words: Vec<OsString>,
}

/// Parses the words after the binary's name.
pub(super) fn parse(arguments: Vec<OsString>) -> Result<Asked, Error> {
    let mut words = Parser::from_args(arguments);
    let mut command = &COMMANDS;
    let mut path = vec![command];
    while !command.subcommands.is_empty() {
        let fault = |option: &str| unknown_option(&path, option);
        match words.next().map_err(|err| fault(&option_of(&err)))? {
            None => return Ok(Asked::NoCommand(path)),
            Some(Arg::Long("help") | Arg::Short('h')) => {
                nothing_more(&path, words)?;
                return Ok(Asked::Help(path));
            }
            Some(Arg::Long("version") | Arg::Short('V')) if path.len() == 1 => {
                nothing_more(&path, words)?;
                return Ok(Asked::Version);
            }
            Some(Arg::Long(option)) => return Err(fault(&format!("--{option}"))),
            Some(Arg::Short(option)) => return Err(fault(&format!("-{option}"))),
            Some(Arg::Value(word)) => {
                command = below(&path, &word)?;
                path.push(command);
            }
        }
    }
    rest(path, words)
}

/// The command that `help`'s words lead to.
pub(super) fn named(words: &[OsString]) -> Result<CommandPath, Error> {
    let mut path = vec![&COMMANDS];
    for word in words {
        let command = below(&path, word)?;
        path.push(command);
    }
    Ok(path)
}

fn below(path: &[&'static Command], word: &OsStr) -> Result<&'static Command, Error> {
    let known = path.iter().last().map_or(&[][..], |last| last.subcommands);
    let mut known = known.iter().filter(|command| here(command));
    if let Some(command) = known.clone().find(|command| word == command.name) {
        return Ok(command);
    }
    let word = word.to_string_lossy();
    let nearest = nearest(known.by_ref().map(|command| command.name), &word);
    let before = path.iter().skip(1).map(|command| command.name);
    let word = before.chain([word.as_ref()]).collect::<Vec<_>>().join(" ");
    Err(UsageFault::UnknownCommand { word, nearest }.into())
}

/// Options, and the words after them. A program's words begin with `--` or with the first that is
/// no option, and reach it byte for byte: its own `--help` as well. Other words may stand before
/// options.
fn rest(path: CommandPath, mut parser: Parser) -> Result<Asked, Error> {
    let command = *path.last().expect("the binary is the first");
    let mut given = Given {
        path,
        flags: Vec::new(),
        words: Vec::new(),
    };
    loop {
        // Before the parser sees `--`: it swallows it, and options behind it are the program's.
        if let Some(mut raw) = parser.try_raw_args() {
            match raw.peek() {
                None => break,
                Some(word) if word == "--" => {
                    raw.next();
                    given.words.extend(raw);
                    break;
                }
                Some(word) if !word.to_string_lossy().starts_with('-') || word == "-" => {
                    if command.starts_a_program() {
                        given.words.extend(raw);
                        break;
                    }
                    given.words.extend(raw.next());
                    continue;
                }
                Some(_) => {}
            }
        }
        let fault = |option: &str| unknown_option(&given.path, option);
        let option = match parser.next().map_err(|err| fault(&option_of(&err)))? {
            Some(Arg::Long("help") | Arg::Short('h')) => return Ok(Asked::Help(given.path)),
            Some(Arg::Long(name)) => format!("--{name}"),
            Some(Arg::Short(letter)) => format!("-{letter}"),
            Some(Arg::Value(_)) | None => break,
        };
        let flag = command.flag(&option).ok_or_else(|| fault(&option))?;
        let value = match flag.value {
            Some((_, expected)) => checked(flag, expected, &mut parser)?,
            None if parser.optional_value().is_some() => {
                return Err(UsageFault::UnexpectedValue { option: flag.name }.into());
            }
            None => OsString::new(),
        };
        given.flags.push((flag.name, value));
    }
    check_words(&given.path, &given.words)?;
    Ok(Asked::Command(given))
}

/// An option's value, if the register allows it.
fn checked(flag: &'static Flag, expected: Value, parser: &mut Parser) -> Result<OsString, Error> {
    let option = flag.name;
    let value = parser
        .value()
        .map_err(|_| UsageFault::MissingValue { option })?;
    let bad = |expected: String| Err(UsageFault::BadValue { option, expected }.into());
    match expected {
        Value::OneOf(choices) if !choices.iter().any(|choice| value == *choice) => {
            bad(one_of(choices, "or"))
        }
        Value::SomeOf(choices) if !all_of(choices, &value) => {
            bad(format!("a list of {}", one_of(choices, "and")))
        }
        Value::Directory if !Path::new(&value).is_dir() => bad("a directory that exists".into()),
        _ => Ok(value),
    }
}

fn all_of(choices: &[&str], value: &OsStr) -> bool {
    let mut names = value.to_str().into_iter().flat_map(|text| text.split(','));
    value.to_str().is_some() && names.all(|name| choices.contains(&name))
}

/// `a, b or c`.
fn one_of(choices: &[&str], word: &str) -> String {
    match choices {
        [before @ .., last] if !before.is_empty() => {
            format!("{} {word} {last}", before.join(", "))
        }
        _ => choices.concat(),
    }
}

/// Neither more words nor fewer than the command has.
fn check_words(path: &[&'static Command], words: &[OsString]) -> Result<(), Error> {
    let command = path[path.len() - 1];
    let most = command.arguments.len();
    let endless = command
        .arguments
        .iter()
        .any(|argument| argument.name.ends_with("..."));
    match words.get(most) {
        Some(word) if !endless => Err(UsageFault::UnexpectedWord {
            command: spelled(path),
            word: word.to_string_lossy().into_owned(),
        }
        .into()),
        _ => Ok(()),
    }
}

fn nothing_more(path: &[&'static Command], mut words: Parser) -> Result<(), Error> {
    let word = words.raw_args().ok().and_then(|mut rest| rest.next());
    word.map_or(Ok(()), |word| {
        Err(UsageFault::UnexpectedWord {
            command: spelled(path),
            word: word.to_string_lossy().into_owned(),
        }
        .into())
    })
}

fn unknown_option(path: &[&'static Command], option: &str) -> Error {
    let known = path.iter().last().map_or(&[][..], |last| last.options);
    let names = known.iter().map(|flag| flag.name).chain(["--help"]);
    UsageFault::UnknownOption {
        command: spelled(path),
        option: option.to_owned(),
        nearest: nearest(names, option),
    }
    .into()
}

/// The most similar name.
fn nearest(known: impl Iterator<Item = &'static str>, word: &str) -> Option<&'static str> {
    known
        .map(|name| (strsim::damerau_levenshtein(name, word), name))
        .filter(|(distance, _)| *distance <= 2)
        .min()
        .map(|(_, name)| name)
}

/// What the parser refuses by itself: `--help=x`.
fn option_of(err: &lexopt::Error) -> String {
    match err {
        lexopt::Error::UnexpectedValue { option, .. } => option.clone(),
        _ => "an argument".to_owned(),
    }
}

impl Given {
    /// The names that lead to the command, without the binary's.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.path
            .iter()
            .skip(1)
            .map(|command| command.name)
            .collect()
    }

    /// Whether an option without a value was given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.flags.iter().any(|(flag, _)| *flag == name)
    }

    /// An option's value; of several the last.
    pub(super) fn value(&self, name: &str) -> Option<&OsStr> {
        let mut flags = self.flags.iter().rev();
        flags
            .find(|(flag, _)| *flag == name)
            .map(|(_, value)| value.as_os_str())
    }

    /// The value of an option that has one of a few.
    pub(super) fn choice(&self, name: &str) -> Option<&str> {
        self.value(name).and_then(OsStr::to_str)
    }

    /// A file as a person names it: from the working directory.
    pub(super) fn file(&self, name: &str) -> Option<PathBuf> {
        self.value(name).map(absolute)
    }

    /// The words after the options.
    pub(super) fn words(&self) -> &[OsString] {
        &self.words
    }

    /// A word that the command cannot do without.
    pub(super) fn word(&self, at: usize) -> Result<&OsStr, Error> {
        let missing = || UsageFault::MissingArgument {
            command: spelled(&self.path),
            argument: self.path[self.path.len() - 1].arguments[at].name,
        };
        let word = self.words.get(at).map(OsString::as_os_str);
        Ok(word.ok_or_else(missing)?)
    }

    /// The same, for a program.
    pub(super) fn into_words(self) -> Vec<OsString> {
        self.words
    }

    /// For commands that look and start nothing: the world below `--root`, with the words as the
    /// program that would be started.
    pub(super) fn facts(&self) -> Facts {
        let facts = Facts::capture(self.words.clone());
        match self.value("--root") {
            Some(root) => facts.with_root(root),
            None => facts,
        }
    }
}

/// A file as a person names it: from the working directory.
pub(super) fn absolute(path: &OsStr) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

#[cfg(test)]
mod tests;
