//! Why a run of the checker could not do what it was asked to, and the exit code for it.

use std::fmt;

/// What ended a run, apart from a check that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The command line or `image.toml` is wrong; every mistake is listed.
    Wrong(Vec<String>),
    /// The image could not be checked here.
    Cannot(String),
    /// This signal asked the run to end.
    Interrupted(i32),
}

impl Trouble {
    /// The process's exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Wrong(_) => 2,
            Self::Cannot(_) => 3,
            Self::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(143),
        }
    }

    /// The same error, with the action that failed.
    #[must_use]
    pub fn while_doing(self, what: &str) -> Self {
        match self {
            Self::Cannot(why) => Self::Cannot(format!("{what}: {why}")),
            other => other,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(mistakes) => out.write_str(&mistakes.join("\n")),
            Self::Cannot(why) => out.write_str(why),
            Self::Interrupted(signal) => write!(out, "interrupted by signal {signal}"),
        }
    }
}

/// A result of the checker's.
pub type Result<T> = std::result::Result<T, Trouble>;

/// Shorthand for [`Trouble::Cannot`].
pub(crate) fn cannot<T>(why: impl Into<String>) -> Result<T> {
    Err(Trouble::Cannot(why.into()))
}
