//! Every mistake in one report: one restart per mistake would be cruel.

use std::fmt;

use crate::contract::limits;
use crate::error::{ErrorKind, Fault};

/// Settings that cannot be used.
#[derive(Debug)]
pub(crate) struct SettingsFault {
    mistakes: Vec<(String, Mistake)>,
}

/// One mistake. The value is not part of it.
#[derive(Debug)]
pub(crate) enum Mistake {
    Expected(&'static str),
    NotASetting {
        nearest: Option<String>,
    },
    /// `why` is the parser's own sentence, which quotes nothing of the file.
    NotToml {
        line: usize,
        column: usize,
        why: String,
    },
    NotHere(&'static str),
    NoTime,
    /// A value where a table with a field belongs.
    ExpectedTable {
        table: String,
        field: &'static str,
    },
}

impl SettingsFault {
    pub(super) fn new(mistakes: Vec<(String, Mistake)>) -> Self {
        Self { mistakes }
    }

    pub(crate) fn one(shown: String, mistake: Mistake) -> Self {
        Self {
            mistakes: vec![(shown, mistake)],
        }
    }

    /// A key in a file whose place that very key decides.
    pub(super) fn decides_its_own_place(key: &str, path: &str) -> Self {
        let why =
            "it decides where that file lies; set its variable or the image's runtime.toml instead";
        Self::one(format!("{key} in {path}"), Mistake::NotHere(why))
    }
}

impl fmt::Display for SettingsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot use these settings")?;
        for (shown, mistake) in self.mistakes.iter().take(limits::MISTAKES) {
            write!(f, "\n  {shown}: {mistake}")?;
        }
        match self.mistakes.len().saturating_sub(limits::MISTAKES) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expected(what) => write!(f, "expected {what}"),
            Self::NotASetting { nearest: None } => f.write_str("not a setting"),
            Self::NotASetting {
                nearest: Some(near),
            } => {
                write!(f, "not a setting; did you mean {near}?")
            }
            Self::NotToml { line, column, why } => {
                write!(f, "not TOML at line {line}, column {column}: {why}")
            }
            Self::ExpectedTable { table, field } => {
                write!(f, "expected a table: {table} with {field} = ...")
            }
            Self::NoTime => f.write_str("leaves the program no time of the platform's grace"),
            Self::NotHere(why) => write!(f, "cannot be set here: {why}"),
        }
    }
}

impl Fault for SettingsFault {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Settings
    }

    fn hint(&self) -> Option<String> {
        None
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{Mistake, SettingsFault};
    use crate::error::{reports, sentences};

    #[test]
    fn every_mistake_has_its_sentence() {
        expect![[r#"
            expected true or false
            not a setting
            not a setting; did you mean role?
            not TOML at line 2, column 8: (the parser's sentence)
            cannot be set here: (why not)
            leaves the program no time of the platform's grace
            expected a table: [secrets.db] with from = ...
        "#]]
        .assert_eq(&sentences([
            Mistake::Expected("true or false"),
            Mistake::NotASetting { nearest: None },
            Mistake::NotASetting {
                nearest: Some("role".to_owned()),
            },
            Mistake::NotToml {
                line: 2,
                column: 8,
                why: "(the parser's sentence)".to_owned(),
            },
            Mistake::NotHere("(why not)"),
            Mistake::NoTime,
            Mistake::ExpectedTable {
                table: "[secrets.db]".to_owned(),
                field: "from",
            },
        ]));
    }

    #[test]
    fn every_fault_has_its_report() {
        let mistake = |number: usize| (format!("$NAME_{number}"), Mistake::NoTime);
        expect![[r#"
            Settings: cannot use these settings
              $NAME: leaves the program no time of the platform's grace
            Settings: cannot use these settings
              role in /etc/lyftlearn/config/runtime.toml: cannot be set here: it decides where that file lies; set its variable or the image's runtime.toml instead
        "#]].assert_eq(&reports([
            SettingsFault::one("$NAME".to_owned(), Mistake::NoTime),
            SettingsFault::decides_its_own_place("role", "/etc/lyftlearn/config/runtime.toml"),
        ]));
        let many = reports([SettingsFault::new((0..25).map(mistake).collect())]);
        let last = many.lines().last().unwrap_or_default();
        expect!["  and 5 more"].assert_eq(last);
    }
}
