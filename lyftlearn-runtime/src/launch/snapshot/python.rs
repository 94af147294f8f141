//! The Python interpreter that a program would use, and its installed packages. Read from files,
//! because starting Python takes longer than everything else here.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::sha256;
use crate::contract::limits;
use crate::facts::Facts;

pub(super) fn python(facts: &Facts) -> Value {
    let Some(executable) = executable(facts) else {
        return Value::Null;
    };
    let real = facts.real_path(&executable);
    let mut distributions = Map::new();
    for directory in packages(facts, &executable, real.as_deref()) {
        // The first on the path counts, as it does for an import.
        for (name, described) in installed(facts, &directory) {
            distributions.entry(name).or_insert(described);
        }
    }
    let version = real.as_ref().and_then(|real| {
        let name = real.file_name()?.to_str()?;
        name.strip_prefix("python").map(ToOwned::to_owned)
    });
    json!({
        "executable": executable,
        "version": version,
        "distributions": distributions,
    })
}

fn executable(facts: &Facts) -> Option<PathBuf> {
    let path = facts.text("PATH")?;
    path.split(':')
        .map(|directory| Path::new(directory).join("python3"))
        .find(|file| facts.exists(file))
}

/// Where an interpreter looks for packages: below its own prefix or that of its virtual
/// environment. Debian has directories of its own.
fn packages(facts: &Facts, executable: &Path, real: Option<&Path>) -> Vec<PathBuf> {
    let mut prefixes: Vec<PathBuf> = Vec::new();
    for file in [Some(executable), real].into_iter().flatten() {
        let prefix = file.parent().and_then(Path::parent);
        prefixes.extend(prefix.map(Path::to_owned));
    }
    // Debian installs local packages there.
    if prefixes.iter().any(|prefix| prefix == Path::new("/usr")) {
        prefixes.insert(0, "/usr/local".into());
    }
    let mut found = Vec::new();
    for prefix in prefixes {
        let library = prefix.join("lib");
        for name in facts.entries(&library).unwrap_or_default() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("python3"))
            {
                for packages in ["site-packages", "dist-packages"] {
                    found.push(library.join(&name).join(packages));
                }
            }
        }
    }
    found.retain(|directory| facts.is_directory(directory));
    found.dedup();
    found
}

/// Name, version and the hash of the list of files, which holds a hash of each
/// (packaging.python.org: recording installed projects).
fn installed(facts: &Facts, packages: &Path) -> Vec<(String, Value)> {
    let names = facts.entries(packages).unwrap_or_default();
    names
        .into_iter()
        .filter_map(|name| {
            let name = name.to_str()?.to_owned();
            let (distribution, version) = name.strip_suffix(".dist-info")?.rsplit_once('-')?;
            let record = packages.join(&name).join("RECORD");
            let record = facts.file(record, limits::DOCUMENT_BYTES).ok().flatten();
            let record = record.map(|record| sha256(&without_what_differs_anyway(&record)));
            let described = json!({"version": version, "record_sha256": record});
            Some((
                distribution.to_lowercase().replace(['-', '.'], "_"),
                described,
            ))
        })
        .collect()
}

/// Compiled files and the installer's own notes are made anew by every installation.
fn without_what_differs_anyway(record: &[u8]) -> Vec<u8> {
    let kept = record.split(|byte| *byte == b'\n').filter(|line| {
        let line = String::from_utf8_lossy(line);
        !line.contains("__pycache__/")
            && !["INSTALLER", "REQUESTED", "direct_url.json", "RECORD"]
                .iter()
                .any(|name| line.contains(&format!(".dist-info/{name}")))
            // Scripts hold the interpreter's path.
            && !line.starts_with("../")
    });
    let mut lines: Vec<&[u8]> = kept.collect();
    lines.sort_unstable();
    lines.join(&b'\n')
}

#[cfg(test)]
mod tests {
    use super::python;
    use crate::facts::Facts;

    #[test]
    fn distributions_are_read_from_where_the_interpreter_looks() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let place = root.path().join(path);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, text).unwrap();
        };
        write("usr/bin/python3.11", "");
        std::os::unix::fs::symlink("python3.11", root.path().join("usr/bin/python3")).unwrap();
        let packages = "usr/lib/python3/dist-packages";
        let record = "numpy/a.py,sha256=x,1\n";
        write(&format!("{packages}/numpy-1.24.2.dist-info/RECORD"), record);
        write(
            "usr/local/lib/python3.11/dist-packages/Some.Thing-2.dist-info/METADATA",
            "",
        );
        let facts = Facts::empty()
            .with_root(root.path())
            .with_var("PATH", "/nowhere:/usr/bin");
        let found = python(&facts);
        assert_eq!(found["executable"], "/usr/bin/python3");
        assert_eq!(found["version"], "3.11");
        assert_eq!(found["distributions"]["numpy"]["version"], "1.24.2");
        assert_eq!(found["distributions"]["some_thing"]["version"], "2");
        assert!(found["distributions"]["some_thing"]["record_sha256"].is_null());
        // Installed once more, elsewhere: the same files.
        let before = found["distributions"]["numpy"]["record_sha256"].clone();
        let again = "numpy/__pycache__/a.cpython-311.pyc,,\nnumpy/a.py,sha256=x,1\n../../../bin/f2py,sha256=y,2\n";
        write(&format!("{packages}/numpy-1.24.2.dist-info/RECORD"), again);
        assert_eq!(
            python(&facts)["distributions"]["numpy"]["record_sha256"],
            before
        );
        assert!(python(&Facts::empty()).is_null());
    }
}
