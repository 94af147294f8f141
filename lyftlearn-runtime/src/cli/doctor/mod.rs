//! `doctor`: asks everything that a program will need, and says what to do about each
//! failure.

mod credentials;
mod events;
mod limits;
mod metrics;
mod paths;
mod peers;
mod region;
mod secrets;
mod spark;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::output;
use super::usage::Given;
use crate::error::Error;
use crate::facts::Facts;
use crate::platform::SPARK_PROBLEM;
use crate::resolve::{Resolved, resolve};

/// Nothing is waited for longer, whatever hangs.
const WHOLE: Duration = Duration::from_secs(14);

/// What every check is given.
struct Patient {
    facts: Facts,
    resolved: Resolved,
}

/// What one check found.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    /// What was looked at, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<String>,
    verdict: Verdict,
    detail: String,
    /// The same in numbers, where there are several.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    figures: BTreeMap<&'static str, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    /// Odd, and stops nothing.
    Note,
    Failed,
    /// There is nothing to check here.
    Skipped,
}

impl Finding {
    fn new(check: &'static str, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self {
            check,
            of: None,
            verdict,
            detail: detail.into(),
            figures: BTreeMap::new(),
            seconds: None,
            fix: None,
        }
    }

    fn of(self, of: impl Into<String>) -> Self {
        Self {
            of: Some(of.into()),
            ..self
        }
    }

    fn took(self, since: Instant) -> Self {
        let milliseconds = since.elapsed().as_millis();
        Self {
            seconds: u32::try_from(milliseconds)
                .ok()
                .map(|milliseconds| f64::from(milliseconds) / 1000.0),
            ..self
        }
    }

    fn figures<const N: usize>(self, figures: [(&'static str, u64); N]) -> Self {
        Self {
            figures: figures.into(),
            ..self
        }
    }

    fn fix(self, fix: impl Into<String>) -> Self {
        Self {
            fix: Some(fix.into()),
            ..self
        }
    }
}

type Check = fn(&Patient) -> Vec<Finding>;

/// In the order in which they are told.
const CHECKS: &[(&str, Check)] = &[
    ("detection", detection),
    ("paths", paths::check),
    ("limits", limits::check),
    ("peers", peers::check),
    ("identity", credentials::check),
    ("secrets", secrets::check),
    ("metrics", metrics::check),
    ("events", events::check),
    ("region", region::check),
    ("spark", spark::check),
];

pub(super) fn doctor(given: &Given) -> Result<u8, Error> {
    let facts = given.facts();
    let resolved = resolve(&facts)?;
    let findings = examine(Arc::new(Patient { facts, resolved }));
    let failed = findings
        .iter()
        .any(|finding| finding.verdict == Verdict::Failed);
    if given.has("--json") {
        let value = serde_json::to_value(&findings).expect("plain data has no failure to report");
        output::data(format!("{value:#}\n").as_bytes())?;
    } else {
        output::page(&findings.iter().map(line).collect::<String>())?;
    }
    Ok(u8::from(failed))
}

/// All at once, each on a thread of its own: what hangs is left behind.
fn examine(patient: Arc<Patient>) -> Vec<Finding> {
    let (sender, receiver) = channel();
    for (place, (_, check)) in CHECKS.iter().enumerate() {
        let (patient, sender): (_, Sender<(usize, Vec<Finding>)>) =
            (Arc::clone(&patient), sender.clone());
        std::thread::spawn(move || {
            // Who has stopped waiting does not need it.
            let _ = sender.send((place, check(&patient)));
        });
    }
    drop(sender);
    let until = Instant::now() + WHOLE;
    let mut found: Vec<Option<Vec<Finding>>> = CHECKS.iter().map(|_| None).collect();
    while let Ok((place, findings)) =
        receiver.recv_timeout(until.saturating_duration_since(Instant::now()))
    {
        found[place] = Some(findings);
    }
    CHECKS
        .iter()
        .zip(found)
        .flat_map(|((name, _), findings)| findings.unwrap_or_else(|| vec![hangs(name)]))
        .collect()
}

fn hangs(check: &'static str) -> Finding {
    let detail = format!("no answer in {} seconds", WHOLE.as_secs());
    Finding::new(check, Verdict::Failed, detail)
        .fix("a mount or a name server does not answer; look at the node")
}

fn detection(patient: &Patient) -> Vec<Finding> {
    let workload = &patient.resolved.workload;
    let found = format!(
        "{} ({}), {}",
        workload.platform.as_str(),
        workload.flavor.as_str(),
        workload.role.as_str()
    );
    let problems = patient.resolved.problems.iter();
    // The check of that name has them.
    let problems = problems.filter(|problem| !problem.starts_with(SPARK_PROBLEM));
    std::iter::once(Finding::new("detection", Verdict::Ok, found))
        .chain(problems.map(|problem| Finding::new("detection", Verdict::Note, problem)))
        .collect()
}

fn line(finding: &Finding) -> String {
    let mark = match finding.verdict {
        Verdict::Ok => "ok  ",
        Verdict::Note => "note",
        Verdict::Failed => "FAIL",
        Verdict::Skipped => "-   ",
    };
    let of = finding
        .of
        .as_deref()
        .map(|of| format!("{of}: "))
        .unwrap_or_default();
    let seconds = finding
        .seconds
        .map(|seconds| format!(" ({seconds:.3} s)"))
        .unwrap_or_default();
    let fix = finding
        .fix
        .as_deref()
        .map(|fix| format!("      fix: {fix}\n"))
        .unwrap_or_default();
    format!(
        "{mark}  {:<10} {of}{}{seconds}\n{fix}",
        finding.check, finding.detail
    )
}
