//! The model layer: every case through the library, the binary and the wheel.

use std::process::Command;

use lyftlearn_conformance::case::{self, Case};
use lyftlearn_conformance::command::{self, Server};
use lyftlearn_conformance::programs;
use lyftlearn_runtime::{Facts, resolve};
use serde_json::{Value, json};

/// Every case is tried, so that one run shows everything that is wrong.
fn for_each_case(mut check: impl FnMut(&Case)) {
    let wrong: Vec<String> = case::all()
        .iter()
        .filter_map(|case| {
            let tried = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(case)));
            tried.is_err().then(|| case.name.clone())
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} cases fail:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn through_the_library() {
    for_each_case(|case| {
        let mut facts = Facts::empty()
            .with_root(case.root())
            .with_argv(case.argv.clone())
            .with_processors(64);
        for (name, value) in &case.environment {
            facts = facts.with_var(name, value);
        }
        match resolve(&facts) {
            Ok(resolved) => {
                case.canary
                    .assert_unseen(&case.name, format!("{resolved:?}").as_bytes());
                let view = serde_json::to_value(&resolved.workload).unwrap();
                case.check("library", Ok(&view));
                let evidence: Vec<String> = resolved
                    .evidence
                    .into_iter()
                    .map(|evidence| evidence.found)
                    .collect();
                if !case.rewritten(Ok(&resolved.problems)) {
                    case.check_reasons("library", &evidence, &resolved.problems);
                }
            }
            Err(error) => {
                let shown = format!("{}\n{error:?}", error.report());
                case.canary.assert_unseen(&case.name, shown.as_bytes());
                if !case.rewritten(Err(&error.report())) {
                    case.check("library", Err(&error.report()));
                }
            }
        }
    });
}

#[test]
fn through_the_binary() {
    for_each_case(|case| {
        let mut inspect = Command::new(programs::binary());
        inspect
            .args(["inspect", "--json", "--root"])
            .arg(case.root())
            .arg("--")
            .args(&case.argv)
            .env_clear()
            .envs(&case.environment);
        let output = command::output(&mut inspect);
        case.canary.assert_unseen(
            &case.name,
            &[output.stdout.clone(), output.stderr.clone()].concat(),
        );
        if output.status.success() {
            let view: Value = serde_json::from_slice(&output.stdout).unwrap();
            let shown = without_affinity(view.clone(), case);
            case.check("binary", Ok(&shown));
            let texts = |key: &str, field: Option<&str>| -> Vec<String> {
                let list = view[key].as_array().unwrap().iter();
                list.map(|entry| {
                    field
                        .map_or(entry, |field| &entry[field])
                        .as_str()
                        .unwrap()
                        .to_owned()
                })
                .collect()
            };
            case.check_reasons(
                "binary",
                &texts("evidence", Some("found")),
                &texts("problems", None),
            );
        } else {
            assert_eq!(output.status.code(), Some(2), "{}", case.name);
            case.check("binary", Err(&String::from_utf8(output.stderr).unwrap()));
        }
    });
}

/// One Python for all cases: starting one for each would take longer than the rest.
const DRIVER: &str = "
import json, sys
import lyftlearn_runtime as rt
for line in sys.stdin:
    case = json.loads(line)
    try:
        view = rt.resolve(root=case['root'], environ=case['environ'], argv=case['argv'])
        shown = {'view': view.to_dict(), 'repr': repr(view) + repr(view.paths) + repr(view.hyperparameters)}
    except rt.LyftlearnRuntimeError as error:
        shown = {'report': 'lyftlearn-runtime: ' + str(error)}
    print(json.dumps(shown), flush=True)
";

#[test]
fn through_the_wheel() {
    let Some(python) = programs::python_with_wheel() else {
        return;
    };
    let mut driver = Server::answering(Command::new(python).args(["-c", DRIVER]));
    for_each_case(|case| {
        let question = json!({"root": case.root(), "environ": case.environment, "argv": case.argv});
        let answer = driver.ask(question);
        case.canary.assert_unseen(&case.name, answer.as_bytes());
        let shown: Value = serde_json::from_str(&answer).unwrap();
        match shown["report"].as_str() {
            Some(report) => case.check("wheel", Err(report)),
            None => case.check("wheel", Ok(&without_affinity(shown["view"].clone(), case))),
        }
    });
    assert!(driver.end().success());
}

/// A process has the machine's own affinity mask, which a case cannot describe: a
/// quota above it does not show.
fn without_affinity(mut view: Value, case: &Case) -> Value {
    let machine = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let expected = case
        .expect
        .workload
        .as_ref()
        .and_then(|workload| workload["resources"]["cpus"].as_f64());
    #[expect(clippy::cast_precision_loss, reason = "no machine has 2^52 processors")]
    if let Some(expected) = expected.filter(|expected| *expected > machine as f64) {
        view["resources"]["cpus"] = json!(expected);
    }
    view
}
