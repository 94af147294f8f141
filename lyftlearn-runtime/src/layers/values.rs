//! Values of settings: their syntax, and the message for an invalid value.

use std::ops::RangeInclusive;

use figment::value::{Num, Value};

use super::key::Form;
use crate::choice::{Choice, choice};
use crate::signal;

/// A value, or the expected syntax for the report.
pub(crate) type Parsed<T> = Result<T, &'static str>;

pub(crate) const TEXT: Form = Form::new("a text without control characters, or blanks at its ends");
pub(crate) const PATH: Form =
    Form::new("an absolute path without control characters, or blanks at its ends");
pub(crate) const PATHS: Form =
    Form::new("a list of absolute paths, such as [\"/etc/lyftlearn/live\"]");
pub(crate) const BOOLEAN: Form = Form::new("true or false");
pub(crate) const ON_OFF: Form = Form::choice::<bool>();
pub(crate) const SECONDS: Form = Form::new("a whole number of seconds");
pub(crate) const SIGNAL: Form = Form::new("a signal that can be caught, such as SIGINT");
pub(crate) const SIGNALS: Form =
    Form::new("a list of signals that can be caught, such as [\"SIGTERM\", \"SIGQUIT\"]");
pub(crate) const WORDS: Form = Form::new("a list of strings, such as [\"python3\", \"train.py\"]");

// A switch.
choice!(bool {
    true => "on",
    false => "off",
});

/// KILL and STOP never reach a program, CHLD is not forwarded.
const UNCATCHABLE: [i32; 3] = [9, 17, 19];

pub(crate) fn text(value: &Value) -> Parsed<String> {
    let text = value.as_str();
    let text = text.filter(|text| !text.is_empty() && is_plain(text));
    text.map(str::to_owned).ok_or(TEXT.expected)
}

/// A text that has to be more: `expected` says what.
pub(crate) fn text_of(value: &Value, expected: &'static str) -> Parsed<String> {
    text(value).map_err(|_| expected)
}

/// A blank or a line end at an end of a name cannot be seen, and is a mistake.
fn is_plain(text: &str) -> bool {
    text.trim() == text && !text.contains(char::is_control)
}

pub(crate) fn path(value: &Value) -> Parsed<String> {
    let path = text_of(value, PATH.expected)?;
    if path.starts_with('/') {
        Ok(path)
    } else {
        Err(PATH.expected)
    }
}

pub(crate) fn boolean(value: &Value) -> Parsed<bool> {
    let boolean = match value {
        Value::Bool(_, boolean) => Some(*boolean),
        Value::String(_, text) => text.parse().ok(),
        _ => None,
    };
    boolean.ok_or(BOOLEAN.expected)
}

pub(crate) fn number<T>(
    value: &Value,
    within: RangeInclusive<T>,
    expected: &'static str,
) -> Parsed<T>
where
    T: PartialOrd + TryFrom<u128>,
{
    let number = value.to_num_lossy().and_then(Num::to_u128_lossy);
    let number = number.and_then(|number| T::try_from(number).ok());
    number
        .filter(|number| within.contains(number))
        .ok_or(expected)
}

pub(crate) fn seconds(value: &Value) -> Parsed<u32> {
    number(value, 0..=u32::MAX, SECONDS.expected)
}

pub(crate) fn on_off(value: &Value) -> Parsed<bool> {
    one_of(value)
}

/// One word of a choice.
pub(crate) fn one_of<C: Choice>(value: &Value) -> Parsed<C> {
    value.as_str().and_then(C::of).ok_or(C::ONE)
}

/// The number of a signal that can be sent and caught, which is spelled by name or number.
pub(crate) fn signal(value: &Value) -> Parsed<i32> {
    catchable(&text_of(value, SIGNAL.expected)?).ok_or(SIGNAL.expected)
}

/// The same of a list, which is not empty.
pub(crate) fn signals(value: &Value) -> Parsed<Vec<i32>> {
    let numbers: Option<Vec<i32>> = list(value, SIGNALS.expected)?
        .iter()
        .map(|text| catchable(text))
        .collect();
    numbers
        .filter(|numbers| !numbers.is_empty())
        .ok_or(SIGNALS.expected)
}

fn catchable(text: &str) -> Option<i32> {
    signal::number(text).filter(|number| !UNCATCHABLE.contains(number))
}

/// A program and its arguments.
pub(crate) fn command(value: &Value) -> Parsed<Vec<String>> {
    let words = words(value)?;
    if words.is_empty() {
        return Err(WORDS.expected);
    }
    Ok(words)
}

pub(crate) fn words(value: &Value) -> Parsed<Vec<String>> {
    list(value, WORDS.expected)
}

pub(crate) fn paths(value: &Value) -> Parsed<Vec<String>> {
    let paths = list(value, PATHS.expected)?;
    let is_path = |path: &String| path.starts_with('/') && is_plain(path);
    if paths.iter().all(is_path) {
        Ok(paths)
    } else {
        Err(PATHS.expected)
    }
}

/// A list of words of a choice.
pub(crate) fn list_of<C: Choice>(value: &Value) -> Parsed<Vec<C>> {
    let words = list(value, C::LIST)?;
    let values: Option<Vec<C>> = words.iter().map(|word| C::of(word)).collect();
    values.ok_or(C::LIST)
}

/// A list of strings; as a variable or an argument, a JSON list.
pub(crate) fn list(value: &Value, expected: &'static str) -> Parsed<Vec<String>> {
    let words = match value {
        Value::String(_, text) => serde_json::from_str::<Vec<String>>(text).ok(),
        other => other.deserialize::<Vec<String>>().ok(),
    };
    words
        .filter(|words| !words.iter().any(|word| word.contains('\0')))
        .ok_or(expected)
}
