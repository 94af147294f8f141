//! Why something cannot be delivered.

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
                "cannot pass ${name} to the program: {bytes} bytes with its name, the kernel's limit is {limit}"
            ),
            Self::ArgumentTooLong { bytes, limit } => {
                write!(
                    f,
                    "cannot pass an argument to the program: {bytes} bytes, the kernel's limit is {limit}"
                )
            }
            Self::EnvironmentTooLarge { bytes, limit } => write!(
                f,
                "cannot pass the environment to the program: {bytes} bytes with the arguments, the kernel's limit is {limit}"
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
            Delivery: cannot pass $BIG to the program: 140005 bytes with its name, the kernel's limit is 131072
              hint: deliver large values as a file in the config directory, and read that
            Delivery: cannot pass an argument to the program: 140005 bytes, the kernel's limit is 131072
              hint: deliver large values as a file in the config directory, and read that
            Delivery: cannot pass the environment to the program: 140005 bytes with the arguments, the kernel's limit is 131072
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
