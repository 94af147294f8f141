//! Labels and annotations, as a downwardAPI volume writes them.

use std::collections::BTreeMap;

use super::World;
use crate::contract::limits;
use crate::error::Error;
use crate::platform::fault::ContractFault;

/// The entries of `labels` or `annotations`; none where no volume is mounted.
pub(super) fn read(world: &World<'_>, file: &str) -> Result<BTreeMap<String, String>, Error> {
    let path = format!("{}/{file}", world.settings.podinfo_dir);
    let bytes = world.facts.file(&path, limits::DOCUMENT_BYTES)?;
    let bytes = bytes.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.lines().filter(|line| !line.is_empty()).count();
    ContractFault::unless(lines, limits::LABELS, "lines", &path)?;
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| {
            let entry = line.split_once('=');
            entry
                .and_then(|(key, quoted)| Some((key.to_owned(), unquoted(quoted)?)))
                .ok_or_else(|| {
                    let line = number + 1;
                    let path = (&path).into();
                    ContractFault::NoLabel { path, line }.into()
                })
        })
        .collect()
}

/// What Go's `strconv.Quote` wrote. A byte that is no UTF-8 comes as U+FFFD.
fn unquoted(text: &str) -> Option<String> {
    let mut rest = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::with_capacity(rest.len());
    while let Some(at) = rest.find(['\\', '"']) {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        // A quote that nothing escapes ends the text too early.
        let escaped = rest[at..].strip_prefix('\\')?;
        let kind = escaped.chars().next()?;
        let after = &escaped[kind.len_utf8()..];
        let number = |digits: usize| {
            let digits = after.get(..digits)?;
            u32::from_str_radix(digits, 16).ok()
        };
        let mut taken = 0;
        match kind {
            'a' => bytes.push(7),
            'b' => bytes.push(8),
            'f' => bytes.push(12),
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            'v' => bytes.push(11),
            '\\' | '"' => bytes.push(kind as u8),
            'x' => {
                taken = 2;
                bytes.push(u8::try_from(number(taken)?).ok()?);
            }
            'u' | 'U' => {
                taken = if kind == 'u' { 4 } else { 8 };
                let character = char::from_u32(number(taken)?)?;
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => return None,
        }
        rest = &after[taken..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::unquoted;

    #[test]
    fn go_quoting_is_undone() {
        for (quoted, text) in [
            (r#""plain""#, Some("plain")),
            (r#""""#, Some("")),
            (r#""a=b \"c\" \\d""#, Some("a=b \"c\" \\d")),
            (r#""line\nline\ttab""#, Some("line\nline\ttab")),
            (r#""\u00e9\U0001f600 é""#, Some("é😀 é")),
            (r#""\x7f\a""#, Some("\u{7f}\u{7}")),
            (r#""\xff""#, Some("\u{fffd}")),
            (r#""open"#, None),
            (r#""a"b""#, None),
            (r#""\q""#, None),
            (r#""\u12""#, None),
            ("plain", None),
        ] {
            assert_eq!(unquoted(quoted).as_deref(), text, "{quoted}");
        }
    }
}
