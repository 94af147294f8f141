//! The agent's start, and how `run` has it started.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::usage::UsageFault;
use crate::contract::delivered;
use crate::error::Error;
use crate::facts::Facts;
use crate::init::{self, Helper};

/// The word by which this binary knows that it is the agent.
pub(super) const WORD: &str = "--agent";

/// How a parent hands sockets over (sd_listen_fds(3)).
const LISTEN: &str = "LISTEN_FDS";
const LISTEN_OTHERS: [&str; 2] = ["LISTEN_PID", "LISTEN_FDNAMES"];

pub(super) fn agent(words: &[OsString]) -> Result<u8, Error> {
    let parent = words.first().and_then(|word| word.to_str()?.parse().ok());
    let Some(parent) = parent else {
        return Err(UsageFault::NotForPeople { word: WORD }.into());
    };
    crate::agent::serve(parent)?;
    Ok(0)
}

/// The agent with its socket in the run directory, bound before the program starts.
pub(super) fn helper(
    facts: &Facts,
    run: &Path,
    owner: Option<(u32, u32)>,
) -> std::io::Result<Helper> {
    let path = run.join(delivered::AGENT_SOCKET);
    // What an earlier start left behind.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    if let Some((user, group)) = owner {
        std::os::unix::fs::lchown(&path, Some(user), Some(group))?;
    }
    let file = init::own_path().ok_or(std::io::ErrorKind::NotFound)?;
    let mut environment: Vec<(OsString, OsString)> = facts
        .vars()
        .iter()
        .filter(|(name, _)| name != LISTEN && !LISTEN_OTHERS.iter().any(|other| name == other))
        .cloned()
        .collect();
    environment.push((LISTEN.into(), "1".into()));
    environment.retain(|(name, _)| name != delivered::RUN_DIR);
    environment.push((delivered::RUN_DIR.into(), run.into()));
    Ok(Helper {
        file,
        argv: vec![
            "lyftlearn-runtime".into(),
            WORD.into(),
            std::process::id().to_string().into(),
        ],
        environment,
        sockets: vec![OwnedFd::from(listener)],
    })
}
