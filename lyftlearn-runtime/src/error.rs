//! One error, few kinds, a report for the person at three in the morning, an exit code.

use std::error::Error as StdError;
use std::fmt;

use crate::visible::visible;

/// What went wrong, in the few kinds that callers treat differently. Each is a
/// Python exception and a row in docs/reference/exit-codes.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The command line of `lyftlearn-runtime` itself.
    Usage,
    /// Settings: a file, a variable or an argument of ours.
    Settings,
    /// Something that exists and cannot be read.
    Unreadable,
    /// A platform's file or variable that does not say what the platform's contract says.
    Contract,
    /// A hyperparameter that is not what its caller declared it to be.
    Hyperparameter,
    /// A hyperparameter that is not there.
    HyperparameterMissing,
    /// Live configuration that is not what its caller declared it to be, or no text.
    Config,
    /// Live configuration that is not there.
    ConfigMissing,
    /// A metric whose name or labels are invalid.
    Metric,
    /// A secret that cannot be had or delivered.
    Secrets,
    /// A secret, or a key of one, that is not there.
    SecretMissing,
    /// Something cannot be delivered, because of a limit or of the file system.
    Delivery,
    /// The identity: withheld, absent, or not answering.
    Credentials,
    /// The program does not exist.
    ProgramNotFound,
    /// The program exists and cannot be executed.
    ProgramNotExecutable,
    /// The kernel refused something PID 1 cannot do without.
    System,
}

impl ErrorKind {
    /// The exit code that `run` and `exec` leave with.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::ProgramNotFound => 127,
            Self::ProgramNotExecutable => 126,
            _ => 125,
        }
    }
}

/// One thing that can be wrong: fields, a sentence, and what to do about it.
pub(crate) trait Fault: fmt::Display + fmt::Debug + Send + Sync + 'static {
    fn kind(&self) -> ErrorKind;
    fn hint(&self) -> Option<String>;
}

/// A failure: what could not be done and where, its causes, and a hint. Never a value.
pub struct Error {
    fault: Box<dyn Fault>,
    causes: Vec<String>,
}

impl<F: Fault> From<F> for Error {
    fn from(fault: F) -> Self {
        Self {
            fault: Box::new(fault),
            causes: Vec::new(),
        }
    }
}

impl Error {
    /// Adds a cause; the outermost comes first.
    pub(crate) fn because(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// The kind, for callers that treat kinds differently.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.fault.kind()
    }

    /// What and why, for a sentence of somebody else's: no hint.
    #[cfg(feature = "agent")]
    pub(crate) fn in_one_line(&self) -> String {
        let parts = std::iter::once(self.fault.to_string()).chain(self.causes.iter().cloned());
        visible(&parts.collect::<Vec<_>>().join(": "))
    }

    /// The whole report: one line for what and where, then causes, then a hint.
    ///
    /// ```
    /// use lyftlearn_runtime::{Facts, resolve};
    ///
    /// let facts = Facts::empty().with_var("LYFTLEARN_RUNTIME_PLATFROM", "kubernetes");
    /// assert_eq!(
    ///     resolve(&facts).unwrap_err().report(),
    ///     "lyftlearn-runtime: cannot use these settings\n  \
    ///      $LYFTLEARN_RUNTIME_PLATFROM: not a setting; did you mean $LYFTLEARN_RUNTIME_PLATFORM?\n"
    /// );
    /// ```
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = format!("lyftlearn-runtime: {}\n", self.fault);
        for cause in &self.causes {
            text.push_str(&format!("  because: {cause}\n"));
        }
        if let Some(hint) = self.fault.hint() {
            text.push_str(&format!("  hint: {hint}\n"));
        }
        // Names in it come from outside.
        visible(&text)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("fault", &self.fault)
            .field("causes", &self.causes)
            .finish()
    }
}

impl StdError for Error {}

/// For tables of all messages in tests: each fault's kind and report.
#[cfg(test)]
pub(crate) fn reports<F: Fault>(faults: impl IntoIterator<Item = F>) -> String {
    let faults = faults.into_iter().map(Error::from);
    faults
        .map(|error| {
            let report = error.report();
            let sentence = report.strip_prefix("lyftlearn-runtime").unwrap_or(&report);
            format!("{:?}{sentence}", error.kind())
        })
        .collect()
}

/// The same for values that are only displayed.
#[cfg(test)]
pub(crate) fn sentences<T: fmt::Display>(all: impl IntoIterator<Item = T>) -> String {
    all.into_iter().map(|one| format!("{one}\n")).collect()
}

/// What each of them says. An `expect!` is rewritten wherever it is asserted, and so once only:
/// never in a loop.
#[cfg(test)]
#[track_caller]
pub(crate) fn the_same(reports: impl IntoIterator<Item = String>) -> String {
    let mut reports = reports.into_iter();
    let first = reports.next().unwrap_or_default();
    for other in reports {
        assert_eq!(first, other);
    }
    first
}
