//! What can be wrong with a metric's name, and with a region.

use std::fmt;
use std::path::PathBuf;

use super::key::{LABELS, NAME_BYTES, TEXT_BYTES};
use crate::error::{ErrorKind, Fault};

/// A metric that cannot be.
#[derive(Debug)]
pub(super) enum MetricFault {
    Name { metric: String },
    Label { metric: String, label: String },
    Twice { metric: String, label: String },
    TooLong { metric: String },
}

impl fmt::Display for MetricFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { metric } => write!(f, "metric {metric:?}: not a valid name"),
            Self::Label { metric, label } => {
                write!(f, "metric {metric:?}: {label:?} is not a label's name")
            }
            Self::Twice { metric, label } => {
                write!(f, "metric {metric:?}: duplicate label {label:?}")
            }
            Self::TooLong { metric } => {
                write!(f, "metric {metric:?}: names, labels or texts are too long")
            }
        }
    }
}

impl Fault for MetricFault {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Metric
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Name { .. } => Some(
                "a name has letters, digits, _ and :, and does not begin with a digit".to_owned(),
            ),
            Self::Label { .. } => Some(
                "a label's name has letters, digits and _, and begins neither with a digit nor with __"
                    .to_owned(),
            ),
            Self::Twice { .. } => None,
            Self::TooLong { .. } => Some(format!(
                "a name has {NAME_BYTES} bytes at most, a series {LABELS} labels, and all of it {TEXT_BYTES} bytes"
            )),
        }
    }
}

/// A file that is not a region.
#[derive(Debug)]
pub(super) enum RegionFault {
    Unreadable { path: PathBuf },
    NotOne { path: PathBuf },
}

impl fmt::Display for RegionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path } => write!(f, "cannot read {}", path.display()),
            Self::NotOne { path } => write!(
                f,
                "cannot parse {}: it is not a region of this version",
                path.display()
            ),
        }
    }
}

impl Fault for RegionFault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreadable { .. } => ErrorKind::Unreadable,
            Self::NotOne { .. } => ErrorKind::Contract,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreadable { .. } => "only the program's user and root may read it".to_owned(),
            Self::NotOne { .. } => {
                "lyftlearn-runtime run makes this file; check that nothing else writes to it"
                    .to_owned()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{MetricFault, RegionFault};
    use crate::error::{Error, reports};

    #[test]
    fn every_fault_of_a_metric_has_its_report() {
        let metric = || "rows".to_owned();
        let label = || "a-b".to_owned();
        expect![[r#"
            Metric: metric "rows": not a valid name
              hint: a name has letters, digits, _ and :, and does not begin with a digit
            Metric: metric "rows": "a-b" is not a label's name
              hint: a label's name has letters, digits and _, and begins neither with a digit nor with __
            Metric: metric "rows": duplicate label "a-b"
            Metric: metric "rows": names, labels or texts are too long
              hint: a name has 255 bytes at most, a series 64 labels, and all of it 4096 bytes
        "#]].assert_eq(&reports([
            MetricFault::Name { metric: metric() },
            MetricFault::Label {
                metric: metric(),
                label: label(),
            },
            MetricFault::Twice {
                metric: metric(),
                label: label(),
            },
            MetricFault::TooLong { metric: metric() },
        ]));
    }

    #[test]
    fn every_fault_of_a_region_has_its_report() {
        let path = || "/run/lyftlearn/metrics.region".into();
        expect![[r#"
            Unreadable: cannot read /run/lyftlearn/metrics.region
              hint: only the program's user and root may read it
            Contract: cannot parse /run/lyftlearn/metrics.region: it is not a region of this version
              hint: lyftlearn-runtime run makes this file; check that nothing else writes to it
        "#]]
        .assert_eq(&reports([
            RegionFault::Unreadable { path: path() },
            RegionFault::NotOne { path: path() },
        ]));
    }

    #[test]
    fn an_unreadable_file_is_reported() {
        let path = "/run/lyftlearn/metrics.region".into();
        let error = Error::from(RegionFault::Unreadable { path }).because("permission denied");
        expect![[r#"
            lyftlearn-runtime: cannot read /run/lyftlearn/metrics.region
              because: permission denied
              hint: only the program's user and root may read it
        "#]]
        .assert_eq(&error.report());
    }
}
