//! `docs/reference/messages.md`: every error of a fault, from the tables of messages in the tests, and
//! every problem of the conformance cases.
//!
//! Each fault's tests hold a table with all its variants (`tests/messages.rs` checks that), and the cases
//! hold the problems. So both are what the code really prints.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use expect_test::expect_file;

use super::{cell, heading, page};

const INTRODUCTION: &str = "\
Search this page for the text of a message. Names, paths and numbers in it are examples: yours differ. \
The column on the right is the line `hint:` of the report. [Troubleshooting](../troubleshooting.md) has longer answers to the most frequent ones.

An error before the program starts is printed on stderr as `lyftlearn-runtime: MESSAGE`, and the exit code is 125 unless the message \
names another. It is also the reason in `outcome.json` and in the platform's failure file. A message never contains the value of a \
variable, a key or a secret.";

/// Parts of the product in the order of a reader's need: the files with their tables, and the
/// subject of their messages.
const AREAS: &[(&str, &[&str], &str)] = &[
    (
        "Command line",
        &["cli/usage", "cli/output"],
        "The command line of `lyftlearn-runtime` is wrong, or its output cannot be written.",
    ),
    (
        "Settings",
        &["layers/", "settings/"],
        "A `runtime.toml`, a variable or an option has a mistake. All mistakes are listed at once, each with the file and line, variable or option.",
    ),
    (
        "Documents of the platform",
        &["facts/", "platform/fault"],
        "A file of the platform exists and cannot be used. The start stops, because a guess could train on the wrong rank or serve the wrong model.",
    ),
    (
        "Documents of the deployment",
        &["platform/variables"],
        "A document in the config directory has a mistake.",
    ),
    (
        "Start of the program",
        &[
            "launch/program",
            "launch/nodes",
            "launch/account",
            "init/",
            "deliver/",
            "toolkit/",
            "launch/fault",
        ],
        "The program cannot be started, or something cannot be delivered to it.",
    ),
    (
        "Credentials",
        &["credentials/", "launch/required", "cli/credentials"],
        "There are no credentials, or their source does not give any. The second list has the causes, which follow `because:`.",
    ),
    (
        "Secrets",
        &["secrets/"],
        "A secret cannot be fetched or delivered. The further lists have the causes.",
    ),
    (
        "Hyperparameters",
        &["workload/hyperparameters"],
        "A program asked for a hyperparameter.",
    ),
    (
        "Live configuration",
        &["config/"],
        "A program asked for a live value.",
    ),
    (
        "Metrics",
        &["metrics/", "cli/metrics", "agent/"],
        "Something about counting or the agent.",
    ),
    (
        "Job state events",
        &["events/"],
        "A destination did not take an event.",
    ),
    (
        "Snapshots",
        &["launch/skew", "launch/snapshot", "cli/diff"],
        "A snapshot cannot be compared.",
    ),
    (
        "Spark",
        &["cli/spark", "spark/"],
        "The network path between a Spark driver and its executors.",
    ),
    ("Stopping", &["shutdown/"], "A program asked about a stop."),
];

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The texts that `expect![[r#"…"#]].assert_eq(&reports(…))` compares, without their indentation.
fn tables(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("expect![[r#\"") {
        let body = &code[at + "expect![[r#\"".len()..];
        let Some((text, after)) = body.split_once("\"#]]") else {
            continue;
        };
        let after: String = after
            .chars()
            .take(200)
            .filter(|letter| !letter.is_whitespace())
            .collect();
        if ![".assert_eq(&reports(", ".assert_eq(&sentences("]
            .iter()
            .any(|call| after.starts_with(call))
        {
            continue;
        }
        let lines: Vec<&str> = text
            .lines()
            .skip_while(|line| line.trim().is_empty())
            .collect();
        let indent = lines
            .iter()
            .filter(|line| !line.trim().is_empty())
            .map(|line| line.len() - line.trim_start().len())
            .min()
            .unwrap_or(0);
        let lines = lines.iter().map(|line| line.get(indent..).unwrap_or(""));
        found.push(
            lines
                .fold(String::new(), |text, line| text + line + "\n")
                .trim_end()
                .to_owned(),
        );
    }
    found
}

/// A table's reports: each begins at a line that is not indented.
fn entries(table: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in table.lines() {
        match found.last_mut() {
            Some(entry) if line.starts_with(' ') => {
                entry.push('\n');
                entry.push_str(line);
            }
            _ => found.push(line.to_owned()),
        }
    }
    found
}

/// A code span, which needs no escapes but for the bar that would end a cell.
fn span(text: &str) -> String {
    let mark = if text.contains('`') { "``" } else { "`" };
    format!("{mark}{}{mark}", cell(text.trim()))
}

/// A row: the message with its causes and details, and what to do.
fn row(entry: &str) -> String {
    let (kind, rest) = entry.split_once(": ").unwrap_or(("", entry));
    let is_kind = kind.starts_with(|first: char| first.is_uppercase())
        && kind.chars().all(char::is_alphanumeric);
    let code = match kind {
        "ProgramNotFound" => "exit code 127: ",
        "ProgramNotExecutable" => "exit code 126: ",
        _ => "",
    };
    let text = if is_kind { rest } else { entry };
    let (hints, lines): (Vec<&str>, Vec<&str>) = text
        .lines()
        .partition(|line| line.trim_start().starts_with("hint: "));
    let lines: Vec<String> = lines.into_iter().map(span).collect();
    let hint = hints
        .first()
        .map_or("", |hint| hint.trim_start().trim_start_matches("hint: "));
    let hint = cell(hint).replace('<', "&lt;").replace('*', "\\*");
    format!("| {code}{} | {hint} |\n", lines.join("<br>"))
}

fn problems() -> BTreeSet<String> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/cases");
    let mut found = BTreeSet::new();
    for group in std::fs::read_dir(cases).unwrap() {
        for case in std::fs::read_dir(group.unwrap().path()).unwrap() {
            let path = case.unwrap().path().join("expect.json");
            let Ok(text) = std::fs::read_to_string(path) else {
                continue;
            };
            let expect: serde_json::Value = serde_json::from_str(&text).unwrap();
            let all = expect["problems"].as_array();
            found.extend(
                all.into_iter()
                    .flatten()
                    .map(|problem| problem.as_str().unwrap().to_owned()),
            );
        }
    }
    // A Service's variables come in sevens, and one is enough to find the message by.
    let mut seen = BTreeSet::new();
    found
        .into_iter()
        .filter(|problem| {
            let kind = problem
                .split_once(" is ignored: ")
                .map_or(problem.as_str(), |(_, why)| why);
            seen.insert(kind.to_owned())
        })
        .collect()
}

#[test]
fn messages() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&source, &mut paths);
    let mut by_area: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for path in paths {
        let name = path.strip_prefix(&source).unwrap().display().to_string();
        if name.starts_with("reference/") {
            continue;
        }
        for table in tables(&std::fs::read_to_string(&path).unwrap()) {
            let area = AREAS
                .iter()
                .position(|(_, of, _)| of.iter().any(|prefix| name.starts_with(prefix)));
            let area = area.unwrap_or_else(|| panic!("{name} has messages and no area in AREAS"));
            by_area.entry(area).or_default().push(table);
        }
    }
    let mut text = page("Messages", INTRODUCTION);
    for (area, all) in by_area {
        let (title, _, about) = AREAS[area];
        heading(&mut text, title, about);
        for table in all {
            text.push_str("\n| message | what to do |\n|---|---|\n");
            for entry in entries(&table) {
                text.push_str(&row(&entry));
            }
        }
    }
    heading(
        &mut text,
        "Problems",
        "A problem does not stop the start. `inspect` and `doctor` list all problems, and the line that `run` logs at the start has up to three.",
    );
    text.push('\n');
    for problem in problems() {
        writeln!(text, "- {}", span(&problem)).unwrap();
    }
    expect_file!["../../../docs/reference/messages.md"].assert_eq(&text);
}
