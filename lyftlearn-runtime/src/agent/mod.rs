//! The asynchronous process beside the program. PID 1 keeps it alive and holds its
//! sockets, so that nobody is refused while it is restarted.
//!
//! It answers on `agent.sock` in the run directory: who connects is sent its state as one
//! line of JSON.

mod fault;
mod secrets;

use std::os::unix::net::UnixListener as StdUnixListener;
use std::time::Instant;

use listenfd::ListenFd;
use nix::sys::signal::Signal;
use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::Error;
use fault::AgentFault;

/// What it says of itself.
#[derive(Serialize)]
struct State {
    pid: u32,
    version: &'static str,
    uptime_seconds: f64,
}

/// Serves until it is told to end, or until `parent` is gone.
pub(crate) fn serve(parent: u32) -> Result<(), Error> {
    // Before the check: a parent that ends in between is noticed by one of them.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)
        .map_err(|errno| Error::from(AgentFault::Parent).because(errno.desc()))?;
    if std::os::unix::process::parent_id() != parent {
        return Err(AgentFault::Parent.into());
    }
    let listener = ListenFd::from_env()
        .take_unix_listener(0)
        .ok()
        .flatten()
        .ok_or(AgentFault::Socket)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(|err| Error::from(AgentFault::Runtime).because(err.kind()))?;
    runtime
        .block_on(async {
            tokio::spawn(secrets::follow(parent));
            answer(listener).await
        })
        .map_err(|err| Error::from(AgentFault::Runtime).because(err.kind()))
}

async fn answer(listener: StdUnixListener) -> std::io::Result<()> {
    let started = Instant::now();
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    let mut ended = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            _ = ended.recv() => return Ok(()),
            accepted = listener.accept() => {
                // A peer that has gone again is no failure of ours.
                let Ok((mut stream, _)) = accepted else { continue };
                let state = State {
                    pid: std::process::id(),
                    version: env!("CARGO_PKG_VERSION"),
                    uptime_seconds: started.elapsed().as_secs_f64(),
                };
                let mut line = serde_json::to_vec(&state)?;
                line.push(b'\n');
                let _ = stream.write_all(&line).await;
            }
        }
    }
}
