//! What can be wrong with being told of a stop.

use std::fmt;
use std::path::PathBuf;

use crate::error::{Error, ErrorKind, Fault};

#[derive(Debug)]
pub(super) enum ShutdownFault {
    /// The file is there and does not say what it should.
    Malformed {
        path: PathBuf,
        line: usize,
        column: usize,
    },
    /// The kernel refused.
    System { what: &'static str },
}

impl ShutdownFault {
    pub(super) fn system(what: &'static str, err: &std::io::Error) -> Error {
        let text = err.to_string();
        let end = text.find(" (os error").unwrap_or(text.len());
        Error::from(Self::System { what }).because(text[..end].to_lowercase())
    }
}

impl fmt::Display for ShutdownFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { path, line, column } => write!(
                f,
                "cannot parse {} at line {line}, column {column}",
                path.display()
            ),
            Self::System { what } => write!(f, "cannot {what}"),
        }
    }
}

impl Fault for ShutdownFault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Malformed { .. } => ErrorKind::Contract,
            Self::System { .. } => ErrorKind::System,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Malformed { .. } => {
                    "lyftlearn-runtime run writes this file; check that nothing else does"
                }
                Self::System { .. } => {
                    "raise the limits on open files and on inotify instances (fs.inotify)"
                }
            }
            .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::ShutdownFault;
    use crate::error::reports;

    #[test]
    fn every_fault_has_its_report() {
        expect![[r#"
            Contract: cannot parse /run/lyftlearn/shutdown.json at line 1, column 2
              hint: lyftlearn-runtime run writes this file; check that nothing else does
            System: cannot watch the run directory
              hint: raise the limits on open files and on inotify instances (fs.inotify)
        "#]]
        .assert_eq(&reports([
            ShutdownFault::Malformed {
                path: "/run/lyftlearn/shutdown.json".into(),
                line: 1,
                column: 2,
            },
            ShutdownFault::System {
                what: "watch the run directory",
            },
        ]));
    }

    #[test]
    fn a_kernel_error_is_shown_without_its_number() {
        let err = std::io::Error::from_raw_os_error(nix::libc::EMFILE);
        expect![[r#"
            lyftlearn-runtime: cannot watch the run directory
              because: too many open files
              hint: raise the limits on open files and on inotify instances (fs.inotify)
        "#]]
        .assert_eq(&ShutdownFault::system("watch the run directory", &err).report());
    }
}
