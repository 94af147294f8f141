//! The probe as a program that looks at the secrets that it was given. It prints hashes alone.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::program::hashed;

/// The delivered secrets.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Delivered {
    /// Each variable's name and the hash of its value.
    pub variables: BTreeMap<String, String>,
    /// Each file's name, permission bits and hash.
    pub files: BTreeMap<String, (u32, String)>,
    /// Whether the files are in memory.
    pub in_memory: bool,
    /// Names of all secrets, as the Python package reads them.
    pub names: Vec<String>,
    /// Words of this container's processes, hashed each by its parts: a secret among them is seen.
    pub argv: Vec<String>,
    /// What `lyftlearn-runtime metrics` prints, hashed by its words.
    pub metrics: Vec<String>,
}

pub(super) fn delivered() -> Delivered {
    let run = std::env::var("LYFTLEARN_RUN_DIR").unwrap_or_default();
    let directory = PathBuf::from(run).join("secrets");
    let mut delivered = Delivered {
        variables: std::env::vars()
            .map(|(name, value)| (name, hashed(value.as_bytes())))
            .collect(),
        argv: argv(),
        metrics: metrics(),
        ..Delivered::default()
    };
    let all = std::fs::read(directory.join("..data/.all.json")).unwrap_or_default();
    let all: Value = serde_json::from_slice(&all).unwrap_or_default();
    delivered.names = names(&all);
    for entry in std::fs::read_dir(&directory)
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(bytes) = std::fs::read(entry.path()) else {
            continue;
        };
        let mode = std::fs::metadata(entry.path()).map_or(0, |about| about.mode() & 0o777);
        delivered.files.insert(name, (mode, hashed(&bytes)));
    }
    let kind = rustix::fs::statfs(&directory).map(|about| about.f_type);
    // tmpfs and ramfs, by the kernel's own numbers.
    delivered.in_memory = kind.is_ok_and(|kind| [0x0102_1994, 0x8584_58f6].contains(&kind));
    delivered
}

fn names(all: &Value) -> Vec<String> {
    let fields = all.as_object().into_iter().flatten();
    fields.map(|(name, _)| name.clone()).collect()
}

/// Parts of a text, split at characters that no secret has, hashed.
fn parts(text: &str) -> impl Iterator<Item = String> {
    let apart = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '-');
    text.split(apart)
        .filter(|part| part.len() > 8)
        .map(|part| hashed(part.as_bytes()))
}

fn argv() -> Vec<String> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines
        .flat_map(|line| parts(&String::from_utf8_lossy(&line)).collect::<Vec<_>>())
        .collect()
}

fn metrics() -> Vec<String> {
    let mut command = std::process::Command::new("lyftlearn-runtime");
    let output = crate::command::tried(command.arg("metrics"), std::time::Duration::from_secs(10));
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    parts(&text.unwrap_or_default()).collect()
}
