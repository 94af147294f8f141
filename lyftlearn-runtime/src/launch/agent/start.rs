//! The agent's start, and how `run` has it started.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;

use rustix::net::{SocketType, getsockname};

use super::super::fault::not_for_people;
use super::super::helper_process;
use super::super::listeners::{Place, Protocol};
use super::super::statsd::listen::{Bound, bound_in};
use super::{Inputs, credentials};
use crate::agent::{AgentConfig, Events, Metrics, Run, Socket};
use crate::contract::delivered;
use crate::contract::ledger::WORDS;
use crate::deliver::add_in_parts;
use crate::error::Error;
use crate::facts::{AGENT_VARIABLE, Facts, wall_clock};
use crate::held::Directory;
use crate::init::{self, Helper, MakeHelper};
use crate::metrics::statsd::Listener;
use crate::settings::secrets::Declared;
use crate::settings::{Agent, Log};
use crate::workload::events::{Destination, Plan, Voice};

/// The word by which this binary knows that it is the agent.
pub(in crate::launch) const ARGUMENT: &str = "--agent";

pub(in crate::launch) fn agent(words: &[OsString]) -> Result<u8, Error> {
    let parent = words.first().and_then(|word| word.to_str()?.parse().ok());
    let Some(parent) = parent else {
        return Err(not_for_people(ARGUMENT));
    };
    crate::agent::serve(parent)?;
    Ok(0)
}

/// The agent, with what the program may connect to bound already; `None` when nothing needs it.
/// The rest of the work follows when the program has been started.
pub(super) fn helper<'f>(
    facts: &'f Facts,
    inputs: &mut Inputs<'_>,
) -> std::io::Result<Option<MakeHelper<'f>>> {
    let follows = inputs.settings.secrets.iter().any(Declared::is_followed);
    let secrets = follows && inputs.run.is_some();
    let asked = inputs.settings.agent == Agent::On;
    let scrape = inputs.scrape.take();
    let exports = scrape.is_some() || inputs.export.pushes() || inputs.statsd.is_some();
    let speaks = |plan: &&Plan| matches!(plan.voice, Voice::Job | Voice::Progress);
    let events = inputs.events.filter(speaks);
    if !asked && inputs.endpoint.is_none() && !secrets && !exports && events.is_none() {
        return Ok(None);
    }
    let mut config = AgentConfig {
        run: inputs.run.map(|run| Run {
            path: run.path().to_owned(),
            owner: run.owner(),
        }),
        secrets,
        quiet: inputs.settings.log == Log::Off,
        ..AgentConfig::default()
    };
    let mut sockets: Vec<OwnedFd> = Vec::new();
    if let Some(run) = inputs.run {
        config.sockets.push(Socket::State);
        sockets.push(bound_in(run, delivered::AGENT_SOCKET, SocketType::STREAM)?);
    }
    if let Some(credentials::Bound {
        listener, token, ..
    }) = inputs.endpoint.take()
    {
        config.sockets.push(Socket::Credentials);
        sockets.push(OwnedFd::from(listener));
        config.credential_plan = Some((inputs.credential_plan.clone(), token));
        if let Some(first) = inputs.first.take() {
            config.sockets.push(Socket::First);
            sockets.push(first.into());
        }
    }
    if let Some(Bound {
        sockets: bound,
        rules,
        ..
    }) = inputs.statsd.take()
    {
        for (socket, file) in bound {
            config.sockets.push(socket);
            sockets.push(file);
        }
        config.statsd = Some(rules);
    }
    if exports {
        if let Some(listener) = scrape {
            config.sockets.push(Socket::Scrape);
            sockets.push(listener.into());
        }
        if let Some(run) = inputs.run {
            config.sockets.push(Socket::Metrics);
            sockets.push(bound_in(
                run,
                delivered::METRICS_SOCKET,
                SocketType::STREAM,
            )?);
        }
        config.metrics = Some(metrics(inputs));
    }
    if let Some(plan) = events {
        config.events = Some(Events {
            plan: plan.clone(),
            credential_plan: inputs.credential_plan.clone(),
            redact: inputs.settings.redact.clone(),
        });
        let signs = plan.to.iter().any(Destination::is_signed);
        // Without it, the process that reports the end obtains credentials itself.
        if let Some(credentials) = inputs.credentials.take().filter(|_| signs)
            && let Ok((ours, theirs)) = UnixDatagram::pair()
        {
            *credentials = Some(ours);
            config.sockets.push(Socket::Last);
            sockets.push(theirs.into());
        }
    }
    if let Some(notes) = inputs.notes.filter(|_| secrets || events.is_some()) {
        config.sockets.push(Socket::Notes);
        sockets.push(notes.file().try_clone_to_owned()?);
    }
    let places = places(&config.sockets, &sockets);
    inputs.ports.push_str(&for_others(&places));
    if let Some(run) = inputs.run
        && !places.is_empty()
    {
        let note = serde_json::to_vec(&places).expect("plain data has no failure to report");
        // Without it `inspect` takes this runtime for a neighbour.
        let _ = run.write(delivered::LISTENERS, &note);
    }
    let file = init::own_path().ok_or(std::io::ErrorKind::NotFound)?;
    let directory = inputs.run.map(Directory::file);
    let last_words = inputs.export.pushes();
    let told = exports || events.is_some();
    Ok(Some(Box::new(move || {
        let mut ledger_index = None;
        if told && let Ok(memory) = ledger() {
            ledger_index = Some(sockets.len());
            config.sockets.push(Socket::Ledger);
            sockets.push(memory);
        }
        let mut environment = helper_process::environment(facts, sockets.len());
        let text = serde_json::to_string(&config).expect("plain data has no failure to report");
        add_in_parts(&mut environment, AGENT_VARIABLE, &text);
        Helper {
            file,
            argv: vec![
                "lyftlearn-runtime".into(),
                ARGUMENT.into(),
                std::process::id().to_string().into(),
            ],
            environment,
            sockets,
            directory,
            ledger: ledger_index,
            last_words,
        }
    })))
}

/// Where the network reaches this runtime.
fn places(names: &[Socket], sockets: &[OwnedFd]) -> Vec<Place> {
    names
        .iter()
        .zip(sockets)
        .filter_map(|(name, socket)| {
            let (listener, protocol) = match name {
                Socket::Credentials => ("credentials", Protocol::Tcp),
                Socket::Scrape => ("prometheus", Protocol::Tcp),
                Socket::Statsd(Listener::Udp | Listener::Udp6) => ("statsd", Protocol::Udp),
                Socket::Statsd(Listener::Tcp | Listener::Tcp6) => ("statsd", Protocol::Tcp),
                Socket::Statsd(Listener::Dogstatsd) => ("dogstatsd", Protocol::Udp),
                _ => return None,
            };
            Some(Place {
                listener: listener.to_owned(),
                protocol,
                address: getsockname(socket).ok()?.try_into().ok()?,
            })
        })
        .collect()
}

/// Ports on which this runtime listens for other hosts. Ports on loopback are left out.
fn for_others(places: &[Place]) -> String {
    let mut said: Vec<String> = places
        .iter()
        .filter(|place| !place.address.ip().is_loopback())
        .map(|place| {
            let what = match place.listener.as_str() {
                "prometheus" => "metrics",
                "statsd" => "StatsD",
                other => other,
            };
            format!(", {what} at {}", shown(place.address))
        })
        .collect();
    // UDP and TCP of one port.
    said.dedup();
    said.concat()
}

/// A port of every address by its number alone.
fn shown(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        return format!(":{}", address.port());
    }
    address.to_string()
}

/// Memory in which PID 1 tells what it does, with room for all of it from the start.
fn ledger() -> std::io::Result<OwnedFd> {
    let memory = rustix::fs::memfd_create("lyftlearn-ledger", rustix::fs::MemfdFlags::CLOEXEC)?;
    rustix::io::pwrite(&memory, &[0; WORDS * 8], 0)?;
    Ok(memory)
}

/// What the agent is to export.
fn metrics(inputs: &mut Inputs<'_>) -> Metrics {
    Metrics {
        export: inputs.export.clone(),
        region_bytes: inputs.region_bytes,
        stages: std::mem::take(&mut inputs.stages),
        secrets: std::mem::take(&mut inputs.secrets),
        oom_counter: inputs.oom_counter.take(),
        exit_remap: inputs.settings.exit_remap.clone(),
        skew: (inputs.skew).and_then(|skew| skew.undeclared.try_into().ok()),
        begun: wall_clock().as_secs_f64(),
        flush_seconds: inputs.flush.as_secs_f64(),
    }
}
