//! Parses StatsD and DogStatsD lines: bytes in, metrics out. **Reads no input, keeps no state, and
//! allocates nothing for a line.**
//!
//! Where servers disagree about a line, `conformance/statsd/vectors.tsv` has what each makes
//! of it and what this one does; docs/metrics.md says why.

#[cfg(test)]
mod fuzz;
mod name;
mod number;
mod refusal;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub(crate) use name::{Dialect, SECONDS, Series};
pub(crate) use number::Number;
pub(crate) use refusal::Refusal;

/// Longer than any client's packet is allowed to be on a network.
pub(crate) const LINE_BYTES: usize = 8 << 10;
/// What one line can stand for at most: a rate below is a mistake, or an attack.
const MOST_WEIGHT: f64 = 1_000_000.0;
/// `#` fields of a line.
const TAG_FIELDS: usize = 4;

/// Where lines come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Listener {
    Udp,
    Udp6,
    /// A port that only DogStatsD clients are pointed at.
    Dogstatsd,
    Tcp,
    Tcp6,
    Datagram,
    Stream,
}

impl Listener {
    pub(crate) const ALL: [Self; 7] = [
        Self::Udp,
        Self::Udp6,
        Self::Dogstatsd,
        Self::Tcp,
        Self::Tcp6,
        Self::Datagram,
        Self::Stream,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Udp6 => "udp6",
            Self::Dogstatsd => "dogstatsd",
            Self::Tcp => "tcp",
            Self::Tcp6 => "tcp6",
            Self::Datagram => "datagram",
            Self::Stream => "stream",
        }
    }
}

/// What a sign before a gauge's value means. The same bytes mean one thing in StatsD and
/// another in DogStatsD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Sign {
    /// A value at listeners that only DogStatsD clients use (unix sockets and the port that they
    /// are pointed at); elsewhere a delta.
    #[default]
    ByListener,
    Delta,
    Value,
}

impl Sign {
    pub(crate) fn is_delta(self, from: Listener) -> bool {
        match self {
            Self::ByListener => !matches!(
                from,
                Listener::Dogstatsd | Listener::Datagram | Listener::Stream
            ),
            Self::Delta => true,
            Self::Value => false,
        }
    }
}

/// What clients mean that their lines do not say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rules {
    /// How tags may stand in a name.
    pub(crate) dialects: Vec<Dialect>,
    pub(crate) sign: Sign,
    /// Name prefixes of timers that count in microseconds although their lines have `ms`.
    pub(crate) microseconds: Vec<String>,
    /// Name prefixes of counters that send running totals.
    pub(crate) cumulative: Vec<String>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            dialects: Dialect::USUAL.to_vec(),
            sign: Sign::default(),
            microseconds: Vec::new(),
            cumulative: Vec::new(),
        }
    }
}

/// A metric's type, as a line says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Type {
    Counter,
    Gauge,
    /// In milliseconds.
    Timer,
    Histogram,
    Set,
}

impl Type {
    fn of(word: &[u8]) -> Option<Self> {
        match word {
            b"c" => Some(Self::Counter),
            b"g" => Some(Self::Gauge),
            b"ms" => Some(Self::Timer),
            b"h" | b"d" => Some(Self::Histogram),
            b"s" => Some(Self::Set),
            _ => None,
        }
    }

    /// A byte for each.
    pub(crate) fn letter(self) -> u8 {
        match self {
            Self::Counter => b'c',
            Self::Gauge => b'g',
            Self::Timer => b'm',
            Self::Histogram => b'h',
            Self::Set => b's',
        }
    }
}

/// What a line is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line<'a> {
    /// Nothing.
    Blank,
    Metric(Metric<'a>),
    /// Several values, each with a type of its own: `name:1|c:320|ms`.
    Several(Several<'a>),
    Event,
    Check,
}

/// One line's word on one series.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Metric<'a> {
    /// As it was written, with the tags in it.
    pub(crate) name: &'a [u8],
    pub(crate) kind: Type,
    pub(crate) values: Values<'a>,
    /// How many events each value stands for.
    pub(crate) weight: f64,
    /// A rate was so small that it was not taken at its word.
    pub(crate) clamped: bool,
    pub(crate) tags: Tags<'a>,
}

/// A line's values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Values<'a> {
    One(Number),
    /// Numbers between colons.
    Packed(&'a [u8]),
    /// A set's.
    Member(&'a [u8]),
}

impl Values<'_> {
    /// Numbers, in order.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = Number> + '_ {
        let (one, packed): (Option<Number>, &[u8]) = match self {
            Self::One(number) => (Some(*number), b""),
            Self::Packed(packed) => (None, packed),
            Self::Member(_) => (None, b""),
        };
        let packed = packed.split(|byte| *byte == b':');
        one.into_iter().chain(packed.filter_map(Number::of))
    }
}

/// The `#` fields of a line, without the `#`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Tags<'a> {
    fields: [&'a [u8]; TAG_FIELDS],
    count: usize,
}

impl<'a> Tags<'a> {
    fn add(&mut self, field: &'a [u8]) -> Result<(), Refusal> {
        let place = self.fields.get_mut(self.count).ok_or(Refusal::Tags)?;
        *place = field;
        self.count += 1;
        Ok(())
    }

    pub(crate) fn fields(&self) -> &[&'a [u8]] {
        &self.fields[..self.count]
    }
}

/// Values of several types under one name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Several<'a> {
    name: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Several<'a> {
    /// The metrics of the line, each as from a line of its own.
    pub(crate) fn metrics(self) -> impl Iterator<Item = Result<Metric<'a>, Refusal>> {
        let parts = self.rest.split(|byte| *byte == b':');
        parts.map(move |part| {
            let bar = memchr::memchr(b'|', part).ok_or(Refusal::Structure)?;
            let values = Values::One(Number::of(&part[..bar]).ok_or(Refusal::Value)?);
            let (kind, fields) = first(&part[bar + 1..]);
            let kind = Type::of(kind).ok_or(Refusal::Type)?;
            let metric = Metric::new(self.name, kind, values);
            metric.with_fields(fields)
        })
    }
}

/// What a line says, without its end.
pub(crate) fn parse(line: &[u8]) -> Result<Line<'_>, Refusal> {
    let line = trimmed(line);
    match line.first() {
        None => return Ok(Line::Blank),
        Some(b'_') if line.starts_with(b"_e{") => return event(line),
        Some(b'_') if line.starts_with(b"_sc|") => return check(line),
        Some(_) if line.len() > LINE_BYTES => return Err(Refusal::TooLong),
        Some(_) => {}
    }
    let bar = memchr::memchr(b'|', line).ok_or(Refusal::Structure)?;
    let (left, right) = (&line[..bar], &line[bar + 1..]);
    let colon = memchr::memchr(b':', left).ok_or(Refusal::Structure)?;
    let (word, fields) = first(right);
    let Some(kind) = Type::of(trimmed(word)) else {
        return several(line, colon, word, fields).ok_or(Refusal::Type);
    };
    let (name, values) = match kind {
        // A member may hold anything.
        Type::Set => (&left[..colon], Values::Member(&left[colon + 1..])),
        _ => values(left, colon)?,
    };
    if name.is_empty() {
        return Err(Refusal::Name);
    }
    let metric = Metric::new(name, kind, values);
    match metric.with_fields(fields) {
        Ok(metric) => metric.checked().map(Line::Metric),
        Err(Refusal::Rate) => several(line, colon, word, fields).ok_or(Refusal::Rate),
        Err(refusal) => Err(refusal),
    }
}

/// Up to the first `|`, and what follows it.
fn first(fields: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'|', fields) {
        Some(bar) => (&fields[..bar], &fields[bar + 1..]),
        None => (fields, b""),
    }
}

fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\r' | b'\n' | b'\t'] = text {
        text = rest;
    }
    text
}

/// Splits a line into name and values. The values are the longest tail of numbers, so the name may
/// contain colons.
fn values(left: &[u8], colon: usize) -> Result<(&[u8], Values<'_>), Refusal> {
    let right = &left[colon + 1..];
    if memchr::memchr(b':', right).is_none() {
        let number = Number::of(right).ok_or(Refusal::Value)?;
        return Ok((&left[..colon], Values::One(number)));
    }
    let mut from = left.len();
    let mut any = false;
    let mut parts = right.rsplit(|byte| *byte == b':');
    while let Some(part) = parts.next_if_value() {
        any |= !part.is_empty();
        from -= part.len() + 1;
    }
    if !any {
        return Err(Refusal::Value);
    }
    Ok((&left[..from], Values::Packed(&left[from + 1..])))
}

/// The parts of a packed value from the right, while they are numbers or nothing.
trait NextValue<'a> {
    fn next_if_value(&mut self) -> Option<&'a [u8]>;
}

impl<'a, I: Iterator<Item = &'a [u8]>> NextValue<'a> for I {
    fn next_if_value(&mut self) -> Option<&'a [u8]> {
        self.next()
            .filter(|part| part.is_empty() || Number::of(part).is_some())
    }
}

/// The original server's way to send several values. DogStatsD's tags may have colons, so a line
/// with tags is not one of these.
fn several<'a>(line: &'a [u8], colon: usize, word: &[u8], fields: &[u8]) -> Option<Line<'a>> {
    let tagged = fields
        .split(|byte| *byte == b'|')
        .any(|field| field.first() == Some(&b'#'));
    let colons = word.contains(&b':') || fields.contains(&b':');
    (colons && !tagged && colon > 0).then(|| {
        Line::Several(Several {
            name: &line[..colon],
            rest: &line[colon + 1..],
        })
    })
}

impl<'a> Metric<'a> {
    fn new(name: &'a [u8], kind: Type, values: Values<'a>) -> Self {
        Self {
            name,
            kind,
            values,
            weight: 1.0,
            clamped: false,
            tags: Tags::default(),
        }
    }

    /// Fields may come in any order. Unknown fields are extensions (`c:`, `e:`, `card:`) and are
    /// ignored.
    fn with_fields(mut self, fields: &'a [u8]) -> Result<Self, Refusal> {
        if fields.is_empty() {
            return Ok(self);
        }
        let mut rated = false;
        for field in fields.split(|byte| *byte == b'|') {
            match field.split_first() {
                Some((b'#', tags)) => self.tags.add(tags)?,
                Some((b'@', rate)) => {
                    if std::mem::replace(&mut rated, true) {
                        return Err(Refusal::Rate);
                    }
                    self.rate(trimmed(rate))?;
                }
                Some((b'T', time)) if !is_time(trimmed(time)) => return Err(Refusal::Timestamp),
                _ => {}
            }
        }
        Ok(self)
    }

    fn rate(&mut self, rate: &[u8]) -> Result<(), Refusal> {
        let rate = Number::of(rate).ok_or(Refusal::Rate)?.value;
        if !(rate > 0.0 && rate <= 1.0) {
            return Err(Refusal::Rate);
        }
        // A sample rate does not change a gauge or the members of a set.
        if matches!(self.kind, Type::Gauge | Type::Set) {
            return Ok(());
        }
        self.weight = 1.0 / rate;
        if self.weight > MOST_WEIGHT {
            self.weight = MOST_WEIGHT;
            self.clamped = true;
        }
        Ok(())
    }

    fn checked(self) -> Result<Self, Refusal> {
        let negative =
            self.kind == Type::Timer && self.values.numbers().any(|number| number.value < 0.0);
        if negative || matches!(self.values, Values::Member([])) {
            return Err(Refusal::Value);
        }
        Ok(self)
    }
}

/// Seconds since 1970, from 1 on.
fn is_time(time: &[u8]) -> bool {
    let digits = !time.is_empty() && time.len() < 19 && time.iter().all(u8::is_ascii_digit);
    digits && time.iter().any(|digit| *digit != b'0')
}

/// `_e{5,4}:title|text`, and fields.
fn event<'a>(line: &[u8]) -> Result<Line<'a>, Refusal> {
    let found = || {
        let (lengths, rest) = split(line.get(3..)?, b"}:")?;
        let (title, text) = split(lengths, b",")?;
        let (title, text) = (length(title)?, length(text)?);
        let fits = rest.get(title) == Some(&b'|')
            && match rest.get(title + 1 + text) {
                Some(next) => *next == b'|',
                None => rest.len() == title + 1 + text,
            };
        fits.then_some(Line::Event)
    };
    found().ok_or(Refusal::Event)
}

/// `_sc|name|0`, and fields.
fn check<'a>(line: &[u8]) -> Result<Line<'a>, Refusal> {
    let mut fields = line.split(|byte| *byte == b'|').skip(1);
    let named = fields.next().is_some_and(|name| !name.is_empty());
    let status = fields.next().map(trimmed);
    match status {
        Some(b"0" | b"1" | b"2" | b"3") if named => Ok(Line::Check),
        _ => Err(Refusal::Check),
    }
}

fn split<'a>(text: &'a [u8], by: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(by.len()).position(|window| window == by)?;
    Some((&text[..at], &text[at + by.len()..]))
}

fn length(digits: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(digits).ok()?;
    let length = text.parse().ok().filter(|length| *length <= 1 << 20);
    length.filter(|_| digits.iter().all(u8::is_ascii_digit))
}
