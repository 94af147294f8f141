//! The house rules that no compiler holds: who may know whom, and the documentation in step
//! with `contract/`.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "reads the repository, not the world; a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The permitted dependencies, from the lowest module up. A module without a line fails.
const MAY_KNOW: &[(&str, &[&str])] = &[
    // ground
    ("error", &["visible"]),
    ("contract", &["error"]),
    ("choice", &[]),
    ("workload", &["choice", "contract", "error"]),
    ("signal", &[]),
    ("held", &[]),
    ("stderr", &["visible"]),
    ("visible", &[]),
    ("problems", &[]),
    // the subcommands, as data
    ("commands", &[]),
    // floor 1: reads, and what mechanism needs
    ("facts", &["contract", "error", "held"]),
    // how settings are read, and not which there are
    (
        "layers",
        &["choice", "contract", "error", "signal", "visible"],
    ),
    (
        "settings",
        &[
            "choice", "contract", "error", "layers", "metrics", "signal", "workload",
        ],
    ),
    ("init", &["contract", "error"]),
    // the program's user
    ("account", &["contract", "error", "facts", "held", "init"]),
    // what a running program asks: the world again, at one place of it
    ("shutdown", &["contract", "error", "facts"]),
    // floor 2: understands
    // its one public function resolves for programs that have nothing at hand
    (
        "credentials",
        &[
            "account",
            "contract",
            "delivered",
            "error",
            "facts",
            "held",
            "init",
            "resolve",
            "workload",
        ],
    ),
    // requests over a network, for callers with the credentials
    ("requests", &["contract", "credentials", "workload"]),
    (
        "metrics",
        &[
            "choice", "contract", "error", "facts", "held", "layers", "problems", "workload",
        ],
    ),
    (
        "platform",
        &[
            "contract", "error", "facts", "metrics", "problems", "settings", "signal", "workload",
        ],
    ),
    // another's words for the model
    ("toolkit", &["contract", "error", "problems", "workload"]),
    // why a program ended
    (
        "outcome",
        &["contract", "facts", "held", "signal", "visible"],
    ),
    // floor 3: tells the program; cannot tell where it runs
    (
        "deliver",
        &[
            "contract", "error", "held", "outcome", "problems", "signal", "visible", "workload",
        ],
    ),
    // the job's events on their way; a program's own progress
    (
        "events",
        &[
            "contract",
            "credentials",
            "deliver",
            "error",
            "facts",
            "held",
            "requests",
            "workload",
        ],
    ),
    // doors
    (
        "resolve",
        &[
            "contract", "error", "facts", "held", "layers", "metrics", "platform", "problems",
            "settings", "toolkit", "workload",
        ],
    ),
    // what a start has delivered, read back
    (
        "delivered",
        &[
            "contract", "error", "facts", "held", "platform", "resolve", "workload",
        ],
    ),
    // secrets: declared by settings, fetched with the credentials
    (
        "secrets",
        &[
            "contract",
            "credentials",
            "error",
            "facts",
            "problems",
            "requests",
            "resolve",
            "settings",
            "workload",
        ],
    ),
    // what a running program follows: where it lies is the deployment's to say
    (
        "config",
        &["contract", "error", "facts", "resolve", "workload"],
    ),
    (
        "agent",
        &[
            "contract",
            "credentials",
            "deliver",
            "error",
            "events",
            "facts",
            "held",
            "metrics",
            "outcome",
            "resolve",
            "secrets",
            "settings",
            "signal",
            "stderr",
            "workload",
        ],
    ),
    // starts a container, and its agent
    (
        "launch",
        &[
            "account",
            "agent",
            "commands",
            "contract",
            "credentials",
            "deliver",
            "delivered",
            "error",
            "events",
            "facts",
            "held",
            "init",
            "layers",
            "metrics",
            "outcome",
            "platform",
            "problems",
            "resolve",
            "secrets",
            "settings",
            "signal",
            "stderr",
            "toolkit",
            "workload",
        ],
    ),
    // the way from executors to a driver
    ("spark", &["contract", "facts", "workload"]),
    // the only voice
    (
        "cli",
        &[
            "account",
            "commands",
            "contract",
            "credentials",
            "deliver",
            "error",
            "events",
            "facts",
            "held",
            "init",
            "launch",
            "layers",
            "metrics",
            "outcome",
            "platform",
            "problems",
            "requests",
            "resolve",
            "settings",
            "signal",
            "spark",
            "stderr",
            "visible",
            "workload",
        ],
    ),
];

/// The façade and the binary's main file show other modules.
const FACADE: &[&str] = &["lib", "main"];

/// They exist in tests only: what all fuzz targets share, and the generator of the reference
/// pages, which reads every register.
const TESTS_ONLY: &[&str] = &["fuzz", "reference"];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Module of the ground floor that a file belongs to: the first name below `src`.
fn module_of(path: &Path) -> String {
    let first = path
        .strip_prefix(source())
        .unwrap()
        .components()
        .next()
        .unwrap();
    Path::new(first.as_os_str())
        .file_stem()
        .unwrap()
        .to_string_lossy()
        .into_owned()
}

/// Every module named after `crate::`, groups included, comments left out.
fn known_by(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    code.match_indices("crate::")
        .filter(|(at, _)| {
            !code[..*at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
        })
        .map(|(at, found)| {
            let rest = &code[at + found.len()..];
            assert!(
                !rest.starts_with('{'),
                "write one `use crate::…` a module, so that it can be read here"
            );
            rest.chars()
                .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                .collect()
        })
        .collect()
}

#[test]
fn modules_depend_only_on_permitted_modules() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_KNOW.iter().copied().collect();
    let mut paths = Vec::new();
    files(&source(), &mut paths);
    let mut wrong = Vec::new();
    for path in paths {
        let module = module_of(&path);
        if FACADE.contains(&module.as_str()) || TESTS_ONLY.contains(&module.as_str()) {
            continue;
        }
        let Some(may_know) = allowed.get(module.as_str()) else {
            wrong.push(format!("{module} has no line in MAY_KNOW"));
            continue;
        };
        for known in known_by(&std::fs::read_to_string(&path).unwrap()) {
            // The façade's own names (`crate::Error`) are not modules.
            let is_module = allowed.contains_key(known.as_str());
            if is_module && known != module && !may_know.contains(&known.as_str()) {
                wrong.push(format!(
                    "{} must not know {known}",
                    path.strip_prefix(source()).unwrap().display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where code may ask which platform this is. Everywhere else it asks `Conventions`.
const MAY_ASK_THE_PLATFORM: &[&str] = &["platform/", "workload/"];

#[test]
fn only_the_platform_room_asks_which_platform_this_is() {
    let mut paths = Vec::new();
    files(&source(), &mut paths);
    let mut found = Vec::new();
    for path in paths {
        let name = path.strip_prefix(source()).unwrap().display().to_string();
        let asks = |line: &str| line.contains("Platform::") && !line.trim_start().starts_with("//");
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\n#[expect").next().unwrap();
        let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let may = MAY_ASK_THE_PLATFORM.iter().any(|of| name.starts_with(of));
        if !may && !name.contains("tests") && !name.contains("fuzz") && code.lines().any(asks) {
            found.push(name);
        }
    }
    assert!(found.is_empty(), "use platform::conventions: {found:?}");
}

/// Where unsafe code has earned its place; a file more is a discussion.
const UNSAFE: &[&str] = &[
    "init/executable.rs",
    "init/memory.rs",
    "init/signals.rs",
    "init/spawn.rs",
    "main.rs",
    "metrics/region/memory.rs",
];

#[test]
fn unsafe_code_is_where_it_has_earned_its_place() {
    let mut paths = Vec::new();
    files(&source(), &mut paths);
    let mut found: Vec<String> = paths
        .iter()
        .filter(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            ["unsafe_code", "unsafe {", "unsafe("]
                .iter()
                .any(|word| text.contains(word))
        })
        .map(|path| path.strip_prefix(source()).unwrap().display().to_string())
        .collect();
    found.sort();
    assert_eq!(found, UNSAFE);
}

/// Modules that may run as root while a program of another user runs, or after it. The program may
/// have changed any path, so they access files only by `held::Directory`.
const BESIDE_THE_PROGRAM: &[&str] = &[
    "agent/",
    "credentials/",
    "deliver/",
    "events/sender/",
    "init/",
    "launch/",
    "metrics/region/",
    "metrics/routes/",
    "outcome/",
    "secrets/",
];

/// How a file is touched by its path.
const BY_PATH: &[&str] = &[
    "CWD",
    "DirBuilder",
    "File::create",
    "File::open",
    "OpenOptions",
    "UnixDatagram::bind",
    "UnixListener::bind",
    "UnixStream::connect",
    "canonicalize",
    "pem_file_iter",
    "ProfileFile",
    "fs::chown(",
    "create_dir",
    "facts.entries",
    "facts.file",
    "facts.ownership",
    "lchown(",
    "mkdtemp",
    "remove_dir",
    "remove_file",
    "rustix::fs::open(",
    "set_permissions",
    "std::fs::read",
    "std::fs::write",
    "symlink(",
    "tempfile",
];

/// Where a path is good enough, and why.
const BY_PATH_ALL_THE_SAME: &[(&str, &str)] = &[
    // The kernel's own files of this process.
    ("agent/config.rs", "OpenOptions"),
    // Wary of links where there is another user.
    ("credentials/container.rs", "facts.file"),
    ("secrets/local.rs", "facts.entries"),
    ("secrets/local.rs", "facts.file"),
    // Root alone can change it, or this process has become the program's user.
    ("credentials/profile.rs", "ProfileFile"),
    // Nothing but roots of trust comes of it.
    ("credentials/trust.rs", "pem_file_iter"),
    // By the program itself.
    ("secrets/mod.rs", "facts.file"),
    // Without another user there is no attacker.
    ("launch/profile.rs", "create_dir"),
    // Before the program.
    // Nothing but versions and hashes comes of it.
    ("launch/snapshot/declared.rs", "facts.file"),
    ("launch/snapshot/mod.rs", "facts.file"),
    ("launch/snapshot/mod.rs", "facts.ownership"),
    ("launch/snapshot/python.rs", "facts.entries"),
    ("launch/snapshot/python.rs", "facts.file"),
    // In the run directory, which these facts hold by its descriptor.
    ("launch/statsd.rs", "facts.file"),
    ("deliver/files.rs", "DirBuilder"),
    ("metrics/routes/sagemaker/sender.rs", "create_dir"),
    // The kernel's, the terminal, and the pipe that PID 1 has made, found by its number.
    ("init/children.rs", "rustix::fs::open("),
    ("init/procfs.rs", "CWD"),
    ("init/procfs.rs", "rustix::fs::open("),
    ("init/start.rs", "rustix::fs::open("),
    ("init/stage.rs", "rustix::fs::open("),
    ("init/stage_report.rs", "rustix::fs::open("),
];

#[test]
fn code_next_to_the_program_accesses_files_by_descriptors() {
    let mut paths = Vec::new();
    files(&source(), &mut paths);
    let mut found = Vec::new();
    for path in paths {
        let name = path.strip_prefix(source()).unwrap().display().to_string();
        let beside = BESIDE_THE_PROGRAM.iter().any(|of| name.starts_with(of));
        if !beside || name.contains("tests") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\n#[expect").next().unwrap();
        let code = code.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let lines: Vec<&str> = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .collect();
        let used = BY_PATH
            .iter()
            .filter(|word| lines.iter().any(|line| line.contains(**word)));
        found.extend(used.map(|word| (name.clone(), *word)));
    }
    found.sort_unstable();
    let mut allowed: Vec<(String, &str)> = BY_PATH_ALL_THE_SAME
        .iter()
        .map(|(name, word)| ((*name).to_owned(), *word))
        .collect();
    allowed.sort_unstable();
    assert_eq!(found, allowed, "see held.rs");
}

/// The texts of a contract file: constants and lists of them, without comments and wire types.
fn texts(source: &str) -> Vec<String> {
    let code: String = source
        .lines()
        .map(str::trim)
        .skip_while(|line| line.starts_with("//!"))
        .filter(|line| !line.starts_with("//") && !line.starts_with('#'))
        .flat_map(|line| [line, "\n"])
        .collect();
    code.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Every page of the documentation, and the README.
fn documentation() -> String {
    let here = source().join("../..");
    let mut text = std::fs::read_to_string(here.join("README.md")).unwrap();
    let mut directories = vec![here.join("docs")];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}

#[test]
fn every_contract_name_is_documented() {
    let documentation = documentation();
    let mut paths = Vec::new();
    files(&source().join("contract"), &mut paths);
    let mut names = Vec::new();
    for path in paths {
        names.extend(texts(&std::fs::read_to_string(&path).unwrap()));
    }
    assert!(names.len() > 100, "the contract was not read: {names:?}");
    let missing: Vec<String> = names
        .into_iter()
        .filter(|name| !documentation.contains(&format!("`{name}")))
        .collect();
    assert!(
        missing.is_empty(),
        "on no page of docs/: {}",
        missing.join(", ")
    );
}

#[test]
fn every_variable_of_ours_in_the_documentation_is_in_the_contract() {
    let documentation = documentation();
    let delivered = std::fs::read_to_string(source().join("contract/delivered.rs")).unwrap();
    let settings: Vec<String> = lyftlearn_runtime::SETTINGS
        .iter()
        .copied()
        .flatten()
        .map(lyftlearn_runtime::Setting::variable)
        .collect();
    for row in documentation.split("`LYFTLEARN_").skip(1) {
        let ends = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '_');
        let name = row.split(ends).next().unwrap();
        let name = format!("LYFTLEARN_{name}");
        let known = delivered.contains(&format!("\"{name}\""))
            || settings.contains(&name)
            || MORE_VARIABLES.contains(&name.as_str())
            // Options of the checker.
            || name.starts_with("LYFTLEARN_CONFORMANCE_");
        assert!(known, "the documentation names {name}, which is not there");
    }
}

/// The switch, the beginnings of names, an example of a Service's variable, and the variable of all secrets.
const MORE_VARIABLES: &[&str] = &[
    "LYFTLEARN_",
    "LYFTLEARN_RUNTIME",
    "LYFTLEARN_RUNTIME_",
    "LYFTLEARN_RUNTIME_PORT",
    "LYFTLEARN_RUNTIME_SECRETS",
];

#[test]
fn the_core_has_no_tokio_no_aws_sdk_and_no_http() {
    let tree = std::process::Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--no-default-features",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    assert!(tree.contains("serde_json"), "the tree was not read: {tree}");
    let heavy = [
        "tokio", "aws-", "hyper", "http", "rustls", "metrics", "lexopt",
    ];
    let found: Vec<&str> = tree
        .lines()
        .filter(|line| heavy.iter().any(|name| line.starts_with(name)))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}
