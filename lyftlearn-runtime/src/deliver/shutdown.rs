//! Reports a stop to every process, in addition to the signal, which only one handler gets.

use std::time::Duration;

use serde::Serialize;

use crate::contract::delivered as names;
use crate::held::Directory;

/// Seconds on the monotonic clock, as Python's `time.monotonic()` shows them.
#[derive(Serialize)]
struct Shutdown<'a> {
    signal: &'a str,
    requested: f64,
    deadline: f64,
}

/// Writes `shutdown.json`. A full disk does not prevent the stop.
pub(crate) fn announce(run: &Directory, signal: &str, requested: Duration, deadline: Duration) {
    let shutdown = Shutdown {
        signal,
        requested: requested.as_secs_f64(),
        deadline: deadline.as_secs_f64(),
    };
    if let Ok(text) = serde_json::to_vec(&shutdown) {
        let _ = run.write(names::SHUTDOWN_FILE, &text);
    }
}
