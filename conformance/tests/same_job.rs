//! The heart: one job described as SageMaker and as Kubernetes looks the same from inside.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use lyftlearn_conformance::case::{self, Case, Job};
use lyftlearn_conformance::command::{self, Server};
use lyftlearn_conformance::programs;
use lyftlearn_conformance::same_job::{PLACE, PLACE_VARIABLES};
use lyftlearn_runtime::{Facts, resolve};
use serde_json::{Value, json};

fn differences(at: &str, a: &Value, b: &Value, found: &mut BTreeSet<String>) {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys()) {
                let null = &Value::Null;
                let at = format!("{at}.{key}");
                let value =
                    |of: &serde_json::Map<String, Value>| of.get(key).unwrap_or(null).clone();
                differences(&at, &value(a), &value(b), found);
            }
        }
        _ if a == b => {}
        _ => {
            found.insert(at.trim_start_matches('.').to_owned());
        }
    }
}

/// Every job is tried, so that one run shows everything that is wrong.
fn for_each_job(mut check: impl FnMut(&Job) -> BTreeSet<String>) {
    let jobs = case::jobs();
    assert!(jobs.len() >= 12, "there are {} jobs", jobs.len());
    let wrong: Vec<String> = jobs
        .iter()
        .flat_map(|job| {
            let foreseen =
                |field: &String| PLACE.contains(&field.as_str()) || job.differs.contains(field);
            let found = check(job).into_iter().filter(move |field| !foreseen(field));
            found.map(|field| format!("{}: {field}", job.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn facts(case: &Case) -> Facts {
    let facts = Facts::empty()
        .with_root(case.root())
        .with_argv(case.argv.clone())
        .with_processors(8);
    case.environment
        .iter()
        .fold(facts, |facts, (name, value)| facts.with_var(name, value))
}

#[test]
fn through_the_library() {
    for_each_job(|job| {
        let resolved = [&job.sagemaker, &job.kubernetes].map(|case| {
            resolve(&facts(case)).unwrap_or_else(|err| panic!("{}: {}", case.name, err.report()))
        });
        let mut found = BTreeSet::new();
        let views = resolved
            .each_ref()
            .map(|resolved| serde_json::to_value(&resolved.workload).unwrap());
        differences("", &views[0], &views[1], &mut found);
        let [a, b] = resolved
            .each_ref()
            .map(|resolved| resolved.values.to_document());
        if a != b {
            found.insert("the bytes of hyperparameters.json".to_owned());
        }
        found
    });
}

/// What the binary shows of a world.
fn shown(case: &Case, words: &[&str], argv: &[String]) -> Value {
    let mut showing = Command::new(programs::binary());
    showing
        .args(&words[..2])
        .arg("--root")
        .arg(case.root())
        .args(&words[2..])
        .args(argv)
        .env_clear()
        .envs(&case.environment);
    let output = command::output(&mut showing);
    assert!(
        output.status.success(),
        "{}: {}",
        case.name,
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn through_the_binary() {
    for_each_job(|job| {
        let view = |case| {
            let mut view = shown(case, &["inspect", "--json", "--"], &case.argv);
            for reason in ["evidence", "problems"] {
                view.as_object_mut().unwrap().remove(reason);
            }
            view
        };
        let mut found = BTreeSet::new();
        differences(
            "",
            &view(&job.sagemaker),
            &view(&job.kubernetes),
            &mut found,
        );
        found
    });
}

/// Compares the objects that a program gets, attribute by attribute; never by `to_dict`, which
/// is the library's own text. One Python for all jobs.
const DRIVER: &str = "
import json, sys, types
from collections.abc import Mapping
import lyftlearn_runtime as rt

def differing(at, a, b):
    ours = type(a).__module__ == 'lyftlearn_runtime'
    fields = [n for n, d in vars(type(a)).items() if ours and isinstance(d, types.GetSetDescriptorType)]
    if type(a) is not type(b):
        yield at
    elif isinstance(a, Mapping):
        for name in a.keys() | b.keys():
            yield from differing(f'{at}.{name}', a.get(name), b.get(name))
    elif fields:
        for name in fields:
            yield from differing(f'{at}.{name}', getattr(a, name), getattr(b, name))
    elif a != b:
        yield at

for line in sys.stdin:
    views = [rt.resolve(root=w['root'], environ=w['environ'], argv=w['argv']) for w in json.loads(line)]
    print(json.dumps([name.lstrip('.') for name in differing('', *views)]), flush=True)
";

#[test]
fn through_the_wheel() {
    let Some(python) = programs::python_with_wheel() else {
        return;
    };
    let mut driver = Server::answering(Command::new(python).args(["-c", DRIVER]));
    let mut places = BTreeSet::new();
    for_each_job(|job| {
        let worlds = [&job.sagemaker, &job.kubernetes].map(
            |case| json!({"root": case.root(), "environ": case.environment, "argv": case.argv}),
        );
        let answer = driver.ask(json!(worlds));
        let found: BTreeSet<String> = serde_json::from_str(&answer).unwrap();
        places.extend(found.iter().cloned());
        found
    });
    // What compares nothing finds nothing.
    for known in ["platform", "job.id", "topology.host"] {
        assert!(places.contains(known), "{known} is not among {places:?}");
    }
    assert!(driver.end().success());
}

/// The program's variables: each value, and whether it was not simply found.
fn variables(case: &Case) -> BTreeMap<String, (String, bool)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let explained = shown(case, &["explain", "--json"], &[]);
    let all = explained.as_array().unwrap().iter();
    all.filter(|one| one["kind"] == "variable")
        .map(|one| {
            let added = one["source"] != "the environment";
            (text(&one["name"]), (text(&one["value"]), added))
        })
        .collect()
}

#[test]
fn in_its_variables() {
    for_each_job(|job| {
        let [a, b] = [&job.sagemaker, &job.kubernetes].map(variables);
        let mut found = BTreeSet::new();
        // What either start adds, both must have.
        for (name, (value, added)) in a.iter().chain(&b) {
            let equal = [&a, &b]
                .iter()
                .all(|of| of.get(name).is_some_and(|(known, _)| known == value));
            if *added && !equal {
                found.insert(name.clone());
            }
        }
        found.retain(|name| !PLACE_VARIABLES.iter().any(|place| name.starts_with(place)));
        // A path that may differ has variables that do.
        let paths = || {
            job.differs
                .iter()
                .filter_map(|field| field.strip_prefix("paths."))
        };
        found.retain(|name| {
            let name = name
                .trim_start_matches("LYFTLEARN_")
                .trim_start_matches("SM_");
            let name = name.trim_end_matches("_DIR").to_lowercase();
            !paths().any(|path| path.starts_with(&name) || name.starts_with(path))
        });
        found
    });
}
