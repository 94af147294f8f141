//! A setting as the register has it, and the register.

use figment::value::{Num, Value};

use crate::choice::Choice;
use crate::contract::runtime;

/// One setting.
#[derive(Debug)]
pub struct Key {
    /// Its dotted name in `runtime.toml`.
    pub name: &'static str,
    pub(crate) form: Form,
    /// What applies if no layer sets it.
    pub default: Unset,
    /// What it does, and when one needs it; a few sentences, in which backquotes mark code.
    pub doc: &'static str,
    /// A value, as `runtime.toml` spells it.
    pub example: &'static str,
}

/// What applies if no layer sets a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unset {
    /// This value, spelled as in a variable.
    Value(&'static str),
    /// What the text describes: it depends on the platform, or is nothing at all.
    Text(&'static str),
}

/// What its value looks like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// As a report says it, after "expected".
    pub(crate) expected: &'static str,
    /// Every word that it can be. Empty if there are other values.
    pub(super) words: &'static [&'static str],
}

impl Form {
    pub(crate) const fn new(expected: &'static str) -> Self {
        Self {
            expected,
            words: &[],
        }
    }

    /// One word of these.
    pub(crate) const fn choice<C: Choice>() -> Self {
        Self {
            expected: C::ONE,
            words: C::WORDS,
        }
    }

    /// A list of such words.
    pub(crate) const fn list_of<C: Choice>() -> Self {
        Self::new(C::LIST)
    }

    /// The same, in other words than the usual ones.
    pub(crate) const fn expecting(self, expected: &'static str) -> Self {
        Self { expected, ..self }
    }
}

impl Key {
    /// The variable that sets it.
    #[must_use]
    pub fn variable(&self) -> String {
        format!(
            "{}{}",
            runtime::SETTING_PREFIX,
            self.name.replace('.', "_").to_uppercase()
        )
    }

    /// What its value looks like, as a report says it after "expected".
    #[must_use]
    pub fn expected(&self) -> &'static str {
        self.form.expected
    }

    /// Every word that its value can be. Empty if there are other values.
    #[must_use]
    pub fn words(&self) -> &'static [&'static str] {
        self.form.words
    }

    /// Whether a variable of ours that ends so is this one's.
    pub(super) fn is_spelled(&self, suffix: &str) -> bool {
        let spelled = self.name.bytes().map(|byte| match byte {
            b'.' => b'_',
            byte => byte.to_ascii_uppercase(),
        });
        spelled.eq(suffix.bytes())
    }
}

/// Every setting, as the rooms that declare them have put it together.
#[derive(Debug)]
pub(crate) struct Register {
    pub(crate) keys: &'static [&'static [Key]],
    /// Other names that a file may use, each with the key that it means.
    pub(crate) spellings: &'static [&'static [(&'static str, &'static str)]],
}

impl Register {
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static Key> {
        self.keys.iter().copied().flatten()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }

    /// A key as a file may spell it.
    pub(super) fn spelled(&self, name: &str) -> Option<&'static Key> {
        let other = self
            .spellings
            .iter()
            .copied()
            .flatten()
            .find(|(spelling, _)| *spelling == name);
        self.find(other.map_or(name, |(_, name)| name))
    }

    /// The real setting that a misspelt one was most likely meant to be.
    pub(super) fn nearest(&self, name: &str) -> Option<&'static Key> {
        let flat = |name: &str| name.replace('.', "_");
        let name = nearest(
            &flat(name),
            self.keys().map(|key| (flat(key.name), key.name)),
        )?;
        self.find(name)
    }
}

/// The known name that is most similar to the given one, if any is similar enough.
pub(crate) fn nearest<S: AsRef<str>>(
    given: &str,
    known: impl Iterator<Item = (S, &'static str)>,
) -> Option<&'static str> {
    known
        .map(|(spelling, name)| (strsim::jaro_winkler(given, spelling.as_ref()), name))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

/// Numbers as texts, so that a layer of numbers and one of variables read alike.
pub(super) fn canonical(value: Value) -> Value {
    match value {
        Value::Num(_, number) => match number {
            Num::F64(_) | Num::F32(_) => value,
            _ => number
                .to_i128()
                .map_or(value, |number| number.to_string().into()),
        },
        other => other,
    }
}
