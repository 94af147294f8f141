//! What PID 1 did not see of an end: exceptions that were noted, and kills for memory.

use super::End;
use super::cause::Exception;
#[cfg(feature = "agent")]
use super::{Class, Outcome, Redact};
use crate::contract::{delivered, limits};
use crate::facts::Facts;
use crate::held::Directory;

/// No more are kept; of more the newest are read.
const EXCEPTIONS: usize = 64;

/// The class alone, before the outcome is written.
#[cfg(feature = "agent")]
pub(crate) fn class_of(facts: &Facts, end: &End, run: Option<&Directory>) -> Class {
    let kills = oom_kills(facts, end);
    Outcome::of(end, exceptions(run), kills, &Redact::default()).class
}

/// The kernel's count of processes that it killed for memory, as it is now.
pub(crate) fn oom_kills(facts: &Facts, end: &End) -> Option<u64> {
    let (counter, _) = end.oom_counter.as_ref()?;
    facts.oom_kills(counter)
}

/// Exceptions that the program's processes recorded. Records that cannot be parsed are ignored.
pub(crate) fn exceptions(run: Option<&Directory>) -> Vec<Exception> {
    let directory = run.and_then(|run| run.below(delivered::EXCEPTIONS).ok());
    let Some(directory) = directory else {
        return Vec::new();
    };
    let names = directory.names().unwrap_or_default();
    names
        .into_iter()
        .rev()
        .filter(|name| {
            let name = name.to_str().unwrap_or_default();
            name.ends_with(".json") && !name.starts_with('.')
        })
        .take(EXCEPTIONS)
        .filter_map(|name| {
            let bytes = directory.read(name, limits::EXCEPTION_BYTES);
            serde_json::from_slice(&bytes.ok()??).ok()
        })
        .collect()
}
