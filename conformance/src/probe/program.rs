//! The probe as a container's program: what a program sees, which signals reach it, and what
//! becomes of its orphans.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::identity::{self, Identity};
use super::say;
use crate::wait;

/// Before each part of a view on stdout.
const MARK: &str = "@lyftlearn-probe";

/// A part is so long that no log driver cuts the line.
const PART: usize = 3000;

/// The signals that must reach a program, in the order in which they are sent. SIGTERM is last: it
/// is the platform's stop.
pub const SIGNALS: &[&str] = &["HUP", "USR1", "USR2", "WINCH", "INT", "TERM"];

/// What a program sees.
#[derive(Clone, Debug, Default, Serialize, Deserialize, PartialEq)]
pub struct View {
    /// Each variable's name, and a hash of its value.
    pub variables: BTreeMap<String, String>,
    /// The words that it was started with, after its own.
    pub argv: Vec<String>,
    /// User, group and supplementary groups.
    pub ids: Vec<u32>,
    /// The working directory.
    pub directory: String,
    /// What can be done with the directories that the runtime names: `written`, `read`, or why not.
    pub directories: BTreeMap<String, String>,
    /// Lines of /proc/self/status: capabilities, signal masks, `no_new_privs`, seccomp.
    pub status: BTreeMap<String, String>,
    /// Soft and hard limits.
    pub limits: BTreeMap<String, String>,
    /// The delivered `workload.json`; null without a runtime.
    pub workload: Value,
    /// What `lyftlearn-runtime inspect --json` says is odd.
    pub problems: Vec<String>,
    /// The delivered hyperparameters, hashed.
    pub hyperparameters: Option<String>,
    /// What `lyftlearn_runtime` of this image's Python sees; `None` where it cannot be imported.
    pub python: Option<Value>,
    /// Which identity it gets.
    #[serde(default)]
    pub identity: Identity,
    /// Seconds from the start of PID 1 to the probe's.
    #[serde(default)]
    pub waited: f64,
}

/// What the attributes of the Python package say, as JSON.
const PYTHON: &str = "
import json, os, types
from collections.abc import Mapping
import lyftlearn_runtime as rt

def plain(value):
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if type(value).__module__ == 'lyftlearn_runtime':
        fields = vars(type(value)).items()
        return {n: plain(getattr(value, n)) for n, d in fields if isinstance(d, types.GetSetDescriptorType)}
    return value

names = ('platform', 'flavor', 'role', 'job', 'paths', 'topology', 'resources')
print(json.dumps({name: plain(getattr(rt, name)) for name in names}))
";

pub(super) fn see() -> Result<(), String> {
    let view = seen();
    let text = serde_json::to_string(&view).map_err(|err| err.to_string())?;
    // Another process of the container may write in between; no line of it is ours.
    let text: String = text.chars().flat_map(char::escape_default).collect();
    let parts: Vec<&[u8]> = text.as_bytes().chunks(PART).collect();
    for (number, part) in parts.iter().enumerate() {
        let part = String::from_utf8_lossy(part);
        say(&format!("{MARK} {} {} {part}", number + 1, parts.len()))?;
    }
    Ok(())
}

/// A view from what the probe has printed; `None` when a part is missing.
#[must_use]
pub fn view(log: &str) -> Option<View> {
    let mut parts = BTreeMap::new();
    let mut all = usize::MAX;
    for line in log.lines() {
        let Some(at) = line.find(MARK) else { continue };
        let mut words = line[at + MARK.len()..].trim_start().splitn(3, ' ');
        let number: usize = words.next()?.parse().ok()?;
        all = words.next()?.parse().ok()?;
        parts.insert(number, words.next()?.to_owned());
    }
    let text: String = (parts.len() == all).then(|| parts.into_values().collect())?;
    serde_json::from_str(&unescaped(&text)?).ok()
}

/// The reverse of `char::escape_default`.
fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        plain.push(match letters.next()? {
            't' => '\t',
            'r' => '\r',
            'n' => '\n',
            'u' => {
                let code: String = letters
                    .by_ref()
                    .skip(1)
                    .take_while(|letter| *letter != '}')
                    .collect();
                char::from_u32(u32::from_str_radix(&code, 16).ok()?)?
            }
            other => other,
        });
    }
    Some(plain)
}

pub(super) fn hashed(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn seen() -> View {
    let mut view = View {
        argv: std::env::args().skip(3).collect(),
        waited: waited().unwrap_or_default(),
        identity: identity::seen(),
        directory: std::env::current_dir()
            .map(|path| path.display().to_string())
            .unwrap_or_default(),
        ..View::default()
    };
    for (name, value) in std::env::vars_os() {
        let value = value.as_encoded_bytes();
        view.variables
            .insert(name.to_string_lossy().into_owned(), hashed(value));
    }
    view.ids = vec![
        nix::unistd::getuid().as_raw(),
        nix::unistd::getgid().as_raw(),
    ];
    let groups = nix::unistd::getgroups().unwrap_or_default();
    view.ids
        .extend(groups.into_iter().map(nix::unistd::Gid::as_raw));
    for name in [
        "MODEL",
        "INPUT",
        "OUTPUT",
        "OUTPUT_DATA",
        "CHECKPOINT",
        "CODE",
        "CACHE",
        "TMP",
        "RUN",
    ] {
        if let Ok(path) = std::env::var(format!("LYFTLEARN_{name}_DIR")) {
            view.directories.insert(name.to_lowercase(), usable(&path));
        }
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    for line in status.lines() {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let kept = ["Cap", "Sig", "Shd", "NoNewPrivs", "Seccomp", "Groups"];
        // Pending signals are random.
        let chance = ["SigQ", "SigPnd", "ShdPnd", "Seccomp_filters"];
        if kept.iter().any(|kept| name.starts_with(kept)) && !chance.contains(&name) {
            view.status.insert(name.to_owned(), value.trim().to_owned());
        }
    }
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    for line in limits.lines().skip(1) {
        let (name, rest) = line.split_at(line.len().min(26));
        let values: Vec<_> = rest.split_whitespace().take(2).collect();
        view.limits.insert(name.trim().to_owned(), values.join(" "));
    }
    let run = std::env::var("LYFTLEARN_RUN_DIR").unwrap_or_default();
    let workload = std::fs::read(format!("{run}/workload.json")).ok();
    view.workload = workload
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let file = std::env::var("LYFTLEARN_HYPERPARAMETERS_FILE").ok();
    view.hyperparameters = file
        .and_then(|path| std::fs::read(path).ok())
        .map(|bytes| hashed(&bytes));
    if let Some(inspected) = said("lyftlearn-runtime", &["inspect", "--json"]) {
        let problems = inspected["problems"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let text = |problem: &Value| {
            problem
                .as_str()
                .map_or_else(|| problem.to_string(), str::to_owned)
        };
        view.problems = problems.iter().map(text).collect();
    }
    view.python = said("python3", &["-c", PYTHON]);
    view
}

/// A program's JSON; `None` when it is not there or fails.
fn said(program: &str, words: &[&str]) -> Option<Value> {
    let output =
        crate::command::tried(Command::new(program).args(words), Duration::from_secs(30)).ok()?;
    serde_json::from_slice(&output.stdout)
        .ok()
        .filter(|_| output.status.success())
}

/// Seconds since PID 1 began, by the kernel's own counting.
fn waited() -> Option<f64> {
    let began = |process: &str| -> Option<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let fields = stat.rsplit_once(')')?.1;
        fields.split_whitespace().nth(19)?.parse().ok()
    };
    // Clock ticks; a hundred a second wherever Linux shows them.
    Some((began("self")? - began("1")?) / 100.0)
}

/// What can be done with a directory.
fn usable(path: &str) -> String {
    let file = format!("{path}/.lyftlearn-conformance");
    let written = std::fs::write(&file, "x").and_then(|()| std::fs::remove_file(&file));
    match (written, std::fs::read_dir(path)) {
        (Ok(()), _) => "written".to_owned(),
        (Err(_), Ok(_)) => "read".to_owned(),
        (Err(_), Err(err)) => err.kind().to_string(),
    }
}

/// Says each signal that arrives, until SIGTERM.
pub(super) fn signals() -> Result<(), String> {
    use nix::sys::signal::{SigSet, Signal};
    let numbered = |name: &str| {
        format!("SIG{name}")
            .parse::<Signal>()
            .map_err(|err| err.to_string())
    };
    let mut set = SigSet::empty();
    for name in SIGNALS {
        set.add(numbered(name)?);
    }
    // Blocked and waited for: no signal is lost, and each is reported in order.
    set.thread_block().map_err(|err| err.to_string())?;
    say("signals: ready")?;
    loop {
        let signal = set.wait().map_err(|err| err.to_string())?;
        say(&format!(
            "signals: {}",
            signal.as_str().trim_start_matches("SIG")
        ))?;
        if signal == Signal::SIGTERM {
            return Ok(());
        }
    }
}

/// What became of orphans.
#[derive(Debug, Serialize, Deserialize)]
pub struct Orphans {
    /// How many were made.
    pub made: usize,
    /// How many were still there as zombies, ten seconds later.
    pub zombies: usize,
}

/// Makes processes whose parents end before them, and waits until they are reaped.
pub(super) fn orphans(count: usize) -> Result<Orphans, String> {
    let own = std::env::current_exe().map_err(|err| err.to_string())?;
    for _ in 0..count.div_ceil(50) {
        // The parent starts fifty, which wait for its end, and leaves.
        let mut parent = Command::new(&own);
        parent
            .args(["probe", "orphans-of", &count.min(50).to_string()])
            .process_group(0);
        crate::command::tried(&mut parent, Duration::from_secs(30))?;
    }
    let zombies = || zombies().len();
    let _ = wait::within(Duration::from_secs(10), || (zombies() == 0).then_some(()));
    Ok(Orphans {
        made: count,
        zombies: zombies(),
    })
}

/// Starts processes that end by themselves, and does not wait for them.
pub(super) fn orphans_of(count: usize) -> Result<(), String> {
    let own = std::env::current_exe().map_err(|err| err.to_string())?;
    for _ in 0..count {
        let mut orphan = Command::new(&own);
        orphan
            .args(["probe", "exit", "0"])
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        // Waiting for it is what must not be done here.
        drop(
            orphan
                .spawn()
                .map_err(|err| format!("cannot start an orphan: {err}"))?,
        );
    }
    Ok(())
}

/// Ends by a signal.
pub(super) fn die() -> Result<(), String> {
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGABRT).map_err(|err| err.to_string())
}

/// Takes more memory than its container has, and writes to all of it; ends where there is no limit.
pub(super) fn eat() -> Result<(), String> {
    let mut eaten = Vec::new();
    for _ in 0..512 {
        eaten.push(vec![1_u8; 1 << 20]);
    }
    say(&format!(
        "eaten: {}",
        eaten
            .iter()
            .map(|part| usize::from(part[4095]))
            .sum::<usize>()
    ))
}

/// Ignores SIGTERM for longer than anybody waits.
pub(super) fn deaf() -> Result<(), String> {
    let mut set = nix::sys::signal::SigSet::empty();
    set.add(nix::sys::signal::Signal::SIGTERM);
    set.thread_block().map_err(|err| err.to_string())?;
    say("deaf")?;
    let _ = wait::within::<()>(Duration::from_secs(300), || None);
    Ok(())
}

/// Processes of this container that have ended and were not reaped.
fn zombies() -> Vec<String> {
    let entries = std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(Result::ok);
    let stats = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter(|stat| stat.contains(") Z ")).collect()
}

#[cfg(test)]
mod tests {
    use super::{MARK, View, view};

    #[test]
    fn a_view_is_read_back_from_a_log_with_other_lines() {
        let whole = View {
            directory: "/a\"b\\c\u{1b}é".to_owned(),
            ..View::default()
        };
        let text: String = serde_json::to_string(&whole)
            .unwrap()
            .chars()
            .flat_map(char::escape_default)
            .collect();
        let (a, b) = text.split_at(40);
        let log = format!("hello\n{MARK} 2 2 {b}\nsome line\n{MARK} 1 2 {a}\n");
        assert_eq!(view(&log), Some(whole));
        assert_eq!(view(&log.replace(" 1 2 ", " 3 3 ")), None);
    }
}
