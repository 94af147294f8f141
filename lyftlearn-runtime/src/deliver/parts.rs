//! A text for a helper process in variables of its environment: Linux limits the length of each.

use std::ffi::OsString;

use crate::contract::limits::ENVIRONMENT_STRING_BYTES;

/// Room for `_`, a number, `=` and NUL.
const NUMBERED: usize = 16;

/// Adds `text` in so many variables as it takes: `NAME_0`, `NAME_1`.
pub(crate) fn add_in_parts(environment: &mut Vec<(OsString, OsString)>, name: &str, text: &str) {
    let is_part = |known: &OsString| known.to_str().is_some_and(|known| known.starts_with(name));
    environment.retain(|(known, _)| !is_part(known));
    let room = ENVIRONMENT_STRING_BYTES - name.len() - NUMBERED;
    let mut rest = text;
    for number in 0.. {
        if rest.is_empty() {
            return;
        }
        let (part, more) = rest.split_at(rest.floor_char_boundary(room));
        environment.push((format!("{name}_{number}").into(), part.into()));
        rest = more;
    }
}

/// The text that is in `variable`s; `None` if there is no part of it.
#[cfg(feature = "agent")]
pub(crate) fn of_parts<'a>(
    name: &str,
    variable: impl Fn(&str) -> Option<std::borrow::Cow<'a, str>>,
) -> Option<String> {
    let mut text = variable(&format!("{name}_0"))?.into_owned();
    for number in 1.. {
        let Some(part) = variable(&format!("{name}_{number}")) else {
            break;
        };
        text.push_str(&part);
    }
    Some(text)
}

#[cfg(all(test, feature = "agent"))]
mod tests {
    use std::ffi::OsString;

    use super::{add_in_parts, of_parts};

    #[track_caller]
    fn check(text: &str, variables: usize) {
        let mut environment = vec![
            (OsString::from("ORDERS_1"), OsString::from("stale")),
            ("PATH".into(), "/bin".into()),
        ];
        add_in_parts(&mut environment, "ORDERS", text);
        assert_eq!(environment.len(), 1 + variables);
        for (name, value) in &environment {
            assert!(name.len() + value.len() + 2 <= 131_072, "{name:?}");
        }
        let variable = |name: &str| {
            let mut all = environment.iter();
            let (_, value) = all.find(|(known, _)| known == name)?;
            Some(value.to_string_lossy())
        };
        let read = of_parts("ORDERS", variable);
        assert_eq!(read.as_deref(), Some(text).filter(|text| !text.is_empty()));
    }

    #[test]
    fn a_text_of_any_length_is_read_back() {
        check("", 0);
        check("{}", 1);
        check(&"\u{1f525}".repeat(100_000), 4);
    }
}
