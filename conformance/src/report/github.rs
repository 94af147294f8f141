//! For GitHub's actions: annotations in the log, and a table for the step's summary.

use super::source::{Source, is_static};
use super::{Report, visible};
use crate::check::Verdict;

/// A line for each failure, and the summary.
#[must_use]
pub fn annotations(report: &Report, source: Option<&Source>) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let message = match &finding.verdict {
            Verdict::Failed {
                seen,
                expected,
                mend,
            } => format!("{seen}\nexpected: {expected}\nto do: {mend}"),
            Verdict::Unknown { why } => format!("not checked: {why}"),
            Verdict::Skipped { reason } if report.fails(finding) => {
                format!("skipped, which --strict counts as failed: {reason}")
            }
            _ => continue,
        };
        let unknown = matches!(finding.verdict, Verdict::Unknown { .. });
        let kind = if unknown || report.fails(finding) {
            "error"
        } else {
            "warning"
        };
        let mut title = finding.check.clone();
        if let Some(place) = &finding.place {
            title.push_str(&format!(" in {place}"));
        }
        let file = source
            .filter(|_| is_static(finding))
            .map(|source| {
                let path = property(&source.path);
                format!("file={path},line={},", source.line(&finding.check))
            })
            .unwrap_or_default();
        text.push_str(&format!(
            "::{kind} {file}title={}::{}\n",
            property(&title),
            data(&message)
        ));
    }
    text.push_str(&report.summary());
    text.push('\n');
    text
}

/// What a command of the log may hold.
fn data(text: &str) -> String {
    visible(text)
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Markdown for `$GITHUB_STEP_SUMMARY`.
#[must_use]
pub fn summary(report: &Report) -> String {
    let verdict = match report.exit_code() {
        0 => "passes",
        1 => "does not pass",
        _ => "could not be checked in full",
    };
    let mut text = format!(
        "### {} {verdict}\n\n{}\n",
        cell(&report.image.reference),
        report.summary()
    );
    let wrong: Vec<_> = report
        .findings
        .iter()
        .filter_map(|finding| {
            let (word, said) = match &finding.verdict {
                Verdict::Failed { seen, mend, .. } if report.fails(finding) => {
                    ("failed", format!("{seen}\nto do: {mend}"))
                }
                Verdict::Failed { seen, mend, .. } => ("warned", format!("{seen}\nto do: {mend}")),
                Verdict::Unknown { why } => ("not checked", why.clone()),
                Verdict::Skipped { reason } if report.fails(finding) => ("failed", reason.clone()),
                Verdict::Waived { reason, .. } => ("waived", reason.clone()),
                _ => return None,
            };
            let place = finding.place.as_deref().unwrap_or("–");
            Some(format!(
                "| {} | {place} | {word} | {} |\n",
                finding.check,
                cell(&said)
            ))
        })
        .collect();
    if !wrong.is_empty() {
        text.push_str("\n| check | place | result | details |\n|---|---|---|---|\n");
        text.extend(wrong);
    }
    let figures: Vec<_> = report
        .figures()
        .map(|(finding, figure)| {
            let budget = figure.budget.map(|budget| figure.shown(budget));
            format!(
                "| {} | {} | {} |\n",
                finding.check,
                figure.shown(figure.value),
                budget.as_deref().unwrap_or("–")
            )
        })
        .collect();
    if !figures.is_empty() {
        text.push_str("\n| figure | measured | budget |\n|---|---:|---:|\n");
        text.extend(figures);
    }
    text
}

/// Text of an image's within a table of Markdown: it may neither end the cell nor become a link.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    for letter in visible(text.trim()).chars() {
        match letter {
            '\n' => cell.push_str("<br>"),
            '&' => cell.push_str("&amp;"),
            '<' => cell.push_str("&lt;"),
            '>' => cell.push_str("&gt;"),
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '!' | '#' | '~' => {
                cell.push('\\');
                cell.push(letter);
            }
            other => cell.push(other),
        }
    }
    cell
}
