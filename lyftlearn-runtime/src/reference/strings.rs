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

/// The strings in code, with `…` in place of values.
pub(super) fn strings(code: &str) -> Vec<String> {
    let code = code.split("mod tests {").next().unwrap_or(code);
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code: String = lines.fold(String::new(), |code, line| code + line + "\n");
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
        found.push(text);
        rest = &rest[end..];
    }
    found
}

/// The strings of a file, or of all files of a directory.
pub(super) fn strings_of(source: &Path, part: &str) -> BTreeSet<String> {
    let path = source.join(part);
    let mut paths = Vec::new();
    if path.is_dir() {
        files(&path, &mut paths);
    } else {
        paths.push(path);
    }
    let texts = paths
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap());
    texts.flat_map(|text| strings(&text)).collect()
}
