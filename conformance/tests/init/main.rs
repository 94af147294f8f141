//! The process layer of PID 1: what a program notices of it, which is nothing.
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

mod codes;
mod files;
mod job_control;
mod memory;
mod orphans;
mod restricted;
mod signals;
mod start;
mod terminal;
mod untouched;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use lyftlearn_conformance::command;
use lyftlearn_conformance::sandbox::{self, BINARY, Running, Sandbox};
use lyftlearn_conformance::wait;
use lyftlearn_conformance::world::{World, appears, check_end, ended, find_python};
use nix::sys::signal::Signal;

/// The actor's path in a sandbox.
const ACTOR: &str = "/opt/actor";

/// A container with a program that acts (programs/actor.c), and a grace that no slow
/// machine uses up.
fn stage(world: &World) -> Sandbox {
    world
        .sharing("log = \"off\"\n[lifecycle]\ngrace_seconds = 600\n")
        .mount_read_only(actor(), ACTOR)
}

/// Compiled once; Rust links with the same cc.
fn actor() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("actor");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/init/programs/actor.c");
        let mut compiling = Command::new("cc");
        compiling
            .args(["-O1", "-Wall", "-Werror", source, "-o"])
            .arg(&built);
        assert!(command::succeeds(&mut compiling), "cc compiles the actor");
        built
    })
}

fn words<W: AsRef<OsStr>>(argv: &[W]) -> Vec<OsString> {
    argv.iter().map(|word| word.as_ref().to_owned()).collect()
}

/// What a program has written to a file of `/shared`, line by line.
fn lines(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(ToOwned::to_owned).collect()
}

#[track_caller]
fn wait_for(what: &str, condition: impl FnMut() -> Option<()>) {
    assert!(wait::until(condition).is_some(), "{what}");
}

/// The children of a process, as this side of the namespaces numbers them; zombies are
/// among them.
fn children(pid: i32) -> Vec<i32> {
    let list =
        std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace()
        .map(|child| child.parse().unwrap())
        .collect()
}

/// A word of `/proc/PID/stat` after the name, which may hold anything: `state` is 0.
fn stat(pid: i32, word: usize) -> Option<String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(") ")?;
    rest.split(' ').nth(word).map(ToOwned::to_owned)
}

/// Whether the process has reached its exec of that program.
fn executes(pid: i32, file: &str) -> bool {
    std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path.ends_with(&file[1..]))
}

#[track_caller]
fn reaches_state(pid: i32, states: &str) {
    wait_for(&format!("process {pid} is not {states}"), || {
        let state = stat(pid, 0)?;
        states.contains(&state).then_some(())
    });
}

/// Runs the rounds of programs/rounds.py, and these.
fn rounds(container: &Sandbox, script: &str) -> String {
    let script = format!("{}\n{script}", include_str!("programs/rounds.py"));
    let output = container
        .start(&[find_python(), "-c".into(), script.into()])
        .end();
    check_end(&output, 0);
    String::from_utf8(output.stdout).unwrap()
}
