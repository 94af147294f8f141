//! Every message is in a table of messages, and no other test spells it.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "reads the repository, not the world; a test fails by panicking"
)]

use std::path::{Path, PathBuf};

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

/// Names that `impl TRAIT for` is written for.
fn implementing<'a>(code: &'a str, of: &str) -> Vec<&'a str> {
    let after = format!("{of} for ");
    code.match_indices(&after)
        .filter_map(|(at, _)| code[at + after.len()..].split([' ', '<']).next())
        .collect()
}

/// The variants of an enum; empty for other types.
fn variants<'a>(code: &'a str, name: &str) -> Vec<&'a str> {
    let begin = format!("enum {name} {{\n");
    let Some(at) = code.find(&begin) else {
        return Vec::new();
    };
    let body = &code[at + begin.len()..];
    let body = &body[..body.find("\n}").unwrap()];
    body.lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()))
        .filter_map(|line| line.split(|letter: char| !letter.is_alphanumeric()).next())
        .collect()
}

/// The message comes from another type, which has a table of its own.
const NOT_ITS_OWN: &[&str] = &["Cause::Roots"];

#[test]
fn every_variant_of_every_fault_is_in_a_table() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&source, &mut paths);
    let (mut missing, mut messages) = (Vec::new(), 0);
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let (code, tests) = text.split_once("\nmod tests {").unwrap_or((&text, ""));
        let faults = implementing(code, "Fault");
        let mut named = implementing(code, "Display");
        named.extend(&faults);
        named.sort_unstable();
        named.dedup();
        for name in named {
            let all = variants(code, name);
            let wanted: Vec<String> = match all.as_slice() {
                [] if faults.contains(&name) => vec![name.to_owned()],
                all => all.iter().map(|one| format!("{name}::{one}")).collect(),
            };
            messages += wanted.len();
            let absent = wanted.iter().filter(|one| {
                !NOT_ITS_OWN.contains(&one.as_str())
                    && !tests.match_indices(one.as_str()).any(|(at, _)| {
                        !tests[at + one.len()..].starts_with(|next: char| next.is_alphanumeric())
                    })
            });
            let file = path.strip_prefix(&source).unwrap().display();
            missing.extend(absent.map(|one| format!("{file}: {one}")));
        }
    }
    assert!(messages > 130, "the faults were not read: {messages}");
    assert!(
        missing.is_empty(),
        "not in a table of its file's tests:\n{}",
        missing.join("\n")
    );
}

/// What only a report has.
const OF_A_REPORT: &[&str] = &["\\n  hint: ", " hint: ", "\\n  because: "];

#[test]
fn no_test_spells_a_report_by_hand() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for directory in ["src", "tests", "../conformance/src", "../conformance/tests"] {
        files(&here.join(directory), &mut paths);
    }
    let mut wrong = Vec::new();
    for path in paths
        .iter()
        .filter(|path| !path.ends_with("tests/messages.rs"))
    {
        for (number, line) in std::fs::read_to_string(path).unwrap().lines().enumerate() {
            // An expect! of several lines has its text without quotes.
            let texts: String = line.split('"').skip(1).step_by(2).collect();
            let code = path.ends_with("src/error.rs") || line.trim_start().starts_with("//");
            if !code && OF_A_REPORT.iter().any(|word| texts.contains(word)) {
                wrong.push(format!(
                    "{}:{}: {}",
                    path.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "use expect!:\n{}", wrong.join("\n"));
}
