//! A start that was asked for in the wrong way.

use std::fmt;

use crate::error::{Error, ErrorKind, Fault};

/// Where the command line is explained.
const HELP_HINT: &str = "lyftlearn-runtime --help shows all; an image's ENTRYPOINT is [\"lyftlearn-runtime\", \"run\", \"--\"]";

#[derive(Debug)]
pub(super) enum LaunchFault {
    /// A word by which this binary starts its own helper processes.
    NotForPeople {
        word: &'static str,
    },
    NoProgram,
}

impl fmt::Display for LaunchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotForPeople { word } => {
                write!(f, "cannot use {word}: only lyftlearn-runtime run calls it")
            }
            Self::NoProgram => f.write_str("cannot run: no program given"),
        }
    }
}

impl Fault for LaunchFault {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Usage
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NotForPeople { .. } => HELP_HINT,
            Self::NoProgram => {
                "give one after run --, or set commands.default in /etc/lyftlearn/runtime.toml"
            }
        };
        Some(hint.to_owned())
    }
}

/// The report on a helper's word that a person has written.
pub(super) fn not_for_people(word: &'static str) -> Error {
    LaunchFault::NotForPeople { word }.into()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::LaunchFault;
    use crate::error::reports;

    #[test]
    fn every_fault_has_its_report() {
        expect![[r#"
            Usage: cannot use --agent: only lyftlearn-runtime run calls it
              hint: lyftlearn-runtime --help shows all; an image's ENTRYPOINT is ["lyftlearn-runtime", "run", "--"]
            Usage: cannot run: no program given
              hint: give one after run --, or set commands.default in /etc/lyftlearn/runtime.toml
        "#]]
        .assert_eq(&reports([
            LaunchFault::NotForPeople { word: "--agent" },
            LaunchFault::NoProgram,
        ]));
    }
}
