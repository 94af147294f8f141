//! Enums of which each value is spelled as one word.

/// An enum whose spellings are listed in one place; [`choice!`] makes it.
pub(crate) trait Choice: Copy + PartialEq + 'static {
    const VALUES: &'static [Self];
    /// The words of the values, in their order.
    const WORDS: &'static [&'static str];
    /// `a, b or c`.
    const ONE: &'static str;
    /// `a list of a, b and c`.
    const LIST: &'static str;

    /// The value that a word spells.
    fn of(word: &str) -> Option<Self> {
        let at = Self::WORDS.iter().position(|known| *known == word)?;
        Self::VALUES.get(at).copied()
    }

    /// The word that spells this value.
    #[cfg(any(test, all(feature = "agent", feature = "cli")))]
    fn word(self) -> &'static str {
        let at = Self::VALUES.iter().position(|known| *known == self);
        at.map_or("", |at| Self::WORDS[at])
    }
}

/// Makes an enum a [`Choice`]: each of its values, with its word.
macro_rules! choice {
    ($name:ty { $($value:expr => $word:literal),+ $(,)? }) => {
        impl $crate::choice::Choice for $name {
            const VALUES: &'static [Self] = &[$($value),+];
            const WORDS: &'static [&'static str] = &[$($word),+];
            const ONE: &'static str = $crate::choice::joined!(" or ", $($word),+);
            const LIST: &'static str =
                concat!("a list of ", $crate::choice::joined!(" and ", $($word),+));
        }
    };
}
pub(crate) use choice;

/// Words with commas, and before the last of them another text.
macro_rules! joined {
    ($last:literal, $a:literal) => { $a };
    ($last:literal, $a:literal, $b:literal) => { concat!($a, $last, $b) };
    ($last:literal, $a:literal, $($more:literal),+) => {
        concat!($a, ", ", $crate::choice::joined!($last, $($more),+))
    };
}
pub(crate) use joined;

#[cfg(test)]
mod tests {
    use super::Choice;

    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Size {
        Small,
        Large,
        Huge,
    }

    choice!(Size {
        Self::Small => "small",
        Self::Large => "large",
        Self::Huge => "huge",
    });

    #[test]
    fn a_word_is_a_value_and_back() {
        assert_eq!(Size::of("large"), Some(Size::Large));
        assert_eq!(Size::of("Large"), None);
        assert_eq!(Size::Huge.word(), "huge");
        assert_eq!(Size::ONE, "small, large or huge");
        assert_eq!(Size::LIST, "a list of small, large and huge");
    }
}
