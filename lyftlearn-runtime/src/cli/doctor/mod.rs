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
use super::page::{Ink, Page};
use super::progress::Progress;
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
    /// The subject, if there are several.
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

/// In the order of the output.
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
    let checks = chosen(given.choice("--only"));
    let findings = examine(Arc::new(Patient { facts, resolved }), &checks);
    if given.has("--json") {
        let value = serde_json::to_value(&findings).expect("plain data has no failure to report");
        output::data(format!("{value:#}\n").as_bytes())?;
    } else {
        let mut page = Page::for_stdout();
        show(&mut page, &findings);
        output::data(page.into_text().as_bytes())?;
    }
    Ok(u8::from(count(&findings, Verdict::Failed) > 0))
}

/// The checks that `--only` names; the parser accepts no other names.
fn chosen(only: Option<&str>) -> Vec<(&'static str, Check)> {
    let all = CHECKS.iter().copied();
    match only {
        None => all.collect(),
        Some(names) => all
            .filter(|(check, _)| names.split(',').any(|name| name == *check))
            .collect(),
    }
}

/// All at the same time, each in its own thread: a check that hangs is left behind.
fn examine(patient: Arc<Patient>, checks: &[(&'static str, Check)]) -> Vec<Finding> {
    let (sender, receiver) = channel();
    for (place, (_, check)) in checks.iter().copied().enumerate() {
        let (patient, sender): (_, Sender<(usize, Vec<Finding>)>) =
            (Arc::clone(&patient), sender.clone());
        std::thread::spawn(move || {
            // After the deadline there is no receiver.
            let _ = sender.send((place, check(&patient)));
        });
    }
    drop(sender);
    let until = Instant::now() + WHOLE;
    let mut found: Vec<Option<Vec<Finding>>> = checks.iter().map(|_| None).collect();
    let progress = Progress::show(waiting(checks, &found));
    while let Ok((place, findings)) =
        receiver.recv_timeout(until.saturating_duration_since(Instant::now()))
    {
        found[place] = Some(findings);
        progress.update(waiting(checks, &found));
    }
    checks
        .iter()
        .zip(found)
        .flat_map(|((name, _), findings)| findings.unwrap_or_else(|| vec![hangs(name)]))
        .collect()
}

/// The checks without an answer.
fn waiting(checks: &[(&'static str, Check)], found: &[Option<Vec<Finding>>]) -> String {
    let open = checks
        .iter()
        .zip(found)
        .filter(|(_, found)| found.is_none());
    let names: Vec<&str> = open.map(|((name, _), _)| *name).collect();
    format!("waiting for {}", names.join(", "))
}

fn count(findings: &[Finding], verdict: Verdict) -> usize {
    let of_it = findings.iter().filter(|finding| finding.verdict == verdict);
    of_it.count()
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

/// A line for each finding, with the fix below it, and the counts at the end.
fn show(page: &mut Page, findings: &[Finding]) {
    for finding in findings {
        row(page, finding);
    }
    let count = |verdict| count(findings, verdict);
    let (failed, notes) = (count(Verdict::Failed), count(Verdict::Note));
    let ink = match (failed, notes) {
        (0, 0) => Ink::Good,
        (0, _) => Ink::Odd,
        _ => Ink::Bad,
    };
    page.gap();
    let (ok, skipped) = (count(Verdict::Ok), count(Verdict::Skipped));
    let noted = if notes == 1 { "note" } else { "notes" };
    let text = format!("{failed} failed, {notes} {noted}, {ok} ok, {skipped} not applicable");
    page.line(0, ink, &text);
}

fn row(page: &mut Page, finding: &Finding) {
    let (mark, ink) = match finding.verdict {
        Verdict::Ok => ("ok", Ink::Good),
        Verdict::Note => ("note", Ink::Odd),
        Verdict::Failed => ("FAIL", Ink::Bad),
        Verdict::Skipped => ("-", Ink::Faint),
    };
    let of = finding.of.as_deref().map(|of| format!("{of}: "));
    let seconds = finding.seconds.map(|seconds| format!(" ({seconds:.3} s)"));
    let text = format!(
        "{}{}{}",
        of.unwrap_or_default(),
        finding.detail,
        seconds.unwrap_or_default()
    );
    let columns = [(ink, mark, 4), (Ink::Name, finding.check, 9)];
    page.row(0, &columns, Ink::Plain, &text);
    if let Some(fix) = &finding.fix {
        page.line(6, Ink::Plain, &format!("fix: {fix}"));
    }
}

/// What the checks' own tests look at.
#[cfg(test)]
fn line(finding: &Finding) -> String {
    let mut page = Page::plain(None);
    row(&mut page, finding);
    page.into_text()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{CHECKS, Finding, Verdict, chosen, show};
    use crate::cli::page::Page;
    use crate::commands::{COMMANDS, Value};

    #[test]
    fn every_check_can_be_asked_for_alone() {
        let command = COMMANDS.at(&["doctor"]);
        let flag = command.and_then(|command| command.flag("--only"));
        let value = flag.and_then(|flag| flag.value).map(|(_, value)| value);
        let Some(Value::SomeOf(choices)) = value else {
            panic!("--only has no choices");
        };
        let names: Vec<&str> = CHECKS.iter().map(|(name, _)| *name).collect();
        assert_eq!(choices, names);
        let only: Vec<&str> = chosen(Some("peers,paths"))
            .iter()
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(only, ["paths", "peers"]);
    }

    #[test]
    fn the_counts_close_the_page() {
        let mut page = Page::plain(Some(60));
        show(
            &mut page,
            &[
                Finding::new("paths", Verdict::Ok, "can be written").of("/opt/ml/model"),
                Finding::new("limits", Verdict::Note, "32 MiB of /dev/shm"),
                Finding::new(
                    "peers",
                    Verdict::Failed,
                    "algo-2: the name does not resolve here",
                )
                .fix("check that the pod of algo-2 runs, and that its service is headless"),
                Finding::new("spark", Verdict::Skipped, "spark.mode is off"),
            ],
        );
        expect![[r#"
            ok    paths      /opt/ml/model: can be written
            note  limits     32 MiB of /dev/shm
            FAIL  peers      algo-2: the name does not resolve here
                  fix: check that the pod of algo-2 runs, and that its
                  service is headless
            -     spark      spark.mode is off

            1 failed, 1 note, 1 ok, 1 not applicable
        "#]]
        .assert_eq(&page.into_text());
    }
}
