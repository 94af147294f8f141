//! An `expect.json` with other messages, and all else as it was.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::value::RawValue;

/// The text of an `expect.json` with `messages` in the list that is its `member`; `None` where
/// there is no such list.
pub(super) fn replaced(text: &str, member: &str, messages: &[String]) -> Option<String> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    let list = members.get(member)?.get();
    let before: Vec<&RawValue> = serde_json::from_str(list).ok()?;
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    if before.len() == messages.len() {
        let pairs = before.iter().zip(messages);
        let others = pairs.filter(|(before, after)| {
            serde_json::from_str::<String>(before.get()).ok().as_ref() != Some(*after)
        });
        edits.extend(others.map(|(before, after)| (place(text, before.get()), quoted(after))));
    } else {
        edits.push((place(text, list), listed(list, messages)));
    }
    let mut text = text.to_owned();
    // From the end, so that the positions of earlier parts stay valid.
    for (place, message) in edits.into_iter().rev() {
        text.replace_range(place, &message);
    }
    Some(text)
}

/// A list of another length, in lines as it was or in one.
fn listed(before: &str, messages: &[String]) -> String {
    let messages: Vec<String> = messages.iter().map(|message| quoted(message)).collect();
    match before.contains('\n') || messages.len() > 1 {
        _ if messages.is_empty() => "[]".to_owned(),
        true => format!("[\n    {}\n  ]", messages.join(",\n    ")),
        false => format!("[{}]", messages.concat()),
    }
}

fn quoted(message: &str) -> String {
    serde_json::to_string(message).expect("a text has no failure to report")
}

/// The position of a part of a text.
fn place(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    start..start + part.len()
}

#[cfg(test)]
mod tests {
    use super::replaced;

    const CASE: &str = r#"{
  "why": "As a \"person\" writes it.",
  "problems": ["one", "two \u0022"],
  "error": [
    "a",   "c"
  ],
  "workload": { "b": 1,  "a": 2 }
}
"#;

    #[track_caller]
    fn check(member: &str, messages: &[&str], before: &str, after: &str) {
        let messages: Vec<String> = messages.iter().map(|&one| one.to_owned()).collect();
        let expected = CASE.replace(before, after);
        assert_eq!(replaced(CASE, member, &messages), Some(expected));
    }

    #[test]
    fn what_has_not_changed_stays_byte_for_byte() {
        check("problems", &["1", "two \""], r#""one""#, r#""1""#);
        check("problems", &["one", "2"], r#""two \u0022""#, r#""2""#);
        check("error", &["a", "\"d\" é"], r#""c""#, r#""\"d\" é""#);
    }

    #[test]
    fn a_list_may_become_longer_or_shorter() {
        check("problems", &["1"], r#"["one", "two \u0022"]"#, r#"["1"]"#);
        check("problems", &[], r#"["one", "two \u0022"]"#, "[]");
        check(
            "error",
            &["a", "b", "c"],
            "\n    \"a\",   \"c\"\n  ",
            "\n    \"a\",\n    \"b\",\n    \"c\"\n  ",
        );
    }

    #[test]
    fn without_a_list_there_is_nothing_to_replace() {
        assert_eq!(replaced(CASE, "evidence", &[]), None);
        assert_eq!(replaced(CASE, "why", &["x".to_owned()]), None);
    }
}
