//! The heart: one job described as SageMaker and as Kubernetes looks the same from inside.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use lyftlearn_conformance::case::{self, Case, Holds, Job};
use lyftlearn_conformance::command::{self, Server};
use lyftlearn_conformance::programs;
use lyftlearn_conformance::same_job::{PLACE, PLACE_SETTINGS, PLACE_VARIABLES, are_equal};
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
    assert!(jobs.len() >= 40, "there are {} jobs", jobs.len());
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

/// Whether an exemption names a variable and not a field of the workload.
fn is_variable(exemption: &str) -> bool {
    !exemption.contains(|letter: char| letter.is_ascii_lowercase())
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

/// What is special to a job, and not in what its two descriptions show.
fn missing_from(job: &Job, views: &[Value; 2]) -> Vec<String> {
    let sides = job.sides().into_iter().zip(views);
    sides
        .flat_map(|((case, holds), view)| {
            let missing = holds
                .into_iter()
                .filter_map(|holds| holds.missing_from_workload(view));
            missing.map(|what| format!("{what} ({})", case.name))
        })
        .collect()
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
        // An exemption that nothing needs could hide a fault one day.
        let exemptions = job.differs.iter().filter(|field| !is_variable(field));
        let stale: Vec<_> = exemptions.filter(|field| !found.contains(*field)).collect();
        found.extend(
            stale
                .into_iter()
                .map(|field| format!("{field} does not differ")),
        );
        found.extend(missing_from(job, &views));
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
        let views = [&job.sagemaker, &job.kubernetes].map(|case| {
            let mut view = shown(case, &["inspect", "--json", "--"], &case.argv);
            for reason in ["evidence", "problems"] {
                view.as_object_mut().unwrap().remove(reason);
            }
            view
        });
        let mut found = BTreeSet::new();
        differences("", &views[0], &views[1], &mut found);
        found.extend(missing_from(job, &views));
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

/// What `explain` shows of a world.
struct Explained {
    /// The program's variables.
    variables: BTreeMap<String, String>,
    /// Those that were not simply found.
    added: BTreeSet<String>,
    settings: BTreeMap<String, String>,
}

impl Explained {
    fn misses(&self, holds: &Holds) -> Option<String> {
        holds.missing_from_values(&self.variables, &self.settings)
    }
}

fn explained(case: &Case) -> Explained {
    let shown = shown(case, &["explain", "--json"], &[]);
    let all = shown.as_array().unwrap();
    let of_kind = |kind: &'static str| all.iter().filter(move |one| one["kind"] == kind);
    let name = |one: &Value| one["name"].as_str().unwrap().to_owned();
    let values = |kind| {
        let set =
            of_kind(kind).filter_map(|one| Some((name(one), one["value"].as_str()?.to_owned())));
        set.collect()
    };
    let added = of_kind("variable").filter(|one| one["source"] != "the environment");
    Explained {
        added: added.map(name).collect(),
        variables: values("variable"),
        settings: values("setting"),
    }
}

#[test]
fn in_its_variables_and_settings() {
    for_each_job(|job| {
        let mut missing = BTreeSet::new();
        let [a, b] = job.sides().map(|(case, holds)| {
            let explained = explained(case);
            let wrong = holds
                .into_iter()
                .filter_map(|holds| explained.misses(holds));
            missing.extend(wrong.map(|what| format!("{what} ({})", case.name)));
            explained
        });
        // What either start adds, both must have.
        let mut found: BTreeSet<String> = a.added.union(&b.added).cloned().collect();
        found.retain(|name| a.variables.get(name) != b.variables.get(name));
        found.retain(|name| !PLACE_VARIABLES.iter().any(|place| name.starts_with(place)));
        let exemptions = job.differs.iter().filter(|name| is_variable(name));
        let stale = exemptions.filter(|name| !found.contains(*name));
        missing.extend(stale.map(|name| format!("{name} does not differ")));
        found.retain(|name| !job.may_differ(name));
        let settings = a.settings.keys().chain(b.settings.keys());
        let settings = settings.filter(|name| !PLACE_SETTINGS.contains(&name.as_str()));
        let differing =
            settings.filter(|name| !are_equal(a.settings.get(*name), b.settings.get(*name)));
        found.extend(differing.map(|name| format!("the setting {name}")));
        found.append(&mut missing);
        found
    });
}

/// What every job of its kind shows. A job that asks for no more cannot fail.
const PLAIN: &[&str] = &["one_host", "processing", "serving"];

#[test]
fn no_plain_job_holds_what_is_special_to_another() {
    let jobs = case::jobs();
    let plain = jobs.iter().filter(|job| PLAIN.contains(&job.name.as_str()));
    let plain: Vec<_> = plain
        .map(|job| {
            let shown = [&job.sagemaker, &job.kubernetes].map(|case| {
                let workload = resolve(&facts(case)).unwrap().workload;
                (serde_json::to_value(workload).unwrap(), explained(case))
            });
            (&job.name, shown)
        })
        .collect();
    assert_eq!(plain.len(), PLAIN.len());
    for job in &jobs {
        for (name, shown) in &plain {
            let is_special = job.sides().iter().zip(shown).any(|((_, holds), shown)| {
                let (workload, explained) = shown;
                holds.iter().any(|holds| {
                    let in_workload = holds.missing_from_workload(workload);
                    in_workload.or_else(|| explained.misses(holds)).is_some()
                })
            });
            assert!(
                is_special || PLAIN.contains(&job.name.as_str()),
                "{} asks for nothing that {name} does not show as well",
                job.name
            );
        }
    }
}
