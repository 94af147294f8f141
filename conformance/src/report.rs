//! A finished run as data, and its formats. The data is the JSON document; text, JUnit and HTML are
//! made from it alone.

pub mod github;
pub mod html;
pub mod junit;
pub mod sarif;
pub mod source;
pub mod text;

use serde::{Deserialize, Serialize};

use crate::check::{Figure, Finding, Level, Verdict};
use crate::probe::program::View;

/// The document.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// 1
    pub format: u32,
    /// The checker's version.
    pub checker: String,
    /// The checked image.
    pub image: Image,
    /// With what; absent for an archive.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub engine: Option<String>,
    /// Whether `--strict` was given.
    pub strict: bool,
    /// When it began, in UTC.
    pub started: String,
    /// How long it took.
    pub seconds: f64,
    /// In the order of `list`.
    pub findings: Vec<Finding>,
    /// What programs saw.
    pub views: Vec<Seen>,
    /// Files of the image that were opened at its start, in that order: by the server until it was ready, or by the
    /// training of an image that only trains until its first output.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub opened: Vec<String>,
}

/// The image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Image {
    /// As the command line named it.
    pub reference: String,
    /// The digest of its configuration.
    pub digest: String,
    /// `amd64`, …
    pub architecture: String,
    /// Bytes of its layers, lowest first.
    pub layers: Vec<u64>,
    /// Spans of each of them, where lazy.spans was measured: all, and those that a start touches.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub spans: Vec<(u64, u64)>,
    /// How many files there are.
    pub files: usize,
}

/// A view.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Seen {
    /// In which place.
    pub place: String,
    /// `train` or `serve`.
    pub word: String,
    /// By the program.
    pub view: View,
}

/// How many findings went which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Passed.
    pub passed: usize,
    /// Failed, so that the run fails.
    pub failed: usize,
    /// Failed, and only said.
    pub warned: usize,
    /// Not run.
    pub skipped: usize,
    /// Failed, and known.
    pub waived: usize,
    /// Could not be found out.
    pub unknown: usize,
}

impl Report {
    /// Removes a text that must not be in a report, wherever it was printed.
    #[must_use]
    pub fn without(mut self, canary: &str) -> Self {
        if canary.is_empty() {
            return self;
        }
        let clean = |text: &mut String| {
            if text.contains(canary) {
                *text = text.replace(canary, "[canary]");
            }
        };
        for finding in &mut self.findings {
            finding.log.iter_mut().for_each(clean);
            match &mut finding.verdict {
                Verdict::Passed { note } => note.iter_mut().for_each(clean),
                Verdict::Failed {
                    seen,
                    expected,
                    mend,
                } => [seen, expected, mend].into_iter().for_each(clean),
                Verdict::Skipped { reason } => clean(reason),
                Verdict::Waived { seen, reason } => [seen, reason].into_iter().for_each(clean),
                Verdict::Unknown { why } => clean(why),
            }
        }
        for seen in &mut self.views {
            seen.view.argv.iter_mut().for_each(clean);
            seen.view.problems.iter_mut().for_each(clean);
        }
        self
    }

    /// Whether a finding fails the run.
    #[must_use]
    pub fn fails(&self, finding: &Finding) -> bool {
        match finding.verdict {
            _ if finding.level == Level::Info => false,
            Verdict::Failed { .. } => finding.level == Level::Must || self.strict,
            Verdict::Skipped { .. } => self.strict,
            _ => false,
        }
    }

    /// All findings, counted.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for finding in &self.findings {
            let counter = match &finding.verdict {
                _ if self.fails(finding) => &mut counts.failed,
                Verdict::Passed { .. } => &mut counts.passed,
                Verdict::Failed { .. } => &mut counts.warned,
                Verdict::Skipped { .. } => &mut counts.skipped,
                Verdict::Waived { .. } => &mut counts.waived,
                Verdict::Unknown { .. } => &mut counts.unknown,
            };
            *counter += 1;
        }
        counts
    }

    /// The run's exit code. A failed check has precedence over a check that could not run.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let counts = self.counts();
        match (counts.failed, counts.unknown) {
            (0, 0) => 0,
            (0, _) => 3,
            _ => 1,
        }
    }

    /// Findings with a figure.
    pub fn figures(&self) -> impl Iterator<Item = (&Finding, &Figure)> {
        let all = self.findings.iter();
        all.filter_map(|finding| Some((finding, finding.figure.as_ref()?)))
    }

    /// One line: `41 passed, 2 failed, 1 skipped`.
    #[must_use]
    pub fn summary(&self) -> String {
        let counts = self.counts();
        let mut parts = vec![
            format!("{} passed", counts.passed),
            format!("{} failed", counts.failed),
            format!("{} skipped", counts.skipped),
        ];
        for (count, word) in [
            (counts.warned, "warned"),
            (counts.waived, "waived"),
            (counts.unknown, "not checked"),
        ] {
            if count > 0 {
                parts.push(format!("{count} {word}"));
            }
        }
        parts.join(", ")
    }

    /// Failed checks that make others fail, if others failed: what to correct first.
    #[must_use]
    pub fn first(&self) -> Option<String> {
        let failed = self.findings.iter().filter(|finding| self.fails(finding));
        let (causes, others): (Vec<_>, Vec<_>) =
            failed.partition(|finding| CAUSES.contains(&finding.check.as_str()));
        let causes: Vec<&str> = causes.iter().map(|cause| cause.check.as_str()).collect();
        (!causes.is_empty() && !others.is_empty()).then(|| {
            format!(
                "correct {} first: other failures may follow from it",
                causes.join(" and ")
            )
        })
    }
}

/// Without these an image cannot start as it should.
const CAUSES: &[&str] = &[
    "image.entrypoint",
    "image.runtime-static",
    "image.settings",
    "image.commands",
    "image.user",
];

/// Text of an image's, without what a terminal or a browser would obey.
#[must_use]
pub fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for letter in text.chars() {
        let steers = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if letter == '\n' || letter == '\t' || !(letter.is_control() || steers) {
            visible.push(letter);
        } else {
            visible.extend(letter.escape_unicode());
        }
    }
    visible
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Finding, Report, Seen, Verdict, View, visible};

    #[test]
    fn a_canary_is_in_no_part_of_a_report() {
        let text = || "a canary-1 b".to_owned();
        let verdicts = [
            Verdict::Passed { note: Some(text()) },
            Verdict::Failed {
                seen: text(),
                expected: text(),
                mend: text(),
            },
            Verdict::Skipped { reason: text() },
            Verdict::Waived {
                seen: text(),
                reason: text(),
            },
            Verdict::Unknown { why: text() },
        ];
        let findings = verdicts.map(|verdict| {
            let finding =
                json!({"check": "quiet", "level": "must", "result": "passed", "seconds": 0.0});
            let finding: Finding = serde_json::from_value(finding).unwrap();
            Finding {
                verdict,
                log: Some(text()),
                ..finding
            }
        });
        let view = View {
            argv: vec![text()],
            problems: vec![text()],
            ..View::default()
        };
        let report = json!({
            "format": 1, "checker": "", "strict": false, "started": "", "seconds": 0.0, "views": [], "findings": [],
            "image": {"reference": "", "digest": "", "architecture": "", "layers": [], "files": 0},
        });
        let mut report: Report = serde_json::from_value(report).unwrap();
        report.findings = findings.to_vec();
        report.views = vec![Seen {
            place: String::new(),
            word: String::new(),
            view,
        }];
        let shown = serde_json::to_string(&report.without("canary-1")).unwrap();
        assert!(!shown.contains("canary-1"), "{shown}");
        assert_eq!(shown.matches("a [canary] b").count(), 8 + 5 + 2);
    }

    #[test]
    fn nothing_steers_a_terminal() {
        assert_eq!(
            visible("a\u{1b}[31m\tb\r\n\u{202e}é"),
            "a\\u{1b}[31m\tb\\u{d}\n\\u{202e}é"
        );
    }
}
