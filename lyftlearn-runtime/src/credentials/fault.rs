//! What stands between a program and its identity.

use std::fmt;
#[cfg(feature = "cli")]
use std::io;

#[cfg(feature = "cli")]
use aws_credential_types::provider::error::CredentialsError;

use crate::error::{ErrorKind, Fault};
use crate::workload::CredentialSource;

#[derive(Debug)]
pub(super) enum CredentialsFault {
    /// By design: SageMaker gives an isolated container none.
    Isolated,
    /// Nothing is configured.
    NoSource,
    /// The source is there and does not give any.
    #[cfg_attr(
        not(feature = "cli"),
        expect(dead_code, reason = "only the command line asks for them itself")
    )]
    Unavailable { source: CredentialSource },
}

impl fmt::Display for CredentialsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Isolated => {
                f.write_str("cannot give credentials: this container is isolated by design")
            }
            Self::NoSource => {
                f.write_str("cannot give credentials: the environment names no source")
            }
            Self::Unavailable { source } => {
                write!(
                    f,
                    "cannot get credentials from the source {}",
                    source.as_str()
                )
            }
        }
    }
}

impl Fault for CredentialsFault {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Credentials
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Isolated => "data comes in by channels; turn EnableNetworkIsolation off if the program must call AWS",
                Self::NoSource => "give the pod a service account with a role, or the container AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
                Self::Unavailable { .. } => "lyftlearn-runtime inspect shows why this source was chosen",
            }
            .to_owned(),
        )
    }
}

/// The SDK's reason in our own words: its own quote endpoints and documents, and with
/// them what is nobody's business.
#[cfg(feature = "cli")]
pub(crate) fn unavailable(source: CredentialSource, error: &CredentialsError) -> crate::Error {
    let reason = io_reason(error).unwrap_or(match error {
        CredentialsError::CredentialsNotLoaded(_) => "the source gave none",
        CredentialsError::ProviderTimedOut(_) => TIMED_OUT,
        CredentialsError::InvalidConfiguration(_) => "its configuration is not valid",
        CredentialsError::ProviderError(_) => "it refused, or answered with something else",
        _ => "its endpoint could not be reached, or did not answer as it should",
    });
    crate::Error::from(CredentialsFault::Unavailable { source }).because(reason)
}

#[cfg(feature = "cli")]
const TIMED_OUT: &str = "its endpoint did not answer in time";

/// What lies at the bottom, where it is the kernel's or a timer's word. The SDK tells a
/// timer by its text alone.
#[cfg(feature = "cli")]
fn io_reason(error: &CredentialsError) -> Option<&'static str> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        match kind {
            Some(io::ErrorKind::ConnectionRefused) => {
                return Some("nothing listens where its endpoint should be");
            }
            Some(io::ErrorKind::TimedOut) => return Some(TIMED_OUT),
            Some(io::ErrorKind::NotFound) => return Some("a file that it names does not exist"),
            Some(io::ErrorKind::PermissionDenied) => {
                return Some("a file that it names may not be read");
            }
            _ if error.to_string() == "timed out" => return Some(TIMED_OUT),
            _ => cause = error.source(),
        }
    }
    None
}
