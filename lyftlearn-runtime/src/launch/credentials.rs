//! How a program comes to its identity: decided here, delivered below.

use std::net::TcpListener;

use crate::account::Account;
use crate::contract::delivered as names;
use crate::deliver::{Offer, Presented, write_credentials};
use crate::delivered::endpoint;
use crate::facts::Facts;
use crate::held::Directory;
use crate::platform::{Competing, conventions, profiles_of_nowhere};
use crate::problems::Problems;
use crate::resolve::Resolved;
use crate::settings::Settings;
use crate::workload::{CredentialMode, CredentialSource, Credentials, Secret, Workload};

/// An endpoint that is bound, and waits for its agent.
#[cfg_attr(
    not(feature = "agent"),
    expect(dead_code, reason = "without an agent nobody serves it")
)]
pub(super) struct Bound {
    pub(super) listener: TcpListener,
    pub(super) token: Secret,
    uri: String,
}

/// What the user has said of `credentials.mode`.
pub(crate) fn is_native(settings: &Settings) -> bool {
    settings.credentials.mode == Some(CredentialMode::Native)
}

/// What there is to say where no identity was found: SDKs find none by themselves, or may.
pub(crate) fn without(resolved: &Resolved) -> Option<&'static str> {
    let credentials = &resolved.workload.credentials;
    let none = credentials.source == CredentialSource::None
        && credentials.mode != CredentialMode::Off
        && conventions(resolved.workload.platform).metadata_service;
    none.then_some(match credentials.isolated {
        true if is_native(&resolved.settings) => WITHOUT,
        true => ISOLATED,
        false => WITHOUT,
    })
}

const ISOLATED: &str = "no AWS credentials: this job is network-isolated, so AWS_EC2_METADATA_DISABLED=true makes \
    SDKs fail at once. If the metadata service has credentials here, set credentials.source = \"imds\", or \
    AWS_EC2_METADATA_DISABLED=false";
const WITHOUT: &str = "no AWS credentials in the environment: SDKs may ask the node's metadata service. \
    credentials.source = \"imds\" serves its credentials; AWS_EC2_METADATA_DISABLED=true makes SDKs fail at \
    once, and =false lets them ask";

/// Variables that choose a profile that no file of the program's has.
pub(crate) fn lost_profiles(facts: &Facts, account: Option<&Account>) -> Vec<&'static str> {
    profiles_of_nowhere(facts, account.map(|account| account.home.as_str()))
}

/// One problem for each lost profile.
pub(crate) fn about_lost_profiles(lost: &[&'static str], served: bool) -> Vec<String> {
    let what = if served {
        "the program does not get this variable"
    } else {
        "most SDKs fail then; unset it, or mount the file that has the profile"
    };
    let each = lost.iter();
    each.map(|name| format!("{name} names a profile that is in no file: {what}"))
        .collect()
}

/// What a program of this workload gets if no agent serves credentials.
pub(crate) fn unserved(workload: &Workload, native: bool) -> Presented {
    match workload.credentials {
        Credentials {
            mode: CredentialMode::Off,
            ..
        } => Presented::Withheld,
        Credentials {
            source: CredentialSource::None,
            isolated,
            ..
        } if conventions(workload.platform).metadata_service && !native => {
            Presented::Absent { isolated }
        }
        _ => Presented::AsFound,
    }
}

/// Binds the endpoint, where credentials are to be served by one.
pub(super) fn bound(workload: &Workload, may_serve: bool) -> Option<std::io::Result<Bound>> {
    let serves = workload.credentials.mode == CredentialMode::Broker && may_serve;
    serves.then(bind)
}

/// How a program gets its credentials, with the endpoint's token written into the run directory.
pub(super) fn presented(
    facts: &Facts,
    workload: &Workload,
    run: Option<&Directory>,
    settings: &Settings,
    account: Option<&Account>,
    bound: Option<std::io::Result<Bound>>,
    problems: &mut Problems,
) -> (Presented, Option<Bound>) {
    let lost = lost_profiles(facts, account);
    let Some(bound) = bound else {
        if workload.credentials.mode != CredentialMode::Off {
            problems.extend(about_lost_profiles(&lost, false));
        }
        return (unserved(workload, is_native(settings)), None);
    };
    let bound = match bound {
        Ok(bound) => bound,
        Err(err) => {
            problems.push(format!(
                "the credential endpoint is disabled, and the program uses the platform's own credentials: {}",
                err.kind()
            ));
            return (Presented::AsFound, None);
        }
    };
    problems.extend(about_lost_profiles(&lost, true));
    let competing = Competing::here(facts);
    let token_file = run.and_then(|run| {
        write_credentials(run, &bound.uri, &bound.token)
            .inspect_err(|err| {
                problems.push(format!(
                    "cannot write the credential endpoint's token: {}; some clients read it only from a file",
                    err.kind()
                ));
            })
            .ok()
    });
    let offer = Offer {
        uri: bound.uri.clone(),
        token: bound.token.clone(),
        token_file,
        instead_of_profile: competing.profile,
        instead_of_boto: competing.boto,
        lost_profiles: lost,
    };
    (Presented::Offered(offer), Some(bound))
}

fn bind() -> std::io::Result<Bound> {
    // IPv4 and a literal address: some clients know nothing else.
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let uri = format!("http://127.0.0.1:{port}{}", names::CREDENTIALS_PATH);
    let token = token()?;
    Ok(Bound {
        listener,
        token,
        uri,
    })
}

/// 256 random bits, in characters that every HTTP header accepts.
fn token() -> std::io::Result<Secret> {
    let mut bytes = [0; 32];
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = &mut bytes[filled..];
        filled += rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty())?;
    }
    let hex = bytes.iter().map(|byte| format!("{byte:02x}"));
    Ok(Secret::new(hex.collect()))
}

/// The endpoint that PID 1 serves, for those beside its program.
pub(crate) fn beside(
    facts: &Facts,
    workload: &Workload,
    settings: &Settings,
    account: Option<&Account>,
) -> Presented {
    let competing = Competing::here(facts);
    let served = workload.paths.run.as_deref();
    let served = served.and_then(|run| endpoint(facts, run));
    match served {
        Some(served) if workload.credentials.mode == CredentialMode::Broker => {
            Presented::Offered(Offer {
                uri: served.uri,
                token: served.token,
                token_file: Some(served.token_file),
                instead_of_profile: competing.profile,
                instead_of_boto: competing.boto,
                lost_profiles: lost_profiles(facts, account),
            })
        }
        _ => unserved(workload, is_native(settings)),
    }
}
