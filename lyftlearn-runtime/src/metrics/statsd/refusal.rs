//! Why a line does not count.

/// A closed list: no text of a line ever becomes a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no `name:value|type` in it.
    Structure,
    Name,
    Value,
    Type,
    Rate,
    Tags,
    Timestamp,
    /// Tags in the name and behind `#`.
    MixedTags,
    /// A name or tag is not UTF-8, or has control characters.
    Encoding,
    TooLong,
    Event,
    Check,
    /// The name is another type's.
    Conflict,
    /// There is no room for another series.
    Series,
    /// There is no room for another member of a set.
    Members,
    /// A frame's length is more than a frame has.
    Frame,
}

impl Refusal {
    pub(crate) const ALL: [Self; 16] = [
        Self::Structure,
        Self::Name,
        Self::Value,
        Self::Type,
        Self::Rate,
        Self::Tags,
        Self::Timestamp,
        Self::MixedTags,
        Self::Encoding,
        Self::TooLong,
        Self::Event,
        Self::Check,
        Self::Conflict,
        Self::Series,
        Self::Members,
        Self::Frame,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Name => "name",
            Self::Value => "value",
            Self::Type => "type",
            Self::Rate => "rate",
            Self::Tags => "tags",
            Self::Timestamp => "timestamp",
            Self::MixedTags => "mixed-tags",
            Self::Encoding => "encoding",
            Self::TooLong => "too-long",
            Self::Event => "event",
            Self::Check => "check",
            Self::Conflict => "conflict",
            Self::Series => "series",
            Self::Members => "members",
            Self::Frame => "frame",
        }
    }
}
