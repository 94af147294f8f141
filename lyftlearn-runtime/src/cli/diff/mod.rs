//! `diff`: what differs between two snapshots, and which differences are declared.

#[cfg(test)]
mod fuzz;
mod page;

use std::collections::BTreeMap;

use serde_json::Value;

use super::output;
use super::page::{Ink, Page};
use super::usage::{self, Given};
use crate::contract::runtime;
use crate::error::Error;
use crate::facts::Facts;
use crate::launch::snapshot::{Difference, Kind, compare, declared, read};
use crate::visible::visible_line;

#[derive(Clone, Copy)]
enum Format {
    Text,
    Json,
    Html,
}

pub(super) fn diff(given: &Given) -> Result<u8, Error> {
    let format = match given.choice("--format") {
        Some("json") => Format::Json,
        Some("html") => Format::Html,
        _ => Format::Text,
    };
    let patterns = given.file("--declared");
    let patterns = patterns.unwrap_or_else(|| runtime::DECLARED_DIFFERENCES.into());
    let (a, b) = (given.word(0)?, given.word(1)?);
    let facts = Facts::capture(Vec::new());
    let patterns = declared(&facts, &patterns)?;
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    let snapshots = [
        read(&facts, &usage::absolute(a))?,
        read(&facts, &usage::absolute(b))?,
    ];
    let differences = compare(&snapshots[0], &snapshots[1], &patterns);
    let sides = [
        Side::new(&a.to_string_lossy(), &snapshots[0]),
        Side::new(&b.to_string_lossy(), &snapshots[1]),
    ];
    let shown = match format {
        Format::Text => {
            let mut page = Page::for_stdout();
            text(&mut page, &sides, &differences);
            page.into_text()
        }
        Format::Json => format!(
            "{}\n",
            serde_json::to_string_pretty(&differences).expect("texts have no failure to report")
        ),
        Format::Html => page::page(&sides, &differences),
    };
    output::data(shown.as_bytes())?;
    let undeclared = differences.iter().any(|one| one.kind == Kind::Undeclared);
    Ok(u8::from(undeclared))
}

/// One of the two snapshots, as the output introduces it.
struct Side {
    file: String,
    about: Vec<(&'static str, String)>,
}

/// Values that identify a snapshot, if it has them.
const ABOUT: &[(&str, &str)] = &[
    ("platform", "/platform"),
    ("flavor", "/flavor"),
    ("role", "/role"),
    ("job", "/job/name"),
    ("host", "/topology/host"),
    ("system", "/image/system"),
    ("Python", "/python/version"),
    ("runtime", "/version"),
];

impl Side {
    fn new(file: &str, snapshot: &Value) -> Self {
        let about = ABOUT.iter().filter_map(|(name, pointer)| {
            let value = snapshot.pointer(pointer)?.as_str()?;
            Some((*name, value.to_owned()))
        });
        Self {
            file: file.to_owned(),
            about: about.collect(),
        }
    }
}

/// Differences by the first name of their path.
fn areas<'a>(differences: &[&'a Difference]) -> BTreeMap<&'a str, Vec<&'a Difference>> {
    let mut areas: BTreeMap<&str, Vec<&Difference>> = BTreeMap::new();
    for one in differences {
        let area = one.path.split('.').next().unwrap_or_default();
        areas.entry(area).or_default().push(*one);
    }
    areas
}

/// How many differences each area has.
fn counted(areas: &BTreeMap<&str, Vec<&Difference>>) -> String {
    let counted: Vec<String> = areas
        .iter()
        .map(|(area, of_area)| format!("{} {}", visible_line(area), of_area.len()))
        .collect();
    counted.join(", ")
}

/// As many digits of a hash as tell two apart.
const DIGITS: usize = 12;

/// The first digits of a SHA-256; `None` for other values.
fn shortened(text: &str) -> Option<String> {
    let bare = text.trim_matches('"');
    let hash = bare.len() == 64 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
    hash.then(|| format!("{}…", &bare[..DIGITS]))
}

/// The value of a secret is not in a snapshot: all other values of variables are hashes.
fn is_secret(path: &str, text: &str) -> bool {
    path.starts_with("variables.") && text == "\"secret\""
}

fn text(page: &mut Page, sides: &[Side; 2], differences: &[Difference]) {
    for (letter, side) in ["A", "B"].into_iter().zip(sides) {
        let about: Vec<String> = side
            .about
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
        let separator = if about.is_empty() { "" } else { ": " };
        let line = format!("{}{separator}{}", side.file, about.join(", "));
        page.row(0, &[(Ink::Name, letter, 1)], Ink::Plain, &line);
    }
    for (kind, title) in Kind::ALL {
        let group: Vec<&Difference> = differences.iter().filter(|one| one.kind == kind).collect();
        let areas = areas(&group);
        let ink = match (kind, group.len()) {
            (_, 0) => Ink::Faint,
            (Kind::Undeclared, _) => Ink::Bad,
            _ => Ink::Name,
        };
        let mut line = format!("{title}: {}", group.len());
        if !group.is_empty() {
            line.push_str(&format!(" ({})", counted(&areas)));
        }
        let folded = kind == Kind::Harmless;
        if folded && !group.is_empty() {
            line.push_str("; --format json lists them");
        }
        page.gap();
        page.line(0, ink, &line);
        for one in areas.values().flatten().filter(|_| !folded) {
            let value = |text: &str| {
                if is_secret(&one.path, text) {
                    return "a secret".to_owned();
                }
                shortened(text).unwrap_or_else(|| text.to_owned())
            };
            let line = format!("{}: {} -> {}", one.path, value(&one.a), value(&one.b));
            page.line(2, Ink::Plain, &line);
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::{Difference, Kind, Side, text};
    use crate::cli::page::Page;

    #[test]
    fn the_text_introduces_both_sides_and_folds_harmless_differences() {
        let sides = [
            Side::new(
                "sagemaker.json",
                &json!({"platform": "sagemaker", "role": "training",
                    "job": {"name": "ranker-7"}, "python": {"version": "3.11.7"}}),
            ),
            Side::new("a\nb.json", &json!({"job": {"name": null}})),
        ];
        let difference = |kind, path: &str, a: &str, b: &str| Difference {
            kind,
            path: path.to_owned(),
            a: a.to_owned(),
            b: b.to_owned(),
        };
        let hash = |digit: &str| format!("\"{}\"", digit.repeat(64));
        let differences = [
            difference(
                Kind::Undeclared,
                "python.version",
                "\"3.11.7\"",
                "\"3.12.1\"",
            ),
            difference(Kind::Undeclared, "variables.GREETING", &hash("a"), "absent"),
            difference(Kind::Undeclared, "variables.PIN", "absent", "\"secret\""),
            difference(Kind::Platforms, "lifecycle.grace_seconds", "120", "25"),
            difference(
                Kind::Harmless,
                "topology.host",
                "\"algo-1\"",
                "\"ranker-7-0\"",
            ),
            difference(Kind::Harmless, "topology.hosts", "1", "2"),
        ];
        let mut page = Page::plain(None);
        text(&mut page, &sides, &differences);
        expect![[r#"
            A  sagemaker.json: platform sagemaker, role training, job ranker-7, Python 3.11.7
            B  a\nb.json

            undeclared differences: 3 (python 1, variables 2)
              python.version: "3.11.7" -> "3.12.1"
              variables.GREETING: aaaaaaaaaaaa… -> absent
              variables.PIN: absent -> a secret

            declared differences: 0

            differences of the two platforms: 1 (lifecycle 1)
              lifecycle.grace_seconds: 120 -> 25

            harmless differences: 2 (topology 2); --format json lists them
        "#]]
        .assert_eq(&page.into_text());
    }
}
