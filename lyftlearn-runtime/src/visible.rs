//! Escapes text from outside before people see it: a log must not send control codes to a terminal,
//! and a line must not look like another one.

/// Whether a terminal obeys a character, or a reader cannot see it: control characters but
/// newline and tab, line separators, and what changes the direction of text.
fn hidden(letter: char) -> bool {
    match letter {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' => true,
        '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}' => true,
        _ => letter.is_control(),
    }
}

/// `text` with each such character as its escape: `\r`, `\u{1b}`.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if hidden(letter) {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// The same for text on one line: newlines are escaped as well.
pub(crate) fn visible_line(text: &str) -> String {
    visible(text).replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::{visible, visible_line};

    #[test]
    fn what_a_terminal_obeys_is_shown_as_an_escape() {
        let cases = [
            (
                "caf\u{e9} \u{1f525}\tone\n  two",
                "caf\u{e9} \u{1f525}\tone\n  two",
            ),
            ("\u{1b}[31mred\u{1b}[0m", "\\u{1b}[31mred\\u{1b}[0m"),
            ("50%\r100%\u{7}\u{8}\u{0}", "50%\\r100%\\u{7}\\u{8}\\u{0}"),
            ("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}"),
            (
                "ab\u{202e}cd\u{202c}\u{2066}",
                "ab\\u{202e}cd\\u{202c}\\u{2066}",
            ),
            ("a\u{2028}b\u{feff}", "a\\u{2028}b\\u{feff}"),
            ("\u{e0041}", "\\u{e0041}"),
        ];
        for (text, shown) in cases {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn one_line_stays_one() {
        assert_eq!(visible_line("a\nb\tc"), "a\\nb\tc");
    }
}
