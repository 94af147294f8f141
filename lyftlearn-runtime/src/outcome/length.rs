//! Texts within a limit: each platform takes a reason of a certain length.

use std::borrow::Cow;

use crate::contract::limits::LEFT_OUT;

/// `text` in at most so many bytes, cut between characters: its beginning, where the cause
/// begins, and its end, where a long message has it.
pub(crate) fn within_bytes(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let Some(room) = limit.checked_sub(LEFT_OUT.len_utf8()) else {
        return Cow::Borrowed(&text[..text.floor_char_boundary(limit)]);
    };
    let end = text.ceil_char_boundary(text.len() - room / 2);
    let beginning = text.floor_char_boundary(room - room / 2);
    Cow::Owned(format!("{}{LEFT_OUT}{}", &text[..beginning], &text[end..]))
}

/// The same in at most so many characters.
pub(crate) fn within_characters(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit || text.chars().count() <= limit {
        return Cow::Borrowed(text);
    }
    let room = limit.saturating_sub(1);
    let at = |number| {
        text.char_indices()
            .nth(number)
            .map_or(text.len(), |(at, _)| at)
    };
    let beginning = at(room - room / 2);
    let end = at(text.chars().count() - room / 2);
    Cow::Owned(format!("{}{LEFT_OUT}{}", &text[..beginning], &text[end..]))
}

/// The same in units of UTF-16, by which AWS counts; no character is divided.
#[cfg(feature = "agent")]
pub(crate) fn within_units(text: &str, limit: usize) -> Cow<'_, str> {
    let units = |text: &str| text.chars().map(char::len_utf16).sum::<usize>();
    if text.len() <= limit || units(text) <= limit {
        return Cow::Borrowed(text);
    }
    let room = limit.saturating_sub(1);
    let taken = |letters: &mut dyn Iterator<Item = char>, room: usize| {
        let mut used = 0;
        letters
            .take_while(|letter| {
                used += letter.len_utf16();
                used <= room
            })
            .map(char::len_utf8)
            .sum::<usize>()
    };
    let beginning = taken(&mut text.chars(), room - room / 2);
    let end = text.len() - taken(&mut text.chars().rev(), room / 2);
    Cow::Owned(format!("{}{LEFT_OUT}{}", &text[..beginning], &text[end..]))
}

#[cfg(test)]
mod tests {
    #[cfg(feature = "agent")]
    use super::within_units;
    use super::{within_bytes, within_characters};

    #[cfg(feature = "agent")]
    #[test]
    fn no_pair_of_utf_16_is_divided() {
        assert_eq!(within_units("a\u{1f525}b", 4), "a\u{1f525}b");
        assert_eq!(within_units("\u{1f525}\u{1f525}b", 4), "\u{1f525}\u{2026}b");
        assert_eq!(
            within_units("\u{1f525}\u{1f525}\u{1f525}", 5),
            "\u{1f525}\u{2026}\u{1f525}"
        );
        // The 1,024th unit is the second half of a character.
        let text = format!("{}\u{1f525}", "x".repeat(1_023));
        assert_eq!(text.encode_utf16().count(), 1_025);
        for limit in 0..=text.len() {
            let cut = within_units(&text, limit);
            assert!(cut.encode_utf16().count() <= limit.max(1), "{limit}: {cut}");
        }
    }

    #[test]
    fn what_does_not_fit_keeps_its_beginning_and_its_end() {
        assert_eq!(within_bytes("aéx", 4), "aéx");
        assert_eq!(within_bytes("0123456789", 9), "012…789");
        assert_eq!(within_bytes("é".repeat(9).as_str(), 10), "éé…é");
        assert_eq!(within_bytes("012345", 2), "01");
        assert_eq!(within_characters("aéx", 3), "aéx");
        assert_eq!(within_characters("ééé456789", 6), "ééé…89");
        assert_eq!(within_characters("0123456789", 1), "…");
    }

    #[test]
    fn no_limit_is_exceeded_and_no_character_divided() {
        let text = "añ…🔥b".repeat(40);
        for limit in 0..=text.len() {
            let bytes = within_bytes(&text, limit);
            assert!(bytes.len() <= limit, "{limit}: {bytes}");
            // What a character divided in two leaves free.
            assert!(bytes.len() + 6 >= limit, "{limit}: {bytes}");
            let characters = within_characters(&text, limit).chars().count();
            let expected = text.chars().count().min(limit.max(1));
            assert_eq!(characters, expected);
        }
    }
}
