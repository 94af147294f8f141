//! Texts by name, in one piece of memory: there may be a million of them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};

/// Values by name, sorted by it. `Debug` shows names only: a value may be a secret.
#[derive(Clone, Default)]
pub struct Texts {
    /// Every name and every text, one after the other.
    all: String,
    /// Where each name ends in it, and where its text does, in the order of the names.
    ends: Vec<(usize, usize)>,
}

impl Texts {
    /// Pairs that are sorted by name, and have each name once.
    pub(crate) fn of_sorted<'a>(
        pairs: impl ExactSizeIterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Self {
        let bytes = pairs.clone().map(|(name, text)| name.len() + text.len());
        let mut texts = Self {
            all: String::with_capacity(bytes.sum()),
            ends: Vec::with_capacity(pairs.len()),
        };
        for (name, text) in pairs {
            texts.all.push_str(name);
            let name = texts.all.len();
            texts.all.push_str(text);
            texts.ends.push((name, texts.all.len()));
        }
        texts
    }

    /// The document that is delivered: compact JSON, names in code point order,
    /// every value a string. The same values give the same bytes on any platform.
    #[must_use]
    pub fn to_document(&self) -> Vec<u8> {
        /// Quotes, a colon and a comma.
        const AROUND: usize = 6;
        let mut document = Vec::with_capacity(self.all.len() + AROUND * self.len() + 2);
        serde_json::to_writer(&mut document, self)
            .expect("a map of strings has no failure to report");
        document
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
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

    fn at(&self, place: usize) -> (&str, &str) {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before].1);
        let (name, text) = self.ends[place];
        (&self.all[start..name], &self.all[name..text])
    }
}

/// Of equal names the last counts.
impl<N: AsRef<str> + Ord, T: AsRef<str>> FromIterator<(N, T)> for Texts {
    fn from_iter<I: IntoIterator<Item = (N, T)>>(pairs: I) -> Self {
        let mut pairs: Vec<(N, T)> = pairs.into_iter().collect();
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        pairs.dedup_by(|(name, text), (kept, last)| {
            let equal = name == kept;
            if equal {
                std::mem::swap(text, last);
            }
            equal
        });
        let pairs = pairs.iter();
        Self::of_sorted(pairs.map(|(name, text)| (name.as_ref(), text.as_ref())))
    }
}

impl PartialEq for Texts {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all && self.ends == other.ends
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
