//! JUnit's XML: a suite a place, a case a check.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};

use super::{Report, visible};
use crate::check::{Finding, Verdict};

/// The suite of checks of the image alone.
const IMAGE: &str = "image";

/// The whole document.
///
/// # Errors
///
/// When it cannot be written.
pub fn whole(report: &Report) -> Result<String, String> {
    let mut document = quick_junit::Report::new("lyftlearn-conformance");
    document.set_time(Duration::from_secs_f64(report.seconds));
    let mut places: Vec<&str> = Vec::new();
    for finding in &report.findings {
        let place = finding.place.as_deref().unwrap_or(IMAGE);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    for place in places {
        let mut suite = TestSuite::new(place);
        suite.add_property(Property::new("image", report.image.reference.as_str()));
        suite.add_property(Property::new("digest", report.image.digest.as_str()));
        for finding in report
            .findings
            .iter()
            .filter(|finding| finding.place.as_deref().unwrap_or(IMAGE) == place)
        {
            let status = match &finding.verdict {
                Verdict::Failed {
                    seen,
                    expected,
                    mend,
                } if report.fails(finding) => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status.set_message(visible(seen));
                    status.set_description(format!(
                        "found: {}\nexpected: {expected}\nto do: {mend}",
                        visible(seen)
                    ));
                    status
                }
                Verdict::Skipped { reason } if report.fails(finding) => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status.set_message(format!(
                        "skipped, which --strict counts as failed: {reason}"
                    ));
                    status
                }
                Verdict::Skipped { reason } => skipped(reason),
                Verdict::Failed { seen, .. } => skipped(&format!("warning: {}", visible(seen))),
                Verdict::Waived { reason, .. } => skipped(&format!("waived: {}", visible(reason))),
                Verdict::Unknown { why } => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
                    status.set_message(visible(why));
                    status
                }
                Verdict::Passed { .. } => TestCaseStatus::success(),
            };
            let mut case = TestCase::new(finding.check.as_str(), status);
            case.set_classname(place);
            case.set_time(Duration::from_secs_f64(finding.seconds));
            for (name, value) in figures(finding) {
                // Jenkins takes properties of a suite alone.
                let name = format!("{}: {name}", finding.check);
                suite.add_property(Property::new(name, value));
            }
            if let Some(log) = &finding.log {
                case.set_system_out(visible(log));
            }
            suite.add_test_case(case);
        }
        document.add_test_suite(suite);
    }
    let text = document.to_string().map_err(|err| err.to_string())?;
    Ok(without_skipped(&text))
}

fn figures(finding: &Finding) -> Vec<(&str, String)> {
    let all = finding.figures.iter();
    let mut all: Vec<_> = all
        .map(|(name, value)| (name.as_str(), value.to_string()))
        .collect();
    if let Some(figure) = &finding.figure {
        all.push(("value", figure.shown(figure.value)));
        all.extend(figure.budget.map(|budget| ("budget", figure.shown(budget))));
    }
    all
}

/// Removes the sum of skipped checks: Jenkins' schema (junit-10.xsd) does not allow it for the
/// whole document, and rejects the file.
fn without_skipped(text: &str) -> String {
    const ATTRIBUTE: &str = " skipped=\"";
    let found = text.find(ATTRIBUTE).and_then(|start| {
        let value = start + ATTRIBUTE.len();
        let end = value + text[value..].find('"')? + 1;
        Some([&text[..start], &text[end..]].concat())
    });
    found.unwrap_or_else(|| text.to_owned())
}

fn skipped(reason: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(reason);
    status
}
