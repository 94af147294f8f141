//! How Prometheus is answered: by HTTP, a piece at a time, and not for longer than it waits.

use std::cell::Cell;
use std::convert::Infallible;
use std::io::Write as _;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, VARY,
};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::time::Instant;

use super::endpoint::NO_DESCRIPTOR;
use super::export::Shown;
use super::places::{Place, Places, Seat};
use crate::contract::metrics::{PATH, SCRAPE_TIMEOUT};
use crate::metrics::exposition::{Exposition, negotiate, takes_gzip};

/// A request's head comes at once, or it is somebody who holds a connection.
const HEAD: Duration = Duration::from_secs(5);
const HEAD_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;
/// As Prometheus waits unless it says otherwise, and as long as anybody is waited for.
const ANSWER: Duration = Duration::from_secs(10);
const LONGEST_ANSWER: Duration = Duration::from_secs(120);
/// At a time: each holds a snapshot. Of more, those go that have asked nothing, or take nothing
/// of their answer.
const CONNECTIONS: usize = 16;
const SHARES: u64 = 1;
/// Less is not worth packing.
const PACKED_BYTES: usize = 1 << 10;

pub(super) async fn outside(listener: TcpListener, shown: Rc<Shown>) {
    let places = Places::new(CONNECTIONS, SHARES);
    loop {
        let accepted = listener.accept().await;
        let stream = accepted.map(|(stream, _)| {
            let _ = stream.set_nodelay(true);
            stream
        });
        seated(stream, &places, &shown).await;
    }
}

pub(super) async fn inside(listener: UnixListener, shown: Rc<Shown>) {
    let places = Places::new(CONNECTIONS, SHARES);
    loop {
        let accepted = listener.accept().await;
        seated(accepted.map(|(stream, _)| stream), &places, &shown).await;
    }
}

/// Serves a connection as soon as there is a place for it.
async fn seated(
    accepted: std::io::Result<impl AsyncRead + AsyncWrite + Unpin + 'static>,
    places: &Rc<Places>,
    shown: &Rc<Shown>,
) {
    let Ok(stream) = accepted else {
        places.free_one();
        tokio::time::sleep(NO_DESCRIPTOR).await;
        return;
    };
    let place = places.take().await;
    let shown = Rc::clone(shown);
    tokio::task::spawn_local(async move {
        place.hold(connection(stream, &shown, &place)).await;
    });
}

/// One request each: who reads slowly, or not at all, has a connection for as long as
/// Prometheus would wait, and no longer.
async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, shown: &Shown, place: &Place) {
    let until = Rc::new(Cell::new(Instant::now() + HEAD));
    let service = service_fn(|request: Request<Incoming>| {
        until.set(Instant::now() + patience(request.headers()));
        let seat = Rc::clone(place.seat());
        seat.sends();
        let answer = answer(&request, shown).map(|answer| Sent { answer, seat });
        async move { Ok::<_, Infallible>(answer) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(served);
    loop {
        tokio::select! {
            // What a peer does to its own connection is its own affair.
            _ = &mut served => return,
            () = tokio::time::sleep_until(until.get()) => {
                if until.get() <= Instant::now() {
                    return;
                }
            }
        }
    }
}

/// How long whoever asks waits for the answer.
fn patience(headers: &HeaderMap) -> Duration {
    let said = headers.get(SCRAPE_TIMEOUT);
    let said = said.and_then(|said| said.to_str().ok()?.parse().ok());
    let said = said.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    said.unwrap_or(ANSWER).min(LONGEST_ANSWER)
}

fn answer<B>(request: &Request<B>, shown: &Shown) -> Response<Answer> {
    if request.uri().path() != PATH {
        return refusal(StatusCode::NOT_FOUND, "metrics are at /metrics\n");
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut answer = refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET is answered\n");
        let headers = answer.headers_mut();
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return answer;
    }
    let format = negotiate(&all(request.headers(), &ACCEPT));
    let packed = takes_gzip(&all(request.headers(), &ACCEPT_ENCODING));
    let answer = Answer::of(shown.exposition(format), packed);
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
enum Answer {
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

    fn next(&mut self) -> Option<Bytes> {
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
}

/// An answer on its way: each piece is asked for when there is room for it.
struct Sent {
    answer: Answer,
    seat: Rc<Seat>,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let piece = this.answer.next();
        this.seat.sends();
        Poll::Ready(piece.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match &self.answer {
            Answer::Whole(text) => {
                hyper::body::SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64)
            }
            _ => hyper::body::SizeHint::default(),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.answer, Answer::Whole(None))
    }
}

#[cfg(test)]
mod fuzz;
