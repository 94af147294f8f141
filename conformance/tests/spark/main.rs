//! Spark: unmodified PySpark in a container with executors in another network, behind a firewall.
//! Each scenario is shown with our variables, and without them.
//!
//! `scenarios.json` has them. Those that are `quick` run in `make test`, with one version; all of
//! them, with each version, in `make test-spark`.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the emulated world is written and read back; a test fails by panicking"
)]

mod scenario;

use lyftlearn_conformance::cluster::Cluster;
use lyftlearn_conformance::firewalled::{EXECUTOR, Networks};
use lyftlearn_conformance::{programs, sandbox};

use scenario::Scenario;

/// Lines of Spark: the one that most images have, and the current one.
const LINES: [&str; 2] = ["3.5", "4"];

/// The scenarios that were requested beyond the quick ones: `all`, or names separated by commas.
fn asked() -> Option<String> {
    std::env::var("LYFTLEARN_CONFORMANCE_SPARK").ok()
}

fn is_chosen(scenario: &Scenario) -> bool {
    match asked().as_deref() {
        None => scenario.quick,
        Some("all") => true,
        Some(names) => names.split(',').any(|name| name == scenario.name),
    }
}

#[test]
fn unmodified_pyspark_reaches_executors_in_another_network() {
    if !sandbox::possible() {
        return;
    }
    let scenarios = Scenario::read();
    let networks = Networks::new();
    let lines = if asked().is_some() {
        &LINES[..]
    } else {
        &LINES[..1]
    };
    let mut wrong = Vec::new();
    for line in lines {
        let Some(python) = programs::python_with_spark(line) else {
            return;
        };
        let cluster = Cluster::start(&|program| networks.in_executors(program), EXECUTOR, &python);
        let chosen = scenarios.iter().filter(|one| is_chosen(one));
        for scenario in chosen.filter(|one| one.is_for(line)) {
            let (shown, faults) = scenario.run(&networks, &cluster);
            eprintln!("{line} {}: {shown}", scenario.name);
            wrong.extend(
                faults
                    .into_iter()
                    .map(|fault| format!("{line} {}: {fault}", scenario.name)),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
