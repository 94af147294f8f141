//! Lines in the file that an agent of SageMaker's reads for the page of a job. It takes single
//! numbers, and draws them over time: counters are totals, a histogram is its count, its sum
//! and the mean since the line before.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use serde::Serialize;

use super::Plan;
use crate::held::{self, Directory, Owner};
use crate::metrics::region::{Series, Snapshot, Value};
use crate::metrics::routes::interval::{self, Sender};
use crate::metrics::routes::{Means, Running, Selection};

/// The page of a job is looked at while it runs.
const EVERY: Duration = Duration::from_secs(10);

/// A metric's name is no longer (BatchPutMetrics).
const NAME_CHARACTERS: usize = 255;

/// As SageMaker's SDK writes it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Line<'a> {
    metric_name: &'a str,
    value: f64,
    /// Milliseconds since 1970.
    timestamp: f64,
}

pub(super) fn start(plan: &Plan, means: &Means) -> Running {
    let owner = means.run.as_ref().and_then(Directory::owner);
    let lines = Lines::new(plan.directory.clone(), owner);
    // SageMaker charges for each metric, so only the program's metrics are written.
    interval::start(lines, means.counted(Selection::Programs))
}

/// The file, and what it says already.
pub(super) struct Lines {
    directory: PathBuf,
    /// The program's user, if it is not this process's own: the files in the directory belong to
    /// it.
    owner: Option<Owner>,
    /// The last number of each name.
    written: HashMap<String, f64>,
}

impl Lines {
    pub(super) fn new(directory: PathBuf, owner: Option<Owner>) -> Self {
        Self {
            directory,
            owner,
            written: HashMap::new(),
        }
    }

    /// Adds a line for every number that is another than it was.
    pub(super) fn write(&mut self, snapshot: &Snapshot, now: Duration, left: &Cell<u64>) {
        let mut written = Vec::new();
        let mut text = String::new();
        let mut lines = 0;
        let mut nameless = 0;
        for series in &snapshot.series {
            for (name, value) in self.numbers(series) {
                if !value.is_finite() || self.written.get(&name) == Some(&value) {
                    continue;
                }
                if name.chars().count() > NAME_CHARACTERS {
                    nameless += 1;
                    continue;
                }
                let line = Line {
                    metric_name: &name,
                    value,
                    timestamp: now.as_secs_f64() * 1_000.0,
                };
                let line = serde_json::to_string(&line).expect("numbers are finite");
                let _ = writeln!(text, "{line}");
                lines += 1;
                written.push((name, value));
            }
        }
        if text.is_empty() || self.append(text.as_bytes()).is_ok() {
            self.written.extend(written);
            left.set(nameless);
        } else {
            left.set(nameless + lines);
        }
    }

    /// All of it or nothing: the rest of a line that a full disk cut would spoil the next one.
    fn append(&self, text: &[u8]) -> io::Result<()> {
        let mut file = self.opened()?;
        let length = file.metadata()?.len();
        file.write_all(text).inspect_err(|_| {
            let _ = file.set_len(length);
        })
    }

    fn opened(&self) -> io::Result<File> {
        let directory = match self.owner {
            Some(owner) => held::make_missing(&self.directory, owner)?,
            None => {
                std::fs::create_dir_all(&self.directory)?;
                Directory::of_a_program(&self.directory, None)?
            }
        };
        let name = format!("{}.json", std::process::id());
        let access = OFlags::WRONLY | OFlags::APPEND;
        match directory.open_with(Path::new(&name), access) {
            Err(err) if err.kind() == io::ErrorKind::NotFound => {
                directory.new_file_once(&name, Mode::from_raw_mode(0o644))?;
                directory.open_with(Path::new(&name), access)
            }
            opened => opened,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a count is written as a float")]
    fn numbers(&self, series: &Series) -> Vec<(String, f64)> {
        let name = |suffix| named(series, suffix);
        match &series.value {
            Value::Counter(value) | Value::Gauge(value) => vec![(name(""), *value)],
            Value::Histogram(buckets) => {
                let (count, sum) = (name("_count"), name("_sum"));
                let before = |name| self.written.get(name).copied().unwrap_or_default();
                let more = buckets.count as f64 - before(&count);
                let mut numbers = Vec::new();
                if more > 0.0 {
                    numbers.push((name("_mean"), (buckets.sum - before(&sum)) / more));
                }
                numbers.push((count, buckets.count as f64));
                numbers.push((sum, buckets.sum));
                numbers
            }
        }
    }
}

impl Sender for Lines {
    fn every(&self) -> Duration {
        EVERY
    }

    async fn send(&mut self, snapshot: &Snapshot, now: Duration, left: &Cell<u64>) {
        self.write(snapshot, now, left);
    }
}

/// The name with the labels, as a page shows it: `rows{split=train}`.
fn named(series: &Series, suffix: &str) -> String {
    let mut name = format!("{}{suffix}", series.name);
    for (n, (label, value)) in series.labels.iter().enumerate() {
        let before = if n == 0 { '{' } else { ',' };
        let _ = write!(name, "{before}{label}={value}");
    }
    if !series.labels.is_empty() {
        name.push('}');
    }
    name
}
