//! What the machine and the process's surroundings add to a result.

use serde_json::{Map, Value, json};

use super::text;
use crate::facts::Facts;

/// Instruction sets by which numerical libraries choose their kernels, and so their
/// rounding.
const FEATURES: &[&str] = &[
    "avx",
    "avx2",
    "avx512_bf16",
    "avx512_fp16",
    "avx512_vnni",
    "avx512bw",
    "avx512dq",
    "avx512f",
    "avx512vl",
    "amx_bf16",
    "amx_int8",
    "amx_tile",
    "f16c",
    "fma",
    "sse4_1",
    "sse4_2",
    // arm64
    "asimd",
    "asimddp",
    "bf16",
    "fphp",
    "i8mm",
    "sve",
    "sve2",
];

/// How many threads a library uses, each by its own variable; the number changes the order
/// of sums.
const THREADS: &[&str] = &[
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
];

const LOCALE: &[&str] = &[
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_NUMERIC",
    "PYTHONUTF8",
    "PYTHONIOENCODING",
];

const LIMITS: &[(&str, rustix::process::Resource)] = &[
    ("address_space", rustix::process::Resource::As),
    ("core", rustix::process::Resource::Core),
    ("locked_memory", rustix::process::Resource::Memlock),
    ("open_files", rustix::process::Resource::Nofile),
    ("processes", rustix::process::Resource::Nproc),
    ("stack", rustix::process::Resource::Stack),
];

pub(super) fn machine(facts: &Facts) -> Value {
    let set = |names: &[&str]| -> Map<String, Value> {
        let value = |name: &&str| ((*name).to_owned(), json!(facts.text(name)));
        names.iter().map(value).collect()
    };
    json!({
        "architecture": std::env::consts::ARCH,
        "features": features(facts),
        "threads": set(THREADS),
        "locale": set(LOCALE),
        "time_zone": {
            "TZ": facts.text("TZ"),
            "localtime": facts.real_path("/etc/localtime"),
        },
        "umask": umask(facts),
        "limits": limits(),
    })
}

fn features(facts: &Facts) -> Vec<&'static str> {
    let cpu = text(facts, "/proc/cpuinfo").unwrap_or_default();
    let flags = cpu.lines().find_map(|line| {
        let (name, flags) = line.split_once(':')?;
        ["flags", "Features"]
            .contains(&name.trim())
            .then_some(flags)
    });
    let flags: Vec<&str> = flags.unwrap_or_default().split_ascii_whitespace().collect();
    let mut found: Vec<&str> = FEATURES
        .iter()
        .copied()
        .filter(|feature| flags.contains(feature))
        .collect();
    found.sort_unstable();
    found
}

fn umask(facts: &Facts) -> Option<String> {
    let status = text(facts, "/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    line.map(|umask| umask.trim().to_owned())
}

fn limits() -> Map<String, Value> {
    LIMITS
        .iter()
        .map(|(name, resource)| {
            let limit = rustix::process::getrlimit(*resource);
            let value = json!({"soft": limit.current, "hard": limit.maximum});
            ((*name).to_owned(), value)
        })
        .collect()
}
