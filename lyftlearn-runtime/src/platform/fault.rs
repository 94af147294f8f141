//! What a platform's files and variables can have wrong with them.

use std::fmt;
use std::path::PathBuf;

use crate::contract::runtime;
use crate::error::{ErrorKind, Fault};

/// A contract that is not kept. The value is not part of it.
#[derive(Debug)]
pub(super) enum ContractFault {
    /// A document that is not JSON, or not of the contract's shape.
    Malformed {
        path: PathBuf,
        line: usize,
        column: usize,
    },
    /// A document that is not the text that JSON is.
    NotUtf8 {
        path: PathBuf,
        line: usize,
        column: usize,
    },
    /// A document that begins with a byte order mark, which JSON forbids.
    ByteOrderMark { path: PathBuf },
    /// A document without any content.
    Empty { path: PathBuf },
    /// A document that is a list or a text where names and values belong.
    NoObject { path: PathBuf },
    /// A document that the shim delivered and that somebody removed.
    Gone { path: PathBuf },
    /// A document that is not what the checksum beside it says.
    Checksum { path: PathBuf },
    /// A malformed checksum.
    NoChecksum { path: PathBuf },
    /// A line of a downward API file that is not `key="value"`.
    NoLabel { path: PathBuf, line: usize },
    /// A document with a NUL in a name or a value, which no variable and no path can hold.
    NulByte { path: PathBuf },
    /// A document without a key that it must have.
    Missing { path: PathBuf, key: &'static str },
    /// A document with more of something than any platform makes.
    TooMany {
        path: PathBuf,
        what: &'static str,
        most: usize,
    },
    /// A node that is not in its own list of nodes.
    UnknownHost { path: PathBuf },
    /// A variable that should hold a number.
    NotANumber { variable: &'static str },
    /// A rank that no node of this job has.
    RankOutOfRange {
        rank: &'static str,
        nodes: &'static str,
    },
}

impl ContractFault {
    /// Refuses a number greater than `most`.
    pub(super) fn unless(
        count: usize,
        most: usize,
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> Result<(), Self> {
        let path = path.into();
        let fits = count <= most;
        fits.then_some(()).ok_or(Self::TooMany { path, what, most })
    }
}

impl fmt::Display for ContractFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { path, line, column } => {
                write!(
                    f,
                    "cannot parse {} at line {line}, column {column}",
                    path.display()
                )
            }
            Self::NotUtf8 { path, line, column } => write!(
                f,
                "cannot parse {} at line {line}, column {column}: it is not UTF-8",
                path.display()
            ),
            Self::ByteOrderMark { path } => write!(
                f,
                "cannot parse {} at line 1, column 1: it begins with a byte order mark",
                path.display()
            ),
            Self::Empty { path } => {
                write!(f, "cannot parse {}: it is empty", path.display())
            }
            Self::NoObject { path } => write!(
                f,
                "cannot parse {}: expected one object of names and values",
                path.display()
            ),
            Self::NulByte { path } => write!(
                f,
                "cannot use {}: a string in it has a NUL byte",
                path.display()
            ),
            Self::Checksum { path } => write!(
                f,
                "cannot trust {}: its SHA-256 is not the one in the .sha256 file next to it",
                path.display()
            ),
            Self::NoChecksum { path } => {
                write!(
                    f,
                    "cannot parse {}: expected 64 hexadecimal digits",
                    path.display()
                )
            }
            Self::NoLabel { path, line } => write!(
                f,
                "cannot parse {} at line {line}: expected key=\"value\"",
                path.display()
            ),
            Self::Gone { path } => write!(
                f,
                "cannot find {}, which this runtime wrote",
                path.display()
            ),
            Self::Missing { path, key } => write!(f, "cannot find {key} in {}", path.display()),
            Self::TooMany { path, what, most } => {
                write!(
                    f,
                    "cannot use {}: it has more than {most} {what}",
                    path.display()
                )
            }
            Self::UnknownHost { path } => {
                write!(
                    f,
                    "cannot place this node: current_host is not among hosts in {}",
                    path.display()
                )
            }
            Self::NotANumber { variable } => {
                write!(f, "cannot parse ${variable}: expected a whole number")
            }
            Self::RankOutOfRange { rank, nodes } => {
                write!(f, "cannot place this node: ${rank} is not below ${nodes}")
            }
        }
    }
}

impl Fault for ContractFault {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Contract
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            // People write this one, wherever it lies.
            Self::Malformed { path, .. } if path.ends_with(runtime::HYPERPARAMETERS_FILE) => {
                "correct the file; put numbers that JSON cannot express, such as NaN, in quotes"
                    .to_owned()
            }
            Self::Malformed { path, .. }
            | Self::Missing { path, .. }
            | Self::UnknownHost { path }
                if path.starts_with("/opt/ml/input/config")
                    || path.starts_with("/opt/ml/config")
                    || path.starts_with("/opt/ml/metadata") =>
            {
                "the platform writes this file; check that the image does not replace it".to_owned()
            }
            Self::Empty { path } if !path.starts_with("/opt/ml/input/config") => {
                "remove the file, or write {} for no values".to_owned()
            }
            Self::NoObject { path } if !path.starts_with("/opt/ml/input/config") => {
                "write {\"NAME\": \"value\"}".to_owned()
            }
            Self::Empty { .. } | Self::NoObject { .. } => {
                "the platform writes this file; check that the image does not replace it".to_owned()
            }
            Self::Malformed { .. } | Self::Missing { .. } | Self::UnknownHost { .. } => {
                "correct the file, or remove it".to_owned()
            }
            Self::Checksum { .. } | Self::NoChecksum { .. } => {
                "deliver the document and its checksum together; sha256sum makes one".to_owned()
            }
            Self::NoLabel { .. } => {
                "mount labels and annotations there as a downwardAPI volume writes them".to_owned()
            }
            Self::TooMany { .. } => {
                "check which component writes it: no platform writes so many".to_owned()
            }
            Self::NulByte { .. } => "remove \\u0000 from the file".to_owned(),
            Self::Gone { .. } => {
                "do not change the files in LYFTLEARN_RUN_DIR while the program runs".to_owned()
            }
            Self::NotUtf8 { .. } => "save the file as UTF-8".to_owned(),
            Self::ByteOrderMark { .. } => {
                "save the file as UTF-8 without a byte order mark".to_owned()
            }
            Self::NotANumber { .. } | Self::RankOutOfRange { .. } => {
                "correct the variable in the pod spec, or unset it".to_owned()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use expect_test::expect;

    use super::ContractFault;
    use crate::error::reports;

    const OURS: &str = "/etc/lyftlearn/config/environment.json";
    const SAGEMAKERS: &str = "/opt/ml/input/config/resourceconfig.json";

    #[test]
    fn every_fault_has_its_report() {
        let path = || PathBuf::from(OURS);
        let (line, column) = (3, 7);
        expect![[r#"
            Contract: cannot parse /etc/lyftlearn/config/environment.json at line 3, column 7
              hint: correct the file, or remove it
            Contract: cannot parse /etc/lyftlearn/config/environment.json at line 3, column 7: it is not UTF-8
              hint: save the file as UTF-8
            Contract: cannot parse /etc/lyftlearn/config/environment.json at line 1, column 1: it begins with a byte order mark
              hint: save the file as UTF-8 without a byte order mark
            Contract: cannot parse /etc/lyftlearn/config/environment.json: it is empty
              hint: remove the file, or write {} for no values
            Contract: cannot parse /etc/lyftlearn/config/environment.json: expected one object of names and values
              hint: write {"NAME": "value"}
            Contract: cannot find /etc/lyftlearn/config/environment.json, which this runtime wrote
              hint: do not change the files in LYFTLEARN_RUN_DIR while the program runs
            Contract: cannot trust /etc/lyftlearn/config/environment.json: its SHA-256 is not the one in the .sha256 file next to it
              hint: deliver the document and its checksum together; sha256sum makes one
            Contract: cannot parse /etc/lyftlearn/config/environment.json: expected 64 hexadecimal digits
              hint: deliver the document and its checksum together; sha256sum makes one
            Contract: cannot parse /etc/lyftlearn/config/environment.json at line 3: expected key="value"
              hint: mount labels and annotations there as a downwardAPI volume writes them
            Contract: cannot use /etc/lyftlearn/config/environment.json: a string in it has a NUL byte
              hint: remove \u0000 from the file
            Contract: cannot find hosts in /etc/lyftlearn/config/environment.json
              hint: correct the file, or remove it
            Contract: cannot use /etc/lyftlearn/config/environment.json: it has more than 10 hosts
              hint: check which component writes it: no platform writes so many
            Contract: cannot place this node: current_host is not among hosts in /etc/lyftlearn/config/environment.json
              hint: correct the file, or remove it
            Contract: cannot parse $RANK: expected a whole number
              hint: correct the variable in the pod spec, or unset it
            Contract: cannot place this node: $RANK is not below $WORLD_SIZE
              hint: correct the variable in the pod spec, or unset it
        "#]].assert_eq(&reports([
            ContractFault::Malformed {
                path: path(),
                line,
                column,
            },
            ContractFault::NotUtf8 {
                path: path(),
                line,
                column,
            },
            ContractFault::ByteOrderMark { path: path() },
            ContractFault::Empty { path: path() },
            ContractFault::NoObject { path: path() },
            ContractFault::Gone { path: path() },
            ContractFault::Checksum { path: path() },
            ContractFault::NoChecksum { path: path() },
            ContractFault::NoLabel { path: path(), line },
            ContractFault::NulByte { path: path() },
            ContractFault::Missing {
                path: path(),
                key: "hosts",
            },
            ContractFault::TooMany {
                path: path(),
                what: "hosts",
                most: 10,
            },
            ContractFault::UnknownHost { path: path() },
            ContractFault::NotANumber { variable: "RANK" },
            ContractFault::RankOutOfRange {
                rank: "RANK",
                nodes: "WORLD_SIZE",
            },
        ]));
    }

    /// Users cannot correct a document that the platform writes.
    #[test]
    fn the_hint_names_the_writer_of_the_document() {
        let path = || PathBuf::from(SAGEMAKERS);
        let (line, column) = (3, 7);
        expect![[r#"
            Contract: cannot parse /opt/ml/input/config/hyperparameters.json at line 3, column 7
              hint: correct the file; put numbers that JSON cannot express, such as NaN, in quotes
            Contract: cannot parse /opt/ml/input/config/resourceconfig.json at line 3, column 7
              hint: the platform writes this file; check that the image does not replace it
            Contract: cannot parse /opt/ml/metadata/resource-metadata.json at line 3, column 7
              hint: the platform writes this file; check that the image does not replace it
            Contract: cannot find hosts in /opt/ml/input/config/resourceconfig.json
              hint: the platform writes this file; check that the image does not replace it
            Contract: cannot place this node: current_host is not among hosts in /opt/ml/input/config/resourceconfig.json
              hint: the platform writes this file; check that the image does not replace it
            Contract: cannot parse /opt/ml/input/config/resourceconfig.json: it is empty
              hint: the platform writes this file; check that the image does not replace it
            Contract: cannot parse /opt/ml/input/config/resourceconfig.json: expected one object of names and values
              hint: the platform writes this file; check that the image does not replace it
        "#]].assert_eq(&reports([
            ContractFault::Malformed {
                path: "/opt/ml/input/config/hyperparameters.json".into(),
                line,
                column,
            },
            ContractFault::Malformed {
                path: path(),
                line,
                column,
            },
            ContractFault::Malformed {
                path: "/opt/ml/metadata/resource-metadata.json".into(),
                line,
                column,
            },
            ContractFault::Missing {
                path: path(),
                key: "hosts",
            },
            ContractFault::UnknownHost { path: path() },
            ContractFault::Empty { path: path() },
            ContractFault::NoObject { path: path() },
        ]));
    }
}
