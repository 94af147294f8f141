//! Prometheus's connections: one request each, answered for no longer than Prometheus waits.

use std::cell::Cell;
use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Request;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::time::Instant;

use super::endpoint::NO_DESCRIPTOR;
use super::export::Shown;
use super::places::{Place, Places, Seat};
use crate::metrics::routes::prometheus::answer::{Answer, answer, patience};

/// Time for the head of a request. A client that needs longer only holds a connection.
const HEAD: Duration = Duration::from_secs(5);
const HEAD_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;
/// At a time: each holds a snapshot. Of more, those go that have asked nothing, or take nothing
/// of their answer.
const CONNECTIONS: usize = 16;
const SHARES: u64 = 1;

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

/// Answers one request for each connection. A client that reads slowly keeps its connection for as
/// long as Prometheus would wait.
async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, shown: &Shown, place: &Place) {
    let until = Rc::new(Cell::new(Instant::now() + HEAD));
    let service = service_fn(|request: Request<Incoming>| {
        until.set(Instant::now() + patience(request.headers()));
        let seat = Rc::clone(place.seat());
        seat.sends();
        let answer =
            answer(&request, |format| shown.exposition(format)).map(|answer| Sent { answer, seat });
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

    fn size_hint(&self) -> SizeHint {
        let bytes = self.answer.exact_bytes();
        bytes.map_or_else(SizeHint::default, |bytes| {
            SizeHint::with_exact(bytes as u64)
        })
    }

    fn is_end_stream(&self) -> bool {
        self.answer.is_at_its_end()
    }
}

#[cfg(test)]
mod fuzz;
