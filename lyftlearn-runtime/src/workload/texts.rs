//! Texts by name, in one piece of memory, where their documents were read: there may be a
//! million of them.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufWriter, Write};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use super::pieces::{Pair, Piece, Pieces, Sorted, Span};

/// Values by name, sorted by it. `Debug` shows names only: a value may be a secret.
#[derive(Clone, Default)]
pub struct Texts {
    /// The text of the documents, followed by strings that no document contains verbatim.
    all: String,
    /// Length of the documents. Strings in this part are the same between quotes in JSON.
    verbatim: usize,
    /// Where each name and its text are, in the order of the names.
    pairs: Vec<Pair>,
}

impl Texts {
    /// The document that is delivered: compact JSON, names in code point order,
    /// every value a string. The same values give the same bytes on any platform.
    #[must_use]
    pub fn to_document(&self) -> Vec<u8> {
        let mut document = Vec::new();
        self.write_document(&mut document)
            .expect("memory has no failure to report");
        document
    }

    /// Writes that document, which may be large: what the documents say is not looked at
    /// letter by letter again.
    pub(crate) fn write_document(&self, to: &mut impl Write) -> io::Result<()> {
        const AT_ONCE: usize = 64 << 10;
        const LEAST: usize = 4 << 10;
        let mut to = BufWriter::with_capacity(self.all.len().clamp(LEAST, AT_ONCE), to);
        let mut before: &[u8] = b"{";
        for (name, text) in &self.pairs {
            to.write_all(before)?;
            self.write(*name, &mut to)?;
            to.write_all(b":")?;
            self.write(*text, &mut to)?;
            before = b",";
        }
        to.write_all(if self.is_empty() { b"{}" } else { b"}" })?;
        to.flush()
    }

    fn write(&self, span: Span, to: &mut impl Write) -> io::Result<()> {
        if span.start() >= self.verbatim {
            return Ok(serde_json::to_writer(to, span.of(&self.all))?);
        }
        if let Some(quoted) = span.quoted(&self.all) {
            return to.write_all(quoted);
        }
        to.write_all(b"\"")?;
        to.write_all(span.of(&self.all).as_bytes())?;
        to.write_all(b"\"")
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The text of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut places = 0..self.len();
        while !places.is_empty() {
            let middle = places.start + places.len() / 2;
            let (found, text) = self.at(middle);
            match found.cmp(name) {
                std::cmp::Ordering::Equal => return Some(text),
                std::cmp::Ordering::Less => places.start = middle + 1,
                std::cmp::Ordering::Greater => places.end = middle,
            }
        }
        None
    }

    /// Names and texts, in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> + Clone {
        (0..self.len()).map(|place| self.at(place))
    }

    /// The names, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.iter().map(|(name, _)| name)
    }

    /// How many bytes each name and its text have, in the order of the names.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = usize> + Clone {
        let pairs = self.pairs.iter();
        pairs.map(|(name, text)| name.length() + text.length())
    }

    /// The one at that place, in the order of the names.
    pub(crate) fn at(&self, place: usize) -> (&str, &str) {
        let (name, text) = self.pairs[place];
        (name.of(&self.all), text.of(&self.all))
    }
}

impl Sorted {
    /// As texts, beside the documents that they are pieces of.
    pub(crate) fn beside(self, documents: String) -> Texts {
        let mut all = documents;
        let verbatim = all.len();
        all.push_str(&self.others);
        Texts {
            all,
            verbatim,
            pairs: self.pairs,
        }
    }
}

/// Of equal names the last counts.
///
/// # Panics
///
/// When they are 4 GiB or more.
impl<N: AsRef<str>, T: AsRef<str>> FromIterator<(N, T)> for Texts {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(pairs: I) -> Self {
        let mut pieces = Pieces::of("");
        for (name, text) in pairs {
            let other = |text: &str| Piece::Other(Cow::Owned(text.to_owned()));
            pieces.push(other(name.as_ref()), other(text.as_ref()));
        }
        let (sorted, _) = pieces.sorted();
        sorted.beside(String::new())
    }
}

impl PartialEq for Texts {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Texts {}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
                let mut pairs: Vec<(String, String)> = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(pairs.into_iter().collect())
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

#[cfg(test)]
mod tests {
    use super::Texts;

    #[test]
    fn debug_shows_names_and_no_values() {
        let texts = Texts::from_iter([("token", "canary-value")]);
        assert_eq!(format!("{texts:?}"), r#"{"token"}"#);
    }

    #[test]
    fn every_name_is_found_and_nothing_else_is() {
        for count in [0, 1, 2, 3, 10, 1000] {
            let name = |number: usize| format!("name {number:04}");
            let pairs = (0..count)
                .rev()
                .map(|number| (name(number), number.to_string()));
            let texts: Texts = pairs.collect();
            assert_eq!(texts.len(), count);
            for number in 0..count {
                assert_eq!(texts.get(&name(number)), Some(&*number.to_string()));
            }
            for other in ["", "name", "name 00000", "name 9999", "zz"] {
                assert_eq!(texts.get(other), None, "{other}");
            }
            assert!(texts.names().is_sorted());
        }
    }

    #[test]
    fn of_equal_names_the_last_counts_and_empty_ones_are_some() {
        let texts = Texts::from_iter([("a", "1"), ("", ""), ("b", ""), ("a", "2")]);
        let pairs: Vec<_> = texts.iter().collect();
        assert_eq!(pairs, [("", ""), ("a", "2"), ("b", "")]);
        assert_eq!(texts.get(""), Some(""));
    }

    #[test]
    fn it_is_the_same_through_json() {
        let texts = Texts::from_iter([("zip", "02139"), ("note", "a\n\"b\"")]);
        let text = serde_json::to_string(&texts).unwrap();
        assert_eq!(text, r#"{"note":"a\n\"b\"","zip":"02139"}"#);
        assert_eq!(serde_json::from_str::<Texts>(&text).unwrap(), texts);
    }
}
