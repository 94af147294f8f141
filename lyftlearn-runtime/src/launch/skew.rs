//! The skew guard: what a model was trained with is kept beside it, and what it is served
//! with is held against that.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::snapshot::{self, Kind, compare, declared};
use crate::contract::{delivered as names, limits, runtime};
use crate::error::{Error, ErrorKind, Fault};
use crate::facts::Facts;
use crate::held::{Directory, Owner, with_rights_of};
use crate::outcome::{Skew, within_characters};
use crate::resolve::Resolved;
use crate::settings::SkewGuard;
use crate::workload::{Role, Workload};

/// So many differences are named; all are counted.
const NAMED: usize = 20;
/// A name is shown with so many characters: a snapshot that somebody else has made may hold any.
const NAME_CHARACTERS: usize = 200;

/// A model that was trained with something else, where that must not be.
#[derive(Debug)]
struct Skewed {
    snapshot: PathBuf,
    undeclared: usize,
    first: Vec<String>,
}

impl fmt::Display for Skewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, path) = (self.undeclared, self.snapshot.display());
        let differences = if count == 1 {
            "difference"
        } else {
            "differences"
        };
        write!(
            f,
            "cannot serve this model: {count} undeclared {differences} from {path}"
        )?;
        for path in &self.first {
            write!(f, "\n  {path}")?;
        }
        Ok(())
    }
}

impl Fault for Skewed {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Contract
    }

    fn hint(&self) -> Option<String> {
        Some(format!(
            "serve with the image that trained it, name what may differ in {}, or set skew.guard to warn",
            runtime::DECLARED_DIFFERENCES
        ))
    }
}

/// Where the snapshot of a model is to be written once training has completed; `None` for
/// anything else.
pub(super) fn kept_at(workload: &Workload, guard: SkewGuard) -> Option<PathBuf> {
    let model = workload.paths.model.as_deref()?;
    (workload.role == Role::Training && guard != SkewGuard::Off).then(|| place(model))
}

/// The part of the snapshot that a start decides, to be kept in the run directory of a program with
/// a user of its own: that user may change the documents, and root must not read them again.
pub(super) fn noted(facts: &Facts, resolved: &Resolved, owner: Option<Owner>) -> Option<Vec<u8>> {
    owner?;
    kept_at(&resolved.workload, resolved.settings.skew_guard)?;
    let delivered = snapshot::delivered(facts, resolved).ok()?;
    Some(delivered.to_string().into_bytes())
}

/// Writes the snapshot, which belongs to the program's user, who owns the model. If the model
/// directory is missing or not writable, nothing happens.
pub(super) fn keep(
    facts: &Facts,
    file: &Path,
    owner: Option<Owner>,
    run: Option<&Directory>,
) -> Result<(), String> {
    let kind = |err: std::io::Error| err.kind().to_string();
    let snapshot = match owner {
        None => snapshot::take(facts).map_err(|error| error.to_string())?,
        Some(owner) => {
            let noted = run.and_then(|run| {
                let text = run.read(names::SNAPSHOT, limits::DOCUMENT_BYTES).ok()??;
                let noted: Value = serde_json::from_slice(&text).ok()?;
                noted.is_object().then_some(noted)
            });
            let noted = noted.ok_or("snapshot.json in the run directory is missing or damaged")?;
            with_rights_of(owner, || snapshot::observed(facts, noted)).map_err(kind)?
        }
    };
    write(&snapshot, file, owner).map_err(kind)
}

fn write(snapshot: &Value, file: &Path, owner: Option<Owner>) -> std::io::Result<()> {
    let (Some(directory), Some(name)) = (file.parent(), file.file_name()) else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let (Some(model), Some(below)) = (directory.parent(), directory.file_name()) else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let (below, name) = (below.to_string_lossy(), name.to_string_lossy());
    let directory = Directory::of_a_program(model, owner)?.below_or_made(&below)?;
    directory.write_by(&name, rustix::fs::Mode::from_raw_mode(0o644), |file| {
        file.write_all(format!("{snapshot:#}\n").as_bytes())
    })
}

/// Compares this container with the snapshot of the container that trained the model.
pub(super) fn guard(facts: &Facts, resolved: &Resolved) -> Result<Option<Skew>, Error> {
    let guard = resolved.settings.skew_guard;
    let serving = matches!(resolved.workload.role, Role::Serving | Role::Transform);
    let Some(model) = resolved.workload.paths.model.as_deref() else {
        return Ok(None);
    };
    let file = place(model);
    if !serving || guard == SkewGuard::Off || !facts.exists(&file) {
        return Ok(None);
    }
    let kept = match snapshot::read(facts, &file) {
        Ok(kept) => kept,
        // A snapshot that cannot be read is reported as a problem, or stops the start.
        Err(error) if guard == SkewGuard::Fail => return Err(error),
        Err(error) => {
            return Ok(Some(Skew {
                unreadable: Some(error.to_string()),
                ..Skew::default()
            }));
        }
    };
    let here = snapshot::of(facts, resolved)?;
    let patterns = declared(facts, Path::new(runtime::DECLARED_DIFFERENCES))?;
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let undeclared: Vec<String> = compare(&numerics(&kept), &numerics(&here), &patterns)
        .into_iter()
        .filter(|one| one.kind == Kind::Undeclared)
        .map(|one| one.path)
        .collect();
    let skew = Skew {
        undeclared: undeclared.len(),
        differences: named(&undeclared),
        unreadable: None,
    };
    if guard == SkewGuard::Fail && skew.undeclared > 0 {
        return Err(Skewed {
            snapshot: file,
            undeclared: skew.undeclared,
            first: skew.differences,
        }
        .into());
    }
    Ok(Some(skew))
}

/// The first differences, as they are shown.
fn named(undeclared: &[String]) -> Vec<String> {
    let shown = |path: &String| within_characters(path, NAME_CHARACTERS).into_owned();
    undeclared.iter().take(NAMED).map(shown).collect()
}

fn place(model: &Path) -> PathBuf {
    model.join(runtime::MODEL_SNAPSHOT)
}

/// What may make the same code compute something else. Variables, paths and resources
/// differ between training and serving by their nature; `diff` shows them.
fn numerics(snapshot: &Value) -> Value {
    let machine = |field: &str| snapshot["machine"][field].clone();
    json!({
        "python": snapshot["python"],
        "image": snapshot["image"],
        "machine": {
            "architecture": machine("architecture"),
            "features": machine("features"),
            "threads": machine("threads"),
            "locale": machine("locale"),
            "time_zone": machine("time_zone"),
        },
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{Skewed, named};
    use crate::error::reports;

    #[test]
    fn a_long_name_is_cut() {
        let long = format!("python.packages.{}", "x".repeat(200_000));
        let mut undeclared = vec!["image.version".to_owned(); 30];
        undeclared[1] = long;
        let named = named(&undeclared);
        assert_eq!(named.len(), 20);
        let expected = format!("python.packages.{}…{}", "x".repeat(84), "x".repeat(99));
        assert_eq!((named[0].as_str(), &named[1]), ("image.version", &expected));
    }

    #[test]
    fn the_report_names_what_differs() {
        let skewed = |first: &[&str]| Skewed {
            snapshot: "/opt/ml/model/.lyftlearn/snapshot.json".into(),
            undeclared: first.len(),
            first: first.iter().map(|&path| path.to_owned()).collect(),
        };
        expect![[r#"
            Contract: cannot serve this model: 1 undeclared difference from /opt/ml/model/.lyftlearn/snapshot.json
              image.version
              hint: serve with the image that trained it, name what may differ in /etc/lyftlearn/declared-differences, or set skew.guard to warn
            Contract: cannot serve this model: 2 undeclared differences from /opt/ml/model/.lyftlearn/snapshot.json
              image.version
              python.version
              hint: serve with the image that trained it, name what may differ in /etc/lyftlearn/declared-differences, or set skew.guard to warn
        "#]].assert_eq(&reports([
            skewed(&["image.version"]),
            skewed(&["image.version", "python.version"]),
        ]));
    }
}
