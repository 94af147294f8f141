//! Whether each kind of end is reported correctly.

use std::time::Duration;

use serde_json::Value;

use super::running;
use super::start::{ended, last};
use super::{Seen, Subject};
use crate::engine::session::{Container, Ended};
use crate::place::{Input, Order, Place};
use crate::trouble::Result;

/// Where the runtime writes it.
const OUTCOME: &str = "/run/lyftlearn/outcome.json";

/// Megabytes: a start fits in, and what the probe takes does not.
const MEMORY: u64 = 192;

/// One kind of end: its class, and how the probe brings it about.
struct Kind {
    class: &'static str,
    words: &'static [&'static str],
    /// Whether the platform asks for a stop once it has printed this.
    stopped: Option<&'static str>,
    memory: Option<u64>,
}

const KINDS: &[Kind] = &[
    Kind {
        class: "completed",
        words: &["exit", "0"],
        stopped: None,
        memory: None,
    },
    Kind {
        class: "user-error",
        words: &["exit", "3"],
        stopped: None,
        memory: None,
    },
    Kind {
        class: "signalled",
        words: &["die"],
        stopped: None,
        memory: None,
    },
    Kind {
        class: "out-of-memory",
        words: &["eat"],
        stopped: None,
        memory: Some(MEMORY),
    },
    Kind {
        class: "stopped",
        words: &["signals"],
        stopped: Some("signals: ready"),
        memory: None,
    },
    Kind {
        class: "budget-exceeded",
        words: &["deaf"],
        stopped: Some("deaf"),
        memory: None,
    },
];

fn run(subject: &Subject, kind: &Kind) -> Result<(Container, Ended)> {
    let session = subject.session()?;
    let mut order: Order = subject.order(Place::Bare, None, &Input::default());
    order.probe = true;
    order.memory = kind.memory;
    order.variables = running::probe_variables(kind.words);
    // Long enough for a start, and short enough to wait for.
    let grace = (
        "LYFTLEARN_RUNTIME_LIFECYCLE_GRACE_SECONDS".to_owned(),
        "5".to_owned(),
    );
    order.variables.push(grace);
    let (container, mut following) = session.begin(&order, subject.limit(30))?;
    if let Some(ready) = kind.stopped {
        following.until(Duration::from_secs(20), &subject.stop, |log| {
            log.contains(ready)
        })?;
        // One that has ended cannot be asked to.
        let _ = session.signal(&container, "TERM");
    }
    let end = session.end(&container, following)?;
    Ok((container, end))
}

/// Why a kind's class is wrong, and what the container printed; `None` when it is right.
fn wrong(subject: &Subject, kind: &Kind) -> Result<Option<(String, String)>> {
    let (container, end) = run(subject, kind)?;
    if kind.memory.is_some() && end.log.contains("eaten: ") {
        return Ok(Some((UNLIMITED.to_owned(), end.log)));
    }
    let outcome = subject.session()?.file(&container, OUTCOME)?;
    let outcome: Option<Value> = outcome.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let Some(outcome) = outcome else {
        let why = format!(
            "{} left no {OUTCOME}: {}, {}",
            kind.class,
            ended(end.code),
            last(&end.log)
        );
        return Ok(Some((why, end.log)));
    };
    let class = outcome["class"].as_str().unwrap_or_default();
    if class == kind.class {
        return Ok(None);
    }
    Ok(Some((
        format!("{} is reported as {class}", kind.class),
        end.log,
    )))
}

/// This engine gives a container as much memory as it takes.
const UNLIMITED: &str = "this engine does not limit memory: out-of-memory was not tested";

pub(super) fn classes(subject: &Subject) -> Result<Vec<Seen>> {
    let (mut all, mut logs, mut note) = (Vec::new(), String::new(), None);
    for kind in KINDS {
        match wrong(subject, kind) {
            Ok(None) => {}
            Ok(Some((why, _))) if why == UNLIMITED => note = Some(UNLIMITED.to_owned()),
            Ok(Some((why, log))) => {
                all.push(why);
                logs.push_str(&log);
            }
            // Rootless on cgroup v1, an engine refuses a limit.
            Err(crate::trouble::Trouble::Cannot(_)) if kind.memory.is_some() => {
                note = Some(UNLIMITED.to_owned());
            }
            Err(other) => return Err(other),
        }
    }
    let seen = if !all.is_empty() {
        Seen::failed(
            all.join("; "),
            "the right class for each end in outcome.json",
        )
    } else if let Some(note) = note {
        Seen::noted(note)
    } else {
        Seen::passed()
    };
    Ok(vec![seen.at(Place::Bare).with_log(&logs)])
}
