//! What stands against a delivery.

use std::fmt;

use crate::error::{ErrorKind, Fault};

#[derive(Debug)]
pub(super) enum DeliveryFault {
    /// A variable over the kernel's limit.
    VariableTooLong {
        name: String,
        bytes: usize,
        limit: usize,
    },
    /// An argument over the same limit.
    ArgumentTooLong { bytes: usize, limit: usize },
    /// All variables and arguments together over the kernel's limit.
    EnvironmentTooLarge { bytes: usize, limit: usize },
}

impl fmt::Display for DeliveryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VariableTooLong { name, bytes, limit } => write!(
                f,
                "cannot pass ${name} on: {bytes} bytes with its name, the kernel takes {limit}"
            ),
            Self::ArgumentTooLong { bytes, limit } => {
                write!(
                    f,
                    "cannot pass an argument on: {bytes} bytes, the kernel takes {limit}"
                )
            }
            Self::EnvironmentTooLarge { bytes, limit } => write!(
                f,
                "cannot pass the environment on: {bytes} bytes with the arguments, the kernel takes {limit}"
            ),
        }
    }
}

impl Fault for DeliveryFault {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Delivery
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::VariableTooLong { .. }
                | Self::ArgumentTooLong { .. }
                | Self::EnvironmentTooLarge { .. } => {
                    "deliver large values as a file in the config directory, and read that"
                }
            }
            .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::DeliveryFault;
    use crate::error::reports;

    #[test]
    fn every_fault_has_its_report() {
        let (bytes, limit) = (140_005, 131_072);
        expect![[r#"
            Delivery: cannot pass $BIG on: 140005 bytes with its name, the kernel takes 131072
              hint: deliver large values as a file in the config directory, and read that
            Delivery: cannot pass an argument on: 140005 bytes, the kernel takes 131072
              hint: deliver large values as a file in the config directory, and read that
            Delivery: cannot pass the environment on: 140005 bytes with the arguments, the kernel takes 131072
              hint: deliver large values as a file in the config directory, and read that
        "#]].assert_eq(&reports([
            DeliveryFault::VariableTooLong {
                name: "BIG".to_owned(),
                bytes,
                limit,
            },
            DeliveryFault::ArgumentTooLong { bytes, limit },
            DeliveryFault::EnvironmentTooLarge { bytes, limit },
        ]));
    }
}
