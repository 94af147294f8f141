//! The credential endpoint on loopback, exactly in the container-credentials protocol (AWS
//! SDKs and Tools reference guide, "Container credential provider").

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use subtle::ConstantTimeEq;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

use super::places::{Place, Places};
use crate::contract::delivered::CREDENTIALS_PATH;
use crate::credentials::{Broker, Unavailable};
use crate::workload::Secret;

/// Time for the head of a request. A client that needs longer only holds a connection.
const HEAD: Duration = Duration::from_secs(5);
/// The whole head; a token and a few headers take far less.
const HEAD_BYTES: usize = 16 << 10;
const HEADERS: usize = 64;
/// At a time; of more, those go that have asked nothing.
const CONNECTIONS: usize = 256;
const SHARES: u64 = 4;
/// Descriptors have run out; they come back.
pub(super) const NO_DESCRIPTOR: Duration = Duration::from_millis(100);

/// No SDK sends these; browsers and proxies do.
const PASSED_ON: [&str; 4] = ["forwarded", "origin", "referer", "x-forwarded-for"];

/// Requests that were refused, by reason.
pub(super) type Refusals = Rc<RefCell<BTreeMap<&'static str, u64>>>;

/// What answers.
#[derive(Clone)]
pub(super) struct Endpoint {
    pub(super) broker: Broker,
    pub(super) token: Rc<Secret>,
    pub(super) refusals: Refusals,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Peer,
    Host,
    PassedOn,
    Method,
    Path,
    Token,
    Body,
}

impl Refusal {
    fn name(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Host => "host",
            Self::PassedOn => "passed-on",
            Self::Method => "method",
            Self::Path => "path",
            Self::Token => "token",
            Self::Body => "body",
        }
    }

    fn answer(self) -> Response<Full<Bytes>> {
        let (status, message) = match self {
            Self::Peer => (
                StatusCode::FORBIDDEN,
                "only clients on loopback are answered",
            ),
            Self::Host => (
                StatusCode::FORBIDDEN,
                "the Host header is not a loopback address",
            ),
            Self::PassedOn => (
                StatusCode::FORBIDDEN,
                "requests from a browser page or through a proxy are refused",
            ),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "only GET is supported"),
            Self::Path => (
                StatusCode::NOT_FOUND,
                "no such path; $AWS_CONTAINER_CREDENTIALS_FULL_URI has the right one",
            ),
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                "the Authorization header is not the token of $AWS_CONTAINER_AUTHORIZATION_TOKEN",
            ),
            Self::Body => (StatusCode::BAD_REQUEST, "a request body is not supported"),
        };
        // A client that sends such a request loses its connection.
        let mut answer = error(status, "AccessDenied", message);
        let headers = answer.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        answer
    }
}

impl Endpoint {
    /// Serves for ever.
    pub(super) async fn serve(self, listener: TcpListener) {
        let places = Places::new(CONNECTIONS, SHARES);
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true);
                    // Not even a route of somebody's making leads an answer off this machine.
                    let _ = stream.set_ttl(1);
                    let place = places.take().await;
                    let endpoint = self.clone();
                    tokio::task::spawn_local(async move {
                        let served = endpoint.connection(stream, peer, &place);
                        place.hold(served).await;
                    });
                }
                Err(_) => {
                    places.free_one();
                    tokio::time::sleep(NO_DESCRIPTOR).await;
                }
            }
        }
    }

    async fn connection(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: SocketAddr,
        place: &Place,
    ) {
        let service = service_fn(|request| async move {
            place.seat().works();
            let answer = self.answer(&request, peer).await;
            place.seat().listens();
            Ok::<_, Infallible>(answer)
        });
        // What a peer does to its own connection is its own affair.
        let _ = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEADERS)
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    async fn answer(&self, request: &Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        let name = match self.admit(request, peer) {
            Ok(name) => name,
            Err(refusal) => {
                *self
                    .refusals
                    .borrow_mut()
                    .entry(refusal.name())
                    .or_default() += 1;
                return refusal.answer();
            }
        };
        match self.broker.document(name).await {
            Ok(document) => answer(StatusCode::OK, document),
            Err(unavailable) => {
                let (status, code, message) = in_words(&unavailable);
                error(status, code, &message)
            }
        }
    }

    /// The name of the identity that is asked for.
    fn admit<'a, B: Body>(
        &self,
        request: &'a Request<B>,
        peer: SocketAddr,
    ) -> Result<&'a str, Refusal> {
        if !peer.ip().is_loopback() {
            return Err(Refusal::Peer);
        }
        // A page that a browser was led to by name does not get here.
        let hosts: Vec<_> = request.headers().get_all(HOST).iter().collect();
        if !matches!(hosts.as_slice(), [host] if is_loopback(host)) {
            return Err(Refusal::Host);
        }
        // Neither does a page's own script, nor somebody's request that was passed on.
        if PASSED_ON
            .iter()
            .any(|name| request.headers().contains_key(*name))
        {
            return Err(Refusal::PassedOn);
        }
        let tokens: Vec<_> = request.headers().get_all(AUTHORIZATION).iter().collect();
        let [token] = tokens.as_slice() else {
            return Err(Refusal::Token);
        };
        let expected = self.token.reveal().as_bytes();
        if !bool::from(token.as_bytes().ct_eq(expected)) {
            return Err(Refusal::Token);
        }
        if request.method() != Method::GET {
            return Err(Refusal::Method);
        }
        if !request.body().is_end_stream() {
            return Err(Refusal::Body);
        }
        let path = request.uri().path();
        let rest = path.strip_prefix(CREDENTIALS_PATH).ok_or(Refusal::Path)?;
        match rest.strip_prefix('/') {
            None if rest.is_empty() => Ok(rest),
            Some(name) if !name.is_empty() && !name.contains('/') => Ok(name),
            _ => Err(Refusal::Path),
        }
    }
}

fn is_loopback(host: &HeaderValue) -> bool {
    let Ok(host) = host.to_str() else {
        return false;
    };
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    if let Some((name, port)) = host.rsplit_once(':')
        && name.eq_ignore_ascii_case("localhost")
    {
        return port.bytes().all(|byte| byte.is_ascii_digit());
    }
    host.parse::<SocketAddr>()
        .map(|address| address.ip())
        .or_else(|_| host.trim_matches(['[', ']']).parse())
        .is_ok_and(|address| address.is_loopback())
}

fn in_words(unavailable: &Unavailable) -> (StatusCode, &'static str, String) {
    let unready = StatusCode::SERVICE_UNAVAILABLE;
    match unavailable {
        Unavailable::Unknown => (
            StatusCode::NOT_FOUND,
            "NotFound",
            "no role of that name; the setting credentials.roles declares them".to_owned(),
        ),
        Unavailable::Loading => (
            unready,
            "CredentialsNotReady",
            "the credential source has not answered yet".to_owned(),
        ),
        Unavailable::Failed(cause) => (unready, "CredentialsUnavailable", cause.to_string()),
        Unavailable::Expired(None) => (
            unready,
            "CredentialsExpired",
            "credentials expired".to_owned(),
        ),
        Unavailable::Expired(Some(cause)) => (
            unready,
            "CredentialsExpired",
            format!("credentials expired and cannot be refreshed: {cause}"),
        ),
    }
}

fn error(status: StatusCode, code: &str, message: &str) -> Response<Full<Bytes>> {
    let text = serde_json::json!({ "code": code, "message": message }).to_string();
    answer(status, Bytes::from(text))
}

fn answer(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(CONTENT_TYPE, json);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

#[cfg(test)]
pub(super) mod fuzz;
#[cfg(test)]
mod tests;
