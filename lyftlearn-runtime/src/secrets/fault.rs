//! Why a secret cannot be had, each reason with its sentence. Never a value, and of a server's
//! answer nothing but its status and the name of its error.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::contract::limits;
use crate::error::{Error, ErrorKind, Fault};

/// The server that was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Server {
    Confidant,
    SecretsManager,
    ParameterStore,
    Kms,
    Credentials,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Confidant => "Confidant",
            Self::SecretsManager => "Secrets Manager",
            Self::ParameterStore => "Parameter Store",
            Self::Kms => "KMS",
            Self::Credentials => "the credential source",
        })
    }
}

/// Why one secret is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Why {
    /// The secret declares no source for this platform.
    NoSource {
        platform: String,
    },
    NoFile {
        path: PathBuf,
    },
    /// In the words of the file's own report.
    Unreadable {
        report: String,
    },
    NoVariableFound {
        name: String,
    },
    /// This build, or this process, does not fetch.
    NotFetched,
    NotSet {
        key: String,
    },
    NoRegion,
    /// In the words of the identity's own report.
    NoIdentity {
        report: String,
    },
    /// In the words of the roots' own report.
    NoRoots {
        report: String,
    },
    /// 401: the server rejected the credentials.
    Unknown {
        server: Server,
    },
    /// 403, or what AWS calls it.
    Denied {
        server: Server,
        code: String,
    },
    /// 404, or what AWS calls it.
    NotThere {
        server: Server,
        code: String,
    },
    Disabled,
    /// It is there, and fails.
    Failed {
        server: Server,
        code: String,
    },
    /// It says no in another way.
    Refused {
        server: Server,
        code: String,
    },
    Timeout {
        server: Server,
    },
    Unreachable {
        server: Server,
    },
    /// By no root of trust that is known here.
    Untrusted {
        server: Server,
    },
    Malformed {
        server: Server,
    },
    TooLarge {
        server: Server,
    },
    /// A blind credential, by its id.
    Undecryptable {
        id: String,
    },
    Empty {
        path: String,
    },
    NoKeys,
    NoKey {
        key: String,
    },
    NoVariable,
    /// The helper process did not answer.
    Lost,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSource { platform } => write!(f, "it has no source for {platform}"),
            Self::NoFile { path } => write!(f, "{} does not exist", path.display()),
            Self::Unreadable { report }
            | Self::NoIdentity { report }
            | Self::NoRoots { report } => f.write_str(report),
            Self::NoVariableFound { name } => write!(f, "${name} is not set"),
            Self::NotFetched => f.write_str(
                "not available here: secrets are fetched when lyftlearn-runtime starts the program",
            ),
            Self::NotSet { key } => write!(f, "the setting {key} is required"),
            Self::NoRegion => f.write_str("the region is not set: set AWS_REGION"),
            Self::Unknown { server } => write!(f, "{server} rejected the credentials (401)"),
            Self::Denied { server, code } => write!(f, "{server} denied access ({code})"),
            Self::NotThere { server, code } => {
                write!(f, "{server} has no secret of that name ({code})")
            }
            Self::Disabled => f.write_str("the service is disabled in Confidant"),
            Self::Failed { server, code } => write!(f, "{server} failed ({code})"),
            Self::Refused { server, code } => write!(f, "{server} refused ({code})"),
            Self::Timeout { server } => write!(f, "{server} did not answer in time"),
            Self::Unreachable { server } => write!(f, "{server} cannot be reached"),
            Self::Untrusted { server } => {
                write!(
                    f,
                    "the certificate of {server} is not trusted: add its CA to the file that SSL_CERT_FILE names"
                )
            }
            Self::Malformed { server } => {
                write!(f, "the response of {server} is malformed")
            }
            Self::TooLarge { server } => write!(f, "the response of {server} is over 4 MiB"),
            Self::Undecryptable { id } => {
                write!(f, "the blind credential {id} cannot be decrypted")
            }
            Self::Empty { path } => write!(f, "no parameter has a name below {path}"),
            Self::NoKeys => f.write_str("not a JSON object, so it has no keys"),
            Self::NoKey { key } => write!(f, "it has no key {key}"),
            Self::NoVariable => {
                f.write_str("it has a NUL byte, which a variable cannot have: deliver it as a file")
            }
            Self::Lost => f.write_str("the helper process that fetches secrets did not answer"),
        }
    }
}

/// A secret, and why it is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    pub(crate) name: String,
    pub(crate) why: Why,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret {}: {}", self.name, self.why)
    }
}

#[derive(Debug)]
pub(crate) enum SecretsFault {
    /// Required ones, all of them.
    Missing { failures: Vec<Failure> },
    /// Their directory.
    #[cfg(feature = "cli")]
    Undelivered { reason: String },
    /// No secret has this name.
    Unknown {
        name: String,
        nearest: Option<String>,
    },
    /// A secret has no key of that name.
    UnknownKey { name: String, key: String },
    /// What a start delivered does not say what it should.
    Broken { path: PathBuf },
    /// The kernel refuses to tell of changes.
    Unwatched,
    /// More than text.
    NoText { name: String },
}

impl fmt::Display for SecretsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { failures } => {
                f.write_str("cannot get the required secrets")?;
                for Failure { name, why } in failures.iter().take(limits::MISTAKES) {
                    write!(f, "\n  {name}: {why}")?;
                }
                match failures.len().saturating_sub(limits::MISTAKES) {
                    0 => Ok(()),
                    more => write!(f, "\n  and {more} more"),
                }
            }
            #[cfg(feature = "cli")]
            Self::Undelivered { reason } => write!(f, "cannot deliver the secrets: {reason}"),
            Self::Unknown { name, nearest } => {
                write!(f, "cannot find the secret {name}")?;
                match nearest {
                    Some(near) => write!(f, "; did you mean {near}?"),
                    None => Ok(()),
                }
            }
            Self::UnknownKey { name, key } => {
                write!(f, "cannot find the key {key} of the secret {name}")
            }
            Self::Broken { path } => write!(f, "cannot parse {}", path.display()),
            Self::Unwatched => f.write_str("cannot watch the secrets"),
            Self::NoText { name } => {
                write!(
                    f,
                    "cannot read the secret {name} as a string: it is not UTF-8"
                )
            }
        }
    }
}

impl Fault for SecretsFault {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unknown { .. } | Self::UnknownKey { .. } => ErrorKind::SecretMissing,
            _ => ErrorKind::Secrets,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some(
                "required = false starts without one; lyftlearn-runtime inspect shows which \
                 identity asks"
                    .to_owned(),
            ),
            #[cfg(feature = "cli")]
            Self::Undelivered { .. } => Some(
                "give the container a writable /run, or secrets variables instead of files"
                    .to_owned(),
            ),
            Self::Unknown { .. } | Self::UnknownKey { .. } => None,
            Self::Broken { .. } => Some("start the program with lyftlearn-runtime run".to_owned()),
            Self::Unwatched => Some("raise fs.inotify.max_user_instances".to_owned()),
            Self::NoText { .. } => Some("read its bytes instead".to_owned()),
        }
    }
}

/// The first sentence of an error's own report.
pub(crate) fn first_line(error: &Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{Failure, SecretsFault, Server, Why};
    use crate::error::{reports, sentences};

    #[test]
    fn every_server_has_its_name() {
        let server_of = |server| Why::Timeout { server };
        expect![[r#"
            Confidant did not answer in time
            Secrets Manager did not answer in time
            Parameter Store did not answer in time
            KMS did not answer in time
            the credential source did not answer in time
        "#]]
        .assert_eq(&sentences(
            [
                Server::Confidant,
                Server::SecretsManager,
                Server::ParameterStore,
                Server::Kms,
                Server::Credentials,
            ]
            .map(server_of),
        ));
    }

    #[test]
    fn every_reason_has_its_sentence() {
        let server = Server::Kms;
        let code = || "503".to_owned();
        let report = || "(the report of another)".to_owned();
        expect![[r#"
            it has no source for local
            /secrets/db does not exist
            (the report of another)
            $DB is not set
            not available here: secrets are fetched when lyftlearn-runtime starts the program
            the setting confidant.url is required
            the region is not set: set AWS_REGION
            (the report of another)
            (the report of another)
            KMS rejected the credentials (401)
            KMS denied access (503)
            KMS has no secret of that name (503)
            the service is disabled in Confidant
            KMS failed (503)
            KMS refused (503)
            KMS did not answer in time
            KMS cannot be reached
            the certificate of KMS is not trusted: add its CA to the file that SSL_CERT_FILE names
            the response of KMS is malformed
            the response of KMS is over 4 MiB
            the blind credential id cannot be decrypted
            no parameter has a name below /db/
            not a JSON object, so it has no keys
            it has no key user
            it has a NUL byte, which a variable cannot have: deliver it as a file
            the helper process that fetches secrets did not answer
        "#]]
        .assert_eq(&sentences([
            Why::NoSource {
                platform: "local".to_owned(),
            },
            Why::NoFile {
                path: "/secrets/db".into(),
            },
            Why::Unreadable { report: report() },
            Why::NoVariableFound {
                name: "DB".to_owned(),
            },
            Why::NotFetched,
            Why::NotSet {
                key: "confidant.url".to_owned(),
            },
            Why::NoRegion,
            Why::NoIdentity { report: report() },
            Why::NoRoots { report: report() },
            Why::Unknown { server },
            Why::Denied {
                server,
                code: code(),
            },
            Why::NotThere {
                server,
                code: code(),
            },
            Why::Disabled,
            Why::Failed {
                server,
                code: code(),
            },
            Why::Refused {
                server,
                code: code(),
            },
            Why::Timeout { server },
            Why::Unreachable { server },
            Why::Untrusted { server },
            Why::Malformed { server },
            Why::TooLarge { server },
            Why::Undecryptable {
                id: "id".to_owned(),
            },
            Why::Empty {
                path: "/db/".to_owned(),
            },
            Why::NoKeys,
            Why::NoKey {
                key: "user".to_owned(),
            },
            Why::NoVariable,
            Why::Lost,
        ]));
    }

    #[test]
    fn every_report_has_a_cause_and_a_hint() {
        let name = || "db".to_owned();
        let failure = |why| Failure { name: name(), why };
        expect!["secret db: the service is disabled in Confidant"]
            .assert_eq(&failure(Why::Disabled).to_string());
        expect![[r#"
            Secrets: cannot get the required secrets
              db: the service is disabled in Confidant
              db: not a JSON object, so it has no keys
              hint: required = false starts without one; lyftlearn-runtime inspect shows which identity asks
            Secrets: cannot deliver the secrets: no run directory
              hint: give the container a writable /run, or secrets variables instead of files
            SecretMissing: cannot find the secret db
            SecretMissing: cannot find the secret db; did you mean dbs?
            SecretMissing: cannot find the key user of the secret db
            Secrets: cannot parse /run/x
              hint: start the program with lyftlearn-runtime run
            Secrets: cannot watch the secrets
              hint: raise fs.inotify.max_user_instances
            Secrets: cannot read the secret db as a string: it is not UTF-8
              hint: read its bytes instead
        "#]].assert_eq(&reports([
            SecretsFault::Missing {
                failures: vec![failure(Why::Disabled), failure(Why::NoKeys)],
            },
            SecretsFault::Undelivered {
                reason: "no run directory".to_owned(),
            },
            SecretsFault::Unknown {
                name: name(),
                nearest: None,
            },
            SecretsFault::Unknown {
                name: name(),
                nearest: Some("dbs".to_owned()),
            },
            SecretsFault::UnknownKey {
                name: name(),
                key: "user".to_owned(),
            },
            SecretsFault::Broken {
                path: "/run/x".into(),
            },
            SecretsFault::Unwatched,
            SecretsFault::NoText { name: name() },
        ]));
    }

    #[test]
    fn of_many_missing_secrets_the_first_are_named() {
        let failures = (0..900).map(|number| Failure {
            name: format!("db{number}"),
            why: Why::Disabled,
        });
        let fault = SecretsFault::Missing {
            failures: failures.collect(),
        };
        let report = fault.to_string();
        assert_eq!(report.lines().count(), 1 + 20 + 1);
        assert!(report.ends_with("\n  and 880 more"), "{report}");
    }
}
