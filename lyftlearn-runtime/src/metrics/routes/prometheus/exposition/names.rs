//! Names as Prometheus accepts them. Programs may use any.

/// A metric's name: invalid characters become `_`, and a leading digit gets a `_` in front.
pub(super) fn metric(name: &str) -> String {
    sanitised(name, ":")
}

/// A label's name; `None` for one that Prometheus keeps to itself.
pub(super) fn label(name: &str) -> Option<String> {
    let name = sanitised(name, "");
    (!name.starts_with("__")).then_some(name)
}

/// Whether a label's name stays as it is.
pub(super) fn is_label(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(allowed)
        && !name.starts_with("__")
        && (name.bytes().next()).is_some_and(|first| !first.is_ascii_digit())
}

/// One `_` a character, not a byte: `é` is one.
fn sanitised(name: &str, also: &str) -> String {
    let mut found = String::with_capacity(name.len() + 1);
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
        found.push('_');
    }
    found.extend(name.chars().map(|letter| {
        let allowed = letter.is_ascii_alphanumeric() || letter == '_' || also.contains(letter);
        if allowed { letter } else { '_' }
    }));
    found
}

/// A text between quotation marks.
pub(super) fn push_quoted(to: &mut String, text: &str) {
    to.push('"');
    push_escaped(to, text, true);
    to.push('"');
}

/// A text where a line break would end it.
pub(super) fn push_escaped(to: &mut String, text: &str, quotes: bool) {
    for letter in text.chars() {
        match letter {
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '"' if quotes => to.push_str("\\\""),
            _ => to.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{is_label, label, metric};

    #[test]
    fn a_name_is_one_that_prometheus_takes() {
        for (given, expected) in [
            ("rows", "rows"),
            ("rows.read", "rows_read"),
            ("a:b", "a:b"),
            ("1st", "_1st"),
            ("é", "_"),
            ("", "_"),
        ] {
            assert_eq!(metric(given), expected);
        }
        assert_eq!(label("a:b").as_deref(), Some("a_b"));
        assert_eq!(label("__name__"), None);
        assert_eq!(label(".-"), None);
        for (given, stays) in [
            ("a_1", true),
            ("", false),
            ("1a", false),
            ("__a", false),
            ("a.b", false),
        ] {
            assert_eq!(is_label(given), stays, "{given}");
            assert_eq!(label(given).is_some_and(|label| label == given), stays);
        }
    }
}
