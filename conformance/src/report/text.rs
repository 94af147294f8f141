//! The report for a terminal: a line a check, three more below a failure, and a last line.

use anstyle::{AnsiColor, Style};

use super::{Report, visible};
use crate::check::{Figure, Finding, Level, Verdict};

const fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(anstyle::Color::Ansi(colour)))
}

/// The whole report with colours; the writer removes them if they are not wanted.
#[must_use]
pub fn whole(report: &Report) -> String {
    let width = |of: fn(&Finding) -> usize| report.findings.iter().map(of).max().unwrap_or(0);
    let ids = width(|finding| finding.check.len());
    let places = width(|finding| finding.place.as_deref().unwrap_or_default().len());
    let mut text = String::new();
    for finding in &report.findings {
        text.push_str(&line(report, finding, ids, places));
    }
    text.push_str(&figures(report));
    let engine = report.engine.as_deref().unwrap_or("no engine");
    // A cluster's image is not read, and has no digest here.
    let digest = match short(&report.image.digest) {
        "" => String::new(),
        digest => format!(" ({digest})"),
    };
    let about = format!(
        "{}{digest}, {engine}, {:.1} s",
        visible(&report.image.reference),
        report.seconds
    );
    text.push_str(&format!("\n{about}\n{}\n", report.summary()));
    if let Some(first) = report.first() {
        text.push_str(&format!("{first}\n"));
    }
    text
}

/// Every figure beside its budget.
fn figures(report: &Report) -> String {
    let budget = |figure: &Figure| {
        let budget = figure.budget.map(|budget| figure.shown(budget));
        budget.unwrap_or_else(|| "-".to_owned())
    };
    let mut rows = vec![["figure", "measured", "budget", ""].map(str::to_owned)];
    for (finding, figure) in report.figures() {
        rows.push([
            finding.check.clone(),
            figure.shown(figure.value),
            budget(figure),
            if figure.is_over() { "over" } else { "" }.to_owned(),
        ]);
    }
    if rows.len() == 1 {
        return String::new();
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (ids, values, budgets) = (width(0), width(1), width(2));
    let mut text = String::from("\n");
    for [id, value, budget, over] in &rows {
        let row = format!("{id:ids$}  {value:>values$}  {budget:>budgets$}  {over}");
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// As people name an image.
pub(super) fn short(digest: &str) -> &str {
    let hash = digest.strip_prefix("sha256:").unwrap_or(digest);
    hash.get(..12).unwrap_or(hash)
}

fn line(report: &Report, finding: &Finding, ids: usize, places: usize) -> String {
    let (mark, style) = match &finding.verdict {
        _ if report.fails(finding) => ("FAIL", colour(AnsiColor::Red).bold()),
        Verdict::Passed { .. } => ("ok", colour(AnsiColor::Green)),
        Verdict::Failed { .. } => ("warn", colour(AnsiColor::Yellow)),
        Verdict::Skipped { .. } => ("skip", Style::new().dimmed()),
        Verdict::Waived { .. } => ("waived", Style::new().dimmed()),
        Verdict::Unknown { .. } => ("?", colour(AnsiColor::Red)),
    };
    let place = finding.place.as_deref().unwrap_or_default();
    let seconds = if finding.seconds < 0.05 {
        String::new()
    } else {
        format!("{:.1} s", finding.seconds)
    };
    let head = format!(
        "{style}{mark:6}{style:#} {:ids$}  {place:places$}  {seconds:>7}",
        finding.check
    );
    let mut text = head.trim_end().to_owned();
    let below = |label: &str, what: &str| {
        format!(
            "\n         {label:9} {}",
            visible(what).replace('\n', "\n                   ")
        )
    };
    match &finding.verdict {
        Verdict::Failed {
            seen,
            expected,
            mend,
        } => {
            text.push_str(&below("found:", seen));
            text.push_str(&below("expected:", expected));
            text.push_str(&below("to do:", mend));
        }
        Verdict::Skipped { reason } => text.push_str(&format!("  ({})", visible(reason))),
        Verdict::Waived { seen, reason } => {
            text.push_str(&below("found:", seen));
            text.push_str(&below("reason:", reason));
        }
        Verdict::Unknown { why } => text.push_str(&below("why:", why)),
        // A figure alone does not show what was measured.
        Verdict::Passed { note: Some(note) }
            if finding.figure.is_some() || finding.level == Level::Info =>
        {
            text.push_str(&format!("  ({})", visible(note)));
        }
        Verdict::Passed { .. } => {}
    }
    text.push('\n');
    text
}

/// What differs between two runs.
#[must_use]
pub fn compared(new: &Report, old: &Report) -> String {
    let word = |report: &Report, finding: &Finding| {
        match &finding.verdict {
            _ if report.fails(finding) => "failed",
            Verdict::Passed { .. } => "passed",
            Verdict::Failed { .. } => "warned",
            Verdict::Skipped { .. } => "skipped",
            Verdict::Waived { .. } => "waived",
            Verdict::Unknown { .. } => "not checked",
        }
        .to_owned()
    };
    let of = |report: &Report, id: &str, place: &Option<String>| {
        let found = report
            .findings
            .iter()
            .find(|finding| finding.check == id && finding.place == *place);
        found.map_or_else(|| "absent".to_owned(), |finding| word(report, finding))
    };
    let mut text = String::new();
    let gone = old
        .findings
        .iter()
        .filter(|finding| of(new, &finding.check, &finding.place) == "absent");
    for finding in new.findings.iter().chain(gone) {
        let (before, after) = (
            of(old, &finding.check, &finding.place),
            of(new, &finding.check, &finding.place),
        );
        if before != after {
            let place = finding
                .place
                .as_deref()
                .map(|place| format!(" in {place}"))
                .unwrap_or_default();
            text.push_str(&format!(
                "{}{place}: {before} before, {after} now\n",
                finding.check
            ));
        }
    }
    let mut figures = String::new();
    for (finding, figure) in new.figures() {
        let before = old.figures().find(|(old, _)| old.check == finding.check);
        if let Some((_, before)) = before
            && before.value != figure.value
        {
            figures.push_str(&format!(
                "{}: {} before, {} now\n",
                finding.check,
                figure.shown(before.value),
                figure.shown(figure.value)
            ));
        }
    }
    if text.is_empty() {
        text.push_str("no check changed its result\n");
    }
    text + &figures
}
