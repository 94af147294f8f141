//! One job, described for both platforms.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::{Case, Expectation, difference, read, sorted};
use crate::canary::Canary;
use crate::programs::HERE;
use crate::same_job::are_equal;

/// ```text
/// jobs/<name>/
///   job.json                why, the fields in which its two descriptions differ, what both
///                           of them must show (`holds`), and what only one of them
///   sagemaker/ kubernetes/  a world each, as a case has it
/// ```
#[derive(Debug)]
pub struct Job {
    /// Its directory's name.
    pub name: String,
    /// Dotted fields and variables that may differ besides those that name the place.
    pub differs: Vec<String>,
    /// What is special to it, on both platforms.
    pub holds: Holds,
    /// What only SageMaker's description must show.
    pub holds_on_sagemaker: Holds,
    /// What only the pod's description must show.
    pub holds_on_kubernetes: Holds,
    /// As SageMaker describes it.
    pub sagemaker: Case,
    /// As a pod describes it.
    pub kubernetes: Case,
}

/// What is special to a job, written out. Two descriptions can be equal because neither is
/// understood.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Holds {
    /// A part of what `inspect --json` shows.
    pub workload: Value,
    /// The program's variables as `explain` shows them. `None` is a variable that must be absent.
    pub variables: BTreeMap<String, Option<String>>,
    /// Settings, as `explain` shows them.
    pub settings: BTreeMap<String, Option<String>>,
}

impl Holds {
    fn is_empty(&self) -> bool {
        self.workload.is_null() && self.variables.is_empty() && self.settings.is_empty()
    }

    /// Where the workload is not what it must be, in words.
    #[must_use]
    pub fn missing_from_workload(&self, workload: &Value) -> Option<String> {
        let expected = Some(&self.workload).filter(|expected| !expected.is_null())?;
        difference("", expected, workload)
    }

    /// The same for variables and settings, by name.
    #[must_use]
    pub fn missing_from_values(
        &self,
        variables: &BTreeMap<String, String>,
        settings: &BTreeMap<String, String>,
    ) -> Option<String> {
        let of = [(&self.variables, variables), (&self.settings, settings)];
        of.into_iter().find_map(|(expected, shown)| {
            let mut expected = expected.iter();
            let (name, expected) = expected
                .find(|(name, expected)| !are_equal(shown.get(*name), expected.as_ref()))?;
            let shown = shown.get(name);
            Some(format!("{name} is {shown:?}, expected {expected:?}"))
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JobFile {
    why: String,
    differs: Vec<String>,
    #[serde(default)]
    holds: Holds,
    #[serde(default)]
    sagemaker: Holds,
    #[serde(default)]
    kubernetes: Holds,
}

impl Job {
    /// Whether a variable of the program may differ: it is exempt, or a path is of which it is the
    /// variable.
    #[must_use]
    pub fn may_differ(&self, variable: &str) -> bool {
        let name = variable
            .trim_start_matches("LYFTLEARN_")
            .trim_start_matches("SM_");
        let name = name.trim_end_matches("_DIR").to_lowercase();
        self.differs.iter().any(|field| {
            let path = field.strip_prefix("paths.");
            field == variable
                || path.is_some_and(|path| path.starts_with(&name) || name.starts_with(path))
        })
    }

    /// Both descriptions, each with what it must show: what both must, and what only this one.
    #[must_use]
    pub fn sides(&self) -> [(&Case, [&Holds; 2]); 2] {
        [
            (&self.sagemaker, [&self.holds, &self.holds_on_sagemaker]),
            (&self.kubernetes, [&self.holds, &self.holds_on_kubernetes]),
        ]
    }
}

/// Every job below `jobs/`.
///
/// # Panics
///
/// When one is not readable, or has no `why`, no canary or nothing that both must show.
#[must_use]
pub fn jobs() -> Vec<Job> {
    let jobs = Path::new(HERE).join("jobs");
    sorted(&jobs)
        .iter()
        .map(|directory| {
            let name = directory.file_name().unwrap_or_default().to_string_lossy();
            let file: JobFile = read(&directory.join("job.json"))
                .unwrap_or_else(|| panic!("{name} has no job.json"));
            assert!(!file.why.trim().is_empty(), "{name} does not say why");
            let holds = [&file.holds, &file.sagemaker, &file.kubernetes];
            assert!(
                !holds.into_iter().all(Holds::is_empty),
                "{name} holds nothing of its own"
            );
            // One secret for both, or everything that holds it would differ.
            let canary = Canary::plant();
            let world = |platform: &str| {
                let of = format!("{name} on {platform}");
                let directory = directory.join(platform);
                Case::lay_out(of, &directory, Expectation::default(), canary.clone())
            };
            Job {
                sagemaker: world("sagemaker"),
                kubernetes: world("kubernetes"),
                differs: file.differs,
                holds: file.holds,
                holds_on_sagemaker: file.sagemaker,
                holds_on_kubernetes: file.kubernetes,
                name: name.into_owned(),
            }
        })
        .collect()
}
