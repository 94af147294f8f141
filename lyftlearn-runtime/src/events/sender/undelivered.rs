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
            Self::NoIdentity => f.write_str("no AWS credentials found"),
            Self::Denied { code, action } => {
                write!(f, "access denied ({code}): the role needs {action}")
            }
            Self::Unknown { code } => {
                write!(f, "AWS rejected the credentials ({code})")
            }
            Self::NoQueue { code } => write!(f, "the queue does not exist ({code})"),
            Self::NoBus { code } => write!(f, "the event bus does not exist ({code})"),
            Self::NotTaken { code } => write!(f, "EventBridge did not accept the event ({code})"),
            Self::Unauthorized { status } => write!(
                f,
                "the sink rejected the request ({status}): check the headers in the variable that events.headers_variable names"
            ),
            Self::Refused { code } => write!(f, "request rejected ({code})"),
            Self::Throttled { code } => write!(f, "throttled ({code})"),
            Self::Failing { code } => write!(f, "the server failed ({code})"),
            Self::Silent { within } => {
                let seconds = (within.as_secs_f64() * 10.0).round() / 10.0;
                write!(f, "no response within {seconds} s")
            }
            Self::Unreachable => f.write_str("connection failed"),
            Self::Untrusted => f.write_str(
                "its certificate is not trusted: add its CA to the file that SSL_CERT_FILE or AWS_CA_BUNDLE names",
            ),
            Self::NoRoots { report } => f.write_str(report),
            Self::Gone => f.write_str("the sink is gone (410)"),
            Self::Redirected { status } => {
                write!(f, "the server redirects ({status}), and redirects are not followed")
            }
            Self::Malformed => f.write_str("the response is malformed"),
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
            no AWS credentials found
            access denied (AccessDenied): the role needs sqs:SendMessage
            AWS rejected the credentials (SignatureDoesNotMatch)
            the queue does not exist (QueueDoesNotExist)
            the event bus does not exist (ResourceNotFoundException)
            EventBridge did not accept the event (NotAuthorizedForSourceException)
            the sink rejected the request (401): check the headers in the variable that events.headers_variable names
            request rejected (InvalidMessageContents)
            throttled (ThrottlingException)
            the server failed (503)
            no response within 3 s
            no response within 0.5 s
            connection failed
            its certificate is not trusted: add its CA to the file that SSL_CERT_FILE or AWS_CA_BUNDLE names
            SSL_CERT_FILE names /roots, which does not exist
            the sink is gone (410)
            the server redirects (302), and redirects are not followed
            the response is malformed
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
