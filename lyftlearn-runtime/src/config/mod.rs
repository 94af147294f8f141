//! Configuration that changes while the program runs: a ConfigMap's volume, or any directory
//! in which a file's name is the key and its content the value. On SageMaker, which delivers
//! once, the same is simply constant.
//!
//! **Costs nothing until it is asked, and starts no thread.** Every [`Snapshot`] is one
//! consistent set, however often the volume is replaced meanwhile.
//!
//! ```
//! use lyftlearn_runtime::{Facts, config::Config};
//!
//! let root = tempfile::tempdir()?;
//! let live = root.path().join("etc/lyftlearn/live");
//! std::fs::create_dir_all(&live)?;
//! std::fs::write(live.join("ranker.threshold"), "0.5\n")?;
//!
//! let config = Config::of(&Facts::empty().with_root(root.path()))?;
//! let now = config.snapshot()?;
//! assert_eq!(now.text("ranker.threshold")?, "0.5");
//! assert_eq!(now.float("ranker.threshold")?, 0.5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod directory;
mod fault;
#[cfg(test)]
mod fuzz;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::error::Error;
use crate::facts::Facts;
use crate::resolve;
use crate::workload;

use directory::Stamp;
use fault::ConfigFault;
pub use watch::Watch;

/// Live configuration. Clones share their cache.
#[derive(Clone, Debug)]
pub struct Config {
    sources: Arc<[Source]>,
    problems: Arc<[String]>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug)]
struct Source {
    /// The path in this process's own file system.
    path: PathBuf,
    /// What the container calls it.
    named: PathBuf,
}

/// The last snapshot, and the stamp that shows whether it is still current.
#[derive(Debug, Default)]
struct Seen {
    stamps: Vec<Stamp>,
    snapshot: Option<Snapshot>,
}

impl Config {
    /// What the setting `live.dirs` names, or the usual place of this platform. A directory
    /// that does not exist is empty, and may come later.
    ///
    /// # Errors
    ///
    /// As [`resolve`](crate::resolve()): settings name the directories.
    pub fn of(facts: &Facts) -> Result<Self, Error> {
        let (directories, problems) = resolve::live(facts)?;
        let sources = directories
            .into_iter()
            .filter_map(|named| {
                let path = facts.below_root(&named)?;
                Some(Source { path, named })
            })
            .collect();
        Ok(Self {
            sources,
            problems: problems.into(),
            seen: Arc::default(),
        })
    }

    /// Files that will not follow their source, one sentence each: a file that is mounted by
    /// subPath does not change after the container's start.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// What holds now: all keys of one moment. Where nothing has changed since the last time
    /// that costs two system calls for a volume, and one for each file of a plain directory.
    ///
    /// # Errors
    ///
    /// When a value is not UTF-8 or is larger than 1 MiB, when two files have the name of
    /// one key, or when something may not be read: every such key at once.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        let seen = self
            .seen
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(snapshot) = &seen.snapshot
            && (self.sources.iter().zip(&seen.stamps))
                .all(|(source, stamp)| stamp.holds(&source.path))
        {
            return Ok(snapshot.clone());
        }
        drop(seen);
        self.snapshot_anew()
    }

    fn snapshot_anew(&self) -> Result<Snapshot, Error> {
        let mut texts = BTreeMap::new();
        let mut wrong = Vec::new();
        let mut stamps = Vec::new();
        for source in self.sources() {
            let found = directory::read(&source.path, &source.named)?;
            texts.extend(found.texts);
            wrong.extend(found.wrong);
            stamps.push(found.stamp);
        }
        let mut seen = self
            .seen
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        seen.stamps = stamps;
        if !wrong.is_empty() {
            seen.snapshot = None;
            return Err(ConfigFault::Unusable { wrong }.into());
        }
        let snapshot = match seen.snapshot.take() {
            // The same object as long as it says the same.
            Some(before) if *before.0 == texts => before,
            _ => Snapshot(Arc::new(texts)),
        };
        seen.snapshot = Some(snapshot.clone());
        Ok(snapshot)
    }

    fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The directories below those that are named, as the last look found them.
    fn directories(&self) -> Vec<PathBuf> {
        let seen = self
            .seen
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        (self.sources.iter().zip(&seen.stamps))
            .flat_map(|(source, stamp)| stamp.directories().map(|below| source.path.join(below)))
            .collect()
    }
}

/// All keys and values of one moment; never changes. `Debug` shows names only.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot(Arc<BTreeMap<String, String>>);

impl Snapshot {
    /// Names and texts, in the order of the names.
    #[must_use]
    pub fn texts(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// The names whose values differ between the two, including names that only one of them has.
    #[must_use]
    pub fn differences(&self, other: &Self) -> BTreeSet<String> {
        (self.texts().keys().chain(other.texts().keys()))
            .filter(|name| self.texts().get(*name) != other.texts().get(*name))
            .cloned()
            .collect()
    }

    /// The text itself: the file's content, but for one line end at its end.
    ///
    /// # Errors
    ///
    /// If no file has this name.
    pub fn text(&self, name: &str) -> Result<&str, Error> {
        self.texts().get(name).map(String::as_str).ok_or_else(|| {
            ConfigFault::Missing {
                name: name.to_owned(),
                nearest: workload::nearest(name, self.0.keys().map(String::as_str)),
            }
            .into()
        })
    }

    /// A whole number in decimal digits: `10`, `-3`.
    ///
    /// # Errors
    ///
    /// If no file has this name, or its content is not an integer.
    pub fn int(&self, name: &str) -> Result<i64, Error> {
        self.parse(name, workload::WHOLE_NUMBER, workload::as_int)
    }

    /// A decimal number: `0.1`, `1e-5`, `10`, `inf`, `NaN`.
    ///
    /// # Errors
    ///
    /// If no file has this name, or its content is not a number.
    pub fn float(&self, name: &str) -> Result<f64, Error> {
        self.parse(name, workload::NUMBER, workload::as_float)
    }

    /// `true` or `false`, in JSON's spelling or Python's.
    ///
    /// # Errors
    ///
    /// If no file has this name, or its content is not a boolean.
    pub fn bool(&self, name: &str) -> Result<bool, Error> {
        self.parse(name, workload::TRUTH, workload::as_bool)
    }

    /// Any JSON document.
    ///
    /// # Errors
    ///
    /// If no file has this name, or its content does not deserialize to `T`.
    pub fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        self.parse(name, workload::JSON, workload::as_json)
    }

    fn parse<T>(
        &self,
        name: &str,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Error> {
        let fault = || ConfigFault::NotA {
            name: name.to_owned(),
            expected,
        };
        parse(self.text(name)?).ok_or_else(|| fault().into())
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests;
