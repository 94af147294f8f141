//! The servers that the image tried to reach, from the log of the helper that owns its network.

use std::collections::BTreeSet;

use super::{Seen, Subject};
use crate::engine::session::Container;
use crate::place::{Place, Word};
use crate::probe::standin::{ASKED, Asked, READY};
use crate::trouble::Result;

/// How many names and addresses a message has.
const SHOWN: usize = 8;

/// The requests in a container's network, or why they are unknown.
pub(super) fn asked(
    subject: &Subject,
    container: &Container,
) -> Result<std::result::Result<Vec<Asked>, String>> {
    let session = subject.session()?;
    let why = session.ask(container, &["read", READY], &[])?;
    if !why.is_empty() {
        let why = String::from_utf8_lossy(&why).into_owned();
        return Ok(Err(format!(
            "the helper cannot take over the network: {why}"
        )));
    }
    let log = session.ask(container, &["read", ASKED], &[])?;
    let log = String::from_utf8_lossy(&log).into_owned();
    Ok(Ok(log
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()))
}

fn judged(asked: &[Asked]) -> Seen {
    let all: BTreeSet<String> = asked.iter().map(ToString::to_string).collect();
    if all.is_empty() {
        return Seen::passed();
    }
    let shown: Vec<&str> = all.iter().take(SHOWN).map(String::as_str).collect();
    let more = all.len() - shown.len();
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    Seen::failed(
        format!("{}{more}", shown.join(", ")),
        "only names and addresses of the platform",
    )
}

/// The image's own training and server, in each place.
pub(super) fn quiet(subject: &Subject) -> Result<Vec<Seen>> {
    let mut all = Vec::new();
    let mut look = |place: Place, container: &Container, log: &str| -> Result<()> {
        let seen = match asked(subject, container)? {
            Ok(asked) => judged(&asked),
            Err(why) => Seen::skipped(why),
        };
        all.push(seen.at(place).with_log(log));
        Ok(())
    };
    if subject.toml.train.is_some() && subject.roles.contains(&Word::Train) {
        for place in [Place::SagemakerTraining, Place::KubernetesJob] {
            let trained = subject.trained(place)?;
            look(place, &trained.container, &trained.ended.log)?;
        }
    }
    if subject.toml.serve.is_some() && subject.roles.contains(&Word::Serve) {
        for place in [Place::SagemakerHosting, Place::KubernetesPod] {
            let served = subject.served(place)?;
            look(place, &served.container, &served.log)?;
        }
    }
    if all.is_empty() {
        all.push(Seen::skipped(
            "image.toml has no [train] or [serve] section for the roles of the image",
        ));
    }
    Ok(all)
}
