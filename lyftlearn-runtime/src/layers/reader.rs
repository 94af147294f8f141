//! Typed values of merged layers.

use std::collections::BTreeMap;

use figment::Figment;
use figment::value::Value;

use super::fault::{Mistakes, SettingsFault};
use super::key::{Register, Unset};
use super::stack::Layer;
use super::values::Parsed;
use crate::error::Error;

/// Where the values came from.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Layers {
    /// Which layer set each key that is set.
    pub(crate) sources: BTreeMap<&'static str, String>,
    /// Every value of every layer, low to high.
    pub(crate) layers: Vec<Layer>,
    /// Variables with our prefix that Kubernetes made for a Service, and that are ignored.
    pub(crate) service_links: Vec<String>,
}

/// Reads values, and notes every one that is wrong.
pub(crate) struct Reader {
    register: &'static Register,
    /// Knows which layer each value is of.
    figment: Figment,
    /// All layers of it as one: it merges them anew at each question.
    merged: Value,
    found: Layers,
    pub(crate) mistakes: Mistakes,
}

impl Reader {
    pub(super) fn new(
        register: &'static Register,
        figment: Figment,
        merged: Value,
        found: Layers,
        mistakes: Mistakes,
    ) -> Self {
        Self {
            register,
            figment,
            merged,
            found,
            mistakes,
        }
    }

    /// A value of some layer; `None` when no layer sets it, or when it is wrong.
    pub(crate) fn optional<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&Value) -> Parsed<T>,
    ) -> Option<T> {
        match parse(self.merged.find_ref(key)?) {
            Ok(value) => Some(value),
            Err(expected) => {
                self.wrong(key, expected);
                None
            }
        }
    }

    /// The same, or the register's default. A value that is wrong reads as the default: it is
    /// in the report, which comes instead of the settings.
    pub(crate) fn value<T>(&mut self, key: &'static str, parse: impl Fn(&Value) -> Parsed<T>) -> T {
        if let Some(value) = self.optional(key, &parse) {
            return value;
        }
        match self.register.find(key).map(|key| key.default) {
            Some(Unset::Value(default)) => {
                parse(&default.into()).expect("a test reads the default of every row")
            }
            _ => unreachable!("the row of {key} has no value as its default"),
        }
    }

    /// Notes that a key's value is not what it should be.
    pub(crate) fn wrong(&mut self, key: &'static str, expected: &'static str) {
        let shown = self.source(key).unwrap_or_else(|| key.to_owned());
        self.mistakes.expected(shown, expected);
    }

    /// Which layer a key's value is of.
    fn source(&self, key: &str) -> Option<String> {
        let value = self.merged.find_ref(key)?;
        let metadata = self.figment.get_metadata(value.tag())?;
        Some(metadata.name.to_string())
    }

    /// Where everything came from, unless anything was wrong.
    pub(crate) fn finish(mut self) -> Result<Layers, Error> {
        if !self.mistakes.is_empty() {
            return Err(SettingsFault::new(self.mistakes).into());
        }
        for key in self.register.keys() {
            if let Some(source) = self.source(key.name) {
                self.found.sources.insert(key.name, source);
            }
        }
        Ok(self.found)
    }
}
