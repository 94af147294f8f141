//! The strings in the code's files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The Rust files below a directory, in order.
pub(super) fn files(directory: &Path, found: &mut Vec<PathBuf>) {
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

/// Code without its tests and comments.
fn plain(code: &str) -> String {
    let code = code.split("mod tests {").next().unwrap_or(code);
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.fold(String::new(), |code, line| code + line + "\n")
}

/// The strings in code, with `…` in place of values. Reasons of lints and of `expect` are not shown
/// to a user.
pub(super) fn strings(code: &str) -> Vec<String> {
    let code = plain(code);
    let mut found = Vec::new();
    let mut rest = code.as_str();
    while let Some(at) = rest.find('"') {
        // Not the character '"'.
        if rest[..at].ends_with('\'') {
            rest = &rest[at + 1..];
            continue;
        }
        let mut text = String::new();
        let mut letters = rest[at + 1..].char_indices();
        let mut end = rest.len();
        let mut values = 0;
        while let Some((offset, letter)) = letters.next() {
            match letter {
                '"' => {
                    end = at + 1 + offset + 1;
                    break;
                }
                '\\' => match letters.next() {
                    Some((_, '\n')) => {
                        let after = &rest[at + 1 + offset + 2..];
                        let blank = after.len() - after.trim_start().len();
                        for _ in 0..blank {
                            letters.next();
                        }
                    }
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, other)) => text.push(other),
                    None => {}
                },
                '{' => {
                    values += 1;
                    if !text.ends_with('…') {
                        text.push('…');
                    }
                }
                '}' => values -= 1,
                _ if values == 0 => text.push(letter),
                _ => {}
            }
        }
        let before = rest[..at].trim_end();
        if !(before.ends_with(".expect(") || before.ends_with("reason =")) {
            found.push(text);
        }
        rest = &rest[end..];
    }
    found
}

/// The arguments of each call, as code. `of` may be on the line before: `problems` and `.push(`.
pub(super) fn arguments(code: &str, of: &str, call: &str) -> Vec<Vec<String>> {
    let code = plain(code);
    let calls = code.match_indices(call);
    calls
        .filter(|(at, _)| code[..*at].trim_end().ends_with(of))
        .map(|(at, _)| split(&code[at + call.len()..]))
        .collect()
}

/// The parts between commas, up to the closing bracket.
fn split(code: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let (mut depth, mut begin, mut in_string) = (0, 0, false);
    let mut letters = code.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' if in_string => drop(letters.next()),
            '"' => in_string = !in_string,
            _ if in_string => {}
            // A character, which may be a bracket.
            '\'' if code[at + 1..].chars().nth(1) == Some('\'') => drop(letters.nth(1)),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => {
                parts.push(code[begin..at].to_owned());
                break;
            }
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(code[begin..at].to_owned());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts
}

/// The texts in code, line by line, as a user reads them.
pub(super) fn sentences(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for text in strings(code) {
        for line in text.lines() {
            let line = line.trim();
            let line = line.strip_prefix("lyftlearn-runtime: ").unwrap_or(line);
            let line = line.strip_prefix("fix: ").unwrap_or(line);
            found.insert(line.to_owned());
        }
    }
    found
}

/// The code of a file, or of all files of a directory, each with its path.
pub(super) fn code_of(source: &Path, part: &str) -> Vec<(PathBuf, String)> {
    let path = source.join(part);
    let mut paths = Vec::new();
    if path.is_dir() {
        files(&path, &mut paths);
    } else {
        paths.push(path);
    }
    paths.retain(|path| !is_test(path.strip_prefix(source).unwrap()));
    let read = |path: PathBuf| {
        let code = std::fs::read_to_string(&path).unwrap();
        (path, code)
    };
    paths.into_iter().map(read).collect()
}

fn is_test(path: &Path) -> bool {
    let mut parts = path.iter();
    parts.any(|part| {
        ["tests.rs", "fuzz.rs", "tests", "__fuzz__", "reference"]
            .iter()
            .any(|name| part == *name)
    })
}

/// The texts of a file, or of all files of a directory.
pub(super) fn sentences_of(source: &Path, part: &str) -> BTreeSet<String> {
    let all = code_of(source, part);
    all.iter().flat_map(|(_, code)| sentences(code)).collect()
}
