//! Layers over each other, each value under the name that reports show.

use std::fmt;

use figment::value::{Dict, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::fault::{Mistake, Mistakes};
use super::key::{Register, canonical};
use super::{Layers, Reader, service_links};
use crate::contract::runtime;

/// A settings file: its path, for reports, and what it holds.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
}

/// One layer's word on one setting.
#[derive(Clone, PartialEq)]
pub(crate) struct Layer {
    pub(crate) key: String,
    /// `key in file`, `$VARIABLE`, or an option.
    pub(crate) source: String,
    /// As JSON; a text is itself.
    pub(crate) value: String,
}

/// Without the value: a URL may have a key in its query.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Layer");
        shown.field("key", &self.key).field("source", &self.source);
        shown.finish_non_exhaustive()
    }
}

/// The layers so far. A later layer overrides earlier ones.
pub(crate) struct Stack {
    register: &'static Register,
    figment: Figment,
    found: Layers,
    pub(crate) mistakes: Mistakes,
}

impl Stack {
    pub(crate) fn new(register: &'static Register) -> Self {
        Self {
            register,
            figment: Figment::new(),
            found: Layers::default(),
            mistakes: Mistakes::default(),
        }
    }

    /// The table in a settings file; `None`, and a mistake, when it is not TOML.
    pub(crate) fn parse(&mut self, file: &File) -> Option<toml::Table> {
        let text = match std::str::from_utf8(&file.bytes) {
            Ok(text) => text,
            Err(err) => {
                let (line, column) = place(&file.bytes, err.valid_up_to());
                let why = "it is not UTF-8".to_owned();
                let mistake = Mistake::NotToml { line, column, why };
                self.mistakes.add(file.path.clone(), mistake);
                return None;
            }
        };
        match text.parse::<toml::Table>() {
            Ok(table) => Some(table),
            Err(err) => {
                // The error itself quotes the line; its message is one of the parser's own.
                let (line, column) = place(&file.bytes, err.span().map_or(0, |span| span.start));
                let why = err.message().lines().next().unwrap_or_default();
                // An unquoted string could be meant as any type, so this part of the parser's
                // message is dropped.
                let why = why.trim_end_matches(", expected literal string").to_owned();
                let mistake = Mistake::NotToml { line, column, why };
                self.mistakes.add(file.path.clone(), mistake);
                None
            }
        }
    }

    /// Every setting in a file's table.
    pub(crate) fn table(&mut self, table: &toml::Table, path: &str) {
        for (key, value) in leaves(table) {
            let shown = format!("{key} in {path}");
            match self.register.spelled(&key) {
                Some(known) => match Value::serialize(value) {
                    Ok(value) => self.add(shown, known.name, canonical(value)),
                    Err(_) => self.mistakes.expected(shown, "another kind of value"),
                },
                None => {
                    let near = || self.register.nearest(&key).map(|key| key.name.to_owned());
                    self.mistakes.not_a_setting(shown, near);
                }
            }
        }
    }

    /// A variable of the environment; without its value where that is not UTF-8. Variables
    /// that are not ours are ignored.
    pub(crate) fn variable(&mut self, name: &str, value: Option<&str>) {
        let Some(suffix) = name.strip_prefix(runtime::SETTING_PREFIX) else {
            return;
        };
        let shown = format!("${name}");
        let Some(value) = value else {
            return self.mistakes.expected(shown, "UTF-8");
        };
        // A key of a Secret or a ConfigMap that was made from a file ends with a line end.
        let value = value.strip_suffix('\n').unwrap_or(value);
        let value = value.strip_suffix('\r').unwrap_or(value);
        if service_links::made(suffix, value) {
            self.found.service_links.push(name.to_owned());
            return;
        }
        match self.register.keys().find(|key| key.is_spelled(suffix)) {
            Some(_) if value.is_empty() => {}
            Some(key) => self.add(shown, key.name, value.into()),
            None => {
                let near = || {
                    let near = self.register.nearest(&suffix.to_lowercase())?;
                    Some(format!("${}", near.variable()))
                };
                self.mistakes.not_a_setting(shown, near);
            }
        }
    }

    /// An option of the command line, which is named after the last part of its key.
    pub(crate) fn argument(&mut self, key: &'static str, value: &str) {
        let option = key.rsplit('.').next().unwrap_or(key).replace('_', "-");
        self.add(format!("--{option}"), key, value.into());
    }

    fn add(&mut self, source: String, key: &'static str, value: Value) {
        self.note(Layer {
            key: key.to_owned(),
            source: source.clone(),
            value: match &value {
                Value::String(_, text) => text.clone(),
                other => serde_json::to_string(other).unwrap_or_default(),
            },
        });
        let figment = std::mem::take(&mut self.figment);
        self.figment = figment.merge(Named { source, key, value });
    }

    /// Lists a value among the layers that is read elsewhere.
    pub(crate) fn note(&mut self, layer: Layer) {
        self.found.layers.push(layer);
    }

    /// All layers as one.
    pub(crate) fn merged(self) -> Reader {
        let mut layers = self.figment.data().unwrap_or_default();
        let layers = layers.remove(&Profile::Default).unwrap_or_default();
        let merged = Value::from(layers);
        Reader::new(
            self.register,
            self.figment,
            merged,
            self.found,
            self.mistakes,
        )
    }
}

/// A provider under the name that reports show.
struct Named {
    source: String,
    key: &'static str,
    value: Value,
}

impl Provider for Named {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> figment::Result<figment::value::Map<Profile, Dict>> {
        let dict = figment::util::nest(self.key, self.value.clone())
            .into_dict()
            .expect("a nested key makes a dictionary");
        Ok(Profile::Default.collect(dict))
    }
}

/// The leaves of a table, by dotted key. A list is a leaf.
fn leaves(table: &toml::Table) -> Vec<(String, &toml::Value)> {
    let mut found = Vec::new();
    for (name, value) in table {
        match value {
            toml::Value::Table(inner) => found.extend(
                leaves(inner)
                    .into_iter()
                    .map(|(below, leaf)| (format!("{name}.{below}"), leaf)),
            ),
            leaf => found.push((name.clone(), leaf)),
        }
    }
    found
}

/// Line and column, from 1, of a byte in a text.
fn place(text: &[u8], offset: usize) -> (usize, usize) {
    let before = &text[..offset.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = before
        .iter()
        .rev()
        .take_while(|byte| **byte != b'\n')
        .count()
        + 1;
    (line, column)
}
