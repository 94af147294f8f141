//! Why an event did not arrive, each reason with its sentence. Of an answer nothing but its status
//! and the name of its error; of a request nothing at all.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::requests::Unanswered;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Undelivered {
    NoIdentity,
    /// The identity is known, and may not.
    Denied {
        code: String,
        action: &'static str,
    },
    /// The identity is not known.
    Unknown {
        code: String,
    },
    NoQueue {
        code: String,
    },
    NoBus {
        code: String,
    },
    /// The request was taken, and the event in it was not.
    NotTaken {
        code: String,
    },
    /// A sink wants to be shown something else.
    Unauthorized {
        status: u16,
    },
    /// No, in another way.
    Refused {
        code: String,
    },
    Throttled {
        code: String,
    },
    Failing {
        code: String,
    },
    Silent {
        within: Duration,
    },
    Unreachable,
    /// By no root of trust that is known here.
    Untrusted,
    /// In the words of the roots' own report.
    NoRoots {
        report: String,
    },
    /// It wants no event any more.
    Gone,
    Redirected {
        status: u16,
    },
    Malformed,
    File {
        kind: io::ErrorKind,
    },
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoIdentity => f.write_str("there is no AWS identity here"),
            Self::Denied { code, action } => {
                write!(f, "it is refused ({code}): the identity needs {action}")
            }
            Self::Unknown { code } => {
                write!(f, "it is refused ({code}): AWS does not accept the credentials")
            }
            Self::NoQueue { code } => write!(f, "there is no such queue ({code})"),
            Self::NoBus { code } => write!(f, "there is no such event bus ({code})"),
            Self::NotTaken { code } => write!(f, "EventBridge has not taken it ({code})"),
            Self::Unauthorized { status } => write!(
                f,
                "it is refused ({status}): events.headers_variable names what the sink is shown"
            ),
            Self::Refused { code } => write!(f, "it is refused ({code})"),
            Self::Throttled { code } => write!(f, "it is throttled ({code})"),
            Self::Failing { code } => write!(f, "the other side fails ({code})"),
            Self::Silent { within } => {
                let seconds = (within.as_secs_f64() * 10.0).round() / 10.0;
                write!(f, "nobody has answered within {seconds} s")
            }
            Self::Unreachable => f.write_str("it cannot be reached"),
            Self::Untrusted => f.write_str(
                "its certificate is not trusted here: SSL_CERT_FILE or AWS_CA_BUNDLE names the roots",
            ),
            Self::NoRoots { report } => f.write_str(report),
            Self::Gone => f.write_str("the sink has gone (410)"),
            Self::Redirected { status } => {
                write!(f, "it leads elsewhere ({status}), which is not followed")
            }
            Self::Malformed => f.write_str("the answer is not one of its protocol"),
            Self::File { kind } => write!(f, "the file cannot be written: {kind}"),
        }
    }
}

impl Undelivered {
    /// Whether the next state may arrive where this one did not.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self, Self::Gone)
    }
}

impl From<Unanswered> for Undelivered {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            // Its sender knows how long.
            Unanswered::Timeout => Self::Silent {
                within: Duration::ZERO,
            },
            Unanswered::Unreachable => Self::Unreachable,
            Unanswered::Untrusted => Self::Untrusted,
            Unanswered::NoRoots { report } => Self::NoRoots { report },
            Unanswered::Malformed | Unanswered::TooLarge => Self::Malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::error::sentences;

    #[test]
    fn every_reason_has_its_sentence() {
        let code = |code: &str| code.to_owned();
        expect![[r#"
            there is no AWS identity here
            it is refused (AccessDenied): the identity needs sqs:SendMessage
            it is refused (SignatureDoesNotMatch): AWS does not accept the credentials
            there is no such queue (QueueDoesNotExist)
            there is no such event bus (ResourceNotFoundException)
            EventBridge has not taken it (NotAuthorizedForSourceException)
            it is refused (401): events.headers_variable names what the sink is shown
            it is refused (InvalidMessageContents)
            it is throttled (ThrottlingException)
            the other side fails (503)
            nobody has answered within 3 s
            nobody has answered within 0.5 s
            it cannot be reached
            its certificate is not trusted here: SSL_CERT_FILE or AWS_CA_BUNDLE names the roots
            SSL_CERT_FILE names /roots, which does not exist
            the sink has gone (410)
            it leads elsewhere (302), which is not followed
            the answer is not one of its protocol
            the file cannot be written: no storage space
        "#]]
        .assert_eq(&sentences([
            Undelivered::NoIdentity,
            Undelivered::Denied {
                code: code("AccessDenied"),
                action: "sqs:SendMessage",
            },
            Undelivered::Unknown {
                code: code("SignatureDoesNotMatch"),
            },
            Undelivered::NoQueue {
                code: code("QueueDoesNotExist"),
            },
            Undelivered::NoBus {
                code: code("ResourceNotFoundException"),
            },
            Undelivered::NotTaken {
                code: code("NotAuthorizedForSourceException"),
            },
            Undelivered::Unauthorized { status: 401 },
            Undelivered::Refused {
                code: code("InvalidMessageContents"),
            },
            Undelivered::Throttled {
                code: code("ThrottlingException"),
            },
            Undelivered::Failing { code: code("503") },
            Undelivered::Silent {
                within: Duration::from_secs(3),
            },
            Undelivered::Silent {
                within: Duration::from_millis(470),
            },
            Undelivered::Unreachable,
            Undelivered::Untrusted,
            Undelivered::NoRoots {
                report: "SSL_CERT_FILE names /roots, which does not exist".to_owned(),
            },
            Undelivered::Gone,
            Undelivered::Redirected { status: 302 },
            Undelivered::Malformed,
            Undelivered::File {
                kind: io::ErrorKind::StorageFull,
            },
        ]));
    }
}
