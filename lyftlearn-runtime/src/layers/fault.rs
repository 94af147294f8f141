//! Every mistake in one report: one restart per mistake would be cruel.

use std::fmt;

use crate::contract::limits;
use crate::error::{ErrorKind, Fault};
use crate::visible::visible_line;

/// Settings that cannot be used.
#[derive(Debug)]
pub(crate) struct SettingsFault {
    mistakes: Mistakes,
}

/// The mistakes so far, each with the name of the key or variable.
#[derive(Debug, Default)]
pub(crate) struct Mistakes(Vec<(String, Mistake)>);

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
    pub(super) fn new(mistakes: Mistakes) -> Self {
        Self { mistakes }
    }

    /// `None` without a mistake.
    pub(crate) fn of(mistakes: Mistakes) -> Option<Self> {
        (!mistakes.is_empty()).then(|| Self::new(mistakes))
    }

    pub(crate) fn one(shown: String, mistake: Mistake) -> Self {
        Self::new(Mistakes(vec![(shown, mistake)]))
    }
}

impl Mistakes {
    pub(crate) fn add(&mut self, shown: String, mistake: Mistake) {
        self.0.push((shown, mistake));
    }

    pub(crate) fn expected(&mut self, shown: String, expected: &'static str) {
        self.add(shown, Mistake::Expected(expected));
    }

    /// `nearest` finds what may have been meant, and takes its time.
    pub(crate) fn not_a_setting(
        &mut self,
        shown: String,
        nearest: impl FnOnce() -> Option<String>,
    ) {
        // Of so many the report names no more.
        let few = self.0.len() < limits::MISTAKES;
        let nearest = if few { nearest() } else { None };
        self.add(shown, Mistake::NotASetting { nearest });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for SettingsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot use these settings")?;
        for (shown, mistake) in self.mistakes.0.iter().take(limits::MISTAKES) {
            // A quoted key of TOML may have tabs and line ends in it.
            let line = visible_line(&format!("{shown}: {mistake}")).replace('\t', "\\t");
            write!(f, "\n  {line}")?;
        }
        match self.mistakes.0.len().saturating_sub(limits::MISTAKES) {
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
                write!(f, "malformed TOML at line {line}, column {column}: {why}")
            }
            Self::ExpectedTable { table, field } => {
                write!(f, "expected a table: {table} with {field} = ...")
            }
            Self::NoTime => {
                f.write_str("leaves no time for the program within the platform's grace")
            }
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

    use super::{Mistake, Mistakes, SettingsFault};
    use crate::error::{reports, sentences};

    #[test]
    fn every_mistake_has_its_sentence() {
        expect![[r#"
            expected true or false
            not a setting
            not a setting; did you mean role?
            malformed TOML at line 2, column 8: (the parser's sentence)
            cannot be set here: (why not)
            leaves no time for the program within the platform's grace
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
              $NAME: leaves no time for the program within the platform's grace
        "#]]
        .assert_eq(&reports([SettingsFault::one(
            "$NAME".to_owned(),
            Mistake::NoTime,
        )]));
        let key = "a\n\tb in /f".to_owned();
        let odd = reports([SettingsFault::one(
            key,
            Mistake::NotASetting { nearest: None },
        )]);
        expect![[r#"
            Settings: cannot use these settings
              a\n\tb in /f: not a setting
        "#]]
        .assert_eq(&odd);
        let many = reports([SettingsFault::new(Mistakes((0..25).map(mistake).collect()))]);
        let last = many.lines().last().unwrap_or_default();
        expect!["  and 5 more"].assert_eq(last);
    }
}
