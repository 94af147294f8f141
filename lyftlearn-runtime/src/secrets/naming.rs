//! Which variables a secret becomes, by the rules of confidant-format 2.7.1.

use std::collections::HashSet;

use super::content::{Content, Value};
use super::fault::Why;
use crate::contract::limits;
use crate::problems::Problems;
use crate::settings::secrets::{Declared, Refused};

/// The variables of one secret in order, and a sentence for each key that gives no variable.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) variables: Vec<(String, Value)>,
    pub(crate) problems: Problems,
}

/// Names what `content` delivers as variables.
pub(crate) fn variables(declared: &Declared, content: &Content) -> Result<Named, Why> {
    let mut named = Named::default();
    if let Some(variable) = declared.variable() {
        // A directory, which nothing in its source tells from a file.
        if content.pairs.is_some() && declared.env == crate::settings::secrets::Env::ByName {
            return of_keys(declared, content, crate::contract::secrets::PREFIX);
        }
        if !fits(&content.text) {
            return Err(Why::NoVariable);
        }
        named.variables.push((variable, content.text.clone()));
    }
    match &declared.prefix {
        Some(prefix) => {
            let mut keyed = of_keys(declared, content, prefix)?;
            keyed.variables.splice(0..0, named.variables);
            Ok(keyed)
        }
        None => Ok(named),
    }
}

fn of_keys(declared: &Declared, content: &Content, prefix: &str) -> Result<Named, Why> {
    let mut named = Named::default();
    let mut known = HashSet::new();
    let mut left_out = 0;
    for pair in content.keys().ok_or(Why::NoKeys)? {
        let name = &declared.name;
        let key = &pair.key;
        let prefix = pair.prefix.as_deref().unwrap_or(prefix);
        let variable = format!("{}{}", prefix.to_uppercase(), key.to_uppercase());
        let mut problem = |why: String| {
            if named.problems.len() < limits::MISTAKES {
                named.problems.push(why);
            } else {
                left_out += 1;
            }
        };
        if !valid(key) {
            problem(format!(
                "secret {name}: its key {key:?} is not a valid variable name"
            ));
        } else if let Err(refused) = declared.may_set(&variable) {
            problem(match refused {
                Refused::Name => {
                    format!("secret {name}: {variable} is not a name that a secret may set")
                }
                Refused::Protected => format!(
                    "secret {name}: {variable} is protected; to set it on purpose, name it in the setting environment.allow"
                ),
            });
        } else if !fits(&pair.value) {
            problem(format!(
                "secret {name}: the value of its key {key} has a NUL byte, which a variable cannot have"
            ));
        } else if known.insert(variable.clone()) {
            // `: ${NAME=value}`: the first one stands.
            named.variables.push((variable, pair.value));
        }
    }
    if left_out > 0 {
        let why = format!("secret {}: and {left_out} more of its keys", declared.name);
        named.problems.push(why);
    }
    Ok(named)
}

/// `KEY_BAD_PATTERN` of confidant-format is `(\W|^\d)`.
fn valid(key: &str) -> bool {
    key.chars()
        .all(|letter| letter.is_alphanumeric() || letter == '_')
        && !key.starts_with(|letter: char| letter.is_ascii_digit())
}

/// A variable holds anything but a NUL.
fn fits(value: &Value) -> bool {
    !value.bytes().contains(&0)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::super::content::{Content, Pair, Value};
    use super::variables;
    use crate::facts::Facts;
    use crate::resolve;

    #[track_caller]
    fn check(fields: &str, content: &Content, expected: &[(&str, &str)], problems: Expect) {
        let json = format!(r#"{{"db": {{"from": "file:/db"{fields}}}}}"#);
        let facts = Facts::empty().with_var("LYFTLEARN_RUNTIME_SECRETS", json);
        let (declared, _) = resolve::secrets(&facts).unwrap();
        let named = variables(&declared[0], content).unwrap();
        let shown: Vec<(&str, &str)> = (named.variables.iter())
            .map(|(name, value)| (name.as_str(), value.text().unwrap()))
            .collect();
        assert_eq!(shown, expected);
        problems.assert_eq(&named.problems.join("\n"));
    }

    fn pair(key: &str, prefix: Option<&str>) -> Pair {
        Pair {
            key: key.to_owned(),
            value: Value::new(key.len().to_string()),
            prefix: prefix.map(str::to_owned),
        }
    }

    #[test]
    fn a_text_is_one_variable_and_a_document_as_many_as_it_is_asked_to_be() {
        let document = Content::one(r#"{"user": "ranker"}"#);
        check(
            "",
            &document,
            &[("DB", r#"{"user": "ranker"}"#)],
            expect![[""]],
        );
        check(
            r#", "env_prefix": "DB_""#,
            &document,
            &[("DB_USER", "ranker")],
            expect![[""]],
        );
        let both = r#", "env_prefix": "DB_", "env": "ALL""#;
        let expected = [("ALL", r#"{"user": "ranker"}"#), ("DB_USER", "ranker")];
        check(both, &document, &expected, expect![[""]]);
        check(r#", "env": false"#, &document, &[], expect![[""]]);
    }

    #[test]
    fn a_directory_is_a_bundle() {
        let directory = Content::many(vec![pair("user", None)]);
        check("", &directory, &[("CREDENTIALS_USER", "4")], expect![[""]]);
        check(
            r#", "env": "ALL""#,
            &directory,
            &[("ALL", r#"{"user":"4"}"#)],
            expect![[""]],
        );
    }

    #[test]
    fn invalid_and_protected_variable_names_are_reported() {
        let content = Content::many(vec![
            pair("a-b", None),
            pair("1a", None),
            pair("preload", Some("ld_")),
            pair("späße", None),
            pair("fine", Some("")),
            pair("FINE", Some("")),
        ]);
        check(
            "",
            &content,
            &[("FINE", "4")],
            expect![[r#"
                secret db: its key "a-b" is not a valid variable name
                secret db: its key "1a" is not a valid variable name
                secret db: LD_PRELOAD is protected; to set it on purpose, name it in the setting environment.allow
                secret db: CREDENTIALS_SPÄSSE is not a name that a secret may set"#]],
        );
    }

    #[test]
    fn keys_without_end_are_named_once_each_and_mistakes_are_counted() {
        let keys = (0..50_000).map(|n| format!("\"k{}\":\"v\"", n % 25_000));
        let text = format!("{{{}}}", keys.collect::<Vec<_>>().join(","));
        let json = r#"{"db": {"from": "file:/db", "env_prefix": "DB_"}}"#;
        let facts = Facts::empty().with_var("LYFTLEARN_RUNTIME_SECRETS", json);
        let (declared, _) = resolve::secrets(&facts).unwrap();
        let named = variables(&declared[0], &Content::one(text.into_bytes())).unwrap();
        assert_eq!((named.variables.len(), named.problems.len()), (25_000, 0));
        let bad = (0..50_000).map(|n| pair(&format!("a-{n}"), None)).collect();
        let named = variables(&declared[0], &Content::many(bad)).unwrap();
        assert_eq!((named.variables.len(), named.problems.len()), (0, 21));
        expect!["secret db: and 49980 more of its keys"].assert_eq(&named.problems[20]);
    }
}
