//! Two documents, and what anybody declared of them.

use serde_json::{Value, json};

use super::{Side, page, text};
use crate::cli::page::Page;
use crate::fuzz::{Draw, target};
use crate::launch::snapshot::{Kind, compare};

const WORDS: &[&str] = &[
    "platform",
    "variables",
    "python",
    "topology",
    "hosts",
    "channels",
    "TERM",
    "a",
    "b",
    "_",
    "<b>",
    "\u{e9}",
    "&amp;",
];

fn documents(draw: &mut Draw<'_>) {
    let a = draw.json(WORDS, 4);
    let b = if draw.once_in(3) {
        draw.json(WORDS, 4)
    } else {
        draw.spoilt(a.clone(), WORDS)
    };
    // A snapshot is an object.
    let (a, b) = (json!({"format": 1, "of": a}), json!({"format": 1, "of": b}));
    assert!(compare(&a, &a, &[]).is_empty());
    let plain = compare(&a, &b, &[]);
    let (shown_a, shown_b) = (a.to_string(), b.to_string());
    // `{"a.b": 1}` and `{"a": {"b": 1}}` have one path.
    if !shown_a.contains('.') && !shown_b.contains('.') {
        assert_eq!(plain.is_empty(), shown_a == shown_b, "{a} {b}");
    }
    let turned = compare(&b, &a, &[]);
    assert_eq!(plain.len(), turned.len());
    for (one, other) in plain.iter().zip(&turned) {
        assert_eq!((one.kind, &one.path), (other.kind, &other.path));
        assert_eq!((&one.a, &one.b), (&other.b, &other.a));
    }
    // Parts of paths, with stars where parts are missing.
    let mut patterns = vec!["nothing.*".to_owned()];
    for _ in 0..draw.below(4) {
        let path = plain.get(draw.below(plain.len() + 1));
        let mut pattern: Vec<char> = path.map_or("a.b", |one| &one.path).chars().collect();
        for _ in 0..draw.below(4) {
            let from = draw.below(pattern.len() + 1);
            let to = (from + draw.below(4)).min(pattern.len());
            pattern.splice(from..to, ['*']);
        }
        patterns.push(pattern.into_iter().collect());
    }
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let declared = compare(&a, &b, &patterns);
    assert_eq!(declared.len(), plain.len());
    assert!(declared.is_sorted_by_key(|one| {
        let place = Kind::ALL.iter().position(|(kind, _)| *kind == one.kind);
        place.expect("all kinds are there")
    }));
    for one in &declared {
        let named = patterns
            .iter()
            .any(|pattern| stands_for(pattern, &one.path));
        assert_eq!(
            one.kind == Kind::Declared,
            named,
            "{patterns:?} {}",
            one.path
        );
    }
    shown(&declared, &a);
}

/// A pattern's meaning, as simply as it can be said.
fn stands_for(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), path.chars().collect());
    // Whether the examined part of the pattern matches so many characters of the path.
    let mut stands: Vec<bool> = (0..=path.len()).map(|length| length == 0).collect();
    for letter in pattern {
        let before = stands.clone();
        for length in 0..=path.len() {
            stands[length] = match letter {
                '*' => before[..=length].contains(&true),
                letter => length > 0 && before[length - 1] && path[length - 1] == letter,
            };
        }
    }
    stands[path.len()]
}

/// One line each, and nothing in a page that is not escaped.
fn shown(differences: &[super::Difference], a: &Value) {
    let sides = [Side::new("a", a), Side::new(&a.to_string(), a)];
    let mut lines = Page::plain(None);
    text(&mut lines, &sides, differences);
    let lines = lines.into_text();
    let listed = differences.iter().filter(|one| one.kind != Kind::Harmless);
    // A line for each side, and an empty line and a heading for each group.
    assert_eq!(
        lines.lines().count(),
        sides.len() + 2 * Kind::ALL.len() + listed.count()
    );
    assert!(!lines.contains(|letter: char| letter.is_control() && !"\n\t".contains(letter)));
    let page = page::page(&sides, differences);
    assert!(!page.contains("<b>"), "{page}");
    let rows = page.matches("<th scope=\"row\">").count();
    assert_eq!(rows, differences.len());
}

#[test]
fn fuzz_documents() {
    target!(1_000, documents);
}
