//! Values of settings: what each looks like, and what is said when it does not.

use figment::value::Value;

use super::Reader;
use super::fault::Mistake;
use super::keys::{self, Form};
use crate::signal;

const A_LIST: &str = "a list of texts, such as [\"python3\", \"train.py\"]";

/// Less holds next to nothing; more is a mistake in a unit.
pub(super) const REGION_BYTES: std::ops::RangeInclusive<u64> = 65_536..=1_073_741_824;

/// KILL and STOP never reach a program, CHLD is not forwarded.
const UNCATCHABLE: [i32; 3] = [9, 17, 19];

impl Reader {
    pub(super) fn wrong(&mut self, key: &'static str, expected: &'static str) {
        let shown = self.source(key).unwrap_or_else(|| key.to_owned());
        self.mistakes.push((shown, Mistake::Expected(expected)));
    }

    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.merged.find_ref(key)
    }

    /// Which layer a key's value is of.
    pub(super) fn source(&self, key: &str) -> Option<String> {
        let metadata = self.figment.get_metadata(self.value(key)?.tag())?;
        Some(metadata.name.to_string())
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        match self.value(key)?.as_str().map(str::to_owned) {
            Some(text) if !text.is_empty() && !text.contains('\0') => Some(text),
            _ => {
                self.wrong(key, "a text");
                None
            }
        }
    }

    pub(super) fn path(&mut self, key: &'static str) -> Option<String> {
        let text = self.text(key)?;
        if text.starts_with('/') {
            Some(text)
        } else {
            self.wrong(key, "an absolute path");
            None
        }
    }

    pub(super) fn choice(&mut self, key: &'static str) -> Option<String> {
        let Some(Form::Choice { of, expected }) = keys::find(key).map(|key| key.form) else {
            return self.text(key);
        };
        let text = self.value(key)?.as_str().map(str::to_owned);
        let known = text.filter(|text| of.contains(&text.as_str()));
        if known.is_none() {
            self.wrong(key, expected);
        }
        known
    }

    pub(super) fn truth(&mut self, key: &'static str) -> Option<bool> {
        let truth = match self.value(key)? {
            Value::Bool(_, truth) => Some(*truth),
            Value::String(_, text) => text.parse().ok(),
            _ => None,
        };
        if truth.is_none() {
            self.wrong(key, "true or false");
        }
        truth
    }

    pub(super) fn seconds(&mut self, key: &'static str) -> Option<u32> {
        self.value(key)?;
        match self.figment.extract_inner_lossy::<u32>(key) {
            Ok(seconds) => Some(seconds),
            Err(_) => {
                self.wrong(key, "a whole number of seconds");
                None
            }
        }
    }

    pub(super) fn region_bytes(&mut self, key: &'static str) -> Option<u64> {
        self.value(key)?;
        match self.figment.extract_inner_lossy::<u64>(key) {
            Ok(bytes) if bytes == 0 || REGION_BYTES.contains(&bytes) => Some(bytes),
            _ => {
                self.wrong(key, "0, or a number of bytes from 65536 to 1073741824");
                None
            }
        }
    }

    /// A signal that can be sent and caught; by its full name.
    pub(super) fn signal(&mut self, key: &'static str) -> Option<String> {
        let text = self.text(key)?;
        match signal::number(&text) {
            Some(number) if !UNCATCHABLE.contains(&number) => Some(signal::name(number)),
            _ => {
                self.wrong(key, "a signal that can be caught, such as SIGINT");
                None
            }
        }
    }

    /// A list of signals, by name or number.
    pub(super) fn signals(&mut self, key: &'static str) -> Option<Vec<String>> {
        let expected = "a list of signals that can be caught, such as [\"SIGTERM\", \"SIGQUIT\"]";
        let numbers: Option<Vec<i32>> = self
            .list(key, expected)?
            .iter()
            .map(|text| signal::number(text).filter(|number| !UNCATCHABLE.contains(number)))
            .collect();
        match numbers {
            Some(numbers) if !numbers.is_empty() => {
                Some(numbers.into_iter().map(signal::name).collect())
            }
            _ => {
                self.wrong(key, expected);
                None
            }
        }
    }

    /// `["143:0"]`: what the program leaves with, and what to leave with instead.
    pub(super) fn exit_remap(&mut self, key: &'static str) -> Vec<(u8, u8)> {
        let expected = "a list of exit codes, such as [\"143:0\"]";
        let words = self.list(key, expected).unwrap_or_default();
        let pairs: Option<Vec<(u8, u8)>> = words
            .iter()
            .map(|word| {
                let (from, to) = word.split_once(':')?;
                Some((from.parse().ok()?, to.parse().ok()?))
            })
            .collect();
        pairs.unwrap_or_else(|| {
            self.wrong(key, expected);
            Vec::new()
        })
    }

    /// A program and its arguments.
    pub(super) fn command(&mut self, key: &'static str) -> Option<Vec<String>> {
        let words = self.words(key)?;
        if words.is_empty() {
            self.wrong(key, A_LIST);
            return None;
        }
        Some(words)
    }

    pub(super) fn words(&mut self, key: &'static str) -> Option<Vec<String>> {
        self.list(key, A_LIST)
    }

    pub(super) fn paths(&mut self, key: &'static str) -> Option<Vec<String>> {
        let expected = "a list of absolute paths, such as [\"/etc/lyftlearn/live\"]";
        let paths = self.list(key, expected)?;
        if paths.iter().all(|path| path.starts_with('/')) {
            Some(paths)
        } else {
            self.wrong(key, expected);
            None
        }
    }

    /// A list of words; as a variable or an argument, a JSON list.
    pub(super) fn list(
        &mut self,
        key: &'static str,
        expected: &'static str,
    ) -> Option<Vec<String>> {
        let words = match self.value(key)? {
            Value::String(_, text) => serde_json::from_str::<Vec<String>>(text).ok(),
            other => other.deserialize::<Vec<String>>().ok(),
        };
        match words {
            Some(words) if !words.iter().any(|word| word.contains('\0')) => Some(words),
            _ => {
                self.wrong(key, expected);
                None
            }
        }
    }
}
