//! Names and texts as documents have them, on their way to be sorted.

use std::borrow::Cow;

/// A name or a text.
pub(crate) enum Piece<'a> {
    /// A part of the documents that stands the same between quotes in JSON.
    Verbatim(&'a str),
    /// Anything else.
    Other(Cow<'a, str>),
}

/// Where a name or a text lies.
#[derive(Clone, Copy)]
pub(super) struct Span {
    start: u32,
    length: u32,
}

impl Span {
    pub(super) fn start(self) -> usize {
        self.start as usize
    }

    pub(super) fn length(self) -> usize {
        self.length as usize
    }

    pub(super) fn of(self, all: &str) -> &str {
        let start = self.start();
        &all[start..start + self.length()]
    }

    /// With the quotes that it stands between.
    pub(super) fn quoted(self, all: &str) -> Option<&[u8]> {
        let start = self.start().checked_sub(1)?;
        let quoted = all
            .as_bytes()
            .get(start..self.start() + self.length() + 1)?;
        (quoted.starts_with(b"\"") && quoted.ends_with(b"\"")).then_some(quoted)
    }
}

/// A name, and its text.
pub(super) type Pair = (Span, Span);

/// Pieces of documents, and what these do not have as it is, in the order in which they came.
pub(crate) struct Pieces<'a> {
    documents: &'a str,
    others: String,
    pairs: Vec<Pair>,
    /// Whether each name came after those that sort before it. Most documents are written
    /// so, and a large one takes as long to sort as to read.
    ascending: bool,
    /// Places by name, where that is known already.
    by_name: Option<Vec<u32>>,
}

/// The same by name, each once.
pub(crate) struct Sorted {
    pub(super) others: String,
    pub(super) pairs: Vec<Pair>,
}

impl<'a> Pieces<'a> {
    pub(crate) fn of(documents: &'a str) -> Self {
        Self {
            documents,
            others: String::new(),
            pairs: Vec::new(),
            ascending: true,
            by_name: None,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    pub(crate) fn push(&mut self, name: Piece<'a>, text: Piece<'a>) {
        let pair = (self.place(name), self.place(text));
        self.ascending = self.ascending
            && self
                .pairs
                .last()
                .is_none_or(|(last, _)| self.text(*last) < self.text(pair.0));
        self.pairs.push(pair);
    }

    /// Names that came more than once since so many were there, in order.
    pub(crate) fn twice_since(&mut self, before: usize) -> Vec<&str> {
        if self.ascending {
            return Vec::new();
        }
        let by_name = self.by_name(before);
        let twice = by_name
            .chunk_by(|a, b| self.name(*a as usize) == self.name(*b as usize))
            .filter(|equal| equal.len() > 1)
            .map(|equal| equal[0] as usize)
            .collect::<Vec<_>>();
        // Of the first document, which is as a rule the only one.
        self.by_name = (before == 0).then_some(by_name);
        twice.into_iter().map(|at| self.name(at)).collect()
    }

    /// By name, with the order in which they came: each by its place there. Of equal names
    /// the last one's text counts, and the first one's place.
    pub(crate) fn sorted(mut self) -> (Sorted, Vec<u32>) {
        let mut order: Vec<u32> = (0..).take(self.len()).collect();
        if !self.ascending {
            let known = self.by_name.take();
            let came = known.filter(|known| known.len() == self.len());
            let came = came.unwrap_or_else(|| self.by_name(0));
            let mut pairs: Vec<Pair> = Vec::with_capacity(self.len());
            let mut first: Vec<u32> = Vec::with_capacity(self.len());
            let equal = came.chunk_by(|a, b| self.name(*a as usize) == self.name(*b as usize));
            for equal in equal {
                // Never empty, and stable: the last one came last.
                pairs.extend(equal.last().map(|at| self.pairs[*at as usize]));
                first.extend(equal.first());
            }
            order = (0..).take(pairs.len()).collect();
            order.sort_unstable_by_key(|place| first[*place as usize]);
            self.pairs = pairs;
        }
        let sorted = Sorted {
            others: self.others,
            pairs: self.pairs,
        };
        (sorted, order)
    }

    /// Places since so many were there, by name; those of one name as they came.
    fn by_name(&self, before: usize) -> Vec<u32> {
        let names = || (before..self.len()).map(|at| self.name(at).as_bytes());
        let first = names().next().unwrap_or_default();
        let shared = names().fold(first.len(), |shared, name| {
            let pairs = first[..shared].iter().zip(name);
            pairs.take_while(|(a, b)| a == b).count()
        });
        let mut places: Vec<u32> = (0..).take(self.len()).skip(before).collect();
        // Beside each other: to look where a million names lie takes longer than to compare them.
        places.sort_by_cached_key(|place| {
            let name = self.name(*place as usize);
            (head(&name.as_bytes()[shared..]), name)
        });
        places
    }

    fn name(&self, at: usize) -> &str {
        self.text(self.pairs[at].0)
    }

    fn text(&self, span: Span) -> &str {
        match span.start().checked_sub(self.documents.len()) {
            Some(start) => &self.others[start..start + span.length()],
            None => span.of(self.documents),
        }
    }

    fn place(&mut self, piece: Piece<'a>) -> Span {
        let (start, length) = match &piece {
            Piece::Verbatim(text) => {
                let start = text.as_ptr() as usize - self.documents.as_ptr() as usize;
                (start, text.len())
            }
            Piece::Other(text) => {
                let start = self.documents.len() + self.others.len();
                self.others.push_str(text);
                (start, text.len())
            }
        };
        let fits = |length: usize| u32::try_from(length).expect("texts of less than 4 GiB");
        // Its end fits, too.
        fits(start + length);
        Span {
            start: fits(start),
            length: fits(length),
        }
    }
}

/// A name's first letters as a number: of two names the one with the lesser number is the lesser.
fn head(name: &[u8]) -> u128 {
    let mut head = [0; 16];
    let length = name.len().min(head.len());
    head[..length].copy_from_slice(&name[..length]);
    u128::from_be_bytes(head)
}
