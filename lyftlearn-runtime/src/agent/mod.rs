//! The asynchronous process next to the program. PID 1 restarts it and holds its sockets, so
//! clients are not refused during a restart.
//!
//! It serves credentials on loopback, refreshes files of secrets, counts StatsD lines, exports
//! metrics and sends the job's states. Each client that connects to `agent.sock` in the run
//! directory gets its state as one line of JSON.

mod config;
mod endpoint;
mod events;
mod export;
mod fault;
mod ingest;
mod ledger;
mod log;
mod places;
pub(crate) mod runtime_metrics;
mod scrape;
mod secrets;

use std::os::unix::net::UnixListener as StdUnixListener;
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal};
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::LocalSet;

pub(crate) use config::{AgentConfig, Events, Metrics, Run, Socket};

use crate::contract::ledger::WAKE;
use crate::credentials::{Broker, Report, Summary, hand_over, take_over};
use crate::error::Error;
use crate::facts::Facts;
use crate::metrics::store::Store;
use config::Sockets;
use endpoint::{Endpoint, Refusals};
use fault::AgentFault;
use ingest::Ingest;
use log::Log;

/// What it says of itself.
#[derive(Serialize)]
struct State {
    pid: u32,
    version: &'static str,
    uptime_seconds: f64,
    credentials: Vec<Summary>,
    refused: std::collections::BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics: Option<ingest::Account>,
}

/// What it serves.
struct Service {
    started: Instant,
    broker: Option<Broker>,
    refusals: Refusals,
    ingest: Option<Ingest>,
}

/// Serves until SIGTERM, or until `parent` is gone.
pub(crate) fn serve(parent: u32) -> Result<(), Error> {
    // Before the check: a parent that ends in between is noticed by one of them.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)
        .map_err(|errno| Error::from(AgentFault::Parent).because(errno.desc()))?;
    if std::os::unix::process::parent_id() != parent {
        return Err(AgentFault::Parent.into());
    }
    let config = AgentConfig::received(&Facts::capture(Vec::new()))?;
    // Before the next step, which makes its own files root's.
    let sockets = config.take_sockets()?;
    places::make_room();
    // It holds keys: no core dump, and no look into its memory or environment.
    nix::sys::prctl::set_dumpable(false)
        .map_err(|errno| Error::from(AgentFault::Runtime).because(errno.desc()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|err| Error::from(AgentFault::Runtime).because(err.kind()))?;
    LocalSet::new()
        .block_on(&runtime, run(config, sockets, parent))
        .map_err(|err| Error::from(AgentFault::Runtime).because(err.kind()))
}

/// A read from a mount that hangs holds all of it up: then the kernel ends it, and PID 1
/// starts it again.
const HANGING_SECONDS: u32 = 10;
const LIVING: Duration = Duration::from_secs(4);

/// Time that a client has to read the state.
const UNREAD: Duration = Duration::from_secs(1);

async fn stay_alive() {
    loop {
        nix::unistd::alarm::set(HANGING_SECONDS);
        tokio::time::sleep(LIVING).await;
    }
}

async fn run(config: AgentConfig, sockets: Sockets, parent: u32) -> std::io::Result<()> {
    tokio::task::spawn_local(stay_alive());
    let run = config.take_directory();
    let log = Log {
        quiet: config.quiet,
    };
    let mut service = Service {
        started: Instant::now(),
        broker: None,
        refusals: Refusals::default(),
        ingest: None,
    };
    if let (Some((credential_plan, token)), Some(listener)) =
        (config.credential_plan, sockets.credentials)
    {
        let broker = Broker::new(&credential_plan);
        let first = sockets.first.as_ref().and_then(take_over);
        broker.keep(first, move |name, report| log_report(log, name, &report));
        let endpoint = Endpoint {
            broker: broker.clone(),
            token: Rc::new(token),
            refusals: Rc::clone(&service.refusals),
        };
        tokio::task::spawn_local(endpoint.serve(into_tokio(listener)?));
        service.broker = Some(broker);
    }
    let ledger = ledger::Ledger::new(sockets.ledger);
    let event_counts = events::Counts::default();
    let mut signer = None;
    let wake = Rc::new(Notify::new());
    if let Some(config) = config.events {
        let broker = events::signer(&config, service.broker.as_ref(), log);
        signer.clone_from(&broker);
        let teller = events::Teller {
            run: run.clone(),
            ledger: ledger.clone(),
            signer: broker,
            counts: Rc::clone(&event_counts),
            log,
            notes: sockets.notes.clone(),
        };
        tokio::task::spawn_local(teller.send_states(config, Rc::clone(&wake)));
    }
    let ages = secrets::Ages::default();
    if let Some(run) = run.clone().filter(|_| config.secrets) {
        tokio::task::spawn_local(secrets::follow(
            parent,
            run,
            sockets.notes,
            Rc::clone(&ages),
        ));
    }
    let store = config
        .statsd
        .map(|rules| Store::over(sockets.store.as_ref(), rules));
    let exporter = config.metrics.map(|config| {
        let sources = runtime_metrics::Sources {
            broker: service.broker.clone(),
            refusals: Rc::clone(&service.refusals),
            ledger,
            ages,
            events: event_counts,
        };
        let own = runtime_metrics::RuntimeMetrics::new(&config, run.clone(), sources);
        export::Exporter::start(config, run, own, store.clone())
    });
    if let Some(exporter) = &exporter {
        exporter.serve(sockets.scrape, sockets.metrics)?;
    }
    if let Some(store) = store {
        let tap = exporter.as_ref().and_then(export::Exporter::tap);
        service.ingest = Some(ingest::start(sockets.statsd, store, tap)?);
    }
    let ended = service.answer(sockets.state, &wake).await;
    if let (Some(socket), Some(signer)) = (&sockets.last, signer)
        && let Some(held) = signer.held()
    {
        hand_over(&held, socket);
    }
    if let Some(exporter) = exporter {
        exporter.finish().await;
    }
    ended
}

fn into_tokio(listener: std::net::TcpListener) -> std::io::Result<TcpListener> {
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

fn log_report(log: Log, name: &str, report: &Report) {
    let identity = if name.is_empty() { "default" } else { name };
    match report {
        Report::Failing {
            cause,
            seconds_left,
        } => {
            let left = seconds_left.map_or("none".to_owned(), |seconds| seconds.to_string());
            let fields = [
                ("identity", identity),
                ("seconds_left", &left),
                ("cause", &cause.to_string()),
            ];
            log.warn("credentials-not-refreshed", &fields);
        }
        Report::Recovered => log.warn("credentials-refreshed-again", &[("identity", identity)]),
        Report::Skewed { seconds } => log.warn(
            "clock-skewed",
            &[("seconds_ahead", &seconds.to_string()), ("of", identity)],
        ),
    }
}

impl Service {
    /// Sends the state to each client, until the end is requested.
    async fn answer(
        &self,
        listener: Option<StdUnixListener>,
        wake: &Rc<Notify>,
    ) -> std::io::Result<()> {
        let mut ended = signal(SignalKind::terminate())?;
        let mut woken = signal(SignalKind::from_raw(WAKE as i32))?;
        // Signals of the meantime are pending.
        SigSet::from(Signal::SIGTERM).thread_unblock()?;
        SigSet::from(WAKE).thread_unblock()?;
        let wake = Rc::clone(wake);
        tokio::task::spawn_local(async move {
            while woken.recv().await.is_some() {
                wake.notify_one();
            }
        });
        let listener = match listener {
            Some(listener) => {
                listener.set_nonblocking(true)?;
                UnixListener::from_std(listener)?
            }
            None => {
                ended.recv().await;
                self.end();
                return Ok(());
            }
        };
        loop {
            tokio::select! {
                _ = ended.recv() => {
                    self.end();
                    return Ok(());
                }
                accepted = listener.accept() => {
                    // A peer that has gone again is no failure of ours.
                    let Ok((mut stream, _)) = accepted else {
                        tokio::time::sleep(endpoint::NO_DESCRIPTOR).await;
                        continue;
                    };
                    let mut line = serde_json::to_vec(&self.state())?;
                    line.push(b'\n');
                    // A line that does not fit at once is for a peer that does not read.
                    tokio::task::spawn_local(async move {
                        let sent = stream.write_all(&line);
                        let _ = tokio::time::timeout(UNREAD, sent).await;
                    });
                    // The next client may be there already, and everything else has its turn first.
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Counts the lines that have arrived.
    fn end(&self) {
        if let Some(ingest) = &self.ingest {
            ingest.end();
        }
    }

    fn state(&self) -> State {
        State {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: self.started.elapsed().as_secs_f64(),
            credentials: self.broker.as_ref().map_or(Vec::new(), Broker::summaries),
            refused: self.refusals.borrow().clone(),
            metrics: self.ingest.as_ref().map(Ingest::account),
        }
    }
}
