//! The agent's start, and how `run` has it started.

use std::ffi::OsString;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::beside::Needs;
use super::identity;
use super::listen::Bound;
use super::usage::UsageFault;
use crate::agent::{Metrics, ORDERS, Orders, Socket};
use crate::contract::delivered;
use crate::error::Error;
use crate::facts::Facts;
use crate::init::{self, Helper};
use crate::settings::secrets::Declared;

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

/// The agent with its sockets, bound before the program starts; `None` when nothing needs it.
pub(super) fn helper(facts: &Facts, needs: &mut Needs<'_>) -> std::io::Result<Option<Helper>> {
    let follows = needs.settings.secrets.iter().any(Declared::is_followed);
    let secrets = needs.run.filter(|_| follows).map(Path::to_owned);
    let asked = needs.settings.agent.as_deref() == Some("on");
    let scrape = scrape_socket(needs);
    let goes_out = needs.export.push.values || needs.export.reports();
    let exports = scrape.is_some() || goes_out || needs.statsd.is_some();
    if !asked && needs.endpoint.is_none() && secrets.is_none() && !exports {
        return Ok(None);
    }
    let mut orders = Orders {
        secrets,
        quiet: needs.settings.log.as_deref() == Some("off"),
        ..Orders::default()
    };
    let mut sockets = Vec::new();
    if let Some(run) = needs.run {
        orders.sockets.push(Socket::State);
        sockets.push(socket(run, delivered::AGENT_SOCKET, needs.owner)?.into());
    }
    if let Some(identity::Bound { listener, token }) = needs.endpoint.take() {
        orders.sockets.push(Socket::Credentials);
        sockets.push(OwnedFd::from(listener));
        orders.identity = Some((needs.identity.clone(), token));
    }
    if let Some(Bound {
        sockets: bound,
        rules,
        ..
    }) = needs.statsd.take()
    {
        for (socket, file) in bound {
            orders.sockets.push(socket);
            sockets.push(file);
        }
        orders.statsd = Some(rules);
    }
    if exports {
        if let Some(listener) = scrape {
            orders.sockets.push(Socket::Scrape);
            sockets.push(listener.into());
        }
        if let Some(run) = needs.run {
            orders.sockets.push(Socket::Metrics);
            sockets.push(socket(run, delivered::METRICS_SOCKET, needs.owner)?.into());
        }
        orders.metrics = Some(metrics(needs));
    }
    let file = init::own_path().ok_or(std::io::ErrorKind::NotFound)?;
    let mut environment: Vec<(OsString, OsString)> = facts
        .vars()
        .iter()
        .filter(|(name, _)| name != LISTEN && !LISTEN_OTHERS.iter().any(|other| name == other))
        .cloned()
        .collect();
    let text = serde_json::to_string(&orders).expect("plain data has no failure to report");
    environment.push((ORDERS.into(), text.into()));
    environment.push((LISTEN.into(), sockets.len().to_string().into()));
    Ok(Some(Helper {
        file,
        argv: vec![
            "lyftlearn-runtime".into(),
            WORD.into(),
            std::process::id().to_string().into(),
        ],
        environment,
        sockets,
        finishes: needs.export.pushes(),
    }))
}

/// What the agent is to export.
fn metrics(needs: &mut Needs<'_>) -> Metrics {
    Metrics {
        export: needs.export.clone(),
        run: needs.run.map(Path::to_owned),
        stages: std::mem::take(&mut needs.stages),
        skew: (needs.skew).and_then(|skew| skew.undeclared.try_into().ok()),
        flush_seconds: needs.flush.as_secs_f64(),
    }
}

/// Where Prometheus asks. A port that is somebody else's stops nothing.
fn scrape_socket(needs: &mut Needs<'_>) -> Option<TcpListener> {
    let address = needs.export.listen?;
    TcpListener::bind(address)
        .inspect_err(|err| {
            needs.problems.push(format!(
                "cannot listen on {address} for Prometheus: {}; metrics.listen takes another port, or off",
                err.kind()
            ));
        })
        .ok()
}

fn socket(run: &Path, name: &str, owner: Option<(u32, u32)>) -> std::io::Result<UnixListener> {
    let path = run.join(name);
    // What an earlier start left behind.
    let _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    if let Some((user, group)) = owner {
        std::os::unix::fs::lchown(&path, Some(user), Some(group))?;
    }
    Ok(listener)
}
