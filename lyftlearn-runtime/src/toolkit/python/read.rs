//! `json.loads`: Python's dialect, and its limits.

use super::{Dict, Text, Value};

/// Python gives up (RecursionError) a little above this; below it both agree.
pub(in crate::toolkit) const DEPTH: usize = 950;

/// Python takes a longer whole number for no number (`sys.int_info.default_max_str_digits`).
const INT_DIGITS: usize = 4300;

/// Why a text is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::toolkit) enum NoValue {
    NotJson,
    TooDeep,
}

/// `json.loads`.
pub(in crate::toolkit) fn loads(text: &str) -> Result<Value, NoValue> {
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
            // A number that is too large for a float is infinite in both languages.
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
                        // Not a pair: the surrogate is kept as it is.
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
pub(super) fn encode(code: u32, bytes: &mut Vec<u8>) {
    if let Some(letter) = char::from_u32(code) {
        bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        let six = |shift: u32| 0x80 | (code >> shift & 0x3f) as u8;
        bytes.extend_from_slice(&[0xe0 | (code >> 12) as u8, six(6), six(0)]);
    }
}
