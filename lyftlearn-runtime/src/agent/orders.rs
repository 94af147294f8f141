//! What PID 1 tells its agent, anew at each start of it.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use listenfd::ListenFd;
use serde::{Deserialize, Serialize};

use super::fault::AgentFault;
use crate::error::Error;
use crate::facts::Facts;
use crate::workload::{Export, Identity, Secret};

/// The variable that carries them: an argument can be read by anybody.
pub(crate) const ORDERS: &str = "LYFTLEARN_AGENT_ORDERS";

/// What the agent is to do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Orders {
    /// What its sockets are, in the order in which they are handed over.
    pub(crate) sockets: Vec<Socket>,
    /// The identity to serve, and the token that callers show.
    pub(crate) identity: Option<(Identity, Secret)>,
    /// The run directory whose files of secrets it brings up to date.
    pub(crate) secrets: Option<PathBuf>,
    /// Where metrics go, and what PID 1 knows of its own.
    pub(crate) metrics: Option<Metrics>,
    /// Nothing is said on stderr.
    pub(crate) quiet: bool,
}

/// What there is to export.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Metrics {
    pub(crate) export: Export,
    /// The run directory, where the region is.
    pub(crate) run: Option<PathBuf>,
    /// How long each part of the start took, in seconds.
    pub(crate) stages: Vec<(String, f64)>,
    /// How much of what serves a model is not as what trained it, where that was looked at.
    pub(crate) skew: Option<u64>,
    /// How long the last flush may take, in seconds.
    pub(crate) flush_seconds: f64,
}

/// What one handed-over socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Socket {
    /// Who connects is told the agent's state.
    State,
    /// The credential endpoint.
    Credentials,
    /// Prometheus, from outside.
    Scrape,
    /// The same for who is inside.
    Metrics,
}

/// The sockets, each where it belongs.
#[derive(Default)]
pub(super) struct Sockets {
    pub(super) state: Option<UnixListener>,
    pub(super) credentials: Option<TcpListener>,
    pub(super) scrape: Option<TcpListener>,
    pub(super) metrics: Option<UnixListener>,
}

impl Orders {
    pub(super) fn received(facts: &Facts) -> Result<Self, Error> {
        let text = facts.text(ORDERS).ok_or(AgentFault::Orders)?;
        Ok(serde_json::from_str(&text).map_err(|_| AgentFault::Orders)?)
    }

    pub(super) fn take_sockets(&self) -> Result<Sockets, Error> {
        let mut handed = ListenFd::from_env();
        let mut sockets = Sockets::default();
        for (index, socket) in self.sockets.iter().enumerate() {
            match socket {
                Socket::State => {
                    let listener = handed.take_unix_listener(index).ok().flatten();
                    sockets.state = Some(listener.ok_or(AgentFault::Socket)?);
                }
                Socket::Credentials => {
                    let listener = handed.take_tcp_listener(index).ok().flatten();
                    sockets.credentials = Some(listener.ok_or(AgentFault::Socket)?);
                }
                Socket::Scrape => {
                    let listener = handed.take_tcp_listener(index).ok().flatten();
                    sockets.scrape = Some(listener.ok_or(AgentFault::Socket)?);
                }
                Socket::Metrics => {
                    let listener = handed.take_unix_listener(index).ok().flatten();
                    sockets.metrics = Some(listener.ok_or(AgentFault::Socket)?);
                }
            }
        }
        Ok(sockets)
    }
}
