//! `[secrets.NAME]`: secrets by name. A secret's own name is part of its keys, so its fields have a
//! register of their own: [`FIELDS`].

mod confidant;
mod fields;
mod source;

use std::collections::BTreeMap;

use serde_json::Value;

pub(crate) use super::protected::Refused;
#[cfg(feature = "cli")]
use super::protected::may_set;
pub(crate) use confidant::Confidant;
pub(super) use confidant::{KEYS, is_table};
pub use fields::FIELDS;
use fields::Fields;
pub(crate) use source::Source;

use crate::contract::{limits, secrets as words};
use crate::layers::{Layer, Mistake, Mistakes, Stack, nearest};
use crate::workload::Platform;

/// What declares secrets without a file.
pub(super) const VARIABLE: &str = "LYFTLEARN_RUNTIME_SECRETS";

const AT_MOST: &str = "at most 1000 secrets; a bundle has many keys in one";

/// One declared secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) name: String,
    /// By platform; `None` is for those without one of their own.
    sources: Vec<(Option<Platform>, Source)>,
    /// The variable of its whole text; none for one that is delivered key by key.
    pub(crate) env: Env,
    /// Protected variables that documents and secrets may set.
    allowed: Vec<String>,
    /// What its keys' variables begin with.
    pub(crate) prefix: Option<String>,
    /// The name of its file.
    pub(crate) file: Option<String>,
    /// Whether nothing is started without it.
    pub(crate) required: bool,
    /// Whether it overrides variables that are set.
    pub(crate) overrides: bool,
    /// How often its file is brought up to date, in seconds; 0 for never.
    pub(crate) refresh: u32,
    /// The signal that the program is sent after that.
    pub(crate) on_change: Option<i32>,
}

/// Which variable a secret's text goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Env {
    /// The one that its own name suggests, unless it has keys.
    ByName,
    Named(String),
    None,
}

impl Declared {
    /// Where it comes from here.
    pub(crate) fn source(&self, platform: Platform) -> Option<&Source> {
        let of = |platform| self.sources.iter().find(|(known, _)| *known == platform);
        let (_, source) = of(Some(platform)).or_else(|| of(None))?;
        Some(source)
    }

    /// The variable of its whole text, when it is delivered as that.
    pub(crate) fn variable(&self) -> Option<String> {
        match &self.env {
            Env::Named(name) => Some(name.clone()),
            Env::ByName if self.prefix.is_none() => Some(suggested(&self.name)),
            Env::ByName | Env::None => None,
        }
    }

    /// Whether one of its keys may be delivered as this variable.
    #[cfg(feature = "cli")]
    pub(crate) fn may_set(&self, variable: &str) -> Result<(), Refused> {
        may_set(variable, &self.allowed)
    }

    /// Whether a variable may come from it: its keys are unknown until it is fetched.
    pub(crate) fn may_bring(&self, variable: &str) -> bool {
        let by_key = match (&self.prefix, &self.env) {
            (Some(prefix), _) => Some(prefix.to_uppercase()),
            (None, Env::ByName) => Some(words::PREFIX.to_owned()),
            (None, Env::Named(_) | Env::None) => None,
        };
        self.variable().is_some_and(|name| name == variable)
            || by_key.is_some_and(|prefix| variable.starts_with(&prefix))
    }

    /// Whether its file is brought up to date while the program runs.
    #[cfg(all(feature = "agent", feature = "cli"))]
    pub(crate) fn is_followed(&self) -> bool {
        self.file.is_some() && self.refresh > 0
    }

    /// Names of variables that hold its text, here or there.
    pub(super) fn variables(&self) -> impl Iterator<Item = String> + '_ {
        let found = self.sources.iter().filter_map(|(_, source)| match source {
            Source::Variable { name } => Some(name.clone()),
            _ => None,
        });
        found.chain(self.variable())
    }
}

/// `db-password` makes `DB_PASSWORD`.
fn suggested(name: &str) -> String {
    name.chars()
        .map(|letter| match letter {
            letter if letter.is_ascii_alphanumeric() => letter.to_ascii_uppercase(),
            _ => '_',
        })
        .collect()
}

/// Every word on every secret, low to high.
#[derive(Default)]
pub(super) struct Words(BTreeMap<String, BTreeMap<&'static str, (String, Value)>>);

impl Words {
    /// Takes the declared secrets out of a file's table, and leaves the settings that lie
    /// beside them.
    pub(super) fn take(&mut self, file: &mut toml::Table, path: &str, stack: &mut Stack) {
        let Some(toml::Value::Table(table)) = file.get_mut("secrets") else {
            return;
        };
        let place = format!(" in {path}");
        // A source without its table is the likeliest slip: `db = "env:DB"`.
        let is_source = |value: &toml::Value| {
            value
                .as_str()
                .is_some_and(|text| Source::parse(text).is_some())
        };
        let short: Vec<String> = (table.iter())
            .filter(|(_, value)| is_source(value))
            .map(|(name, _)| name.clone())
            .collect();
        for name in short {
            table.remove(&name);
            let expected = Mistake::ExpectedTable {
                table: format!("[secrets.{name}]"),
                field: "from",
            };
            let shown = format!("secrets.{name}{place}");
            stack.mistakes.add(shown, expected);
        }
        let declared: Vec<String> = (table.iter())
            .filter(|(_, value)| value.is_table())
            .map(|(name, _)| name.clone())
            .collect();
        for name in declared {
            let value = table.remove(&name).map(serde_json::to_value);
            // Dates are the one thing that JSON lacks, and they become texts.
            if let Some(Ok(value)) = value {
                self.secret(&name, &value, &place, stack);
            }
        }
    }

    /// The same tables as one variable, as JSON.
    pub(super) fn variable(&mut self, text: &str, stack: &mut Stack) {
        let shown = format!("${VARIABLE}");
        match serde_json::from_str::<BTreeMap<String, Value>>(text) {
            Ok(all) => {
                for (secret, value) in all {
                    self.secret(&secret, &value, &format!(" in {shown}"), stack);
                }
            }
            Err(_) => (stack.mistakes).expected(shown, "a JSON object of secrets by name"),
        }
    }

    fn secret(&mut self, name: &str, value: &Value, place: &str, stack: &mut Stack) {
        let shown = |field: &str| format!("secrets.{name}{field}{place}");
        let set = self.add(name, value, shown, &mut stack.mistakes);
        for (field, source) in set {
            let value = field.split('.').fold(value, |value, part| &value[part]);
            stack.note(Layer {
                key: format!("secrets.{name}.{field}"),
                source,
                value: value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned),
            });
        }
    }

    /// One layer's table of a secret; `shown` makes a report's name of a field.
    fn add(
        &mut self,
        name: &str,
        table: &Value,
        shown: impl Fn(&str) -> String,
        mistakes: &mut Mistakes,
    ) -> Vec<(&'static str, String)> {
        let Value::Object(table) = table else {
            let expected = "a table, such as [secrets.db]";
            mistakes.expected(shown(""), expected);
            return Vec::new();
        };
        let known = self.0.entry(name.to_owned()).or_default();
        let mut set = Vec::new();
        for (field, value) in table {
            let leaves: Vec<(String, &Value)> = match value {
                Value::Object(inner) => inner
                    .iter()
                    .map(|(below, value)| (format!("{field}.{below}"), value))
                    .collect(),
                value => vec![(field.clone(), value)],
            };
            for (field, value) in leaves {
                let shown = shown(&format!(".{field}"));
                match FIELDS.iter().find(|known| known.name == field) {
                    Some(field) => {
                        known.insert(field.name, (shown.clone(), value.clone()));
                        set.push((field.name, shown));
                    }
                    None => {
                        mistakes.not_a_setting(shown, || {
                            let known = FIELDS.iter().map(|field| (field.name, field.name));
                            let near = nearest(&field, known)?;
                            Some(format!("secrets.{name}.{near}"))
                        });
                    }
                }
            }
        }
        set
    }

    /// The resulting secrets.
    pub(super) fn finish(self, allowed: &[String], mistakes: &mut Mistakes) -> Vec<Declared> {
        let mut all: Vec<Declared> = Vec::new();
        if self.0.len() > limits::SECRETS {
            mistakes.expected("secrets".to_owned(), AT_MOST);
            return all;
        }
        for (name, words) in self.0 {
            let mut reader = Fields {
                words: &words,
                allowed,
                mistakes,
            };
            let declared = reader.declared(&name);
            let at = |field| {
                words
                    .get(field)
                    .map(|(shown, _): &(String, _)| shown.clone())
            };
            for other in &all {
                let variable = declared.variable();
                if variable.is_some() && variable == other.variable() {
                    let shown = at("env").unwrap_or_else(|| format!("secrets.{name}"));
                    mistakes.expected(shown, "a variable for each secret");
                }
                if declared.file.is_some() && declared.file == other.file {
                    let shown = at("file").unwrap_or_else(|| format!("secrets.{name}"));
                    mistakes.expected(shown, "a file for each secret");
                }
            }
            all.push(declared);
        }
        all
    }
}

#[cfg(test)]
mod tests;
