//! How a program comes to its identity: decided here, delivered below.

use std::net::TcpListener;

use crate::contract::delivered as names;
use crate::deliver::{Offer, Presented, write_identity};
use crate::facts::Facts;
use crate::held::Directory;
use crate::platform::identity_by_profile;
use crate::resolve::endpoint;
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

/// What a program of this workload gets when nobody serves an identity.
pub(super) fn unserved(workload: &Workload) -> Presented {
    match workload.credentials {
        Credentials {
            mode: CredentialMode::Off,
            ..
        } => Presented::Withheld,
        // On a machine of one's own the node's role may be what is wanted.
        Credentials {
            source: CredentialSource::None,
            ..
        } if workload.platform != Platform::Local => Presented::Absent,
        _ => Presented::AsFound,
    }
}

/// The same with an endpoint of this start's own, where the identity is to be had by one.
pub(super) fn served(
    facts: &Facts,
    workload: &Workload,
    run: Option<&Directory>,
    problems: &mut Vec<String>,
) -> (Presented, Option<Bound>) {
    if workload.credentials.mode != CredentialMode::Broker || cfg!(not(feature = "agent")) {
        return (unserved(workload), None);
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
        instead_of_profile: identity_by_profile(facts),
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
pub(super) fn beside(facts: &Facts, workload: &Workload) -> Presented {
    let served = workload.paths.run.as_deref();
    let served = served.and_then(|run| endpoint(facts, run));
    match served {
        Some(served) if workload.credentials.mode == CredentialMode::Broker => {
            Presented::Offered(Offer {
                uri: served.uri,
                token: served.token,
                token_file: Some(served.token_file),
                instead_of_profile: identity_by_profile(facts),
            })
        }
        _ => unserved(workload),
    }
}
