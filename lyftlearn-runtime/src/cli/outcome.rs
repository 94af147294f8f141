//! The last errand: says why it ended, where each platform looks. A process of its own,
//! because a mount that hangs must not hold PID 1 up.

use std::ffi::OsString;
use std::path::Path;

use super::usage::UsageFault;
use super::{output, skew};
use crate::contract::{delivered, limits, secrets};
use crate::deliver::outcome::{Class, End, Exception, How, Outcome, Redact, Undelivered};
use crate::deliver::{Written, within_bytes, within_characters, write_outcome, write_reason};
use crate::error::Error;
use crate::facts::Facts;
use crate::metrics::region::Reader;
use crate::platform::{ReasonLimit, shows_the_log_instead};
use crate::secrets::read_set;

/// The word by which this binary knows that it is on this errand.
pub(super) const WORD: &str = "--outcome";

/// No more are kept; of more the newest are read.
const EXCEPTIONS: usize = 64;

/// What starts the errand.
pub(super) fn words(end: &End) -> Vec<OsString> {
    let end = serde_json::to_string(end).expect("plain data has no failure to report");
    ["lyftlearn-runtime".into(), WORD.into(), end.into()].into()
}

pub(super) fn outcome(words: &[OsString]) -> Result<u8, Error> {
    let end: Option<End> = words
        .first()
        .and_then(|word| serde_json::from_str(word.to_str()?).ok());
    let Some(end) = end else {
        return Err(UsageFault::NotForPeople { word: WORD }.into());
    };
    let facts = Facts::capture(Vec::new());
    let variables = facts
        .vars()
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    let redact = Redact::new(variables, &end.redact).with(delivered_secrets(&facts, &end));
    let exceptions = noted(&facts, &end);
    let end = with_the_second_stages_word(&facts, end);
    let mut outcome = Outcome::of(&end, exceptions, oom_kills(&facts, &end), &redact);
    outcome.metrics = metrics(&facts, &end);
    tell(&end, &outcome);
    if let Some(file) = end.snapshot.as_deref().filter(|_| end.completed())
        && let Err(err) = skew::keep(&facts, file)
        && !end.quiet
    {
        let path = file.display();
        output::say(&format!(
            "lyftlearn-runtime: cannot write {path}: {}\n",
            err.kind()
        ));
    }
    Ok(0)
}

/// The class alone, for whoever shows it before it is told.
#[cfg(feature = "agent")]
pub(crate) fn class(facts: &Facts, end: End) -> Class {
    let exceptions = noted(facts, &end);
    let end = with_the_second_stages_word(facts, end);
    Outcome::of(&end, exceptions, oom_kills(facts, &end), &Redact::default()).class
}

fn noted(facts: &Facts, end: &End) -> Vec<Exception> {
    let run = end.run.as_deref();
    run.map(|run| exceptions(facts, &run.join(delivered::EXCEPTIONS)))
        .unwrap_or_default()
}

/// The values that this start delivered; a set that cannot be read has none that we know.
fn delivered_secrets(facts: &Facts, end: &End) -> Vec<String> {
    let directory = end.run.as_deref().map(|run| run.join(secrets::DIRECTORY));
    let set = directory.and_then(|directory| read_set(facts, &directory).ok());
    let values = set
        .iter()
        .flatten()
        .flat_map(|(_, content)| content.values());
    values
        .filter_map(|value| value.text().map(str::to_owned))
        .collect()
}

/// The outcome of a program that did what it was there for, without an errand: there is
/// nothing to find out, and no platform's file to write.
pub(super) fn completed(facts: &Facts, end: &End) {
    let mut outcome = Outcome::of(end, Vec::new(), oom_kills(facts, end), &Redact::default());
    outcome.metrics = metrics(facts, end);
    tell(end, &outcome);
}

/// What of the metrics did not arrive: the agent's last words, or what lies in a region that
/// nobody was shown.
fn metrics(facts: &Facts, end: &End) -> Option<Undelivered> {
    let run = end.run.as_deref()?;
    if let How::NotStarted { .. } = end.how {
        return None;
    }
    if end.pushes {
        let note = facts.file(
            run.join(delivered::METRICS_UNDELIVERED),
            limits::KERNEL_FILE_BYTES,
        );
        let said = note.ok().flatten();
        return Some(
            said.and_then(|said| serde_json::from_slice(&said).ok())
                .unwrap_or_default(),
        );
    }
    if !end.nowhere {
        return None;
    }
    let region = Reader::open(run).ok().flatten()?;
    let counted = region.snapshot().ok()?.series.len() as u64;
    (counted > 0).then_some(Undelivered {
        undelivered: Some(0),
        nowhere: Some(counted),
    })
}

/// For the log, when there is something to say.
fn about_metrics(metrics: &Undelivered) -> Option<String> {
    let (count, what) = match (metrics.nowhere, metrics.undelivered) {
        (Some(count), _) => (count, "counted, and had nowhere to go; see metrics.routes"),
        (None, None) => {
            return Some(
                "how many metrics were not delivered is not known: the agent has not said so in time"
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

fn oom_kills(facts: &Facts, end: &End) -> Option<u64> {
    let (counter, _) = end.oom_counter.as_ref()?;
    facts.oom_kills(counter)
}

/// Exceptions that the program's processes noted. What cannot be understood of them was
/// not written by the package.
fn exceptions(facts: &Facts, directory: &Path) -> Vec<Exception> {
    let names = facts.entries(directory).unwrap_or_default();
    names
        .into_iter()
        .rev()
        .filter(|name| {
            let name = name.to_str().unwrap_or_default();
            name.ends_with(".json") && !name.starts_with('.')
        })
        .take(EXCEPTIONS)
        .filter_map(|name| {
            let bytes = facts.file(directory.join(name), limits::EXCEPTION_BYTES);
            serde_json::from_slice(&bytes.ok()??).ok()
        })
        .collect()
}

/// A second stage that could not become the program has left its report.
fn with_the_second_stages_word(facts: &Facts, end: End) -> End {
    let path = end
        .run
        .as_deref()
        .map(|run| run.join(delivered::NOT_STARTED_FILE));
    let report = path.and_then(|path| facts.file(path, limits::EXCEPTION_BYTES).ok()?);
    match (report, &end.how) {
        (
            Some(report),
            How::Exited {
                code: 125..=127, ..
            },
        ) => End {
            how: How::NotStarted {
                report: String::from_utf8_lossy(&report).into_owned(),
            },
            ..end
        },
        _ => end,
    }
}

/// `outcome.json` first, which is near; then the platform's file, which may be far; then
/// a line for the log.
fn tell(end: &End, outcome: &Outcome) {
    let mut problems = Vec::new();
    if let Some(run) = &end.run
        && let Err(err) = write_outcome(run, end.owner, outcome)
    {
        let path = run.join(delivered::OUTCOME_FILE);
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
        match write_reason(path, &reason) {
            Ok(Written::Written | Written::Kept) => {}
            Err(err) => problems.push(format!("cannot write {}: {}", path.display(), err.kind())),
        }
    }
    if end.quiet {
        return;
    }
    // A report has been said already, and what completed says so by its exit code.
    if !matches!(outcome.class, Class::Completed | Class::NotStarted) {
        output::line(&format!("lyftlearn-runtime: {}", outcome.ended));
    }
    problems.extend(outcome.metrics.as_ref().and_then(about_metrics));
    for problem in problems {
        output::line(&format!("lyftlearn-runtime: {problem}"));
    }
}
