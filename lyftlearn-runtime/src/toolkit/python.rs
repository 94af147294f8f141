//! Values as Python's `json` reads and writes them, and as `str()` shows them.
//!
//! Not serde_json: Python's dialect has NaN and Infinity, whole numbers of any length and
//! lone surrogates, and the order of an object's keys is part of what is shown.

use std::collections::HashMap;
use std::fmt::Write as _;

/// Python gives up (RecursionError) a little above this; below it both agree.
pub(super) const DEPTH: usize = 950;

/// Python takes a longer whole number for no number (`sys.int_info.default_max_str_digits`).
const INT_DIGITS: usize = 4300;

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

/// Why a text is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoValue {
    NotJson,
    TooDeep,
}

/// What is written does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// `json.loads`.
pub(super) fn loads(text: &str) -> Result<Value, NoValue> {
    let mut parser = Parser { text, at: 0 };
    parser.space();
    let value = parser.value(0)?;
    parser.space();
    if parser.at < text.len() {
        return Err(NoValue::NotJson);
    }
    Ok(value)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn rest(&self) -> &[u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word.as_bytes());
        if found {
            self.at += word.len();
        }
        found
    }

    fn expect(&mut self, word: &str, value: Value) -> Result<Value, NoValue> {
        if self.take(word) {
            Ok(value)
        } else {
            Err(NoValue::NotJson)
        }
    }

    fn value(&mut self, depth: usize) -> Result<Value, NoValue> {
        match self.peek().ok_or(NoValue::NotJson)? {
            b'"' => {
                self.at += 1;
                self.string().map(Value::Text)
            }
            b'{' | b'[' if depth == DEPTH => Err(NoValue::TooDeep),
            b'{' => {
                self.at += 1;
                self.dict(depth + 1)
            }
            b'[' => {
                self.at += 1;
                self.list(depth + 1)
            }
            b'n' => self.expect("null", Value::None),
            b't' => self.expect("true", Value::Bool(true)),
            b'f' => self.expect("false", Value::Bool(false)),
            b'N' => self.expect("NaN", Value::Float(f64::NAN)),
            b'I' => self.expect("Infinity", Value::Float(f64::INFINITY)),
            b'-' if self.rest().starts_with(b"-I") => {
                self.expect("-Infinity", Value::Float(f64::NEG_INFINITY))
            }
            _ => self.number(),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, NoValue> {
        let mut list = Vec::new();
        self.space();
        if self.take("]") {
            return Ok(Value::List(list));
        }
        loop {
            list.push(self.value(depth)?);
            self.space();
            if self.take("]") {
                return Ok(Value::List(list));
            }
            self.comma()?;
        }
    }

    fn dict(&mut self, depth: usize) -> Result<Value, NoValue> {
        let mut pairs = Vec::new();
        self.space();
        if self.take("}") {
            return Ok(Value::Dict(Dict::default()));
        }
        loop {
            if !self.take("\"") {
                return Err(NoValue::NotJson);
            }
            let key = self.string()?;
            self.space();
            if !self.take(":") {
                return Err(NoValue::NotJson);
            }
            self.space();
            pairs.push((key, self.value(depth)?));
            self.space();
            if self.take("}") {
                return Ok(Value::Dict(Dict::from_pairs(pairs)));
            }
            self.comma()?;
        }
    }

    fn comma(&mut self) -> Result<(), NoValue> {
        if !self.take(",") {
            return Err(NoValue::NotJson);
        }
        self.space();
        Ok(())
    }

    fn number(&mut self) -> Result<Value, NoValue> {
        let start = self.at;
        self.take("-");
        let digits = self.at;
        match self.peek() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(NoValue::NotJson),
        }
        let whole = self.at;
        if self.peek() == Some(b'.') && self.digit_at(whole + 1) {
            self.at += 1;
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            let sign = matches!(self.text.as_bytes().get(self.at + 1), Some(b'+' | b'-'));
            let first = self.at + 1 + usize::from(sign);
            if self.digit_at(first) {
                self.at = first;
                self.digits();
            }
        }
        let text = &self.text[start..self.at];
        if self.at > whole {
            // What is too large for a float is infinite, in both languages.
            return text.parse().map(Value::Float).map_err(|_| NoValue::NotJson);
        }
        if whole - digits > INT_DIGITS {
            return Err(NoValue::NotJson);
        }
        Ok(Value::Int(if text == "-0" { "0" } else { text }.to_owned()))
    }

    fn digit_at(&self, at: usize) -> bool {
        self.text.as_bytes().get(at).is_some_and(u8::is_ascii_digit)
    }

    fn digits(&mut self) {
        while self.digit_at(self.at) {
            self.at += 1;
        }
    }

    /// After the opening quote.
    fn string(&mut self) -> Result<Text, NoValue> {
        let mut bytes = Vec::new();
        loop {
            let rest = self.rest();
            let plain = rest
                .iter()
                .position(|byte| matches!(byte, b'"' | b'\\' | ..0x20))
                .ok_or(NoValue::NotJson)?;
            bytes.extend_from_slice(&rest[..plain]);
            let end = rest[plain];
            self.at += plain + 1;
            match end {
                b'"' => return Ok(Text(bytes)),
                b'\\' => self.escape(&mut bytes)?,
                _ => return Err(NoValue::NotJson),
            }
        }
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), NoValue> {
        let letter = self.peek().ok_or(NoValue::NotJson)?;
        self.at += 1;
        bytes.push(match letter {
            b'"' | b'\\' | b'/' => letter,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let mut code = self.unit()?;
                if (0xd800..0xdc00).contains(&code) && self.rest().starts_with(b"\\u") {
                    let after = self.at;
                    self.at += 2;
                    match self.unit()? {
                        low @ 0xdc00..0xe000 => {
                            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                        }
                        // No pair: it stands for itself.
                        _ => self.at = after,
                    }
                }
                encode(code, bytes);
                return Ok(());
            }
            _ => return Err(NoValue::NotJson),
        });
        Ok(())
    }

    fn unit(&mut self) -> Result<u32, NoValue> {
        let digits = self.rest().get(..4).ok_or(NoValue::NotJson)?;
        let mut code = 0;
        for digit in digits {
            let digit = char::from(*digit).to_digit(16).ok_or(NoValue::NotJson)?;
            code = code << 4 | digit;
        }
        self.at += 4;
        Ok(code)
    }
}

/// UTF-8's own rule, for surrogates too.
fn encode(code: u32, bytes: &mut Vec<u8>) {
    if let Some(letter) = char::from_u32(code) {
        bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        let six = |shift: u32| 0x80 | (code >> shift & 0x3f) as u8;
        bytes.extend_from_slice(&[0xe0 | (code >> 12) as u8, six(6), six(0)]);
    }
}

impl Text {
    /// The text itself, unless it has a lone surrogate.
    pub(super) fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

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

/// `json.dumps(…, sort_keys=True, separators=(",", ":"))`, up to a number of bytes.
pub(super) struct Writer {
    out: String,
    limit: usize,
}

impl Writer {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            out: String::new(),
            limit,
        }
    }

    pub(super) fn finish(self) -> String {
        self.out
    }

    pub(super) fn push(&mut self, text: &str) -> Result<(), TooLong> {
        if self.out.len() + text.len() > self.limit {
            return Err(TooLong);
        }
        self.out.push_str(text);
        Ok(())
    }

    pub(super) fn value(&mut self, value: &Value) -> Result<(), TooLong> {
        match value {
            Value::None => self.push("null"),
            Value::Bool(true) => self.push("true"),
            Value::Bool(false) => self.push("false"),
            Value::Int(digits) => self.push(digits),
            Value::Float(number) if number.is_nan() => self.push("NaN"),
            Value::Float(number) if number.is_infinite() => self.push(if *number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            }),
            Value::Float(number) => self.push(&float(*number)),
            Value::Text(text) => self.text(text),
            Value::List(list) => {
                self.push("[")?;
                for (index, value) in list.iter().enumerate() {
                    self.push(if index > 0 { "," } else { "" })?;
                    self.value(value)?;
                }
                self.push("]")
            }
            Value::Dict(dict) => {
                self.object(dict.sorted().into_iter().map(|(key, value)| (key, value)))
            }
        }
    }

    /// Pairs that are in order already.
    pub(super) fn object<'a>(
        &mut self,
        pairs: impl Iterator<Item = (&'a Text, &'a Value)>,
    ) -> Result<(), TooLong> {
        self.push("{")?;
        for (index, (key, value)) in pairs.enumerate() {
            self.push(if index > 0 { "," } else { "" })?;
            self.text(key)?;
            self.push(":")?;
            self.value(value)?;
        }
        self.push("}")
    }

    fn text(&mut self, text: &Text) -> Result<(), TooLong> {
        if text.0.len() > self.limit {
            return Err(TooLong);
        }
        self.push("\"")?;
        let mut escaped = String::with_capacity(text.0.len());
        for code in text.codes() {
            match code {
                0x22 => escaped.push_str("\\\""),
                0x5c => escaped.push_str("\\\\"),
                0x0a => escaped.push_str("\\n"),
                0x0d => escaped.push_str("\\r"),
                0x09 => escaped.push_str("\\t"),
                0x08 => escaped.push_str("\\b"),
                0x0c => escaped.push_str("\\f"),
                0x20..0x7f => escaped.push(char::from(code as u8)),
                0..0x10000 => unit(&mut escaped, code),
                _ => {
                    unit(&mut escaped, 0xd800 + ((code - 0x10000) >> 10));
                    unit(&mut escaped, 0xdc00 + ((code - 0x10000) & 0x3ff));
                }
            }
        }
        self.push(&escaped)?;
        self.push("\"")
    }
}

fn unit(out: &mut String, code: u32) {
    write!(out, "\\u{code:04x}").expect("a text takes what is written");
}

#[cfg(test)]
mod tests {
    use super::{DEPTH, NoValue, Value, Writer, argument, float, loads};

    fn dumps(value: &Value) -> String {
        let mut writer = Writer::new(usize::MAX);
        writer.value(value).unwrap();
        writer.finish()
    }

    /// Text, what `json.dumps` makes of it, what the command line has.
    #[track_caller]
    fn check(table: &[(&str, &str, &str)]) {
        for (text, json, word) in table {
            let value = loads(text).unwrap_or_else(|err| panic!("{text}: {err:?}"));
            assert_eq!(dumps(&value), *json, "{text}");
            assert_eq!(argument(&value).into_string().unwrap(), *word, "{text}");
        }
    }

    #[test]
    fn floats_are_written_as_python_does() {
        for (number, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e5, "100000.0"),
            (1e15, "1000000000000000.0"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (12_345_678_901_234_567.0, "1.2345678901234568e+16"),
            (1e22, "1e+22"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (0.000_123, "0.000123"),
            (1.5e-7, "1.5e-07"),
            (5e-324, "5e-324"),
            (1.797_693_134_862_315_7e308, "1.7976931348623157e+308"),
            (2.5, "2.5"),
            (2f64.powi(-44), "5.684341886080802e-14"),
            (9_007_199_254_740_993.0, "9007199254740992.0"),
            (1234.5678, "1234.5678"),
            (0.00123, "0.00123"),
            (-1e100, "-1e+100"),
            (0.30000000000000004, "0.30000000000000004"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(float(number), expected);
        }
    }

    #[test]
    fn numbers_read_as_python_reads_them() {
        check(&[
            ("  5  ", "5", "5"),
            ("-0", "0", "0"),
            ("-0.0", "-0.0", "-0.0"),
            ("1e5", "100000.0", "100000.0"),
            ("1E-5", "1e-05", "1e-05"),
            ("1e400", "Infinity", "inf"),
            ("-1e400", "-Infinity", "-inf"),
            // Two are as short and as near: the even one.
            (
                "1033895600500387.25",
                "1033895600500387.2",
                "1033895600500387.2",
            ),
            (
                "9539194988155.8125",
                "9539194988155.812",
                "9539194988155.812",
            ),
            ("NaN", "NaN", "nan"),
            ("Infinity", "Infinity", "inf"),
            ("-Infinity", "-Infinity", "-inf"),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
            ("[0.1, -3, null]", "[0.1,-3,null]", "[0.1, -3, None]"),
        ]);
    }

    #[test]
    fn texts_that_are_no_json_are_refused() {
        for text in [
            "",
            " ",
            "007",
            "+7",
            "0x10",
            "1_000",
            "True",
            "None",
            "\u{a0}5",
            "1.",
            "1e",
            ".5",
            "-",
            "--1",
            "nan",
            "-NaN",
            "+Infinity",
            "[1,]",
            "[",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "\"a",
            "\"a\nb\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "1 2",
            "\u{feff}1",
            "\"\t\"",
            "truefalse",
            "[1 2]",
            "{\"a\" 1}",
            "{\"a\":}",
            "\u{0c}1",
            "\"\\ud800\\uzzzz\"",
        ] {
            assert_eq!(loads(text), Err(NoValue::NotJson), "{text}");
        }
        assert_eq!(loads(&"9".repeat(4301)), Err(NoValue::NotJson));
        assert!(loads(&format!("-{}", "9".repeat(4300))).is_ok());
    }

    #[test]
    fn depth_has_an_end() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(dumps(&loads(&nested(DEPTH)).unwrap()), nested(DEPTH));
        assert_eq!(loads(&nested(DEPTH + 1)), Err(NoValue::TooDeep));
        assert_eq!(loads(&"[".repeat(1_000_000)), Err(NoValue::TooDeep));
    }

    #[test]
    fn objects_are_sorted_in_json_and_keep_their_order_within_a_word() {
        check(&[
            ("{}", "{}", ""),
            (
                r#"{"b": 1, "a": [true, {"z": 1, "y": null}]}"#,
                r#"{"a":[true,{"y":null,"z":1}],"b":1}"#,
                "a=[True, {'z': 1, 'y': None}],b=1",
            ),
            (r#"{"b": 1, "a": 2, "b": 3}"#, r#"{"a":2,"b":3}"#, "a=2,b=3"),
            (
                r#"[{"b": 1, "a": 2, "b": 3}]"#,
                r#"[{"a":2,"b":3}]"#,
                "[{'b': 3, 'a': 2}]",
            ),
            (
                r#"{"\uffff": 1, "\ud83d\ude00": 2, "z": 3}"#,
                r#"{"z":3,"\uffff":1,"\ud83d\ude00":2}"#,
                "z=3,\u{ffff}=1,\u{1f600}=2",
            ),
        ]);
        let many: String = (0..20)
            .map(|number| format!("\"k{}\":{number},", number % 10))
            .collect();
        let value = loads(&format!("{{{}\"k0\":0}}", many)).unwrap();
        assert!(dumps(&value).starts_with(r#"{"k0":0,"k1":11,"k2":12"#));
    }

    #[test]
    fn texts_are_escaped_for_ascii_and_quoted_as_python_does() {
        check(&[
            ("\"bob\"", "\"bob\"", "bob"),
            ("[\"bob\"]", "[\"bob\"]", "['bob']"),
            ("[\"it's\"]", "[\"it's\"]", "[\"it's\"]"),
            (r#"["it's \"x\""]"#, r#"["it's \"x\""]"#, r#"['it\'s "x"']"#),
            (
                "[\"\\n\\t\\r\\b\\f\\\\\\/\"]",
                "[\"\\n\\t\\r\\b\\f\\\\/\"]",
                "['\\n\\t\\r\\x08\\x0c\\\\/']",
            ),
            (
                "[\"é\u{7f}\u{85}\u{a0}\u{ad}\"]",
                "[\"\\u00e9\\u007f\\u0085\\u00a0\\u00ad\"]",
                "['é\\x7f\\x85\\xa0\\xad']",
            ),
            (
                "[\"\u{200b}\u{2028}\u{3000}\u{e000}\u{10ffff}\"]",
                "[\"\\u200b\\u2028\\u3000\\ue000\\udbff\\udfff\"]",
                "['\\u200b\\u2028\\u3000\\ue000\\U0010ffff']",
            ),
            (
                "[\"e\u{301}😀漢\"]",
                "[\"e\\u0301\\ud83d\\ude00\\u6f22\"]",
                "['e\u{301}😀漢']",
            ),
            (r#"["\ud83d\ude00"]"#, r#"["\ud83d\ude00"]"#, "['😀']"),
            (
                r#"["\ud83d", "\ude00\ud83d"]"#,
                r#"["\ud83d","\ude00\ud83d"]"#,
                r"['\ud83d', '\ude00\ud83d']",
            ),
        ]);
        let lone = loads(r#""\ud800\u0041""#).unwrap();
        assert_eq!(dumps(&lone), r#""\ud800A""#);
        assert_eq!(argument(&lone).into_string(), None);
    }

    #[test]
    fn a_writer_stops_at_its_limit() {
        let value = loads("[1,2,3]").unwrap();
        assert!(Writer::new(7).value(&value).is_ok());
        assert!(Writer::new(6).value(&value).is_err());
    }
}
