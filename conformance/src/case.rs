//! A case is a directory: a world, and what must be made of it. Adding one needs no Rust.
//!
//! ```text
//! cases/<platform>/<name>/
//!   env.json      the environment
//!   argv.json     the program's argv; none without it
//!   fs/           files, as they lie below /
//!   make.json     what a repository cannot hold: fifos, empty directories, symlinks
//!   expect.json   why, and either workload (a subset), evidence and problems, or error
//! ```
//!
//! With `UPDATE_EXPECT` set, [`Case::rewritten`] puts the messages of today into expect.json.

mod job;
mod messages;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::canary::{self, Canary};
use crate::programs::HERE;

pub use job::{Holds, Job, jobs};

/// What must be made of a world.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Why the case exists, in one sentence.
    pub why: String,
    /// A part of what `inspect --json` shows.
    pub workload: Option<Value>,
    /// What must be among the evidence.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// Every problem.
    #[serde(default)]
    pub problems: Vec<String>,
    /// The report's lines, when the world is broken.
    pub error: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Make {
    fifos: Vec<PathBuf>,
    directories: Vec<PathBuf>,
    symlinks: BTreeMap<PathBuf, PathBuf>,
}

/// A case, unpacked into a directory.
#[derive(Debug)]
pub struct Case {
    /// `platform/name`.
    pub name: String,
    /// The environment, canaries filled in.
    pub environment: BTreeMap<String, String>,
    /// The program's argv.
    pub argv: Vec<String>,
    /// What must be made of it.
    pub expect: Expectation,
    /// The planted secret.
    pub canary: Canary,
    /// Where it was read from.
    directory: PathBuf,
    root: tempfile::TempDir,
}

impl Case {
    /// Where the files lie.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    fn make(name: String, directory: &Path) -> Self {
        let expect = read(&directory.join("expect.json"))
            .unwrap_or_else(|| panic!("{name} has no expect.json"));
        Self::lay_out(name, directory, expect, Canary::plant())
    }

    fn lay_out(name: String, directory: &Path, expect: Expectation, canary: Canary) -> Self {
        assert!(planted(directory), "{name} plants no canary");
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        copy(&directory.join("fs"), root.path(), &canary);
        let make: Make = read(&directory.join("make.json")).unwrap_or_default();
        for path in make.directories {
            std::fs::create_dir_all(root.path().join(path))
                .expect("a case's directory can be made");
        }
        for path in make.fifos {
            let place = parent_made(root.path().join(path));
            nix::unistd::mkfifo(&place, nix::sys::stat::Mode::S_IRWXU)
                .expect("a case's FIFO can be made");
        }
        for (path, target) in make.symlinks {
            let place = parent_made(root.path().join(path));
            std::os::unix::fs::symlink(target, place).expect("a case's link can be made");
        }
        let environment: BTreeMap<String, String> =
            read(&directory.join("env.json")).unwrap_or_else(|| panic!("{name} has no env.json"));
        Self {
            environment: environment
                .into_iter()
                .map(|(name, value)| (name, canary.fill(&value)))
                .collect(),
            argv: read(&directory.join("argv.json")).unwrap_or_default(),
            expect,
            name,
            canary,
            directory: directory.to_owned(),
            root,
        }
    }

    /// Compares the output of an entry point with the expectation: its report, or its view.
    ///
    /// # Panics
    ///
    /// When they differ, naming the case, the door and the field.
    #[track_caller]
    pub fn check(&self, door: &str, shown: Result<&Value, &str>) {
        let place = format!("{} through the {door}", self.name);
        match (shown, &self.expect.error) {
            (Err(report), Some(expected)) => {
                assert_eq!(
                    report.lines().collect::<Vec<_>>(),
                    *expected,
                    "{place}: another report"
                );
            }
            (Err(report), None) => panic!("{place}: an error where none is expected:\n{report}"),
            (Ok(_), Some(expected)) => {
                panic!("{place}: no error, expected:\n{}", expected.join("\n"))
            }
            (Ok(view), None) => {
                if let Some(expected) = &self.expect.workload {
                    let difference = difference("", expected, view);
                    assert!(
                        difference.is_none(),
                        "{place}: {}",
                        difference.unwrap_or_default()
                    );
                }
            }
        }
    }

    /// The same for what only the library and the binary show.
    ///
    /// # Panics
    ///
    /// When evidence or a problem is missing.
    #[track_caller]
    pub fn check_reasons(&self, door: &str, evidence: &[String], problems: &[String]) {
        let place = format!("{} through the {door}", self.name);
        for expected in &self.expect.evidence {
            assert!(
                evidence.contains(expected),
                "{place}: no evidence {expected:?} in {evidence:?}"
            );
        }
        assert_eq!(problems, self.expect.problems, "{place}: other problems");
    }

    /// Whether its messages were put into `expect.json`: where they are others, and
    /// `UPDATE_EXPECT` is set as for `expect!`.
    ///
    /// # Panics
    ///
    /// When the file cannot be written.
    #[must_use]
    pub fn rewritten(&self, shown: Result<&[String], &str>) -> bool {
        std::env::var_os("UPDATE_EXPECT").is_some() && self.replaced(shown)
    }

    /// A report never takes the place of a workload, nor the other way round.
    fn replaced(&self, shown: Result<&[String], &str>) -> bool {
        let (member, expected, messages) = match (shown, &self.expect.error) {
            (Err(report), Some(expected)) => {
                let lines = report.lines().map(ToOwned::to_owned).collect();
                ("error", expected, lines)
            }
            (Ok(problems), None) => ("problems", &self.expect.problems, problems.to_vec()),
            _ => return false,
        };
        if messages == *expected {
            return false;
        }
        let file = self.directory.join("expect.json");
        let text = std::fs::read_to_string(&file).expect("a case was read");
        let replaced = messages::replaced(&text, member, &messages);
        if let Some(text) = &replaced {
            std::fs::write(&file, text).expect("a case can be written");
        }
        replaced.is_some()
    }
}

/// Every case below `cases/`: found by walking, so that none can be forgotten.
///
/// # Panics
///
/// When a case is not readable, or has no `why` or no canary.
#[must_use]
pub fn all() -> Vec<Case> {
    let cases = Path::new(HERE).join("cases");
    let mut found = Vec::new();
    for group in sorted(&cases) {
        for directory in sorted(&group) {
            let name = directory
                .strip_prefix(&cases)
                .unwrap_or(&directory)
                .to_string_lossy()
                .into_owned();
            let case = Case::make(name, &directory);
            assert!(
                !case.expect.why.trim().is_empty(),
                "{} does not say why",
                case.name
            );
            found.push(case);
        }
    }
    assert!(!found.is_empty(), "no case below {}", cases.display());
    found
}

/// Where `view` is not what `expected` says, in words.
fn difference(at: &str, expected: &Value, view: &Value) -> Option<String> {
    match (expected, view) {
        // A part of an object is asked for by its keys; none at all means none are there.
        (Value::Object(expected), Value::Object(view)) if !expected.is_empty() => {
            expected.iter().find_map(|(key, expected)| {
                difference(
                    &format!("{at}.{key}"),
                    expected,
                    view.get(key).unwrap_or(&Value::Null),
                )
            })
        }
        _ if expected == view => None,
        _ => Some(format!(
            "{} is {view}, expected {expected}",
            at.trim_start_matches('.')
        )),
    }
}

/// Whether a file of the case holds the canary's place.
fn planted(directory: &Path) -> bool {
    sorted(directory).iter().any(|path| {
        if path.is_dir() && !path.is_symlink() {
            return planted(path);
        }
        let text = std::fs::read(path).unwrap_or_default();
        text.windows(canary::PLACE.len())
            .any(|window| window == canary::PLACE.as_bytes())
    })
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    let bytes = std::fs::read(path).ok()?;
    Some(serde_json::from_slice(&bytes).unwrap_or_else(|err| panic!("{}: {err}", path.display())))
}

fn sorted(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap_or_else(|err| panic!("{}: {err}", directory.display()))
        .map(|entry| entry.expect("a directory can be listed").path())
        .collect();
    found.sort();
    found
}

fn copy(from: &Path, to: &Path, canary: &Canary) {
    if !from.is_dir() {
        return;
    }
    for path in sorted(from) {
        let place = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            std::fs::create_dir_all(&place).expect("a case's directory can be made");
            copy(&path, &place, canary);
        } else {
            let bytes = std::fs::read(&path).expect("a case's file can be read");
            let filled = match String::from_utf8(bytes) {
                Ok(text) => canary.fill(&text).into_bytes(),
                Err(raw) => raw.into_bytes(),
            };
            std::fs::write(&place, filled).expect("a case's file can be written");
        }
    }
}

fn parent_made(path: PathBuf) -> PathBuf {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).expect("a case's directory can be made");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::Case;

    const EXPECT: &str = r#"{
  "why": "It is rewritten.",
  "problems": [
    "one",
    "two"
  ],
  "evidence": []
}
"#;

    /// A case with these expectations.
    fn case(expect: &str) -> (tempfile::TempDir, Case) {
        let directory = tempfile::tempdir().unwrap();
        let env = format!(r#"{{"KEY": "{}"}}"#, super::canary::PLACE);
        std::fs::write(directory.path().join("env.json"), env).unwrap();
        std::fs::write(directory.path().join("expect.json"), expect).unwrap();
        let case = Case::make("a/case".to_owned(), directory.path());
        (directory, case)
    }

    #[track_caller]
    fn check(expect: &str, shown: Result<&[&str], &str>, after: Option<(&str, &str)>) {
        let (directory, case) = case(expect);
        let problems = shown.map(|all| all.iter().map(|&one| one.to_owned()).collect::<Vec<_>>());
        let rewritten = case.replaced(problems.as_deref().map_err(|report| *report));
        assert_eq!(rewritten, after.is_some());
        let (was, is) = after.unwrap_or_default();
        let text = std::fs::read_to_string(directory.path().join("expect.json")).unwrap();
        assert_eq!(text, expect.replace(was, is));
    }

    #[test]
    fn messages_are_replaced_where_they_stand() {
        check(EXPECT, Ok(&["one", "2"]), Some(("two", "2")));
        let broken = EXPECT.replace("problems", "error");
        check(&broken, Err("one\nand two"), Some(("two", "and two")));
    }

    #[test]
    fn what_is_as_it_was_or_of_another_kind_is_left_alone() {
        check(EXPECT, Ok(&["one", "two"]), None);
        check(EXPECT, Err("one\ntwo"), None);
        check(
            &EXPECT.replace("problems", "error"),
            Ok(&["one", "2"]),
            None,
        );
        check(r#"{"why": "No list of problems."}"#, Ok(&["one"]), None);
    }
}
