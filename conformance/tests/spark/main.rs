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

mod cluster;
mod scenario;

use std::collections::BTreeMap;

use lyftlearn_conformance::firewalled::Networks;
use lyftlearn_conformance::{programs, sandbox};

use cluster::Cluster;
use scenario::Scenario;

/// Lines of Spark: the one that most images have, and the current one.
const LINES: [&str; 2] = ["3.5", "4"];

/// Whether all scenarios run, or the quick ones.
fn all() -> bool {
    std::env::var_os("LYFTLEARN_CONFORMANCE_SPARK").is_some()
}

#[test]
fn unmodified_pyspark_reaches_executors_in_another_network() {
    if !sandbox::possible() {
        return;
    }
    let scenarios = Scenario::read();
    let networks = Networks::new();
    let lines = if all() { &LINES[..] } else { &LINES[..1] };
    let mut wrong = Vec::new();
    let mut table: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in lines {
        let Some(python) = programs::python_with_spark(line) else {
            return;
        };
        let cluster = Cluster::start(&networks, &python);
        let chosen = scenarios.iter().filter(|one| one.quick || all());
        for scenario in chosen.filter(|one| one.is_for(line)) {
            let (shown, faults) = scenario.run(&networks, &cluster);
            table
                .entry(scenario.name.clone())
                .or_default()
                .push(format!("{line}: {shown}"));
            wrong.extend(
                faults
                    .into_iter()
                    .map(|fault| format!("{line} {}: {fault}", scenario.name)),
            );
        }
    }
    for (name, cells) in &table {
        println!("{name:<44} {}", cells.join(" | "));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
