//! Values of settings: what each looks like, and what is said when it does not.

use std::ops::RangeInclusive;

use figment::value::{Num, Value};

use crate::signal;

/// A value, or what was expected instead, as a report says it.
pub(crate) type Parsed<T> = Result<T, &'static str>;

const A_LIST: &str = "a list of texts, such as [\"python3\", \"train.py\"]";
const PATHS: &str = "a list of absolute paths, such as [\"/etc/lyftlearn/live\"]";
const SIGNALS: &str = "a list of signals that can be caught, such as [\"SIGTERM\", \"SIGQUIT\"]";

/// KILL and STOP never reach a program, CHLD is not forwarded.
const UNCATCHABLE: [i32; 3] = [9, 17, 19];

pub(crate) fn text(value: &Value) -> Parsed<String> {
    let text = value.as_str();
    let text = text.filter(|text| !text.is_empty() && !text.contains('\0'));
    text.map(str::to_owned).ok_or("a text")
}

pub(crate) fn path(value: &Value) -> Parsed<String> {
    let text = text(value)?;
    if text.starts_with('/') {
        Ok(text)
    } else {
        Err("an absolute path")
    }
}

pub(crate) fn boolean(value: &Value) -> Parsed<bool> {
    let boolean = match value {
        Value::Bool(_, boolean) => Some(*boolean),
        Value::String(_, text) => text.parse().ok(),
        _ => None,
    };
    boolean.ok_or("true or false")
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
    number(value, 0..=u32::MAX, "a whole number of seconds")
}

/// A signal that can be sent and caught; by its full name.
pub(crate) fn signal(value: &Value) -> Parsed<String> {
    let number = catchable(&text(value)?);
    number
        .map(signal::name)
        .ok_or("a signal that can be caught, such as SIGINT")
}

/// A list of signals, by name or number.
pub(crate) fn signals(value: &Value) -> Parsed<Vec<String>> {
    let numbers: Option<Vec<i32>> = list(value, SIGNALS)?
        .iter()
        .map(|text| catchable(text))
        .collect();
    match numbers {
        Some(numbers) if !numbers.is_empty() => Ok(numbers.into_iter().map(signal::name).collect()),
        _ => Err(SIGNALS),
    }
}

fn catchable(text: &str) -> Option<i32> {
    signal::number(text).filter(|number| !UNCATCHABLE.contains(number))
}

/// A program and its arguments.
pub(crate) fn command(value: &Value) -> Parsed<Vec<String>> {
    let words = words(value)?;
    if words.is_empty() {
        return Err(A_LIST);
    }
    Ok(words)
}

pub(crate) fn words(value: &Value) -> Parsed<Vec<String>> {
    list(value, A_LIST)
}

pub(crate) fn paths(value: &Value) -> Parsed<Vec<String>> {
    let paths = list(value, PATHS)?;
    if paths.iter().all(|path| path.starts_with('/')) {
        Ok(paths)
    } else {
        Err(PATHS)
    }
}

/// A list of which each is one of these.
pub(crate) fn some_of(value: &Value, of: &[&str], expected: &'static str) -> Parsed<Vec<String>> {
    let words = list(value, expected)?;
    if words.iter().all(|word| of.contains(&word.as_str())) {
        Ok(words)
    } else {
        Err(expected)
    }
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
