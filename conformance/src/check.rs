//! The checks: what each is called, how much it matters, what it needs, and how it is run.
//!
//! A check turns what it sees of a [`Subject`] into [`Finding`]s, which the reports show.

pub mod compare;
pub mod figures;
pub mod identity;
pub mod image;
pub mod image_files;
pub mod metrics;
pub mod outcome;
pub mod quiet;
pub mod repeat;
pub mod running;
pub mod secrets;
pub mod serve;
pub mod start;
pub mod startup;
pub mod subject;
pub mod table;
pub mod train;
pub mod view;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::image_toml::{Waiver, matches};
use crate::place::Place;
use crate::trouble::{Result, Trouble};
pub use subject::Subject;
pub use table::CHECKS;

/// How much a check matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A failure fails the run.
    Must,
    /// A failure is a warning, unless `--strict` is given.
    Should,
    /// Measured. It fails when the team has set it a budget.
    Info,
}

impl Level {
    /// As reports name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::Info => "info",
        }
    }
}

/// Which images a check is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// All.
    Base,
    /// Those that train.
    Training,
    /// Those that serve.
    Serving,
    /// Those that run under a cluster's strictest policy.
    Restricted,
    /// Checks about a start: figures of layers, of the start and of lazy loading.
    Lazy,
}

impl Profile {
    /// As `--profile` and `image.toml` name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Training => "training",
            Self::Serving => "serving",
            Self::Restricted => "restricted",
            Self::Lazy => "lazy",
        }
    }
}

/// What must be there for a check to be run; else it is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// An engine.
    Engine,
    /// `lyftlearn-runtime` in the image's entry point.
    Runtime,
    /// The image trains.
    Training,
    /// The image serves.
    Serving,
    /// `[train]` in `image.toml`.
    TrainSection,
    /// `[serve]` in `image.toml`.
    ServeSection,
    /// `[serve]` in `image.toml`, or `[train]` if the image only trains.
    RoleSection,
}

impl Need {
    /// As `list` shows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Runtime => "runtime",
            Self::Training => "training",
            Self::Serving => "serving",
            Self::TrainSection => "[train]",
            Self::ServeSection => "[serve]",
            Self::RoleSection => "[serve] or [train]",
        }
    }
}

/// One check.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Stable.
    pub id: &'static str,
    /// How much it matters.
    pub level: Level,
    /// The profile of the run.
    pub profile: Profile,
    /// What must be there.
    pub needs: &'static [Need],
    /// When it passes, in a few words.
    pub passes: &'static str,
    /// Why it exists.
    pub why: &'static str,
    /// How it is measured.
    pub how: &'static str,
    /// How it is mended.
    pub mend: &'static str,
    /// Runs it.
    pub run: fn(&Subject) -> Result<Vec<Seen>>,
}

/// What a check saw, in one place or in none.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Where.
    pub place: Option<Place>,
    /// How it went.
    pub result: Verdict,
    /// Numbers worth keeping.
    pub figures: BTreeMap<String, f64>,
    /// The figure that was judged.
    pub figure: Option<Figure>,
    /// Another level than the check's own: a team's budget is meant.
    pub level: Option<Level>,
    /// What the container printed.
    pub log: Option<String>,
}

/// A figure beside its budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The measured value.
    pub value: f64,
    /// What it may be at most.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub budget: Option<f64>,
    /// `MiB`, `%`, …
    pub unit: String,
}

impl Figure {
    /// A value of this figure for people.
    #[must_use]
    pub fn shown(&self, value: f64) -> String {
        let number = if value.fract() == 0.0 {
            format!("{value}")
        } else {
            format!("{value:.1}")
        };
        format!("{number} {}", self.unit)
    }

    /// Whether it is more than it may be.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.budget.is_some_and(|budget| self.value > budget)
    }
}

/// How it went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub enum Verdict {
    /// As it should.
    Passed {
        /// What people may want to know all the same.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        note: Option<String>,
    },
    /// Otherwise.
    Failed {
        /// The observed text.
        seen: String,
        /// The expected text.
        expected: String,
        /// What to do.
        mend: String,
    },
    /// Something it needs is not there.
    Skipped {
        /// What.
        reason: String,
    },
    /// It failed, and `image.toml` says that this is known.
    Waived {
        /// The observed text.
        seen: String,
        /// The team's reason.
        reason: String,
    },
    /// The checker could not look.
    Unknown {
        /// Why.
        why: String,
    },
}

impl Seen {
    /// It passed.
    #[must_use]
    pub fn passed() -> Self {
        Self::of(Verdict::Passed { note: None })
    }

    /// It passed, with a note.
    #[must_use]
    pub fn noted(note: impl Into<String>) -> Self {
        Self::of(Verdict::Passed {
            note: Some(note.into()),
        })
    }

    /// It failed. What to do is the check's own advice.
    #[must_use]
    pub fn failed(seen: impl Into<String>, expected: impl Into<String>) -> Self {
        let (seen, expected) = (seen.into(), expected.into());
        Self::of(Verdict::Failed {
            seen,
            expected,
            mend: String::new(),
        })
    }

    /// It was not run.
    #[must_use]
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self::of(Verdict::Skipped {
            reason: reason.into(),
        })
    }

    fn of(result: Verdict) -> Self {
        Self {
            place: None,
            result,
            figures: BTreeMap::new(),
            figure: None,
            level: None,
            log: None,
        }
    }

    /// In this place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// With what the container printed, where it failed.
    #[must_use]
    pub fn with_log(mut self, log: &str) -> Self {
        if matches!(self.result, Verdict::Failed { .. }) {
            self.log = Some(log.to_owned());
        }
        self
    }

    /// With a number.
    #[must_use]
    pub fn with_figure(mut self, name: &str, value: f64) -> Self {
        self.figures.insert(name.to_owned(), value);
        self
    }
}

/// One line of the report: data, in the form of `--json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// The check's id.
    pub check: String,
    /// Its level.
    pub level: Level,
    /// The place's name; absent for checks of the image alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<String>,
    /// How it went.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// How long it took; what several checks share counts for the first.
    pub seconds: f64,
    /// Numbers worth keeping.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub figures: BTreeMap<String, f64>,
    /// The figure that was judged, beside its budget.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub figure: Option<Figure>,
    /// What the container printed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub log: Option<String>,
}

/// Which checks are run.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Profiles by name.
    pub profiles: Vec<String>,
    /// Patterns; empty: all.
    pub only: Vec<String>,
    /// Patterns.
    pub skip: Vec<String>,
}

impl Choice {
    /// The checks, in the order of the table.
    #[must_use]
    pub fn checks(&self) -> Vec<&'static Check> {
        let named =
            |patterns: &[String], id: &str| patterns.iter().any(|pattern| matches(pattern, id));
        CHECKS
            .iter()
            .filter(|check| {
                // A check that is requested by name runs in every profile.
                let chosen = if self.only.is_empty() {
                    self.profiles
                        .iter()
                        .any(|profile| profile == check.profile.name())
                } else {
                    named(&self.only, check.id)
                };
                chosen && !named(&self.skip, check.id)
            })
            .collect()
    }
}

/// Runs the checks, several at a time, and gives their findings in the order of the table.
///
/// # Errors
///
/// On an interrupt alone: what a check could not find out is a finding.
pub fn run(
    subject: &Subject,
    checks: &[&'static Check],
    jobs: usize,
    progress: &(dyn Fn(&'static str) + Sync),
) -> Result<Vec<Finding>> {
    let next = AtomicUsize::new(0);
    let found: Mutex<BTreeMap<usize, Result<Vec<Finding>>>> = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(check) = checks.get(number) else {
                        return;
                    };
                    if subject.stop.check().is_err() {
                        return;
                    }
                    progress(check.id);
                    let findings = run_one(subject, check);
                    found
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .insert(number, findings);
                }
            });
        }
    });
    subject.stop.check()?;
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut all = Vec::new();
    for findings in found.into_values() {
        all.extend(findings?);
    }
    Ok(all)
}

fn run_one(subject: &Subject, check: &'static Check) -> Result<Vec<Finding>> {
    let began = Instant::now();
    let seen = match subject.lacks(check.needs) {
        Some(reason) => vec![Seen::skipped(reason)],
        None => match (check.run)(subject) {
            Ok(seen) => seen,
            Err(Trouble::Interrupted(signal)) => return Err(Trouble::Interrupted(signal)),
            Err(other) => vec![Seen::of(Verdict::Unknown {
                why: other.to_string(),
            })],
        },
    };
    let seconds = began.elapsed().as_secs_f64();
    let (waivers, today) = (&subject.toml.waived, &subject.today);
    Ok(seen
        .into_iter()
        .enumerate()
        .map(|(number, seen)| {
            let seconds = if number == 0 { seconds } else { 0.0 };
            finding(check, seen, seconds, waivers, today)
        })
        .collect())
}

/// What a check saw, as a line of the report.
pub(crate) fn finding(
    check: &Check,
    seen: Seen,
    seconds: f64,
    waivers: &[Waiver],
    today: &str,
) -> Finding {
    let verdict = match seen.result {
        Verdict::Failed { seen, expected, .. } => Verdict::Failed {
            seen,
            expected,
            mend: check.mend.to_owned(),
        },
        other => other,
    };
    Finding {
        check: check.id.to_owned(),
        level: seen.level.unwrap_or(check.level),
        place: seen.place.map(|place| place.name().to_owned()),
        verdict: waived(verdict, check, waivers, today),
        seconds,
        figures: seen.figures,
        figure: seen.figure,
        log: seen.log,
    }
}

/// A failure that the team knows of, until the day that it named.
fn waived(verdict: Verdict, check: &Check, waivers: &[Waiver], today: &str) -> Verdict {
    let Verdict::Failed {
        seen,
        expected,
        mend,
    } = verdict
    else {
        return verdict;
    };
    let Some(waiver) = waivers
        .iter()
        .find(|waiver| matches(&waiver.check, check.id))
    else {
        return Verdict::Failed {
            seen,
            expected,
            mend,
        };
    };
    match &waiver.until {
        // Days in this form are in the order of their texts.
        Some(until) if until.as_str() < today => Verdict::Failed {
            seen: format!(
                "{seen} (waived until {until}, line {} of image.toml; the waiver has expired)",
                waiver.line
            ),
            expected,
            mend,
        },
        _ => Verdict::Waived {
            seen,
            reason: waiver.reason.clone(),
        },
    }
}
