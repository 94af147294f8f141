//! Values of .env files. No standard says how they are quoted: this is what python-dotenv,
//! Docker Compose and Node's dotenv all read as the same value.

/// The value between quotes; `None` where the readers would disagree.
pub(super) fn quoted(value: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(value).ok()?;
    // python-dotenv replaces it between any quotes.
    if text.contains("${") {
        return None;
    }
    // Between single quotes a line end and a dollar are themselves. Of two backslashes
    // python-dotenv takes one, and it takes a carriage return for a line end.
    let literal = !text.contains(['\'', '\r']) && !text.contains(r"\\") && !text.ends_with('\\');
    if literal {
        return Some(format!("'{text}'").into_bytes());
    }
    // Between double quotes Compose replaces variables, and Node knows no escape but line ends.
    let plain = !text.contains(['$', '"', '\\']);
    plain.then(|| format!("\"{}\"", text.replace('\n', r"\n").replace('\r', r"\r")).into_bytes())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    #[test]
    fn readers_agree_about_every_quoted_value() {
        let values: [&[u8]; 13] = [
            b"",
            b"a b",
            b"$HOME",
            br#"{"lr": 0.1}"#,
            br"C:\new",
            b"two\nlines of $HOME # no comment",
            b"it's two\r\nlines",
            b"${HOME}",
            b"it's $HOME",
            br#"it's "so""#,
            br"\\server\share",
            br"ends with \",
            b"\xff",
        ];
        let quoted = values.map(|value| {
            let quoted = super::quoted(value).map(|quoted| String::from_utf8(quoted).unwrap());
            format!("{}\n", quoted.unwrap_or("none".to_owned()))
        });
        expect![[r#"
            ''
            'a b'
            '$HOME'
            '{"lr": 0.1}'
            'C:\new'
            'two
            lines of $HOME # no comment'
            "it's two\r\nlines"
            none
            none
            none
            none
            none
            none
        "#]]
        .assert_eq(&quoted.concat());
    }
}
