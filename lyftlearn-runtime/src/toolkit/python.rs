//! Values as Python's `json` reads and writes them, and as `str()` shows them.
//!
//! Not serde_json: Python's dialect has NaN and Infinity, integers of any length and lone
//! surrogates, and it keeps the order of keys.

mod read;
mod write;

use std::collections::HashMap;

use read::encode;
pub(super) use read::{NoValue, loads};
pub(super) use write::Writer;

/// Objects up to this many keys are searched one by one.
const FEW: usize = 8;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    None,
    Bool(bool),
    /// In decimal digits, however many.
    Int(String),
    Float(f64),
    Text(Text),
    List(Vec<Value>),
    Dict(Dict),
}

/// A Python `str`: UTF-8, and lone surrogates in the same manner. Its bytes have the order
/// of its code points.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Text(Vec<u8>);

/// A Python `dict`: in the order in which keys came, the last value of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Dict(Vec<(Text, Value)>);

impl Text {
    /// The text itself, unless it has a lone surrogate.
    pub(super) fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    #[cfg(feature = "cli")]
    pub(super) fn into_string(self) -> Option<String> {
        String::from_utf8(self.0).ok()
    }

    pub(super) fn contains(&self, part: &Self) -> bool {
        part.0.is_empty() || self.0.windows(part.0.len()).any(|window| window == part.0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its code points.
    fn codes(&self) -> impl Iterator<Item = u32> + '_ {
        let mut bytes = self.0.iter().map(|byte| u32::from(*byte));
        std::iter::from_fn(move || {
            let first = bytes.next()?;
            let (mut code, more) = match first {
                0..0x80 => (first, 0),
                0x80..0xe0 => (first & 0x1f, 1),
                0xe0..0xf0 => (first & 0x0f, 2),
                _ => (first & 0x07, 3),
            };
            for _ in 0..more {
                code = code << 6 | bytes.next()? & 0x3f;
            }
            Some(code)
        })
    }

    /// How many code points it has.
    pub(super) fn letters(&self) -> usize {
        self.codes().count()
    }

    pub(super) fn append(&mut self, text: &Self) {
        self.0.extend_from_slice(&text.0);
    }

    fn push(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// `repr()`: quotes as Python chooses them, all escaped that is not printable.
    fn repr(&self, out: &mut Self) {
        let has = |byte: u8| self.0.contains(&byte);
        let quote = if has(b'\'') && !has(b'"') { '"' } else { '\'' };
        out.0.push(quote as u8);
        for code in self.codes() {
            let Some(letter) = char::from_u32(code) else {
                out.push(&format!("\\u{code:04x}"));
                continue;
            };
            match letter {
                '\\' => out.push("\\\\"),
                '\n' => out.push("\\n"),
                '\r' => out.push("\\r"),
                '\t' => out.push("\\t"),
                _ if letter == quote => out.0.extend_from_slice(&[b'\\', quote as u8]),
                _ if printable(letter) => encode(code, &mut out.0),
                _ if code < 0x100 => out.push(&format!("\\x{code:02x}")),
                _ if code < 0x10000 => out.push(&format!("\\u{code:04x}")),
                _ => out.push(&format!("\\U{code:08x}")),
            }
        }
        out.0.push(quote as u8);
    }
}

impl<T: Into<String>> From<T> for Text {
    fn from(text: T) -> Self {
        Self(text.into().into_bytes())
    }
}

/// `str.isprintable()`. The standard library has the same table behind its own escapes;
/// a letter that only extends the one before is left alone when it is not the first.
fn printable(letter: char) -> bool {
    letter.is_ascii_graphic()
        || letter == ' '
        || !letter.is_ascii() && {
            let mut buffer = ['a', letter].iter().collect::<String>();
            buffer = buffer.escape_debug().to_string();
            !buffer.starts_with("a\\")
        }
}

impl Dict {
    pub(super) fn from_pairs(pairs: Vec<(Text, Value)>) -> Self {
        let mut dict = Self(Vec::with_capacity(pairs.len()));
        let mut places: HashMap<Text, usize> = HashMap::new();
        let many = pairs.len() > FEW;
        for (key, value) in pairs {
            let known = if many {
                places.get(&key).copied()
            } else {
                dict.0.iter().position(|(known, _)| *known == key)
            };
            match known {
                Some(place) => dict.0[place].1 = value,
                None => {
                    if many {
                        places.insert(key.clone(), dict.0.len());
                    }
                    dict.0.push((key, value));
                }
            }
        }
        dict
    }

    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        let found = self.0.iter().find(|(known, _)| known.0 == key.as_bytes());
        found.map(|(_, value)| value)
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.0.retain(|(known, _)| known.0 != key.as_bytes());
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Text, &Value)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// By the code points of the keys.
    pub(super) fn sorted(&self) -> Vec<&(Text, Value)> {
        let mut pairs: Vec<_> = self.0.iter().collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs
    }
}

impl Value {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into().into())
    }

    pub(super) fn int(number: impl ToString) -> Self {
        Self::Int(number.to_string())
    }

    pub(super) fn dict<'a>(pairs: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value));
        Self::Dict(Dict(pairs.collect()))
    }

    /// `bool()`.
    pub(super) fn truth(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(truth) => *truth,
            Self::Int(digits) => digits != "0",
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::List(list) => !list.is_empty(),
            Self::Dict(dict) => dict.len() > 0,
        }
    }

    /// `str()`.
    pub(super) fn str(&self) -> Text {
        match self {
            Self::Text(text) => text.clone(),
            other => {
                let mut out = Text::default();
                other.repr(&mut out);
                out
            }
        }
    }

    fn repr(&self, out: &mut Text) {
        match self {
            Self::None => out.push("None"),
            Self::Bool(true) => out.push("True"),
            Self::Bool(false) => out.push("False"),
            Self::Int(digits) => out.push(digits),
            Self::Float(number) => out.push(&float(*number)),
            Self::Text(text) => text.repr(out),
            Self::List(list) => {
                out.push("[");
                for (index, value) in list.iter().enumerate() {
                    out.push(if index > 0 { ", " } else { "" });
                    value.repr(out);
                }
                out.push("]");
            }
            Self::Dict(dict) => {
                out.push("{");
                for (index, (key, value)) in dict.iter().enumerate() {
                    out.push(if index > 0 { ", " } else { "" });
                    key.repr(out);
                    out.push(": ");
                    value.repr(out);
                }
                out.push("}");
            }
        }
    }
}

/// One value as the toolkit's command line has it: `None` is nothing, an object its pairs
/// with commas between them, everything else `str()`.
pub(super) fn argument(value: &Value) -> Text {
    match value {
        Value::None => Text::default(),
        Value::Dict(dict) => {
            let mut out = Text::default();
            for (index, (key, value)) in dict.sorted().into_iter().enumerate() {
                out.push(if index > 0 { "," } else { "" });
                out.0.extend_from_slice(&key.0);
                out.push("=");
                out.0.extend_from_slice(&value.str().0);
            }
            out
        }
        other => other.str(),
    }
}

/// `repr(float)`: the fewest digits that mean this number, with an exponent below 1e-4 and
/// from 1e16 on.
pub(super) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let mut shortest = format!("{number:e}");
    // Of two that are as short and as near, Python's is the even one.
    let digits = shortest.bytes().take_while(|byte| *byte != b'e');
    let digits = digits.filter(u8::is_ascii_digit).count();
    let even = format!("{number:.*e}", digits.saturating_sub(1));
    if even.parse() == Ok(number) {
        shortest = even;
    }
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", exponent.abs());
    }
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let all: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    match usize::try_from(exponent) {
        Ok(before) if before + 1 < all.len() => {
            format!("{sign}{}.{}", &all[..=before], &all[before + 1..])
        }
        Ok(before) => format!("{sign}{all:0<width$}.0", width = before + 1),
        Err(_) => {
            let zeros = usize::try_from(-exponent - 1).unwrap_or_default();
            format!("{sign}0.{}{all}", "0".repeat(zeros))
        }
    }
}

#[cfg(test)]
mod tests;
