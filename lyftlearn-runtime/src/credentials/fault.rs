//! Why a program gets no credentials, one sentence for each cause.

use std::fmt;
use std::io;
use std::path::PathBuf;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::ConnectorError;

use super::trust::{RootsFault, is_untrusted};
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
                Self::Unavailable { .. } => "lyftlearn-runtime doctor shows each step of it",
            }
            .to_owned(),
        )
    }
}

/// The report on a source that does not give any.
#[cfg(feature = "cli")]
pub(crate) fn unavailable(source: CredentialSource, cause: &Cause) -> crate::Error {
    crate::Error::from(CredentialsFault::Unavailable { source }).because(cause)
}

/// Why a source returned no credentials, in our own words. Messages of the SDK quote endpoints and
/// documents, which may have secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Nothing listens there.
    Refused,
    /// No way there.
    Unreachable,
    /// This machine does not trust the issuer of its certificate.
    Untrusted,
    TimedOut,
    /// The endpoint's answer is not one of success.
    Status(u16),
    /// The answer is one of success, and no credentials.
    Malformed,
    /// They were over when they came.
    Expired,
    /// The URI in the environment is invalid.
    NotAnAddress,
    /// A token that no HTTP header can carry.
    BadToken,
    EmptyTokenFile(PathBuf),
    NoTokenFile(PathBuf),
    /// A token file that is there; in a sentence.
    TokenFile(String),
    /// STS says no, by its own code.
    Sts {
        action: &'static str,
        code: String,
    },
    /// STS fails, by its own code.
    StsFailed {
        action: &'static str,
        code: String,
    },
    /// STS did not answer with a result or an error of its own.
    NoSts {
        action: &'static str,
        cause: Box<Cause>,
    },
    /// STS is regional, and the region is not known.
    NoRegion,
    /// The roots of trust cannot be read.
    Roots(RootsFault),
    /// One of the SDK's own providers.
    Sdk(&'static str),
}

impl Cause {
    pub(super) const NOT_LOADED: &str = "the source returned no credentials";
    pub(super) const NOT_VALID: &str = "its configuration is not valid";
    pub(super) const OTHER: &str = "it refused, or its response is malformed";
    #[cfg(feature = "cli")]
    pub(super) const NO_ROOTS: &str =
        "the file of certificates that a variable names cannot be used by the program's user";

    pub(super) fn of_connector(err: &ConnectorError) -> Self {
        if err.is_timeout() {
            return Self::TimedOut;
        }
        if let Some(fault) = RootsFault::of(err) {
            return Self::Roots(fault.clone());
        }
        match kernels_word(err) {
            Some(io::ErrorKind::ConnectionRefused) => Self::Refused,
            Some(io::ErrorKind::TimedOut) => Self::TimedOut,
            _ if err.is_user() => Self::NotAnAddress,
            _ if is_untrusted(err) => Self::Untrusted,
            _ => Self::Unreachable,
        }
    }

    /// What one of the SDK's own providers says.
    pub(super) fn of_sdk(err: &CredentialsError) -> Self {
        if let Some(fault) = RootsFault::of(err) {
            return Self::Roots(fault.clone());
        }
        match (kernels_word(err), err) {
            (Some(io::ErrorKind::ConnectionRefused), _) => Self::Refused,
            (Some(io::ErrorKind::TimedOut), _) | (_, CredentialsError::ProviderTimedOut(_)) => {
                Self::TimedOut
            }
            (_, CredentialsError::CredentialsNotLoaded(_)) => Self::Sdk(Self::NOT_LOADED),
            (_, CredentialsError::InvalidConfiguration(_)) => Self::Sdk(Self::NOT_VALID),
            _ => Self::Sdk(Self::OTHER),
        }
    }

    /// Whether asking again soon is of no use: somebody has to change something.
    #[cfg(feature = "cli")]
    pub(super) fn is_a_refusal(&self) -> bool {
        match self {
            Self::Status(status) => (400..500).contains(status) && *status != 429,
            Self::Sts { code, .. } => !code.contains("Throttl"),
            Self::NoSts { cause, .. } => cause.is_a_refusal(),
            _ => false,
        }
    }

    /// Whether the cause is in the container's own environment, which does not change while it
    /// runs.
    #[cfg(feature = "cli")]
    pub(crate) fn is_of_this_container(&self) -> bool {
        matches!(
            self,
            Self::NoRegion | Self::NotAnAddress | Self::BadToken | Self::Roots(_)
        )
    }

    /// Whether the source has too much to do.
    pub(super) fn is_throttled(&self) -> bool {
        match self {
            Self::Status(status) => *status == 429,
            Self::Sts { code, .. } | Self::StsFailed { code, .. } => code.contains("Throttl"),
            Self::NoSts { cause, .. } => cause.is_throttled(),
            _ => false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("connection to its endpoint refused"),
            Self::Unreachable => f.write_str("its endpoint cannot be reached"),
            Self::Untrusted => f.write_str(
                "the certificate of its endpoint is not trusted: add its CA to the file that SSL_CERT_FILE or AWS_CA_BUNDLE names",
            ),
            Self::TimedOut => f.write_str("its endpoint did not answer in time"),
            Self::Status(status @ (401 | 403)) => write!(
                f,
                "its endpoint answered {status}: it does not accept this container or its token"
            ),
            Self::Status(404) => {
                f.write_str("its endpoint answered 404: it has no credentials for this container")
            }
            Self::Status(429) => f.write_str("its endpoint answered 429: too many requests"),
            Self::Status(status @ 400..500) => {
                write!(f, "its endpoint rejected the request with status {status}")
            }
            Self::Status(status) => {
                write!(f, "its endpoint failed with status {status}")
            }
            Self::Malformed => {
                f.write_str("the response of its endpoint is malformed")
            }
            Self::Expired => {
                f.write_str("its credentials had expired when they arrived: check this machine's clock")
            }
            Self::NotAnAddress => f.write_str("its URI is invalid"),
            Self::BadToken => f.write_str("its token is invalid: it has characters that an HTTP header cannot have"),
            Self::EmptyTokenFile(path) => {
                write!(f, "the token file {} is empty", path.display())
            }
            Self::NoTokenFile(path) => {
                write!(f, "the token file {} does not exist", path.display())
            }
            Self::TokenFile(why) => write!(f, "no token: {why}"),
            Self::Sts { action, code } => {
                write!(f, "STS refused {action}: {code}")?;
                match code.as_str() {
                    "AccessDenied" => {
                        f.write_str(": the role's trust policy does not name this container")
                    }
                    "ExpiredToken" | "ExpiredTokenException" => {
                        f.write_str(": the token has expired")
                    }
                    "InvalidIdentityToken" => {
                        f.write_str(": the account has no identity provider for the token's issuer")
                    }
                    _ if self.is_throttled() => f.write_str(": too many requests"),
                    _ => Ok(()),
                }
            }
            Self::StsFailed { action, code } => write!(f, "STS failed at {action}: {code}"),
            Self::NoSts { action, cause } => write!(f, "cannot call {action} of STS: {cause}"),
            Self::NoRegion => {
                f.write_str("STS needs a region: set AWS_REGION")
            }
            Self::Roots(fault) => fault.fmt(f),
            Self::Sdk(words) => f.write_str(words),
        }
    }
}

/// The innermost I/O error of a chain, or a timeout. The SDK reports timeouts only as text.
pub(super) fn kernels_word(error: &(dyn std::error::Error + 'static)) -> Option<io::ErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::Other) | None => {}
            kind => return kind,
        }
        if error.to_string() == "timed out" {
            return Some(io::ErrorKind::TimedOut);
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use expect_test::expect;

    use super::{Cause, CredentialsFault};
    use crate::error::{reports, sentences};
    use crate::workload::CredentialSource;

    #[test]
    fn every_fault_has_its_report() {
        let source = CredentialSource::Container;
        expect![[r#"
            Credentials: cannot give credentials: this container is isolated by design
              hint: data comes in by channels; turn EnableNetworkIsolation off if the program must call AWS
            Credentials: cannot give credentials: the environment names no source
              hint: give the pod a service account with a role, or the container AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
            Credentials: cannot get credentials from the source container
              hint: lyftlearn-runtime doctor shows each step of it
        "#]].assert_eq(&reports([
            CredentialsFault::Isolated,
            CredentialsFault::NoSource,
            CredentialsFault::Unavailable { source },
        ]));
    }

    #[test]
    fn every_cause_is_one_sentence_without_a_value() {
        let action = "AssumeRole";
        let refused = |code: &str| Cause::Sts {
            action,
            code: code.to_owned(),
        };
        expect![[r#"
            connection to its endpoint refused
            its endpoint cannot be reached
            the certificate of its endpoint is not trusted: add its CA to the file that SSL_CERT_FILE or AWS_CA_BUNDLE names
            its endpoint did not answer in time
            its endpoint rejected the request with status 400
            its endpoint answered 401: it does not accept this container or its token
            its endpoint answered 403: it does not accept this container or its token
            its endpoint answered 404: it has no credentials for this container
            its endpoint answered 429: too many requests
            its endpoint failed with status 503
            the response of its endpoint is malformed
            its credentials had expired when they arrived: check this machine's clock
            its URI is invalid
            its token is invalid: it has characters that an HTTP header cannot have
            the token file /t is empty
            the token file /t does not exist
            no token: cannot read /t: permission denied
            STS refused AssumeRole: AccessDenied: the role's trust policy does not name this container
            STS refused AssumeRole: ExpiredToken: the token has expired
            STS refused AssumeRole: ExpiredTokenException: the token has expired
            STS refused AssumeRole: InvalidIdentityToken: the account has no identity provider for the token's issuer
            STS refused AssumeRole: Throttling: too many requests
            STS refused AssumeRole: ValidationError
            STS failed at AssumeRole: ServiceUnavailable
            cannot call AssumeRole of STS: its endpoint did not answer in time
            STS needs a region: set AWS_REGION
            (in the words below)
        "#]].assert_eq(&sentences([
            Cause::Refused,
            Cause::Unreachable,
            Cause::Untrusted,
            Cause::TimedOut,
            Cause::Status(400),
            Cause::Status(401),
            Cause::Status(403),
            Cause::Status(404),
            Cause::Status(429),
            Cause::Status(503),
            Cause::Malformed,
            Cause::Expired,
            Cause::NotAnAddress,
            Cause::BadToken,
            Cause::EmptyTokenFile("/t".into()),
            Cause::NoTokenFile("/t".into()),
            Cause::TokenFile("cannot read /t: permission denied".to_owned()),
            refused("AccessDenied"),
            refused("ExpiredToken"),
            refused("ExpiredTokenException"),
            refused("InvalidIdentityToken"),
            refused("Throttling"),
            refused("ValidationError"),
            Cause::StsFailed {
                action,
                code: "ServiceUnavailable".to_owned(),
            },
            Cause::NoSts {
                action,
                cause: Box::new(Cause::TimedOut),
            },
            Cause::NoRegion,
            Cause::Sdk("(in the words below)"),
        ]));
    }

    #[test]
    fn every_word_of_the_sdk_s_providers_is_translated() {
        use aws_credential_types::provider::error::CredentialsError;
        expect![[r#"
            the source returned no credentials
            its configuration is not valid
            its endpoint did not answer in time
            it refused, or its response is malformed
            it refused, or its response is malformed
            connection to its endpoint refused
        "#]]
        .assert_eq(&sentences(
            [
                CredentialsError::not_loaded("canary"),
                CredentialsError::invalid_configuration("canary"),
                CredentialsError::provider_timed_out(std::time::Duration::from_secs(1)),
                CredentialsError::provider_error("canary"),
                CredentialsError::unhandled("canary"),
                CredentialsError::provider_error(std::io::Error::from(
                    ErrorKind::ConnectionRefused,
                )),
            ]
            .map(|err| Cause::of_sdk(&err)),
        ));
    }
}
