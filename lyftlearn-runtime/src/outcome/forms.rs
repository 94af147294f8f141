//! The forms in which programs show a secret: a part of it, encoded or escaped.

use std::fmt;
use std::io::Write;

use serde_json::Value;

use super::places::Places;

/// A value shorter than this would take innocent text with it.
pub(super) const SHORTEST_SECRET: usize = 6;

/// A line that is shorter than this may be a word of anybody's.
const SHORTEST_LINE: usize = 16;

/// The longest escape: a JSON string has two of `\u1234` for some characters.
const ESCAPE_BYTES: usize = 12;

/// One character of a value as a form has it.
type Piece = std::iter::Take<std::array::IntoIter<u8, ESCAPE_BYTES>>;

/// Adds `value` to `parts`, with the strings of the JSON document that it may be, and its lines.
pub(super) fn add_parts(value: &[u8], parts: &mut Vec<Vec<u8>>) {
    let value = without_line_end(value);
    if value.len() < SHORTEST_SECRET {
        return;
    }
    parts.push(value.to_vec());
    if let Ok(document) = serde_json::from_slice(value) {
        add_strings(&document, parts);
    }
    let text = std::str::from_utf8(value).unwrap_or_default();
    if text.contains('\n') {
        let lines = text.lines().map(str::trim);
        // `-----BEGIN PRIVATE KEY-----` is in every such key.
        let secret = lines.filter(|line| line.len() >= SHORTEST_LINE && !line.starts_with("-----"));
        parts.extend(secret.map(|line| line.as_bytes().to_vec()));
    }
}

/// The strings and numbers of a document, however deep they are. Of a string that is a document or
/// has lines, the parts as well.
fn add_strings(document: &Value, parts: &mut Vec<Vec<u8>>) {
    match document {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => {
            let number = number.to_string();
            parts.extend((number.len() >= SHORTEST_SECRET).then(|| number.into_bytes()));
        }
        Value::String(text) => add_parts(text.as_bytes(), parts),
        Value::Array(values) => values.iter().for_each(|value| add_strings(value, parts)),
        Value::Object(keys) => keys.values().for_each(|value| add_strings(value, parts)),
    }
}

/// A program takes the line end from a value before it uses it.
pub(super) fn without_line_end(value: &[u8]) -> &[u8] {
    let end = value.iter().rposition(|byte| !b"\r\n".contains(byte));
    &value[..end.map_or(0, |last| last + 1)]
}

/// Finds a value in `places` in all of its forms. A short one is found as it is, and no other text
/// is like it by chance.
pub(super) fn look_for(value: &[u8], places: &mut Places) {
    let text = std::str::from_utf8(value);
    if text.is_ok() {
        places.look_for(value.iter().copied());
    }
    if value.len() < SHORTEST_SECRET {
        return;
    }
    let text = text.unwrap_or_default();
    for ascii in [false, true] {
        places.look_for(text.chars().flat_map(move |letter| json(letter, ascii)));
        for quotes in [false, true] {
            places.look_for((text.chars()).flat_map(move |letter| python(letter, ascii, quotes)));
        }
    }
    let bytes = value.iter().copied();
    for quotes in [false, true] {
        places.look_for(
            bytes
                .clone()
                .flat_map(move |byte| python_bytes(byte, quotes)),
        );
    }
    for lower in [false, true] {
        places.look_for(bytes.clone().flat_map(move |byte| hexadecimal(byte, lower)));
        // `quote` of Python's urllib with and without its `safe`, and `quote_plus`.
        for (kept, blank) in [("", "%20"), ("/", "%20"), ("", "+")] {
            let form = move |byte| in_a_url(byte, lower, kept.as_bytes(), blank);
            places.look_for(bytes.clone().flat_map(form));
        }
    }
    for (sixty_two, sixty_three) in [(b'+', b'/'), (b'-', b'_')] {
        for before in 0..3 {
            let form = |end| base64(value, before, [sixty_two, sixty_three], end);
            places.look_for(form(End::Open));
            places.look_for(form(End::Unpadded));
            places.look_for(form(End::Padded));
        }
    }
}

fn piece(text: fmt::Arguments<'_>) -> Piece {
    let mut room = [0; ESCAPE_BYTES];
    let mut rest = &mut room[..];
    rest.write_fmt(text).expect("no escape is longer");
    let length = ESCAPE_BYTES - rest.len();
    room.into_iter().take(length)
}

/// In a JSON string, as Python's `json.dumps` writes it (`ascii`) and as others do.
fn json(letter: char, ascii: bool) -> Piece {
    match letter {
        '"' | '\\' => piece(format_args!("\\{letter}")),
        '\n' => piece(format_args!("\\n")),
        '\r' => piece(format_args!("\\r")),
        '\t' => piece(format_args!("\\t")),
        '\u{8}' => piece(format_args!("\\b")),
        '\u{c}' => piece(format_args!("\\f")),
        ..' ' => piece(format_args!("\\u{:04x}", u32::from(letter))),
        '\u{7f}'.. if ascii => match letter.encode_utf16(&mut [0; 2]) {
            [high, low] => piece(format_args!("\\u{high:04x}\\u{low:04x}")),
            _ => piece(format_args!("\\u{:04x}", u32::from(letter))),
        },
        _ => piece(format_args!("{letter}")),
    }
}

/// As Python's `repr` shows a string, and `ascii` where that is asked for. It escapes a quote only
/// in a string that has both kinds of them.
fn python(letter: char, ascii: bool, quotes: bool) -> Piece {
    let number = u32::from(letter);
    match letter {
        '\\' => piece(format_args!("\\\\")),
        '\'' if quotes => piece(format_args!("\\'")),
        '\n' => piece(format_args!("\\n")),
        '\r' => piece(format_args!("\\r")),
        '\t' => piece(format_args!("\\t")),
        ..' ' | '\u{7f}'..='\u{a0}' | '\u{ad}' => piece(format_args!("\\x{number:02x}")),
        '\u{a1}'..='\u{ff}' if ascii => piece(format_args!("\\x{number:02x}")),
        '\u{100}'..='\u{ffff}' if ascii => piece(format_args!("\\u{number:04x}")),
        '\u{10000}'.. if ascii => piece(format_args!("\\U{number:08x}")),
        _ => piece(format_args!("{letter}")),
    }
}

/// As Python's `repr` shows bytes.
fn python_bytes(byte: u8, quotes: bool) -> Piece {
    match byte {
        b' '..=b'~' | b'\n' | b'\r' | b'\t' => python(char::from(byte), true, quotes),
        _ => piece(format_args!("\\x{byte:02x}")),
    }
}

fn hexadecimal(byte: u8, lower: bool) -> Piece {
    if lower {
        piece(format_args!("{byte:02x}"))
    } else {
        piece(format_args!("{byte:02X}"))
    }
}

/// Escapes a byte as RFC 3986 does, except those in `kept`.
fn in_a_url(byte: u8, lower: bool, kept: &[u8], blank: &str) -> Piece {
    match byte {
        b' ' => piece(format_args!("{blank}")),
        byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || kept.contains(&byte) => {
            piece(format_args!("{}", char::from(byte)))
        }
        byte if lower => piece(format_args!("%{byte:02x}")),
        byte => piece(format_args!("%{byte:02X}")),
    }
}

/// What follows a value in base64.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Other bytes, so that the last character may not be the value's alone.
    Open,
    Unpadded,
    Padded,
}

/// The characters that the base64 of a longer text has of `value` alone, behind `before` bytes or
/// three, six, nine more. The letters of 62 and 63 are `last`.
fn base64(
    value: &[u8],
    before: usize,
    last: [u8; 2],
    end: End,
) -> impl DoubleEndedIterator<Item = u8> + Clone {
    const BITS: usize = 6;
    let start = before * 8;
    let stop = start + value.len() * 8;
    let to = match end {
        End::Open => stop / BITS,
        End::Unpadded | End::Padded => stop.div_ceil(BITS),
    };
    let padding = match end {
        End::Padded => to.next_multiple_of(4) - to,
        End::Open | End::Unpadded => 0,
    };
    let letters = (start.div_ceil(BITS)..to).map(move |number| {
        let bit = number * BITS - start;
        let byte = |at: usize| u16::from(value.get(at).copied().unwrap_or_default());
        let bits = (byte(bit / 8) << 8) | byte(bit / 8 + 1);
        match u8::try_from((bits >> (10 - bit % 8)) & 63).expect("six bits fit") {
            letter @ 0..26 => b'A' + letter,
            letter @ 26..52 => b'a' + letter - 26,
            letter @ 52..62 => b'0' + letter - 52,
            62 => last[0],
            _ => last[1],
        }
    });
    letters.chain(std::iter::repeat_n(b'=', padding))
}

#[cfg(test)]
mod tests {
    use super::super::Redact;

    #[track_caller]
    fn check(value: &[u8], said: &[&str]) {
        let redact = Redact::default().with(vec![value.to_vec()]);
        for said in said {
            let shown = redact.text(&format!("<{said}>"));
            assert_eq!(shown, "<[redacted]>", "{said}");
        }
    }

    #[test]
    fn a_value_in_a_url_is_found_as_python_escapes_it() {
        check(
            b"wJal/XUtn +\xc3\xa9",
            &[
                "wJal/XUtn +\u{e9}",
                "wJal%2FXUtn%20%2B%C3%A9",
                "wJal%2fXUtn%20%2b%c3%a9",
                "wJal/XUtn%20%2B%C3%A9",
                "wJal/XUtn%20%2b%c3%a9",
                "wJal%2FXUtn+%2B%C3%A9",
            ],
        );
    }

    #[test]
    fn a_value_in_a_literal_is_found() {
        check(
            "it's \"a\"\\b\n\u{7f}\u{e9}\u{20ac}\u{1f600}".as_bytes(),
            &[
                // repr, ascii, repr of its bytes.
                "it\\'s \"a\"\\\\b\\n\\x7f\u{e9}\u{20ac}\u{1f600}",
                r#"it\'s "a"\\b\n\x7f\xe9\u20ac\U0001f600"#,
                r#"it\'s "a"\\b\n\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"#,
                // json.dumps, with and without ensure_ascii.
                r#"it's \"a\"\\b\n\u007f\u00e9\u20ac\ud83d\ude00"#,
                "it's \\\"a\\\"\\\\b\\n\u{7f}\u{e9}\u{20ac}\u{1f600}",
                "6974277320226122\
                 5c620a7fc3a9e282acf09f9880",
            ],
        );
        // Quotes of one kind are not escaped.
        check(b"it's a\\b", &[r"it's a\\b"]);
        check(
            b"\x01\xff\xfekey's",
            &[
                r"\x01\xff\xfekey's",
                "Af/+a2V5J3M=",
                "Af_-a2V5J3M",
                "01FFFE6B65792773",
            ],
        );
    }

    #[test]
    fn a_value_in_longer_base64_is_found() {
        let redact = Redact::default().with(vec![b"hunter2-hunter2".to_vec()]);
        for (said, shown) in [
            // `a:`, `ab:` and `abc:` before it, and `!` behind it.
            ("YTpodW50ZXIyLWh1bnRlcjI=", "YTp[redacted]"),
            ("YWI6aHVudGVyMi1odW50ZXIyIQ==", "YWI6[redacted]IQ=="),
            ("YWJjOmh1bnRlcjItaHVudGVyMg==", "YWJjOm[redacted]"),
            ("YWJjOmh1bnRlcjItaHVudGVyMiE=", "YWJjOm[redacted]iE="),
            ("aHVudGVyMi1odW5\u{2026}", "[redacted]\u{2026}"),
        ] {
            assert_eq!(redact.text(said), shown);
        }
    }

    #[test]
    fn strings_in_a_document_are_found_one_by_one() {
        let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nshort\n-----END KEY-----\n";
        let document = serde_json::json!({
            "prod": {"password": "nested-hunter2", "pin": 123_456, "port": 5432},
            "list": ["listed-hunter3", true],
            "key": key,
            "document": r#"{"in": ["stringed-hunter4"]}"#,
        });
        let redact = Redact::default().with(vec![document.to_string().into_bytes()]);
        let said = "nested-hunter2 123456 5432 listed-hunter3 true stringed-hunter4\n\
                    -----BEGIN KEY-----\n  MIIEvQIBADANBgkq\nshort\n-----END KEY-----";
        assert_eq!(
            redact.text(said),
            "[redacted] [redacted] 5432 [redacted] true [redacted]\n\
             -----BEGIN KEY-----\n  [redacted]\nshort\n-----END KEY-----"
        );
        assert_eq!(redact.text(key.trim_end()), "[redacted]");
        assert_eq!(redact.text(&format!("{key:?}")), "\"[redacted]\\n\"");
    }
}
