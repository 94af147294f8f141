//! The process layer: the real binary as PID 1, in namespaces laid out as the
//! platforms lay them out.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the emulated world is written and read back; a test fails by panicking"
)]

macro_rules! needs_namespaces {
    () => {
        if !sandbox::possible() {
            return;
        }
    };
}

mod agent;
mod broker;
mod causes;
mod command_line;
mod delivery;
mod distributed;
mod doctor;
mod documents;
mod emf;
mod events;
mod export;
mod go;
mod identity;
mod launchers;
mod lifecycle;
mod metrics;
mod neighbours;
mod otlp;
mod outcome;
mod peers;
mod prometheus;
mod relay;
mod run_dir;
mod runtime_metrics;
mod scope;
mod secrets;
mod snapshots;
mod spark;
mod start;
mod states;
mod statsd;
mod stopping;
mod toolkit;
mod wrappers;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Output;
use std::time::Duration;

use expect_test::Expect;
use lyftlearn_conformance::command;
use lyftlearn_conformance::sandbox::{self, BINARY, Sandbox};
use lyftlearn_conformance::wait;
use lyftlearn_conformance::world::{
    World, appears, check_end, ended, find_python, the_same, unhurried,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// Prints the environment, a NUL after each variable.
const SHOW: &[&str] = &["env", "-0"];

fn variables(output: &Output) -> BTreeMap<String, String> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let pairs = text.split('\0').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[track_caller]
fn check_variables(output: &Output, expected: &[(&str, &str)]) {
    let found = variables(output);
    for (name, value) in expected {
        assert_eq!(
            found.get(*name).map(String::as_str),
            Some(*value),
            "{name} in {found:#?}"
        );
    }
}

/// The outcome's reason is the log's last line, too.
#[track_caller]
fn check_reason(outcome: &Value, output: &Output, expected: Expect) {
    let reason = outcome["reason"].as_str().unwrap();
    let last = format!("lyftlearn-runtime: {reason}\n");
    assert!(String::from_utf8_lossy(&output.stderr).ends_with(&last));
    expected.assert_eq(reason);
}

/// What a program would read: the document in the run directory.
fn workload(container: &Sandbox) -> Value {
    let output = ended(
        container,
        &["sh", "-c", "cat $LYFTLEARN_RUN_DIR/workload.json"],
    );
    check_end(&output, 0);
    serde_json::from_slice(&output.stdout).unwrap()
}
