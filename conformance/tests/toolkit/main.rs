//! sagemaker-training-toolkit itself, from PyPI, as the oracle: random `/opt/ml` trees, and
//! every variable that it makes of them, against what `env` shows.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the emulated world is written and read back; a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};

use lyftlearn_conformance::command::{self, Server};
use lyftlearn_conformance::programs;
use serde::Deserialize;
use serde_json::Value;

/// How many trees, unless `LYFTLEARN_CONFORMANCE_TREES` says another number.
const TREES: u32 = 400;

/// Every deliberate difference, and its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Difference {
    /// `SAGEMAKER_JOB_NAME` and `SAGEMAKER_REGION`: the toolkit sets a blank or null for an unknown
    /// value. Here an unknown value is absent.
    Blank,
    /// A variable that was there before: the toolkit replaces it, here the user's own
    /// value of any name that is not reserved stands.
    UsersOwn,
    /// A variable that no process can be given: the toolkit fails where it starts the
    /// script; here it is left out, and `inspect` names it.
    NoVariable,
    /// A document that JSON does not allow (a bare NaN, half a surrogate pair in a name, cut
    /// off) or that names no hosts is refused with its place; the toolkit takes some of them.
    Refused,
    /// A file is not there, or a key is null or missing where the toolkit fails: the value
    /// that the workload gives.
    Survived,
}

#[derive(Debug, Deserialize)]
struct Tree {
    root: PathBuf,
    environ: BTreeMap<String, String>,
    odd: bool,
    error: Option<String>,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    missing: Vec<String>,
    #[serde(default)]
    side: BTreeMap<String, String>,
}

impl Tree {
    fn shim(&self, words: &[&str]) -> Output {
        let mut shim = Command::new(programs::binary());
        shim.args(words)
            .arg("--root")
            .arg(&self.root)
            .env_clear()
            .envs(&self.environ)
            // The toolkit counts the node's processors; a setting makes us do the same.
            .env("LYFTLEARN_RUNTIME_TOOLKIT_NUM_CPUS", "node")
            // A real job has its name; two trees of three do.
            .env("LYFTLEARN_RUNTIME_PLATFORM", "sagemaker")
            .env("PATH", "/usr/bin");
        command::output(&mut shim)
    }
}

#[derive(Default)]
struct Tally {
    variables: usize,
    wrong: Vec<String>,
    deliberate: BTreeMap<Difference, usize>,
    errors: BTreeMap<String, usize>,
}

impl Tally {
    fn deliberate(&mut self, difference: Difference) {
        *self.deliberate.entry(difference).or_default() += 1;
    }

    fn wrong(&mut self, tree: &Tree, what: &str) {
        self.wrong.push(format!("{}: {what}", tree.root.display()));
    }

    fn compare(&mut self, tree: &Tree) {
        let output = tree.shim(&["env", "--format", "json"]);
        let report = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.code() {
            Some(0) => {}
            Some(2) if report.starts_with("lyftlearn-runtime: cannot ") => {
                if tree.error.is_some() || tree.odd {
                    self.deliberate(Difference::Refused);
                } else {
                    self.wrong(tree, &format!("refused: {report}"));
                }
                return;
            }
            _ => {
                self.wrong(tree, &format!("{:?}: {report}", output.status));
                return;
            }
        }
        let ours: BTreeMap<String, String> = serde_json::from_slice(&output.stdout).unwrap();
        if let Some(error) = &tree.error {
            *self.errors.entry(error.clone()).or_default() += 1;
            if ours.contains_key("SM_HOSTS") {
                self.deliberate(Difference::Survived);
            } else {
                self.wrong(tree, &format!("nothing instead of {error}"));
            }
            return;
        }
        for (name, theirs) in tree.variables.iter().chain(&tree.side) {
            self.variables += 1;
            match ours.get(name) {
                Some(value) if value == theirs => {}
                _ if theirs.is_empty() && tree.side.contains_key(name) => {
                    self.deliberate(Difference::Blank);
                }
                None if tree.environ.contains_key(name) => self.deliberate(Difference::UsersOwn),
                other => self.wrong(tree, &format!("{name}: {theirs:?}, not {other:?}")),
            }
        }
        for name in ours.keys().filter(|name| name.starts_with("SM_")) {
            if !tree.variables.contains_key(name) {
                self.wrong(tree, &format!("{name} is nothing of the toolkit's"));
            }
        }
        if !tree.missing.is_empty() {
            let shown = tree.shim(&["inspect", "--json"]).stdout;
            let shown: Value = serde_json::from_slice(&shown).unwrap();
            if shown["problems"].to_string().contains("left out, because") {
                self.deliberate(Difference::NoVariable);
            } else {
                self.wrong(tree, &format!("{:?} are left out unsaid", tree.missing));
            }
        }
    }
}

#[test]
fn every_variable_is_the_toolkits_or_its_difference_is_listed() {
    let Some(python) = programs::python_with_toolkit() else {
        return;
    };
    let count = std::env::var("LYFTLEARN_CONFORMANCE_TREES");
    let count = count.map_or(TREES, |text| text.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(python);
    command
        .arg(programs::repository().join("conformance/tests/toolkit/trees.py"))
        .arg(directory.path())
        .args([count.to_string(), "1".to_owned()]);
    let mut driver = Server::answering(&mut command);
    let mut tally = Tally::default();
    let mut trees = 0;
    while let Some(line) = driver.next_line() {
        let tree: Tree = serde_json::from_str(&line).unwrap();
        tally.compare(&tree);
        trees += 1;
    }
    assert!(driver.end().success());
    assert_eq!(trees, count);
    let Tally {
        variables,
        wrong,
        deliberate,
        errors,
    } = tally;
    println!(
        "{trees} trees, {variables} variables, deliberate {deliberate:?}, the toolkit's errors {errors:?}"
    );
    assert!(variables > trees as usize * 30, "nothing was compared");
    assert!(
        wrong.is_empty(),
        "{} differences:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
