//! What can be wrong with live configuration.

use std::fmt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Fault};

#[derive(Debug)]
pub(super) enum ConfigFault {
    /// No file has this name.
    Missing {
        name: String,
        nearest: Option<String>,
    },
    /// Not what its caller declared it to be.
    NotA {
        name: String,
        expected: &'static str,
    },
    /// Files that give no text.
    Unusable { wrong: Vec<Wrong> },
    /// The kernel refuses to let it be read.
    Unreadable { path: PathBuf },
    /// Never twice the same.
    Restless { path: PathBuf },
    /// The kernel refuses something else.
    System { what: &'static str },
}

/// One key that has no usable value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) key: String,
    pub(super) directory: PathBuf,
    pub(super) expected: &'static str,
}

impl ConfigFault {
    pub(super) fn unreadable(path: &Path, err: Errno) -> Error {
        let path = path.to_owned();
        Error::from(Self::Unreadable { path }).because(plain(err))
    }

    pub(super) fn system(what: &'static str, err: Errno) -> Error {
        Error::from(Self::System { what }).because(plain(err))
    }
}

/// The kernel's sentence without Rust's `(os error 13)`.
fn plain(err: Errno) -> String {
    let text = std::io::Error::from(err).to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text[..end].to_lowercase()
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { name, nearest } => {
                write!(f, "cannot find {name} in the live configuration")?;
                match nearest {
                    Some(near) => write!(f, "; did you mean {near}?"),
                    None => Ok(()),
                }
            }
            Self::NotA { name, expected } => {
                write!(
                    f,
                    "cannot read {name} of the live configuration: expected {expected}"
                )
            }
            Self::Unusable { wrong } => {
                f.write_str("cannot use the live configuration")?;
                for Wrong {
                    key,
                    directory,
                    expected,
                } in wrong
                {
                    write!(
                        f,
                        "\n  {key} in {}: expected {expected}",
                        directory.display()
                    )?;
                }
                Ok(())
            }
            Self::Unreadable { path } => write!(f, "cannot read {}", path.display()),
            Self::Restless { path } => write!(
                f,
                "cannot read {}: it keeps changing while it is read",
                path.display()
            ),
            Self::System { what } => write!(f, "cannot {what}"),
        }
    }
}

impl Fault for ConfigFault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Missing { .. } => ErrorKind::ConfigMissing,
            Self::NotA { .. } | Self::Unusable { .. } => ErrorKind::Config,
            Self::Unreadable { .. } | Self::Restless { .. } => ErrorKind::Unreadable,
            Self::System { .. } => ErrorKind::System,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Missing { .. } | Self::NotA { .. } | Self::Unusable { .. } => return None,
            Self::Unreadable { .. } => "check its permissions, and whether a mount hides it",
            Self::Restless { .. } => "write to a new directory and rename a link to it",
            Self::System { .. } => {
                "raise the limits on open files and on inotify instances (fs.inotify)"
            }
        };
        Some(hint.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{ConfigFault, Wrong};
    use crate::error::reports;

    #[test]
    fn every_fault_has_its_report() {
        let name = || "rate".to_owned();
        let path = || "/etc/live/rate".into();
        let wrong = |key: &str| Wrong {
            key: key.to_owned(),
            directory: "/etc/live".into(),
            expected: "UTF-8",
        };
        expect![[r#"
            ConfigMissing: cannot find rate in the live configuration
            ConfigMissing: cannot find rate in the live configuration; did you mean rates?
            Config: cannot read rate of the live configuration: expected a whole number
            Config: cannot use the live configuration
              rate in /etc/live: expected UTF-8
              size in /etc/live: expected UTF-8
            Unreadable: cannot read /etc/live/rate
              hint: check its permissions, and whether a mount hides it
            Unreadable: cannot read /etc/live/rate: it keeps changing while it is read
              hint: write to a new directory and rename a link to it
            System: cannot watch the live configuration
              hint: raise the limits on open files and on inotify instances (fs.inotify)
        "#]]
        .assert_eq(&reports([
            ConfigFault::Missing {
                name: name(),
                nearest: None,
            },
            ConfigFault::Missing {
                name: name(),
                nearest: Some("rates".to_owned()),
            },
            ConfigFault::NotA {
                name: name(),
                expected: "a whole number",
            },
            ConfigFault::Unusable {
                wrong: vec![wrong("rate"), wrong("size")],
            },
            ConfigFault::Unreadable { path: path() },
            ConfigFault::Restless { path: path() },
            ConfigFault::System {
                what: "watch the live configuration",
            },
        ]));
    }

    #[test]
    fn a_kernel_error_is_shown_without_its_number() {
        let error = ConfigFault::unreadable("/etc/live".as_ref(), rustix::io::Errno::ACCESS);
        expect![[r#"
            lyftlearn-runtime: cannot read /etc/live
              because: permission denied
              hint: check its permissions, and whether a mount hides it
        "#]]
        .assert_eq(&error.report());
    }
}
