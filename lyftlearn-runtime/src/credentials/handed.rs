//! Passes credentials from the process that fetched them first to the process that refreshes them:
//! one datagram, read once, between two processes that debuggers cannot attach to.

use std::borrow::Cow;
use std::os::unix::net::UnixDatagram;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::container::Skew;
use super::source::{Fetched, now};
use crate::contract::limits;

#[derive(Serialize, Deserialize)]
struct Handed<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    secret: Cow<'a, str>,
    #[serde(borrow)]
    token: Option<Cow<'a, str>>,
    until: Option<SystemTime>,
    #[serde(borrow)]
    account: Option<Cow<'a, str>>,
    skew: Option<Skew>,
}

/// All of it or nothing: a receiver without credentials fetches them again.
pub(crate) fn hand_over(fetched: &Fetched, to: &UnixDatagram) {
    let _ = to.set_nonblocking(true);
    let _ = text(fetched).map(|text| to.send(text.as_bytes()));
}

/// Credentials as another process of this runtime gets them.
pub(super) fn text(fetched: &Fetched) -> Option<Zeroizing<String>> {
    let credentials = &fetched.credentials;
    let handed = Handed {
        key: credentials.access_key_id().into(),
        secret: credentials.secret_access_key().into(),
        token: credentials.session_token().map(Into::into),
        until: credentials.expiry(),
        account: credentials.account_id().map(|id| id.as_str().into()),
        skew: fetched.skew,
    };
    serde_json::to_string(&handed).map(Zeroizing::new).ok()
}

/// `None` when nothing was handed over, or somebody has taken it already, or it has ended.
pub(crate) fn take_over(from: &UnixDatagram) -> Option<Fetched> {
    let mut text = Zeroizing::new(vec![0; limits::CREDENTIALS_BYTES]);
    from.set_nonblocking(true).ok()?;
    let length = from.recv(&mut text).ok()?;
    parse(&text[..length])
}

/// `None` also for credentials that have ended.
pub(super) fn parse(text: &[u8]) -> Option<Fetched> {
    let handed: Handed<'_> = serde_json::from_slice(text).ok()?;
    let mut credentials = Credentials::builder()
        .access_key_id(handed.key)
        .secret_access_key(handed.secret)
        .provider_name("handed");
    credentials.set_session_token(handed.token.map(Cow::into_owned));
    credentials.set_expiry(handed.until);
    credentials.set_account_id(handed.account.map(|id| id.into_owned().into()));
    let ended = handed.until.is_some_and(|until| until <= now());
    (!ended).then(|| Fetched {
        credentials: credentials.build(),
        skew: handed.skew,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn fetched(until: Option<SystemTime>) -> Fetched {
        let mut credentials = Credentials::builder()
            .access_key_id("ASIA1")
            .secret_access_key("s\"e\\c")
            .provider_name("test");
        credentials.set_session_token(Some("token".to_owned()));
        credentials.set_expiry(until);
        credentials.set_account_id(Some("123456789012".into()));
        Fetched {
            credentials: credentials.build(),
            skew: Some(-3),
        }
    }

    #[test]
    fn passed_credentials_are_read_once() {
        let (to, from) = UnixDatagram::pair().expect("sockets can be made");
        let until = now() + Duration::from_secs(3600);
        hand_over(&fetched(Some(until)), &to);
        let taken = take_over(&from).expect("it is there");
        assert_eq!(taken.credentials.access_key_id(), "ASIA1");
        assert_eq!(taken.credentials.secret_access_key(), "s\"e\\c");
        assert_eq!(taken.credentials.session_token(), Some("token"));
        assert_eq!(taken.credentials.expiry(), Some(until));
        let account = taken.credentials.account_id().map(|id| id.as_str());
        assert_eq!(account, Some("123456789012"));
        assert_eq!(taken.skew, Some(-3));
        assert!(take_over(&from).is_none());
    }

    #[test]
    fn credentials_that_expire_on_their_way_are_dropped() {
        let (to, from) = UnixDatagram::pair().expect("sockets can be made");
        hand_over(&fetched(Some(now() - Duration::from_secs(1))), &to);
        assert!(take_over(&from).is_none());
        to.send(b"{").expect("somebody holds the other end");
        assert!(take_over(&from).is_none());
    }
}
