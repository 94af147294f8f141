//! Faults of a command, or of the container in which it runs.

use std::fmt;

use crate::error::{ErrorKind, Fault};
use crate::spark::MOST_PORTS;

#[derive(Debug)]
pub(super) enum SparkFault {
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
            Self::BadSeconds => f.write_str("cannot listen: expected 1 to 3600 seconds"),
            Self::BadTarget => f.write_str("cannot connect: expected ADDRESS:PORTS"),
            Self::TooManyPorts => write!(f, "cannot test more than {MOST_PORTS} ports at a time"),
            Self::NoPorts => f.write_str("cannot listen: spark.ports is not set"),
            Self::NoAddress { why } => write!(f, "cannot listen: no address for a driver: {why}"),
            Self::NotHere { name } => {
                write!(
                    f,
                    "cannot listen: {name} is not an address of this container"
                )
            }
            Self::CannotListen { address } => write!(f, "cannot listen on {address}"),
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
                Self::BadSeconds => "write lyftlearn-runtime spark listen 120, for two minutes",
                Self::BadTarget => "write lyftlearn-runtime spark reach 10.77.1.2:7078-7109",
                Self::TooManyPorts => "test a part of the range at a time",
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
        expect![[r#"
            Usage: cannot listen: expected 1 to 3600 seconds
              hint: write lyftlearn-runtime spark listen 120, for two minutes
            Usage: cannot connect: expected ADDRESS:PORTS
              hint: write lyftlearn-runtime spark reach 10.77.1.2:7078-7109
            Usage: cannot test more than 512 ports at a time
              hint: test a part of the range at a time
            Settings: cannot listen: spark.ports is not set
              hint: set the range that the security group admits: spark.ports = "20000-20031"
            Settings: cannot listen: no address for a driver: no route leads out of this container
              hint: name the executors' network, spark.executors = "10.78.0.0/16", or the address
            Settings: cannot listen: driver.example.com is not an address of this container
              hint: set spark.address to an address of this container
            System: cannot listen on 10.77.1.2
              hint: check the limit on open files, and for ports below 1024 the capability net_bind_service
        "#]].assert_eq(&reports([
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
