//! What PID 1 passes to its agent at each of its starts, in variables.

use std::fs::{File, OpenOptions};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::PathBuf;
use std::rc::Rc;

use listenfd::ListenFd;
use serde::{Deserialize, Serialize};

use super::fault::AgentFault;
use crate::contract::linux;
use crate::deliver::{Notes, of_parts};
use crate::error::Error;
use crate::facts::{AGENT_VARIABLE, Facts};
use crate::held::{Directory, Owner};
use crate::metrics::routes::Export;
use crate::metrics::statsd::{Listener, Rules};
use crate::workload::events::Plan;
use crate::workload::{CredentialPlan, Secret};

/// What the agent is to do.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct AgentConfig {
    /// What its sockets are, in the order in which they are handed over.
    pub(crate) sockets: Vec<Socket>,
    /// The identity to serve, and the token that callers show.
    pub(crate) credential_plan: Option<(CredentialPlan, Secret)>,
    /// The run directory, which is its standard input.
    pub(crate) run: Option<Run>,
    /// Whether it brings the files of secrets there up to date.
    pub(crate) secrets: bool,
    /// How lines of StatsD's are understood, where it is listened to.
    pub(crate) statsd: Option<Rules>,
    /// The metrics routes, and PID 1's own metrics.
    pub(crate) metrics: Option<Metrics>,
    /// Destinations of the job's events.
    #[serde(default)]
    pub(crate) events: Option<Events>,
    /// Writes nothing to stderr.
    pub(crate) quiet: bool,
}

/// What telling of the job's states takes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Events {
    pub(crate) plan: Plan,
    /// The identity that requests are signed by.
    pub(crate) credential_plan: CredentialPlan,
    /// Names of variables whose values are secrets.
    pub(crate) redact: Vec<String>,
}

/// Facts about a directory whose descriptor is passed on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) path: PathBuf,
    /// The program's user and group, when they are not this process's own.
    pub(crate) owner: Option<Owner>,
}

/// What there is to export.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Metrics {
    pub(crate) export: Export,
    /// Length in bytes of the region that PID 1 made; `None` without a region.
    pub(crate) region_bytes: Option<u64>,
    /// How long each part of the start took, in seconds.
    pub(crate) stages: Vec<(String, f64)>,
    /// The secrets that were there at the beginning.
    #[serde(default)]
    pub(crate) secrets: Vec<String>,
    /// Where the kernel counts kills for memory, and how many they were at the beginning.
    #[serde(default)]
    pub(crate) oom_counter: Option<(PathBuf, u64)>,
    /// Exit codes of the program that the container does not leave with.
    #[serde(default)]
    pub(crate) exit_remap: Vec<(u8, u8)>,
    /// How much of what serves a model is not as what trained it, where that was looked at.
    pub(crate) skew: Option<u64>,
    /// Since when everything is added up, in seconds since 1970.
    pub(crate) begun: f64,
    /// How long the last flush may take, in seconds.
    pub(crate) flush_seconds: f64,
}

/// What one handed-over socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Socket {
    /// Sends the agent's state to each client that connects.
    State,
    /// The credential endpoint.
    Credentials,
    /// Where the first credentials lie, once, when the start has waited for them.
    First,
    /// Receives credentials at the end, for the process that reports the end.
    Last,
    /// No socket: the memory that totals are kept in.
    Store,
    /// No socket: the memory in which PID 1 tells what it does.
    Ledger,
    /// No socket: the memory in which secrets are noted that are delivered.
    Notes,
    /// One of StatsD's.
    Statsd(Listener),
    /// Prometheus, from outside.
    Scrape,
    /// The same for clients inside the container.
    Metrics,
}

/// The sockets, each where it belongs.
#[derive(Default)]
pub(super) struct Sockets {
    pub(super) state: Option<UnixListener>,
    pub(super) credentials: Option<TcpListener>,
    pub(super) first: Option<UnixDatagram>,
    pub(super) last: Option<UnixDatagram>,
    pub(super) store: Option<File>,
    pub(super) ledger: Option<File>,
    pub(super) notes: Option<Rc<Notes>>,
    pub(super) statsd: Vec<(Listener, OwnedFd)>,
    pub(super) scrape: Option<TcpListener>,
    pub(super) metrics: Option<UnixListener>,
}

impl AgentConfig {
    pub(super) fn received(facts: &Facts) -> Result<Self, Error> {
        let text = of_parts(AGENT_VARIABLE, |name| facts.text(name));
        let text = text.ok_or(AgentFault::AgentConfig)?;
        Ok(serde_json::from_str(&text).map_err(|_| AgentFault::AgentConfig)?)
    }

    pub(super) fn take_directory(&self) -> Option<Directory> {
        let run = self.run.as_ref()?;
        Directory::handed_over(&run.path, run.owner).ok()
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
                Socket::First => {
                    let socket = handed.take_unix_datagram(index).ok().flatten();
                    sockets.first = Some(socket.ok_or(AgentFault::Socket)?);
                }
                Socket::Last => {
                    let socket = handed.take_unix_datagram(index).ok().flatten();
                    sockets.last = Some(socket.ok_or(AgentFault::Socket)?);
                }
                Socket::Store => sockets.store = opened(handed.take_raw_fd(index)),
                Socket::Ledger => sockets.ledger = opened(handed.take_raw_fd(index)),
                Socket::Notes => {
                    let memory = opened(handed.take_raw_fd(index));
                    sockets.notes = memory.map(|memory| Rc::new(Notes::of(memory)));
                }
                Socket::Statsd(listener) => {
                    let socket = taken(&mut handed, *listener, index);
                    let socket = socket.ok_or(AgentFault::Socket)?;
                    sockets.statsd.push((*listener, socket));
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

fn taken(handed: &mut ListenFd, listener: Listener, index: usize) -> Option<OwnedFd> {
    Some(match listener {
        Listener::Udp | Listener::Udp6 | Listener::Dogstatsd => {
            handed.take_udp_socket(index).ok()??.into()
        }
        Listener::Tcp | Listener::Tcp6 => handed.take_tcp_listener(index).ok()??.into(),
        Listener::Datagram => handed.take_unix_datagram(index).ok()??.into(),
        Listener::Stream => handed.take_unix_listener(index).ok()??.into(),
    })
}

/// Opens a file again by the number of its descriptor; `None` without /proc.
fn opened(number: std::io::Result<Option<i32>>) -> Option<File> {
    let path = format!("{}/{}", linux::OWN_FILES, number.ok()??);
    OpenOptions::new().read(true).write(true).open(path).ok()
}
