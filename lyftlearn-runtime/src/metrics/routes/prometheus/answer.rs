//! Answers to Prometheus: rendered a piece at a time, packed where it asks for that.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, VARY,
};
use hyper::{Method, Request, Response, StatusCode};

use super::exposition::{Exposition, Format, negotiate, takes_gzip};
use crate::contract::metrics::{PATH, SCRAPE_TIMEOUT};

/// As Prometheus waits unless it says otherwise, and as long as anybody is waited for.
const ANSWER: Duration = Duration::from_secs(10);
const LONGEST_ANSWER: Duration = Duration::from_secs(120);
/// Less is not worth packing.
const PACKED_BYTES: usize = 1 << 10;

/// How long the client waits for the response.
pub(crate) fn patience(headers: &HeaderMap) -> Duration {
    let said = headers.get(SCRAPE_TIMEOUT);
    let said = said.and_then(|said| said.to_str().ok()?.parse().ok());
    let said = said.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    said.unwrap_or(ANSWER).min(LONGEST_ANSWER)
}

/// The answer to a request. `exposition` is asked for only if the request is one for metrics.
pub(crate) fn answer<B>(
    request: &Request<B>,
    exposition: impl FnOnce(Format) -> Exposition,
) -> Response<Answer> {
    if request.uri().path() != PATH {
        return refusal(StatusCode::NOT_FOUND, "metrics are at /metrics\n");
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut answer = refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET is supported\n");
        let headers = answer.headers_mut();
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    let format = negotiate(&all(request.headers(), &ACCEPT));
    let packed = takes_gzip(&all(request.headers(), &ACCEPT_ENCODING));
    let answer = Answer::of(exposition(format), packed);
    let packed = matches!(answer, Answer::Packed(..));
    let mut answer = Response::new(answer);
    let headers = answer.headers_mut();
    let kind = HeaderValue::from_static(format.content_type());
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(VARY, HeaderValue::from_static("Accept, Accept-Encoding"));
    if packed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    answer
}

/// A header that comes several times is one list (RFC 9110, section 5.3).
fn all(headers: &HeaderMap, name: &hyper::header::HeaderName) -> String {
    let values = headers.get_all(name).iter();
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

fn refusal(status: StatusCode, message: &'static str) -> Response<Answer> {
    let mut answer = Response::new(Answer::Whole(Some(Bytes::from_static(message.as_bytes()))));
    *answer.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

/// A body that is rendered while it is read.
pub(crate) enum Answer {
    Whole(Option<Bytes>),
    Pieces(std::iter::Chain<std::vec::IntoIter<String>, Exposition>),
    Packed(
        std::iter::Chain<std::vec::IntoIter<String>, Exposition>,
        Option<GzEncoder<Vec<u8>>>,
    ),
}

impl Answer {
    fn of(mut exposition: Exposition, packed: bool) -> Self {
        let first: Vec<String> = exposition.by_ref().take(2).collect();
        let whole: usize = first.iter().map(String::len).sum();
        if first.len() < 2 && (!packed || whole <= PACKED_BYTES) {
            return Self::Whole(Some(first.concat().into()));
        }
        let pieces = first.into_iter().chain(exposition);
        if packed {
            Self::Packed(
                pieces,
                Some(GzEncoder::new(Vec::new(), Compression::fast())),
            )
        } else {
            Self::Pieces(pieces)
        }
    }

    pub(crate) fn next(&mut self) -> Option<Bytes> {
        match self {
            Self::Whole(text) => text.take(),
            Self::Pieces(pieces) => pieces.next().map(Bytes::from),
            Self::Packed(pieces, packing) => loop {
                let Some(piece) = pieces.next() else {
                    return packing.take()?.finish().ok().map(Bytes::from);
                };
                let packing = packing.as_mut()?;
                packing.write_all(piece.as_bytes()).ok()?;
                let packed = std::mem::take(packing.get_mut());
                if !packed.is_empty() {
                    return Some(packed.into());
                }
            },
        }
    }

    /// How many bytes there are, where that is known beforehand.
    pub(crate) fn exact_bytes(&self) -> Option<usize> {
        match self {
            Self::Whole(text) => Some(text.as_ref().map_or(0, Bytes::len)),
            Self::Pieces(_) | Self::Packed(..) => None,
        }
    }

    pub(crate) fn is_at_its_end(&self) -> bool {
        matches!(self, Self::Whole(None))
    }
}
