//! The HTML page for other teams: one file without a script and without requests to other servers.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::text::short;
use super::{Report, Seen, visible};
use crate::check::compare::{self, Row};
use crate::check::{Finding, Verdict};

const STYLE: &str = include_str!("page.css");

/// The whole page.
#[must_use]
pub fn whole(report: &Report) -> String {
    let verdict = match report.exit_code() {
        0 => ("passed", "This image passes."),
        1 => ("failed", "This image does not pass."),
        _ => ("unknown", "This image could not be checked in full."),
    };
    let title = format!("{}: {}", report.image.reference, report.summary());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (visible(&title)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    header class=(verdict.0) {
                        h1 { (verdict.1) }
                        p class="summary" { (report.summary()) }
                        dl {
                            (about("image", &report.image.reference))
                            (about("digest", short(&report.image.digest)))
                            (about("architecture", &report.image.architecture))
                            (about("engine", report.engine.as_deref().unwrap_or("none: read from an archive")))
                            (about("checker", &report.checker))
                            (about("started", &report.started))
                            (about("took", &format!("{:.1} s", report.seconds)))
                        }
                    }
                    (failures(report))
                    @for (word, title) in [("train", "Environment of a job"), ("serve", "Environment of a server")] {
                        (side_by_side(report, word, title))
                    }
                    (figures(report))
                    (all(report))
                    (layers(report))
                    (logs(report))
                }
            }
        }
    };
    page.into_string()
}

fn about(name: &str, value: &str) -> Markup {
    html! { div { dt { (name) } dd { (visible(value)) } } }
}

fn mark(report: &Report, finding: &Finding) -> (&'static str, &'static str) {
    match &finding.verdict {
        _ if report.fails(finding) => ("failed", "✗ failed"),
        Verdict::Passed { .. } => ("passed", "✓ passed"),
        Verdict::Failed { .. } => ("warned", "! warned"),
        Verdict::Skipped { .. } => ("skipped", "– skipped"),
        Verdict::Waived { .. } => ("waived", "~ waived"),
        Verdict::Unknown { .. } => ("failed", "? not checked"),
    }
}

fn is_unknown(finding: &Finding) -> bool {
    matches!(finding.verdict, Verdict::Unknown { .. })
}

fn failures(report: &Report) -> Markup {
    let mut wrong: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|finding| {
            matches!(
                finding.verdict,
                Verdict::Failed { .. } | Verdict::Unknown { .. }
            )
        })
        .collect();
    // Warnings come last.
    wrong.sort_by_key(|finding| !report.fails(finding) && !is_unknown(finding));
    html! {
        @if !wrong.is_empty() {
            section {
                h2 { "What to do" }
                @if let Some(first) = report.first() { p { (first) } }
                @for finding in wrong {
                    @let (class, word) = mark(report, finding);
                    article class=(class) {
                        h3 {
                            span class="mark" { (word) } " " code { (finding.check) }
                            @if let Some(place) = &finding.place { " in " (place) }
                        }
                        dl {
                            @match &finding.verdict {
                                Verdict::Failed { seen, expected, mend } => {
                                    (about("found", seen)) (about("expected", expected)) (about("to do", mend))
                                }
                                Verdict::Unknown { why } => (about("why", why)),
                                _ => {}
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Places in which the same job must look the same. A processing job, local mode or an isolated job is
/// another job.
const COMPARED: &[&str] = &[
    "sagemaker-training",
    "sagemaker-hosting",
    "kubernetes-job",
    "kubernetes-pod",
    "kubernetes-restricted",
];

fn side_by_side(report: &Report, word: &str, title: &str) -> Markup {
    let views: Vec<&Seen> = report
        .views
        .iter()
        .filter(|seen| seen.word == word && COMPARED.contains(&seen.place.as_str()))
        .collect();
    if views.len() < 2 {
        return html! {};
    }
    let rows = compare::rows(&views.iter().map(|seen| &seen.view).collect::<Vec<_>>());
    let mut different: Vec<&Row> = rows.iter().filter(|row| !row.equal).collect();
    // What nothing declares is what people came for.
    different.sort_by_key(|row| !undeclared(row, &views));
    let equal: Vec<&Row> = rows.iter().filter(|row| row.equal).collect();
    let undeclared = different
        .iter()
        .filter(|row| undeclared(row, &views))
        .count();
    html! {
        section {
            h2 { (title) }
            p {
                (equal.len()) " fields are equal in all of these places, " (different.len()) " differ"
                @if undeclared > 0 { ", " strong { (undeclared) " of them without a reason" } }
                ". Values of variables are shown as hashes."
            }
            (table(&views, &different, "Fields that differ"))
            details { summary { (equal.len()) " equal fields" } (table(&views, &equal, "Equal fields")) }
        }
    }
}

/// A restricted pod differs by its restrictions; only platforms are to be equal.
fn undeclared(row: &Row, views: &[&Seen]) -> bool {
    let mut of_platforms = row
        .values
        .iter()
        .zip(views)
        .filter(|(_, seen)| seen.place != "kubernetes-restricted");
    let first = of_platforms.next().map(|(value, _)| value);
    row.declared.is_none() && of_platforms.any(|(value, _)| Some(value) != first)
}

fn table(views: &[&Seen], rows: &[&Row], caption: &str) -> Markup {
    html! {
        // A user who scrolls by keyboard must be able to reach it.
        div class="wide" role="region" tabindex="0" aria-label=(caption) {
            table class="views" style=(format!("min-width:{}rem", 26 + 9 * views.len())) {
                caption { (caption) }
                thead { tr {
                    th scope="col" { "field" }
                    @for seen in views { th scope="col" { (seen.place) } }
                    th scope="col" { "why" }
                } }
                tbody {
                    @for row in rows {
                        @let wrong = !row.equal && undeclared(row, views);
                        tr class=(if row.equal { "equal" } else if wrong { "wrong" } else { "declared" }) {
                            th scope="row" { code { (visible(&row.field)) } }
                            @for value in &row.values {
                                td { (value.as_deref().map(visible).unwrap_or_else(|| "–".to_owned())) }
                            }
                            td {
                                @if row.equal { "equal" }
                                @else if wrong { "✗ undeclared" }
                                @else { (row.declared.as_deref().unwrap_or("allowed: the pod is restricted")) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn figures(report: &Report) -> Markup {
    let rows: Vec<_> = report.figures().collect();
    html! {
        @if !rows.is_empty() {
            section {
                h2 { "Figures" }
                div class="wide" role="region" tabindex="0" aria-label="Measurements and their budgets" {
                    table class="list" {
                        caption { "Start-up, layers and lazy loading: measurements and their budgets" }
                        thead { tr { th scope="col" { "figure" } th scope="col" { "result" } th scope="col" class="number" { "measured" } th scope="col" class="number" { "budget" } th scope="col" { "details" } } }
                        tbody {
                            @for (finding, figure) in rows {
                                @let (class, word) = mark(report, finding);
                                tr class=(class) {
                                    th scope="row" { code { (finding.check) } }
                                    td { span class="mark" { (word) } }
                                    td class="number" data-label="measured" { (figure.shown(figure.value)) }
                                    td class="number" data-label="budget" { (figure.budget.map_or_else(|| "–".to_owned(), |budget| figure.shown(budget))) }
                                    td {
                                        @match &finding.verdict {
                                            Verdict::Passed { note: Some(note) } => (visible(note)),
                                            Verdict::Failed { seen, .. } | Verdict::Waived { seen, .. } => (visible(seen)),
                                            _ => {}
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn all(report: &Report) -> Markup {
    html! {
        section {
            h2 { "All checks" }
            div class="wide" role="region" tabindex="0" aria-label="Each check in each place" {
                table class="list" {
                    caption { "Each check in each place" }
                    thead { tr { th scope="col" { "check" } th scope="col" { "result" } th scope="col" { "place" } th scope="col" { "details" } } }
                    tbody {
                        @for finding in &report.findings {
                            @let (class, word) = mark(report, finding);
                            tr class=(class) {
                                th scope="row" { code { (finding.check) } }
                                td { span class="mark" { (word) } }
                                td class="place" { (finding.place.as_deref().unwrap_or_default()) }
                                td {
                                    @match &finding.verdict {
                                        Verdict::Skipped { reason } => (visible(reason)),
                                        // The table of figures has it.
                                        Verdict::Passed { .. } if finding.figure.is_some() => {
                                            @if let Some(figure) = &finding.figure {
                                                span class="figure" { (figure.shown(figure.value)) }
                                            }
                                        }
                                        Verdict::Passed { note: Some(note) } => (visible(note)),
                                        Verdict::Failed { seen, .. } => (visible(seen)),
                                        Verdict::Waived { reason, .. } => (visible(reason)),
                                        Verdict::Unknown { why } => (visible(why)),
                                        Verdict::Passed { note: None } => {}
                                    }
                                    @for (name, value) in &finding.figures {
                                        " " span class="figure" { (name.replace('_', " ")) " " (format!("{value:.1}")) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn layers(report: &Report) -> Markup {
    let whole: u64 = report.image.layers.iter().sum();
    let megabytes = |bytes: u64| format!("{:.1} MB", bytes as f64 / 1e6);
    html! {
        section {
            h2 { "Layers" }
            p { (report.image.layers.len()) " layers, " (megabytes(whole)) ", " (report.image.files) " files. The lowest layer is first." }
            ol class="layers" {
                @for (number, bytes) in report.image.layers.iter().enumerate() {
                    @let (all, touched) = report.image.spans.get(number).copied().unwrap_or_default();
                    @let hot = if all == 0 { 0.0 } else { touched as f64 * 100.0 / all as f64 };
                    @let share = if whole == 0 { 0.0 } else { *bytes as f64 * 100.0 / whole as f64 };
                    li {
                        span class="bar" style=(format!("width:{share:.1}%")) {
                            @if all > 0 { span class="hot" style=(format!("width:{hot:.1}%")) {} }
                        }
                        span { (megabytes(*bytes)) @if all > 0 { ", " (touched) " of " (all) " spans read at the start" } }
                    }
                }
            }
        }
    }
}

fn logs(report: &Report) -> Markup {
    let with: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|finding| finding.log.is_some())
        .collect();
    html! {
        @if !with.is_empty() {
            section {
                h2 { "Logs of failures" }
                @for finding in with {
                    details {
                        summary { code { (finding.check) } " " (finding.place.as_deref().unwrap_or("")) }
                        pre { (visible(finding.log.as_deref().unwrap_or_default())) }
                    }
                }
            }
        }
    }
}
