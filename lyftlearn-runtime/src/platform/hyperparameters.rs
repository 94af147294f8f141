//! Hyperparameters: the documents that hold them, merged into one map of texts.

use std::borrow::Cow;
use std::path::PathBuf;

use serde_json::value::RawValue;

use super::documents;
use crate::contract::limits;
use crate::error::Error;
use crate::facts::Facts;
use crate::problems::Problems;
use crate::settings::Encoding;
use crate::workload::{Hyperparameters, Piece, Pieces, Texts};

/// Merges the documents, lowest first, into one map of texts, and says the order in which
/// they have the names: each where it came first, by its place in the map.
pub(super) fn merged<'a>(
    facts: &Facts,
    documents: impl Iterator<Item = &'a str>,
    encoding: Encoding,
    problems: &mut Problems,
) -> Result<(Hyperparameters, Texts, Vec<u32>), Error> {
    let mut all = String::new();
    let mut read = Vec::new();
    for path in documents {
        if let Some(bytes) = documents::checked(facts, path, limits::HYPERPARAMETERS_BYTES)? {
            let text = documents::utf8(path, bytes)?;
            let start = all.len();
            // The first is as a rule the only one, and may be large: it is not copied.
            if start == 0 {
                all = text;
            } else {
                all.push_str(&text);
            }
            read.push((path, start..all.len()));
        }
    }
    let mut pieces = Pieces::of(&all);
    let mut quoted = None;
    for (path, place) in &read {
        let document = &all[place.clone()];
        let before = pieces.len();
        let mut unreadable = None;
        documents::entries(path, document, |name, raw| match piece(raw, encoding) {
            Some(text) => {
                if encoding == Encoding::Text && quoted.is_none() && is_json_string(&text) {
                    quoted = Some(name.clone().into_owned());
                }
                pieces.push(verbatim(name), text);
            }
            None => unreadable = unreadable.or(Some(raw)),
        })?;
        if let Some(raw) = unreadable {
            let offset = raw.get().as_ptr() as usize - document.as_ptr() as usize;
            return Err(documents::malformed(path, document.as_bytes(), offset).into());
        }
        // As SageMaker's toolkit does, and said aloud: a document with two answers is
        // rarely meant.
        for name in pieces.twice_since(before) {
            problems.push(format!(
                "hyperparameter {name} occurs more than once in {path}; the last value is used"
            ));
        }
    }
    if let Some(name) = quoted {
        problems.push(format!(
            "hyperparameter {name} is a JSON string in quotes, as the SageMaker Python SDK writes \
             texts: hyperparameters.encoding = \"json\" takes the quotes away"
        ));
    }
    let (pieces, order) = pieces.sorted();
    let values = pieces.beside(all);
    let hyperparameters = Hyperparameters {
        path: None,
        sources: read.iter().map(|(path, _)| PathBuf::from(path)).collect(),
        count: values.len(),
    };
    Ok((hyperparameters, values, order))
}

/// `"adam"`, quotes included.
fn is_json_string(piece: &Piece<'_>) -> bool {
    let text = match piece {
        Piece::Verbatim(text) => text,
        Piece::Other(text) => text.as_ref(),
    };
    text.len() > 1 && text.starts_with('"') && text.ends_with('"')
}

fn verbatim(text: Cow<'_, str>) -> Piece<'_> {
    match text {
        Cow::Borrowed(text) => Piece::Verbatim(text),
        Cow::Owned(_) => Piece::Other(text),
    }
}

fn piece(raw: &RawValue, encoding: Encoding) -> Option<Piece<'_>> {
    let text = documents::text(raw)?;
    if encoding == Encoding::Json && text.starts_with('"') {
        let said: Result<String, _> = serde_json::from_str(&text);
        return Some(Piece::Other(said.map_or(text, Cow::Owned)));
    }
    // An object's or an array's own quotes are escaped where it is a string.
    if raw.get().starts_with(['{', '[']) {
        return Some(Piece::Other(text));
    }
    Some(verbatim(text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::merged;
    use crate::facts::Facts;
    use crate::problems::Problems;
    use crate::settings::Encoding;

    fn document(pairs: &[(String, Value)], space: &str) -> String {
        let pairs: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{}{space}:{space}{value}", Value::from(&**name)))
            .collect();
        format!("{space}{{{space}{}{space}}}\n", pairs.join(","))
    }

    fn text(value: &Value) -> String {
        value
            .as_str()
            .map_or_else(|| value.to_string(), ToOwned::to_owned)
    }

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<String>().prop_map(Value::from),
            "[a-c\"\\\\\n]{0,3}".prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            proptest::collection::vec("[a\"]{0,2}", 0..3).prop_map(Value::from),
        ]
    }

    fn pairs() -> impl Strategy<Value = Vec<(String, Value)>> {
        let names = prop_oneof!["[a-c]{0,2}", "[a\"é\n]{0,2}"];
        proptest::collection::vec((names, values()), 0..9)
    }

    proptest! {
        #[test]
        fn documents_become_one_in_order_and_each_text_stays_what_it_is(
            first in pairs(),
            second in pairs(),
            sorted: bool,
            space in "[ \n\t]{0,2}",
        ) {
            let mut first = first;
            if sorted {
                first.sort_by(|(a, _), (b, _)| a.cmp(b));
            }
            let root = tempfile::tempdir().unwrap();
            for (name, pairs) in [("first", &first), ("second", &second)] {
                std::fs::write(root.path().join(name), document(pairs, &space)).unwrap();
            }
            let facts = Facts::empty().with_root(root.path());
            let mut problems = Problems::default();
            let documents = ["/first", "/nowhere", "/second"].into_iter();
            let (found, texts, order) =
                merged(&facts, documents, Encoding::Text, &mut problems).unwrap();

            let all: Vec<&(String, Value)> = first.iter().chain(&second).collect();
            let expected: BTreeMap<&str, String> =
                all.iter().map(|(name, value)| (&**name, text(value))).collect();
            prop_assert_eq!(found.count, expected.len());
            prop_assert!(texts.iter().eq(expected.iter().map(|(name, text)| (*name, &**text))));
            prop_assert_eq!(texts.to_document(), serde_json::to_vec(&expected).unwrap());

            let mut names: Vec<&str> = Vec::new();
            for (name, _) in &all {
                if !names.contains(&&**name) {
                    names.push(name);
                }
            }
            let ordered = order.iter().map(|place| texts.at(*place as usize).0);
            prop_assert!(ordered.eq(names));

            let twice = |pairs: &[(String, Value)]| {
                let mut counts: BTreeMap<String, usize> = BTreeMap::new();
                for (name, _) in pairs {
                    *counts.entry(name.clone()).or_default() += 1;
                }
                counts.into_values().filter(|count| *count > 1).count()
            };
            let quoted = all.iter().any(|(_, value)| {
                let text = text(value);
                text.len() > 1 && text.starts_with('"') && text.ends_with('"')
            });
            let expected = twice(&first) + twice(&second) + usize::from(quoted);
            prop_assert_eq!(problems.len(), expected);
        }
    }
}
