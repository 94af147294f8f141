//! What is wrong with a command, or with the place where it runs.

use std::fmt;

use crate::error::{ErrorKind, Fault};
use crate::spark::MOST_PORTS;

#[derive(Debug)]
pub(super) enum SparkFault {
    NoWord,
    UnexpectedWord {
        word: String,
    },
    BadSeconds,
    BadTarget,
    TooManyPorts,
    NoPorts,
    /// `why`: of the model.
    NoAddress {
        why: String,
    },
    /// A name of which no address is this container's.
    NotHere {
        name: String,
    },
    CannotListen {
        address: String,
    },
}

impl fmt::Display for SparkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWord => f.write_str("cannot tell what to do: expected listen or reach"),
            Self::UnexpectedWord { word } => {
                write!(f, "cannot use {word}: nothing is expected there")
            }
            Self::BadSeconds => f.write_str("cannot listen: expected 1 to 3600 seconds"),
            Self::BadTarget => f.write_str("cannot reach that: expected ADDRESS:PORTS"),
            Self::TooManyPorts => write!(f, "cannot take more than {MOST_PORTS} ports at once"),
            Self::NoPorts => f.write_str("cannot listen: spark.ports is not set"),
            Self::NoAddress { why } => write!(f, "cannot listen: no address for a driver: {why}"),
            Self::NotHere { name } => {
                write!(f, "cannot listen: {name} is no address of this container")
            }
            Self::CannotListen { address } => write!(f, "cannot listen at {address}"),
        }
    }
}

impl Fault for SparkFault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoPorts | Self::NoAddress { .. } | Self::NotHere { .. } => ErrorKind::Settings,
            Self::CannotListen { .. } => ErrorKind::System,
            _ => ErrorKind::Usage,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::NoWord | Self::UnexpectedWord { .. } | Self::BadSeconds => {
                    "lyftlearn-runtime spark listen [SECONDS], or lyftlearn-runtime spark reach ADDRESS:PORTS"
                }
                Self::BadTarget => "lyftlearn-runtime spark reach 10.77.1.2:7078-7109",
                Self::TooManyPorts => "ask for a part of them",
                Self::NoPorts => {
                    "set the range that the security group admits: spark.ports = \"20000-20031\""
                }
                Self::NoAddress { .. } => {
                    "name the executors' network, spark.executors = \"10.78.0.0/16\", or the address"
                }
                Self::NotHere { .. } => "set spark.address to an address of this container",
                Self::CannotListen { .. } => {
                    "check the limit on open files, and for ports below 1024 the capability net_bind_service"
                }
            }
            .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::SparkFault;
    use crate::error::reports;

    #[test]
    fn every_fault_has_its_report() {
        let word = || "now".to_owned();
        expect![[r#"
            Usage: cannot tell what to do: expected listen or reach
              hint: lyftlearn-runtime spark listen [SECONDS], or lyftlearn-runtime spark reach ADDRESS:PORTS
            Usage: cannot use now: nothing is expected there
              hint: lyftlearn-runtime spark listen [SECONDS], or lyftlearn-runtime spark reach ADDRESS:PORTS
            Usage: cannot listen: expected 1 to 3600 seconds
              hint: lyftlearn-runtime spark listen [SECONDS], or lyftlearn-runtime spark reach ADDRESS:PORTS
            Usage: cannot reach that: expected ADDRESS:PORTS
              hint: lyftlearn-runtime spark reach 10.77.1.2:7078-7109
            Usage: cannot take more than 512 ports at once
              hint: ask for a part of them
            Settings: cannot listen: spark.ports is not set
              hint: set the range that the security group admits: spark.ports = "20000-20031"
            Settings: cannot listen: no address for a driver: no route leads out of this container
              hint: name the executors' network, spark.executors = "10.78.0.0/16", or the address
            Settings: cannot listen: driver.example.com is no address of this container
              hint: set spark.address to an address of this container
            System: cannot listen at 10.77.1.2
              hint: check the limit on open files, and for ports below 1024 the capability net_bind_service
        "#]].assert_eq(&reports([
            SparkFault::NoWord,
            SparkFault::UnexpectedWord { word: word() },
            SparkFault::BadSeconds,
            SparkFault::BadTarget,
            SparkFault::TooManyPorts,
            SparkFault::NoPorts,
            SparkFault::NoAddress {
                why: "no route leads out of this container".to_owned(),
            },
            SparkFault::NotHere {
                name: "driver.example.com".to_owned(),
            },
            SparkFault::CannotListen {
                address: "10.77.1.2".to_owned(),
            },
        ]));
    }
}
