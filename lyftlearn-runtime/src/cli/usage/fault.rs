//! A wrong command line, and what to do about it.

use std::fmt;

use crate::error::{ErrorKind, Fault};

/// The command line of `lyftlearn-runtime` itself is wrong.
#[derive(Debug)]
pub(in crate::cli) enum UsageFault {
    UnknownCommand {
        /// With the words before it.
        word: String,
        nearest: Option<&'static str>,
    },
    UnknownOption {
        /// The command that does not have it, with the binary's name.
        command: String,
        option: String,
        nearest: Option<&'static str>,
    },
    MissingValue {
        option: &'static str,
    },
    UnexpectedValue {
        option: &'static str,
    },
    BadValue {
        option: &'static str,
        expected: String,
    },
    UnexpectedWord {
        command: String,
        word: String,
    },
    MissingArgument {
        command: String,
        argument: &'static str,
    },
    /// A file that cannot be written.
    Unwritable {
        path: String,
    },
    /// Neither a variable of the program's nor a setting.
    UnknownName {
        name: String,
    },
}

impl fmt::Display for UsageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCommand { word, .. } => write!(f, "unknown command: {word}"),
            Self::UnknownOption {
                command, option, ..
            } => write!(f, "cannot use {option}: {command} has no such option"),
            Self::MissingValue { option } => write!(f, "cannot use {option}: its value is missing"),
            Self::UnexpectedValue { option } => write!(f, "cannot use {option}: it takes no value"),
            Self::BadValue { option, expected } => {
                write!(f, "cannot use {option}: expected {expected}")
            }
            Self::UnexpectedWord { command, word } => {
                write!(f, "cannot use {word}: {command} takes no such argument")
            }
            Self::MissingArgument { command, argument } => {
                write!(f, "cannot run {command}: {argument} is missing")
            }
            Self::Unwritable { path } => write!(f, "cannot write {path}"),
            Self::UnknownName { name } => {
                write!(
                    f,
                    "cannot explain {name}: neither a variable of the program nor a setting"
                )
            }
        }
    }
}

impl Fault for UsageFault {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::UnknownCommand {
                nearest: Some(near),
                ..
            } => format!("did you mean {near}? lyftlearn-runtime help lists the commands"),
            Self::UnknownCommand { nearest: None, .. } => {
                "lyftlearn-runtime help lists the commands; to start a program, \
                 set ENTRYPOINT [\"lyftlearn-runtime\", \"run\", \"--\"]"
                    .to_owned()
            }
            Self::UnknownOption {
                command,
                nearest: Some(near),
                ..
            } => format!("did you mean {near}? {command} --help lists the options"),
            Self::UnknownOption { command, .. } => format!("{command} --help lists the options"),
            Self::UnexpectedWord { command, .. } | Self::MissingArgument { command, .. } => {
                format!("{command} --help shows the usage")
            }
            Self::MissingValue { .. } | Self::UnexpectedValue { .. } | Self::BadValue { .. } => {
                "add --help to the command to see the values of each option".to_owned()
            }
            Self::Unwritable { .. } => {
                "check that the directory exists, is writable and has room".to_owned()
            }
            Self::UnknownName { .. } => {
                "lyftlearn-runtime explain lists all variables and settings".to_owned()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::UsageFault;
    use crate::error::reports;

    #[test]
    fn every_fault_has_its_report() {
        let word = || "rnu".to_owned();
        let command = || "lyftlearn-runtime diff".to_owned();
        expect![[r#"
            Usage: unknown command: rnu
              hint: lyftlearn-runtime help lists the commands; to start a program, set ENTRYPOINT ["lyftlearn-runtime", "run", "--"]
            Usage: unknown command: rnu
              hint: did you mean run? lyftlearn-runtime help lists the commands
            Usage: cannot use --verbose: lyftlearn-runtime diff has no such option
              hint: lyftlearn-runtime diff --help lists the options
            Usage: cannot use --formt: lyftlearn-runtime diff has no such option
              hint: did you mean --format? lyftlearn-runtime diff --help lists the options
            Usage: cannot use --format: its value is missing
              hint: add --help to the command to see the values of each option
            Usage: cannot use --json: it takes no value
              hint: add --help to the command to see the values of each option
            Usage: cannot use --format: expected text, json or html
              hint: add --help to the command to see the values of each option
            Usage: cannot use rnu: lyftlearn-runtime diff takes no such argument
              hint: lyftlearn-runtime diff --help shows the usage
            Usage: cannot run lyftlearn-runtime diff: B is missing
              hint: lyftlearn-runtime diff --help shows the usage
            Usage: cannot write /absent/file
              hint: check that the directory exists, is writable and has room
            Usage: cannot explain XYZZY: neither a variable of the program nor a setting
              hint: lyftlearn-runtime explain lists all variables and settings
        "#]].assert_eq(&reports([
            UsageFault::UnknownCommand {
                word: word(),
                nearest: None,
            },
            UsageFault::UnknownCommand {
                word: word(),
                nearest: Some("run"),
            },
            UsageFault::UnknownOption {
                command: command(),
                option: "--verbose".to_owned(),
                nearest: None,
            },
            UsageFault::UnknownOption {
                command: command(),
                option: "--formt".to_owned(),
                nearest: Some("--format"),
            },
            UsageFault::MissingValue { option: "--format" },
            UsageFault::UnexpectedValue { option: "--json" },
            UsageFault::BadValue {
                option: "--format",
                expected: "text, json or html".to_owned(),
            },
            UsageFault::UnexpectedWord {
                command: command(),
                word: word(),
            },
            UsageFault::MissingArgument {
                command: command(),
                argument: "B",
            },
            UsageFault::Unwritable {
                path: "/absent/file".to_owned(),
            },
            UsageFault::UnknownName {
                name: "XYZZY".to_owned(),
            },
        ]));
    }
}
