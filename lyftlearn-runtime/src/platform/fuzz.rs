//! Arbitrary `environment.env` and `environment.json` documents, compared with a simple model of
//! their meaning.

use std::collections::BTreeMap;

use serde_json::Value;

use super::variables::read;
use crate::facts::Facts;
use crate::fuzz::{CANARY, Draw, check_report, target};
use crate::settings::Settings;

const NAMES: &[&str] = &[
    "A",
    "B_C",
    "a.b-c",
    "PATH",
    "LD_PRELOAD",
    "PYTHONPATH",
    "LYFTLEARN_ROLE",
    "LYFTLEARN_RUNTIME",
    "LYFTLEARN_RUNTIME_LOG",
    "AWS_REGION",
    "export X",
    " Y",
    "\u{feff}Z",
    "",
    "\u{e9}",
    "MASTER_ADDR",
];
const VALUES: &[&str] = &[
    CANARY,
    "1",
    "\"quoted\"",
    "a=b",
    " # no comment ",
    "",
    "\t",
    "${HOME}",
    "\u{e9}",
    "\\n",
];

fn lines(draw: &mut Draw<'_>) -> Vec<u8> {
    let mut lines = String::new();
    for _ in 0..draw.below(8) {
        match draw.below(8) {
            0 => lines.push_str("# comment"),
            1 => lines.push_str(draw.pick(NAMES)),
            _ => {
                lines.push_str(draw.pick(NAMES));
                lines.push('=');
                lines.push_str(draw.pick(VALUES));
            }
        }
        lines.push_str(draw.pick(&["\n", "\n", "\r\n", "\n\n", "\0", ""]));
    }
    draw.damaged(lines)
}

/// What `docker run --env-file` would set, were nothing wrong.
fn simply(lines: &[u8]) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(lines);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    (text.split('\n'))
        .map(|line| line.strip_suffix('\r').unwrap_or(line).trim_start())
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn environment(draw: &mut Draw<'_>) {
    let root = tempfile::tempdir().expect("a temporary directory");
    let mut expected = BTreeMap::new();
    if draw.once_in(2) {
        let mut object = serde_json::Map::new();
        for _ in 0..draw.below(6) {
            let value = if draw.once_in(3) {
                draw.json(VALUES, 2)
            } else {
                draw.pick(VALUES).into()
            };
            object.insert(draw.pick(NAMES).to_owned(), value);
        }
        let text = Value::Object(object).to_string();
        let document = draw.damaged(text);
        if let Ok(Value::Object(object)) = serde_json::from_slice(&document) {
            let texts = object.into_iter().map(|(name, value)| match value {
                Value::String(text) => (name, text),
                // A number is as it was written.
                _ => (name, String::new()),
            });
            expected.extend(texts);
        }
        std::fs::write(root.path().join("environment.json"), document).expect("there is room");
    }
    if draw.once_in(2) {
        let document = lines(draw);
        expected.extend(simply(&document));
        std::fs::write(root.path().join("environment.env"), document).expect("there is room");
    }
    let settings = Settings {
        allowed_variables: draw.pick(&[Vec::new, || vec!["PATH".to_owned()]])(),
        ..Settings::default()
    };
    let found = match read(&Facts::empty().with_root(root.path()), &settings, "") {
        Ok(found) => found,
        // A name may be anything; text in place of a name is quoted in the report.
        Err(error) if error.report().contains(CANARY) => return names_alone(&error.report()),
        Err(error) => return check_report(&error),
    };
    let names: Vec<&String> = found.iter().map(|variable| &variable.name).collect();
    assert!(
        names.is_sorted() && names.len() == expected.len(),
        "{names:?} {expected:?}"
    );
    for variable in &found {
        let unseen = |letter: char| letter == '=' || letter.is_whitespace() || letter.is_control();
        assert!(!variable.name.is_empty() && !variable.name.contains(unseen));
        let taken = [
            "LD_PRELOAD",
            "PYTHONPATH",
            "LYFTLEARN_ROLE",
            "LYFTLEARN_RUNTIME",
        ];
        assert!(!taken.contains(&&*variable.name), "{}", variable.name);
        assert!(!variable.name.starts_with("LYFTLEARN_RUNTIME_"));
        assert!(variable.name != "PATH" || !settings.allowed_variables.is_empty());
        let meant = &expected[&variable.name];
        assert!(
            meant.is_empty() || *meant == variable.value,
            "{}",
            variable.name
        );
    }
}

/// Damage may have made a name of a value, which a report then names in its place only.
#[track_caller]
fn names_alone(report: &str) {
    for line in report.lines().filter(|line| line.contains(CANARY)) {
        let name = line.rsplit_once(": ").map_or("", |(name, _)| name);
        assert!(name.contains(CANARY), "{report}");
    }
}

#[test]
fn fuzz_environment() {
    target!(1_500, environment);
}
