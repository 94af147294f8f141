//! `json.dumps`, up to a number of bytes.

use std::fmt::Write as _;

use super::{Text, Value, float};

/// The output is over its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::toolkit) struct TooLong;

/// `json.dumps(…, sort_keys=True, separators=(",", ":"))`, up to a number of bytes.
pub(in crate::toolkit) struct Writer {
    out: String,
    limit: usize,
}

impl Writer {
    pub(in crate::toolkit) fn new(limit: usize) -> Self {
        Self {
            out: String::new(),
            limit,
        }
    }

    pub(in crate::toolkit) fn finish(self) -> String {
        self.out
    }

    pub(in crate::toolkit) fn push(&mut self, text: &str) -> Result<(), TooLong> {
        if self.out.len() + text.len() > self.limit {
            return Err(TooLong);
        }
        self.out.push_str(text);
        Ok(())
    }

    pub(in crate::toolkit) fn value(&mut self, value: &Value) -> Result<(), TooLong> {
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
    pub(in crate::toolkit) fn object<'a>(
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
