//! Snapshots that were written, and the differences that somebody has declared.

use std::path::Path;

use serde_json::Value;

use crate::contract::limits;
use crate::error::{Error, ErrorKind, Fault};
use crate::facts::Facts;

/// A file that cannot be compared.
#[derive(Debug)]
enum SnapshotFault {
    Absent {
        path: String,
    },
    NoSnapshot {
        path: String,
    },
    /// Of declarations with a star.
    TooMany {
        path: String,
    },
}

impl std::fmt::Display for SnapshotFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent { path } => write!(f, "cannot compare {path}: it does not exist"),
            Self::NoSnapshot { path } => write!(f, "cannot compare {path}: not a snapshot"),
            Self::TooMany { path } => {
                let most = limits::WILDCARDS;
                write!(f, "cannot use {path}: more than {most} lines have a *")
            }
        }
    }
}

impl Fault for SnapshotFault {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Contract
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Absent { .. } | Self::NoSnapshot { .. } => {
                "lyftlearn-runtime snapshot --output FILE makes one".to_owned()
            }
            Self::TooMany { .. } => "declare a whole section by one line, such as a.b.*".to_owned(),
        })
    }
}

/// A snapshot that was written.
pub(crate) fn read(facts: &Facts, file: &Path) -> Result<Value, Error> {
    let path = file.display().to_string();
    let Some(bytes) = facts.file(file, limits::HYPERPARAMETERS_BYTES)? else {
        return Err(SnapshotFault::Absent { path }.into());
    };
    serde_json::from_slice(&bytes)
        .ok()
        .filter(|snapshot: &Value| snapshot["format"] == 1)
        .ok_or_else(|| SnapshotFault::NoSnapshot { path }.into())
}

/// The patterns of a file; none when it is absent.
pub(crate) fn declared(facts: &Facts, file: &Path) -> Result<Vec<String>, Error> {
    let text = facts.file(file, limits::DOCUMENT_BYTES)?;
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    let patterns: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(ToOwned::to_owned)
        .collect();
    let wildcards = patterns.iter().filter(|line| line.contains('*')).count();
    if wildcards > limits::WILDCARDS {
        let path = file.display().to_string();
        return Err(SnapshotFault::TooMany { path }.into());
    }
    Ok(patterns)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{SnapshotFault, declared};
    use crate::error::reports;
    use crate::facts::Facts;

    #[test]
    fn every_fault_has_its_report() {
        let path = || "/a.json".to_owned();
        expect![[r#"
            Contract: cannot compare /a.json: it does not exist
              hint: lyftlearn-runtime snapshot --output FILE makes one
            Contract: cannot compare /a.json: not a snapshot
              hint: lyftlearn-runtime snapshot --output FILE makes one
            Contract: cannot use /a.json: more than 1000 lines have a *
              hint: declare a whole section by one line, such as a.b.*
        "#]]
        .assert_eq(&reports([
            SnapshotFault::Absent { path: path() },
            SnapshotFault::NoSnapshot { path: path() },
            SnapshotFault::TooMany { path: path() },
        ]));
    }

    #[test]
    fn wildcards_without_end_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let facts = Facts::empty().with_root(root.path());
        let read = |wildcards: usize| {
            let lines = (0..wildcards).map(|n| format!("a{n}.*\n"));
            let text: String = lines.chain(["exact\n".to_owned()]).collect();
            std::fs::write(root.path().join("declared"), text).unwrap();
            declared(&facts, "/declared".as_ref())
        };
        assert_eq!(read(1_000).unwrap().len(), 1_001);
        expect![[r#"
            lyftlearn-runtime: cannot use /declared: more than 1000 lines have a *
              hint: declare a whole section by one line, such as a.b.*
        "#]]
        .assert_eq(&read(10_000).unwrap_err().report());
    }
}
