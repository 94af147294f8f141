//! Values of a TOML document by their keys. A value of another type is a mistake with its line and
//! column.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub(super) type Table<'a> = DeTable<'a>;
pub(super) type Value<'a> = Spanned<DeValue<'a>>;

pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) name: &'a str,
    pub(super) base: &'a Path,
    pub(super) ids: &'a [&'a str],
    pub(super) mistakes: Vec<(usize, String)>,
}

impl Reader<'_> {
    pub(super) fn place(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        (line, column)
    }

    pub(super) fn mistake(&mut self, at: usize, what: impl std::fmt::Display) {
        let (line, column) = self.place(at);
        self.mistakes
            .push((at, format!("{}:{line}:{column}: {what}", self.name)));
    }

    pub(super) fn expected(&mut self, value: &Value<'_>, key: &str, what: &str) {
        self.mistake(value.span().start, format!("{key}: expected {what}"));
    }

    /// Names keys that do not exist.
    pub(super) fn known(&mut self, table: &Table<'_>, section: &str, keys: &[&str]) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if keys.contains(&name) {
                continue;
            }
            let nearest = keys.iter().max_by(|a, b| {
                strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b))
            });
            let full = |key: &str| {
                if section.is_empty() {
                    key.to_owned()
                } else {
                    format!("{section}.{key}")
                }
            };
            let hint = nearest.map(|nearest| format!("; did you mean {}?", full(nearest)));
            self.mistake(
                key.span().start,
                format!(
                    "{} is not a key of image.toml{}",
                    full(name),
                    hint.unwrap_or_default()
                ),
            );
        }
    }

    pub(super) fn table<'t, 'v>(
        &mut self,
        table: &'t Table<'v>,
        key: &str,
        full: &str,
    ) -> Option<&'t Table<'v>> {
        let value = table.get(key)?;
        let found = value.get_ref().as_table();
        if found.is_none() {
            self.expected(value, full, "a table");
        }
        found
    }

    pub(super) fn text(&mut self, table: &Table<'_>, key: &str, full: &str) -> Option<String> {
        let value = table.get(key)?;
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.expected(value, full, "a string");
        }
        text
    }

    pub(super) fn texts(&mut self, table: &Table<'_>, key: &str, full: &str) -> Vec<String> {
        let Some(value) = table.get(key) else {
            return Vec::new();
        };
        let Some(all) = value.get_ref().as_array() else {
            self.expected(value, full, "a list of strings");
            return Vec::new();
        };
        let mut texts = Vec::new();
        for one in all.iter() {
            match one.get_ref().as_str() {
                Some(text) => texts.push(text.to_owned()),
                None => self.expected(one, full, "a string"),
            }
        }
        texts
    }

    pub(super) fn choices(
        &mut self,
        table: &Table<'_>,
        key: &str,
        full: &str,
        of: &[&str],
    ) -> Vec<String> {
        let texts = self.texts(table, key, full);
        if let Some(value) = table
            .get(key)
            .filter(|_| texts.iter().any(|text| !of.contains(&text.as_str())))
        {
            self.expected(value, full, &format!("only {}", of.join(", ")));
        }
        texts
    }

    pub(super) fn pairs(
        &mut self,
        table: &Table<'_>,
        key: &str,
        full: &str,
    ) -> Vec<(String, String)> {
        let Some(inner) = self.table(table, key, full) else {
            return Vec::new();
        };
        let mut pairs = Vec::new();
        for (name, value) in inner.iter() {
            let name = name.get_ref().to_string();
            match value.get_ref().as_str() {
                Some(text) => pairs.push((name, text.to_owned())),
                None => self.expected(
                    value,
                    &format!("{full}.{name}"),
                    "a string, as on the platforms: put it in quotes",
                ),
            }
        }
        pairs
    }

    pub(super) fn seconds(
        &mut self,
        table: &Table<'_>,
        key: &str,
        full: &str,
        default: u64,
    ) -> u64 {
        let Some(value) = table.get(key) else {
            return default;
        };
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|number| number.to_string().parse::<u64>().ok());
        match number {
            Some(seconds @ 1..=86_400) => seconds,
            _ => {
                self.expected(value, full, "whole seconds from 1 to 86400");
                default
            }
        }
    }

    pub(super) fn truth(&mut self, table: &Table<'_>, key: &str, full: &str) -> bool {
        let Some(value) = table.get(key) else {
            return false;
        };
        let found = value.get_ref().as_bool();
        if found.is_none() {
            self.expected(value, full, "true or false");
        }
        found.unwrap_or_default()
    }

    pub(super) fn number(&mut self, table: &Table<'_>, key: &str, full: &str) -> f64 {
        let Some(value) = table.get(key) else {
            return 0.0;
        };
        let written = match value.get_ref() {
            DeValue::Float(number) => number.to_string(),
            DeValue::Integer(number) => number.to_string(),
            _ => String::new(),
        };
        match written.parse::<f64>() {
            Ok(number) if number.is_finite() && number >= 0.0 => number,
            _ => {
                self.expected(value, full, "a number from 0");
                0.0
            }
        }
    }

    /// A file or directory beside `image.toml`, which must be there.
    pub(super) fn path(
        &mut self,
        table: &Table<'_>,
        key: &str,
        full: &str,
        directory: bool,
    ) -> Option<PathBuf> {
        let text = self.text(table, key, full)?;
        let path = self.base.join(&text);
        let there = if directory {
            path.is_dir()
        } else {
            path.is_file()
        };
        if !there {
            let what = if directory { "directory" } else { "file" };
            let at = table.get(key).map_or(0, |value| value.span().start);
            self.mistake(
                at,
                format!("{full}: the {what} {} does not exist", path.display()),
            );
        }
        Some(path)
    }
}
