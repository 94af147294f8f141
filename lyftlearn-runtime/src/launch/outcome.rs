//! The helper process at the end: it writes the cause where each platform reads it. It is a process
//! of its own so that a mount that hangs cannot block PID 1.

use std::ffi::OsString;
use std::io;

#[cfg(feature = "agent")]
use super::events;
use super::fault::not_for_people;
use super::skew;
use crate::contract::{delivered, limits};
use crate::deliver::{Notes, Written, secrets, write_outcome, write_reason};
use crate::error::Error;
use crate::facts::Facts;
use crate::held::Directory;
use crate::metrics::region::Reader;
use crate::outcome::{
    End, How, Outcome, Redact, Undelivered, exceptions, oom_kills, within_bytes, within_characters,
};
use crate::platform::{ReasonLimit, shows_the_log_instead};
use crate::secrets::values;
use crate::stderr;

/// The word that starts this binary as this helper.
pub(super) const ARGUMENT: &str = "--outcome";

/// The command line of the helper, which is handed the run directory and notes.
pub(super) fn words() -> [OsString; 2] {
    ["lyftlearn-runtime".into(), ARGUMENT.into()]
}

pub(super) fn outcome() -> Result<u8, Error> {
    let not_for_people = || not_for_people(ARGUMENT);
    let notes = Notes::handed_over().map_err(|_| not_for_people())?;
    let end = notes.end().ok_or_else(not_for_people)?;
    let facts = Facts::capture(Vec::new());
    #[cfg(feature = "agent")]
    let received = events::Received::here(&facts);
    let run = end.run.as_deref();
    let run = run.and_then(|run| Directory::handed_over(run, end.owner).ok());
    let run = run.as_ref();
    let redact = Redact::new(facts.vars(), &end.redact).with(delivered_secrets(run, &notes));
    let exceptions = exceptions(run);
    let mut outcome = Outcome::of(&end, exceptions, oom_kills(&facts, &end), &redact);
    outcome.metrics = metrics(&end, run);
    report(&end, run, &outcome);
    if let Some(file) = end.snapshot.as_deref().filter(|_| end.completed())
        && let Err(why) = skew::keep(&facts, file, end.owner, run)
        && !end.quiet
    {
        let path = file.display();
        stderr::say(&format!("lyftlearn-runtime: cannot write {path}: {why}\n"));
    }
    #[cfg(feature = "agent")]
    if let Some(received) = received {
        tell_events(&received, &end, run, &mut outcome);
    }
    Ok(0)
}

/// Last of all, as it waits on a network: whatever happens here, the rest is written.
#[cfg(feature = "agent")]
fn tell_events(
    received: &events::Received,
    end: &End,
    run: Option<&Directory>,
    outcome: &mut Outcome,
) {
    let Some(failures) = events::report(received, end, outcome) else {
        return;
    };
    let undelivered = failures.len() as u64;
    outcome.events = Some(crate::outcome::Events { undelivered });
    if let Some(run) = run {
        // The document without it is there already.
        let _ = write_outcome(run, outcome);
    }
    if !received.is_quiet() {
        for failure in failures {
            stderr::line(&format!("lyftlearn-runtime: {failure}"));
        }
    }
}

/// The values that this start and its agent delivered. Without notes there are those that are in
/// the files now; a set that cannot be read has none that we know.
fn delivered_secrets(run: Option<&Directory>, notes: &Notes) -> Vec<Vec<u8>> {
    let present = run.and_then(|run| secrets::read(run).ok()?);
    let all = notes.secrets().into_iter().chain(present);
    all.flat_map(|document| values(&document)).collect()
}

/// The outcome of a program that did what it was there for, without a helper: there is
/// nothing to find out, and no platform's file to write.
pub(super) fn completed(facts: &Facts, end: &End, run: Option<&Directory>) {
    let mut outcome = Outcome::of(end, Vec::new(), oom_kills(facts, end), &Redact::default());
    outcome.metrics = metrics(end, run);
    report(end, run, &outcome);
}

/// Reports an end whose helper process cannot be started. It does not write the platform's file,
/// because a write to a mount may hang.
pub(super) fn without_a_helper(facts: &Facts, end: &End, run: Option<&Directory>, why: &io::Error) {
    if !end.quiet {
        let why = why.kind();
        stderr::line(&format!(
            "lyftlearn-runtime: cannot start the process that reports the end: {why}"
        ));
    }
    let near = End {
        reason_file: None,
        ..end.clone()
    };
    completed(facts, &near, run);
}

/// The metrics that were not delivered: from the agent's last report, or from a region that no
/// route exported.
fn metrics(end: &End, run: Option<&Directory>) -> Option<Undelivered> {
    let run = run?;
    if let How::NotStarted { .. } = end.how {
        return None;
    }
    if end.pushes {
        let note = run.read(delivered::METRICS_UNDELIVERED, limits::KERNEL_FILE_BYTES);
        let said = note.ok().flatten();
        return Some(
            said.and_then(|said| serde_json::from_slice(&said).ok())
                .unwrap_or_default(),
        );
    }
    if !end.nowhere {
        return None;
    }
    let region = Reader::of(run).ok().flatten()?;
    let counted = region.snapshot().ok()?.series.len() as u64;
    (counted > 0).then_some(Undelivered {
        undelivered: Some(0),
        nowhere: Some(counted),
    })
}

/// For the log, when there is something to say.
fn about_metrics(metrics: &Undelivered) -> Option<String> {
    let (count, what) = match (metrics.nowhere, metrics.undelivered) {
        (Some(count), _) => (
            count,
            "counted, but no route delivers them; see metrics.routes",
        ),
        (None, None) => {
            return Some(
                "number of undelivered metrics unknown: the agent did not report in time"
                    .to_owned(),
            );
        }
        (None, Some(0)) => return None,
        (None, Some(count)) => (count, "not delivered"),
    };
    let metrics = if count == 1 {
        "metric was"
    } else {
        "metrics were"
    };
    Some(format!("{count} {metrics} {what}"))
}

/// `outcome.json` first, which is near; then the platform's file, which may be far; then
/// a line for the log.
fn report(end: &End, run: Option<&Directory>, outcome: &Outcome) {
    let mut problems = Vec::new();
    if let Some(run) = run
        && let Err(err) = write_outcome(run, outcome)
    {
        let path = run.path().join(delivered::OUTCOME_FILE);
        problems.push(format!("cannot write {}: {}", path.display(), err.kind()));
    }
    if outcome.exit_code != 0
        && let Some(path) = &end.reason_file
        && (outcome.says_more_than_its_code() || !shows_the_log_instead(path))
    {
        let reason = match ReasonLimit::of(path) {
            ReasonLimit::Characters(limit) => within_characters(&outcome.reason, limit),
            ReasonLimit::Bytes(limit) => within_bytes(&outcome.reason, limit),
        };
        match write_reason(path, &reason, end.owner) {
            Ok(Written::Written | Written::Kept) => {}
            Err(err) => problems.push(format!("cannot write {}: {}", path.display(), err.kind())),
        }
    }
    if end.quiet {
        return;
    }
    // A start that failed has been reported already, and a completed program needs only its exit
    // code.
    if outcome.is_of_note(end) {
        stderr::line(&format!("lyftlearn-runtime: {}", outcome.ended));
    }
    problems.extend(outcome.metrics.as_ref().and_then(about_metrics));
    for problem in problems {
        stderr::line(&format!("lyftlearn-runtime: {problem}"));
    }
}
