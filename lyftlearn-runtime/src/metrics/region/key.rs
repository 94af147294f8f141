//! What tells one series from every other: its name, and its labels in order.

use super::fault::MetricFault;
use crate::error::Error;

/// Of a metric's or a label's name.
pub(super) const NAME_BYTES: usize = 255;
/// Of one series.
pub(super) const LABELS: usize = 64;
/// Of a key with everything in it.
pub(super) const TEXT_BYTES: usize = 4_096;

/// A name and labels, as a region holds them.
///
/// ```
/// use lyftlearn_runtime::metrics::region::Key;
///
/// Key::new("rows_total", [("split", "train")])?;
/// let error = Key::new("rows", [("a-b", "x")]).unwrap_err();
/// assert_eq!(error.to_string(), r#"metric "rows": "a-b" is not a label's name"#);
/// # Ok::<(), lyftlearn_runtime::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Texts, each after its length; filled up to whole words.
    encoded: Vec<u8>,
    bytes: usize,
}

impl Key {
    /// A series as Prometheus names it.
    ///
    /// # Errors
    ///
    /// If a name is invalid, a label is duplicate, or the key is too long.
    pub fn new<'a>(
        name: &'a str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Error> {
        if !is_name(name, ":") {
            return Err(MetricFault::Name {
                metric: shown(name),
            }
            .into());
        }
        let labels: Vec<(&str, &str)> = labels.into_iter().collect();
        for (label, _) in &labels {
            if !is_name(label, "") || label.starts_with("__") {
                return Err(MetricFault::Label {
                    metric: shown(name),
                    label: shown(label),
                }
                .into());
            }
        }
        Self::of_any(name, labels)
    }

    /// A series as somebody else names it: any text that is not too long.
    ///
    /// # Errors
    ///
    /// When a label comes twice, or all of it is too long.
    pub fn of_any<'a>(
        name: &'a str,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Error> {
        let mut labels: Vec<(&str, &str)> = labels.into_iter().collect();
        labels.sort_unstable();
        if let Some(pair) = labels.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(MetricFault::Twice {
                metric: shown(name),
                label: shown(pair[0].0),
            }
            .into());
        }
        let texts = labels.iter().flat_map(|(label, value)| [*label, *value]);
        Self::of_texts(name, texts)
    }

    /// The description of a metric, which is stored like a series.
    pub(super) fn about<'a>(name: &'a str, unit: &'a str, help: &'a str) -> Result<Self, Error> {
        Self::of_texts(name, [unit, help].into_iter())
    }

    fn of_texts<'a>(
        name: &'a str,
        rest: impl Iterator<Item = &'a str> + Clone,
    ) -> Result<Self, Error> {
        let texts = std::iter::once(name).chain(rest);
        let (mut count, mut bytes) = (0, 0);
        for text in texts.clone() {
            count += 1;
            bytes += 2 + text.len();
        }
        if name.len() > NAME_BYTES || count > 1 + 2 * LABELS || bytes > TEXT_BYTES {
            return Err(MetricFault::TooLong {
                metric: shown(name),
            }
            .into());
        }
        let whole = bytes.next_multiple_of(8);
        let mut encoded = Vec::with_capacity(whole);
        for text in texts {
            let length = u16::try_from(text.len()).expect("shorter than TEXT_BYTES");
            encoded.extend_from_slice(&length.to_le_bytes());
            encoded.extend_from_slice(text.as_bytes());
        }
        encoded.resize(whole, 0);
        Ok(Self { encoded, bytes })
    }

    pub(super) fn words(&self) -> impl ExactSizeIterator<Item = u64> {
        let (words, _) = self.encoded.as_chunks();
        words.iter().map(|word| u64::from_le_bytes(*word))
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The texts that a key holds, where the region's keys were copied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Texts<'a>(&'a [u8]);

impl<'a> Texts<'a> {
    /// `None` when they are no key.
    pub(super) fn of(encoded: &'a [u8], bytes: usize) -> Option<Self> {
        let mut rest = encoded.get(..bytes)?;
        let texts = Self(rest);
        while !rest.is_empty() {
            let text;
            (text, rest) = first(rest)?;
            std::str::from_utf8(text).ok()?;
        }
        (bytes > 0).then_some(texts)
    }

    pub(super) fn bytes(self) -> usize {
        self.0.len()
    }

    /// Each of them, in bytes: these are in the same order as the texts.
    pub(super) fn parts(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let text;
            (text, rest) = first(rest)?;
            Some(text)
        })
    }

    /// Each text as an owned string.
    pub(super) fn owned(self) -> impl Iterator<Item = String> {
        // Nothing is lost: it was looked at before.
        (self.parts()).map(|text| String::from_utf8_lossy(text).into_owned())
    }
}

/// A text after its length, and what follows it.
fn first(encoded: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = encoded.split_first_chunk()?;
    rest.split_at_checked(u16::from_le_bytes(*length).into())
}

/// Hash of a key, which is compared before the key is.
pub(super) fn hash(kind: u8, words: impl Iterator<Item = u64>) -> u64 {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash ^ word).wrapping_mul(MULTIPLIER).rotate_left(29);
    let hash = words.fold(mix(0, kind.into()), mix);
    hash ^ (hash >> 32)
}

fn is_name(name: &str, also: &str) -> bool {
    let letter =
        |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || also.as_bytes().contains(&byte);
    let mut bytes = name.bytes();
    bytes.next().is_some_and(letter) && bytes.all(|byte| letter(byte) || byte.is_ascii_digit())
}

/// As much of a name as a report takes.
fn shown(name: &str) -> String {
    name.chars().take(NAME_BYTES).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{Key, Texts};

    /// The report on each of them.
    fn refused<'a>(
        series: impl IntoIterator<Item = (&'a str, &'a [(&'a str, &'a str)])>,
    ) -> String {
        let key = |(name, labels): (&str, &[(&str, &str)])| {
            Key::new(name, labels.iter().copied()).unwrap_err().report()
        };
        series.into_iter().map(key).collect()
    }

    #[test]
    fn every_mistake_names_the_metric() {
        let names = ["", "1st", "a.b", "a-b", "é"];
        expect![[r#"
            lyftlearn-runtime: metric "": not a valid name
              hint: a name has letters, digits, _ and :, and does not begin with a digit
            lyftlearn-runtime: metric "1st": not a valid name
              hint: a name has letters, digits, _ and :, and does not begin with a digit
            lyftlearn-runtime: metric "a.b": not a valid name
              hint: a name has letters, digits, _ and :, and does not begin with a digit
            lyftlearn-runtime: metric "a-b": not a valid name
              hint: a name has letters, digits, _ and :, and does not begin with a digit
            lyftlearn-runtime: metric "é": not a valid name
              hint: a name has letters, digits, _ and :, and does not begin with a digit
        "#]]
        .assert_eq(&refused(names.map(|name| (name, [].as_slice()))));
        let labels = ["", "a:b", "__name__", "1"].map(|label| [(label, "x")]);
        expect![[r#"
            lyftlearn-runtime: metric "rows": "" is not a label's name
              hint: a label's name has letters, digits and _, and begins neither with a digit nor with __
            lyftlearn-runtime: metric "rows": "a:b" is not a label's name
              hint: a label's name has letters, digits and _, and begins neither with a digit nor with __
            lyftlearn-runtime: metric "rows": "__name__" is not a label's name
              hint: a label's name has letters, digits and _, and begins neither with a digit nor with __
            lyftlearn-runtime: metric "rows": "1" is not a label's name
              hint: a label's name has letters, digits and _, and begins neither with a digit nor with __
        "#]].assert_eq(&refused(
            labels.each_ref().map(|label| ("rows", label.as_slice())),
        ));
        let long = "x".repeat(5_000);
        expect![[r#"
            lyftlearn-runtime: metric "rows": duplicate label "a"
            lyftlearn-runtime: metric "rows": names, labels or texts are too long
              hint: a name has 255 bytes at most, a series 64 labels, and all of it 4096 bytes
        "#]]
        .assert_eq(&refused([
            ("rows", [("a", "x"), ("b", "x"), ("a", "y")].as_slice()),
            ("rows", [("a", long.as_str())].as_slice()),
        ]));
    }

    #[test]
    fn a_label_s_value_is_never_shown() {
        let error = Key::new("rows", [("a-b", "canary")]).unwrap_err();
        assert!(!format!("{error:?}{}", error.report()).contains("canary"));
    }

    #[test]
    fn the_order_of_labels_does_not_matter_and_the_texts_come_back() {
        let key = Key::new("rows", [("b", "2"), ("a", "ä\n")]).unwrap();
        assert_eq!(key, Key::new("rows", [("a", "ä\n"), ("b", "2")]).unwrap());
        let found = Texts::of(&key.encoded, key.bytes()).unwrap();
        let found: Vec<String> = found.owned().collect();
        assert_eq!(found, ["rows", "a", "ä\n", "b", "2"]);
        for damaged in [0, 1, key.bytes() - 1, 4_096] {
            assert_eq!(Texts::of(&key.encoded, damaged), None);
        }
    }
}
