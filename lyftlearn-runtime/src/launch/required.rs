//! `credentials.required`: nothing is started before the identity is there.

use std::fmt;
use std::os::unix::net::UnixDatagram;

#[cfg(feature = "agent")]
use listenfd::ListenFd;

use super::credentials;
use crate::account::Account;
use crate::error::{Error, ErrorKind, Fault};
use crate::facts::Facts;
use crate::resolve::Resolved;
use crate::workload::{CredentialMode, CredentialSource};

/// The word by which this binary knows that it is to ask for the identity.
#[cfg(feature = "agent")]
pub(super) const ARGUMENT: &str = "--identity";

/// Why a start does without a program.
#[derive(Debug, PartialEq, Eq)]
enum RequiredFault {
    /// Two settings that contradict each other.
    Withheld,
    /// By design: SageMaker gives an isolated container none.
    Isolated,
    NoSource,
    /// What chooses a profile that no file has, where the program reads it.
    LostProfile {
        variable: &'static str,
    },
    /// The source is there, and gave none in time.
    #[cfg_attr(
        not(feature = "agent"),
        expect(dead_code, reason = "without an agent nobody asks")
    )]
    NotGiven {
        source: CredentialSource,
        /// `None` where waiting was of no use.
        seconds: Option<u32>,
    },
    #[cfg_attr(
        all(feature = "agent", not(test)),
        expect(dead_code, reason = "with an agent it is asked")
    )]
    NotAsked,
}

impl fmt::Display for RequiredFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot start without credentials, which credentials.required demands: ")?;
        match self {
            Self::Withheld => f.write_str("credentials.mode is off"),
            Self::Isolated => f.write_str("this container is isolated by design"),
            Self::NoSource => f.write_str("the environment names no source"),
            Self::LostProfile { variable } => {
                write!(f, "{variable} names a profile that is in no file")
            }
            Self::NotGiven { source, seconds } => {
                write!(f, "the source {} returned no credentials", source.as_str())?;
                seconds.map_or(Ok(()), |seconds| write!(f, " within {seconds} s"))
            }
            Self::NotAsked => f.write_str("this build has no credential sources"),
        }
    }
}

impl Fault for RequiredFault {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Credentials
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Withheld => "remove one of the two settings",
            Self::Isolated => {
                "turn EnableNetworkIsolation off, or credentials.required where the job runs isolated"
            }
            Self::NoSource => {
                "give the pod a service account with a role, or the container AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            }
            Self::LostProfile { .. } => {
                "unset the variable, or mount the file that has the profile; most SDKs look no further"
            }
            Self::NotGiven {
                seconds: Some(_), ..
            } => {
                "lyftlearn-runtime doctor shows each step of it; credentials.startup_seconds waits longer"
            }
            Self::NotGiven { seconds: None, .. } => {
                "lyftlearn-runtime doctor shows each step of it"
            }
            Self::NotAsked => "build it with the feature agent",
        };
        Some(hint.to_owned())
    }
}

/// Whether the start waits for somebody else.
pub(super) fn waits(resolved: &Resolved) -> bool {
    resolved.credential_plan.required
}

/// Waits for the first credentials, where they are required, and returns where they lie for
/// the agent: this process does not look at them.
/// `serves` where this start serves what it gets.
pub(super) fn awaited(
    facts: &Facts,
    resolved: &Resolved,
    account: Option<&Account>,
    serves: bool,
) -> Result<Option<UnixDatagram>, Error> {
    if !resolved.credential_plan.required {
        return Ok(None);
    }
    let credentials = &resolved.workload.credentials;
    // A program that asks by itself would end with such a profile.
    let by_itself = !serves || credentials.mode == CredentialMode::Native;
    let lost = credentials::lost_profiles(facts, account);
    let fault = match (credentials.mode, credentials.source) {
        (CredentialMode::Off, _) => RequiredFault::Withheld,
        (_, CredentialSource::None) if credentials.isolated => RequiredFault::Isolated,
        (_, CredentialSource::None) => RequiredFault::NoSource,
        _ => match lost.first() {
            Some(variable) if by_itself => RequiredFault::LostProfile { variable },
            _ => return asked(facts, resolved),
        },
    };
    let missing = &resolved.problems;
    let error = Error::from(fault);
    // An incomplete source is the likeliest reason that no source was found.
    Err(missing
        .iter()
        .filter_map(|problem| problem.strip_prefix(crate::platform::NO_IDENTITY))
        .fold(error, Error::because))
}

#[cfg(not(feature = "agent"))]
fn asked(_: &Facts, _: &Resolved) -> Result<Option<UnixDatagram>, Error> {
    Err(RequiredFault::NotAsked.into())
}

/// Has a helper process ask until it gets an answer.
#[cfg(feature = "agent")]
fn asked(facts: &Facts, resolved: &Resolved) -> Result<Option<UnixDatagram>, Error> {
    let plan = &resolved.credential_plan;
    let patience = std::time::Duration::from_secs(plan.startup_seconds.into());
    // Without them the agent asks once more.
    let (agents, helpers) = UnixDatagram::pair().ok().unzip();
    let answer: Option<Answer> =
        super::helper_process::ask(facts, ARGUMENT, plan, patience, helpers);
    let (cause, waited) = match answer {
        Some(Answer { cause: None, .. }) => return Ok(agents),
        Some(Answer {
            cause: Some(cause),
            waited,
        }) => (cause, waited),
        None => (
            "the helper process that fetches them did not answer".to_owned(),
            true,
        ),
    };
    let fault = RequiredFault::NotGiven {
        source: resolved.workload.credentials.source,
        seconds: waited.then_some(plan.startup_seconds),
    };
    Err(Error::from(fault).because(cause))
}

/// The helper's answer.
#[cfg(feature = "agent")]
#[derive(serde::Serialize, serde::Deserialize)]
struct Answer {
    /// Why there are no credentials.
    cause: Option<String>,
    /// For as long as was given.
    waited: bool,
}

/// Runs in the helper process.
#[cfg(feature = "agent")]
pub(super) fn helper(arguments: &[std::ffi::OsString]) -> Result<u8, Error> {
    super::helper_process::run(ARGUMENT, arguments, async |plan| {
        // Taken first: a process that the source starts must not get it.
        let socket = ListenFd::from_env().take_unix_datagram(0).ok().flatten();
        let cause = match crate::credentials::first(&plan).await {
            Ok(first) => {
                if let Some(socket) = socket {
                    crate::credentials::hand_over(&first, &socket);
                }
                None
            }
            Err(cause) => Some(cause),
        };
        Answer {
            waited: cause
                .as_ref()
                .is_some_and(|cause| !cause.is_of_this_container()),
            cause: cause.map(|cause| cause.to_string()),
        }
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::RequiredFault;
    use crate::error::reports;
    use crate::workload::CredentialSource;

    #[test]
    fn every_fault_has_its_report() {
        let not_given = |seconds| RequiredFault::NotGiven {
            source: CredentialSource::Container,
            seconds,
        };
        expect![[r#"
            Credentials: cannot start without credentials, which credentials.required demands: credentials.mode is off
              hint: remove one of the two settings
            Credentials: cannot start without credentials, which credentials.required demands: this container is isolated by design
              hint: turn EnableNetworkIsolation off, or credentials.required where the job runs isolated
            Credentials: cannot start without credentials, which credentials.required demands: the environment names no source
              hint: give the pod a service account with a role, or the container AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
            Credentials: cannot start without credentials, which credentials.required demands: AWS_PROFILE names a profile that is in no file
              hint: unset the variable, or mount the file that has the profile; most SDKs look no further
            Credentials: cannot start without credentials, which credentials.required demands: the source container returned no credentials within 2 s
              hint: lyftlearn-runtime doctor shows each step of it; credentials.startup_seconds waits longer
            Credentials: cannot start without credentials, which credentials.required demands: the source container returned no credentials
              hint: lyftlearn-runtime doctor shows each step of it
            Credentials: cannot start without credentials, which credentials.required demands: this build has no credential sources
              hint: build it with the feature agent
        "#]].assert_eq(&reports([
            RequiredFault::Withheld,
            RequiredFault::Isolated,
            RequiredFault::NoSource,
            RequiredFault::LostProfile {
                variable: "AWS_PROFILE",
            },
            not_given(Some(2)),
            not_given(None),
            RequiredFault::NotAsked,
        ]));
    }
}
