//! How a program comes to its identity: decided here, delivered below.

use std::net::TcpListener;

use super::user::Account;
use crate::contract::delivered as names;
use crate::deliver::{Offer, Presented, write_identity};
use crate::facts::Facts;
use crate::held::Directory;
use crate::platform::{Competing, profiles_of_nowhere};
use crate::resolve::{Resolved, endpoint};
use crate::settings::Settings;
use crate::workload::{CredentialMode, CredentialSource, Credentials, Platform, Secret, Workload};

/// An endpoint that is bound, and waits for its agent.
#[cfg_attr(
    not(feature = "agent"),
    allow(dead_code, reason = "without an agent nobody serves it")
)]
pub(super) struct Bound {
    pub(super) listener: TcpListener,
    pub(super) token: Secret,
}

/// What the user has said of `credentials.mode`.
pub(super) fn is_native(settings: &Settings) -> bool {
    settings.identity.mode == Some(CredentialMode::Native)
}

/// What there is to say where no identity was found: SDKs find none by themselves, or may.
pub(super) fn without(resolved: &Resolved) -> Option<&'static str> {
    let credentials = &resolved.workload.credentials;
    let none = credentials.source == CredentialSource::None
        && credentials.mode != CredentialMode::Off
        && resolved.workload.platform != Platform::Local;
    none.then_some(match credentials.isolated {
        true if is_native(&resolved.settings) => WITHOUT,
        true => ISOLATED,
        false => WITHOUT,
    })
}

const ISOLATED: &str = "no identity, by network isolation: AWS_EC2_METADATA_DISABLED=true has SDKs say so \
    at once. Where the metadata service gives one all the same, set credentials.source = \"imds\", or \
    AWS_EC2_METADATA_DISABLED=false";
const WITHOUT: &str = "no identity in the environment: SDKs may ask the node's metadata service. \
    credentials.source = \"imds\" serves what that gives; AWS_EC2_METADATA_DISABLED=true has SDKs say at \
    once that there is none, and =false lets them ask";

/// Variables that choose a profile that no file of the program's has.
pub(super) fn lost_profiles(facts: &Facts, account: Option<&Account>) -> Vec<&'static str> {
    profiles_of_nowhere(facts, account.map(|account| account.home.as_str()))
}

/// What is said of each of them.
pub(super) fn about_lost_profiles(lost: &[&'static str], served: bool) -> Vec<String> {
    let what = if served {
        "the program does not get it"
    } else {
        "most SDKs end with that; unset it, or mount the file that has the profile"
    };
    let each = lost.iter();
    each.map(|name| format!("{name} names a profile that no file has: {what}"))
        .collect()
}

/// What a program of this workload gets when nobody serves an identity.
pub(super) fn unserved(workload: &Workload, native: bool) -> Presented {
    match workload.credentials {
        Credentials {
            mode: CredentialMode::Off,
            ..
        } => Presented::Withheld,
        // On a machine of one's own everything is the user's.
        Credentials {
            source: CredentialSource::None,
            isolated,
            ..
        } if workload.platform != Platform::Local && !native => Presented::Absent { isolated },
        _ => Presented::AsFound,
    }
}

/// The same with an endpoint of this start's own, where the identity is to be had by one.
pub(super) fn served(
    facts: &Facts,
    workload: &Workload,
    run: Option<&Directory>,
    settings: &Settings,
    account: Option<&Account>,
    may_serve: bool,
    problems: &mut Vec<String>,
) -> (Presented, Option<Bound>) {
    let lost = lost_profiles(facts, account);
    if workload.credentials.mode != CredentialMode::Broker || !may_serve {
        if workload.credentials.mode != CredentialMode::Off {
            problems.extend(about_lost_profiles(&lost, false));
        }
        return (unserved(workload, is_native(settings)), None);
    }
    let bound = bind();
    let (bound, uri) = match bound {
        Ok(bound) => bound,
        Err(err) => {
            problems.push(format!(
                "no credential endpoint, the identity is as the platform made it: {}",
                err.kind()
            ));
            return (Presented::AsFound, None);
        }
    };
    problems.extend(about_lost_profiles(&lost, true));
    let competing = Competing::here(facts);
    let token_file = run.and_then(|run| {
        write_identity(run, &uri, &bound.token)
            .inspect_err(|err| {
                problems.push(format!(
                    "cannot write the credential endpoint's token: {}; some clients read it only from a file",
                    err.kind()
                ));
            })
            .ok()
    });
    let offer = Offer {
        uri,
        token: bound.token.clone(),
        token_file,
        instead_of_profile: competing.profile,
        instead_of_boto: competing.boto,
        lost_profiles: lost,
    };
    (Presented::Offered(offer), Some(bound))
}

fn bind() -> std::io::Result<(Bound, String)> {
    // IPv4 and a literal address: some clients know nothing else.
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    let uri = format!("http://127.0.0.1:{port}{}", names::CREDENTIALS_PATH);
    let token = token()?;
    Ok((Bound { listener, token }, uri))
}

/// 256 bits nobody can guess, in what every header takes.
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
pub(super) fn beside(
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
