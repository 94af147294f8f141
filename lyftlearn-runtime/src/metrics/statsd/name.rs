//! A metric's name and tags, in the words of Prometheus.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Metric, Refusal, Type};

/// Of a name without its tags.
const NAME_BYTES: usize = 255;
/// Of a line.
const TAGS: usize = 64;
/// Of a tag's name and value.
const TAG_BYTES: usize = 256;
/// What a client says of this runtime would be taken for what it says itself.
const OURS: &str = "lyftlearn_runtime_";
/// What a line's timers become.
pub(crate) const SECONDS: &str = "_seconds";

/// How tags may stand in a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Dialect {
    /// `name.__key=value`
    Lyft,
    /// `name#key=value,key=value`
    Librato,
    /// `name[key=value].rest`
    SignalFx,
    /// `name,key=value`
    InfluxDb,
    /// `name;key=value`
    Graphite,
}

impl Dialect {
    /// Dialects whose separators do not occur in names by accident.
    pub(crate) const USUAL: [Self; 3] = [Self::Lyft, Self::Librato, Self::SignalFx];

    /// The name without tags, and the tags with their separators; `None` if the name has no tags of
    /// this dialect.
    fn split(self, name: &str) -> Option<(String, Vec<&str>)> {
        let listed = |by: char, between: char| {
            let (name, tags) = name.split_once(by)?;
            tags.contains('=')
                .then(|| (name.to_owned(), tags.split(between).collect()))
        };
        match self {
            Self::Lyft => {
                let (name, tags) = name.split_once(".__")?;
                tags.contains('=')
                    .then(|| (name.to_owned(), tags.split(".__").collect()))
            }
            Self::Librato => listed('#', ','),
            Self::InfluxDb => listed(',', ','),
            Self::Graphite => listed(';', ';'),
            Self::SignalFx => {
                let (before, rest) = name.split_once('[')?;
                let (tags, after) = rest.split_once(']')?;
                tags.contains('=')
                    .then(|| (format!("{before}{after}"), tags.split(',').collect()))
            }
        }
    }
}

/// What tells a series from every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Series {
    /// As it was sent, as far as Prometheus takes it.
    pub(crate) base: String,
    /// The same with what a timer adds.
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
}

impl Series {
    /// A metric's, by the dialects that may stand in its name.
    pub(crate) fn of(metric: &Metric<'_>, dialects: &[Dialect]) -> Result<Self, Refusal> {
        let name = text(metric.name)?;
        let mut labels = Labels {
            kind: metric.kind,
            found: BTreeMap::new(),
            count: 0,
        };
        let inline = dialects.iter().find_map(|dialect| dialect.split(name));
        let plain = match inline {
            Some((plain, tags)) => {
                if metric.tags.fields().iter().any(|field| !field.is_empty()) {
                    return Err(Refusal::MixedTags);
                }
                for tag in tags {
                    labels.add(tag, '=')?;
                }
                plain
            }
            None => name.to_owned(),
        };
        for field in metric.tags.fields() {
            for tag in text(field)?.split(',') {
                labels.add(tag, ':')?;
            }
        }
        let base = legal(&plain);
        if plain.is_empty() || base.starts_with(OURS) {
            return Err(Refusal::Name);
        }
        let suffix = match metric.kind {
            Type::Timer if !base.ends_with(SECONDS) => SECONDS,
            _ => "",
        };
        let name = format!("{base}{suffix}");
        if name.len() > NAME_BYTES {
            return Err(Refusal::TooLong);
        }
        Ok(Self {
            base,
            name,
            labels: labels.found,
        })
    }
}

struct Labels {
    kind: Type,
    found: BTreeMap<String, String>,
    count: usize,
}

impl Labels {
    /// Of two of one name the last counts, also where they were two before: `a.b`, `a_b`.
    fn add(&mut self, tag: &str, between: char) -> Result<(), Refusal> {
        if tag.is_empty() {
            return Ok(());
        }
        self.count += 1;
        if self.count > TAGS || tag.len() > TAG_BYTES {
            return Err(Refusal::Tags);
        }
        let (key, value) = tag.split_once(between).unwrap_or((tag, "true"));
        if key.is_empty() {
            return Ok(());
        }
        let key = legal(key);
        let distribution = matches!(self.kind, Type::Timer | Type::Histogram);
        let reserved =
            key.starts_with("__") || distribution && matches!(key.as_str(), "le" | "quantile");
        if !reserved {
            self.found.insert(key, value.to_owned());
        }
        Ok(())
    }
}

fn text(bytes: &[u8]) -> Result<&str, Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|_| Refusal::Encoding)?;
    if text.chars().any(char::is_control) {
        return Err(Refusal::Encoding);
    }
    Ok(text)
}

/// Every character that Prometheus does not take becomes one `_`; a digit at the beginning
/// gets one before it, so that `1x` and `2x` stay two.
fn legal(name: &str) -> String {
    let digit = name.starts_with(|first: char| first.is_ascii_digit());
    let letters = name.chars().map(|letter| match letter {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => letter,
        _ => '_',
    });
    digit.then_some('_').into_iter().chain(letters).collect()
}
