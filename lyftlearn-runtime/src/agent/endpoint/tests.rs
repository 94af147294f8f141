use expect_test::expect;
use std::net::SocketAddr;

use std::rc::Rc;

use http_body_util::{Empty, Full};
use hyper::body::{Body, Bytes};
use hyper::{Request, Response, StatusCode};
use proptest::prelude::*;

use super::{Endpoint, Refusal, in_words};
use crate::credentials::{Broker, Cause, Unavailable};
use crate::workload::{CredentialPlan, Secret};

const TOKEN: &str = "0123456789abcdef";

fn endpoint() -> Endpoint {
    Endpoint {
        broker: Broker::new(&CredentialPlan::default()),
        token: Rc::new(Secret::new(TOKEN.to_owned())),
        refusals: Rc::default(),
    }
}

fn peer() -> SocketAddr {
    "127.0.0.1:50000".parse().unwrap()
}

fn request(path: &str) -> hyper::http::request::Builder {
    Request::get(path)
        .header("host", "127.0.0.1:4711")
        .header("authorization", TOKEN)
}

#[track_caller]
fn refused<B: Body>(request: Request<B>, peer: SocketAddr, refusal: Refusal) {
    assert_eq!(endpoint().admit(&request, peer), Err(refusal));
}

fn none() -> Empty<Bytes> {
    Empty::new()
}

#[test]
fn the_right_request_is_admitted_and_names_its_identity() {
    for (path, name) in [
        ("/v1/credentials", ""),
        ("/v1/credentials?x=1", ""),
        ("/v1/credentials/data", "data"),
    ] {
        let request = request(path).body(none()).unwrap();
        assert_eq!(endpoint().admit(&request, peer()), Ok(name));
    }
    for host in [
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1",
        "[::1]:80",
        "127.9.9.9:5",
    ] {
        let request = Request::get("/v1/credentials")
            .header("host", host)
            .header("authorization", TOKEN)
            .body(none())
            .unwrap();
        assert_eq!(endpoint().admit(&request, peer()), Ok(""), "{host}");
    }
}

#[test]
fn anything_else_is_refused() {
    let good = || request("/v1/credentials").body(none()).unwrap();
    refused(good(), "10.0.0.1:50000".parse().unwrap(), Refusal::Peer);
    for path in [
        "/",
        "/v1/credential",
        "/v1/credentials/",
        "/v1/credentials/a/b",
        "/v1/credentialsx",
    ] {
        refused(request(path).body(none()).unwrap(), peer(), Refusal::Path);
    }
    for host in [
        "example.com",
        "10.0.0.1",
        "127.0.0.1.example.com:80",
        "localhost.evil",
        "",
    ] {
        let request = Request::get("/v1/credentials")
            .header("host", host)
            .header("authorization", TOKEN);
        refused(request.body(none()).unwrap(), peer(), Refusal::Host);
    }
    let two = request("/v1/credentials").header("host", "localhost");
    refused(two.body(none()).unwrap(), peer(), Refusal::Host);
    for token in [
        "",
        "0123456789abcde",
        "0123456789abcdef0",
        "Bearer 0123456789abcdef",
    ] {
        let request = Request::get("/v1/credentials")
            .header("host", "localhost")
            .header("authorization", token);
        refused(request.body(none()).unwrap(), peer(), Refusal::Token);
    }
    let without = Request::get("/v1/credentials").header("host", "localhost");
    refused(without.body(none()).unwrap(), peer(), Refusal::Token);
    for header in ["Forwarded", "Origin", "Referer", "X-Forwarded-For"] {
        let passed_on = request("/v1/credentials").header(header, "x");
        refused(passed_on.body(none()).unwrap(), peer(), Refusal::PassedOn);
    }
    let post = request("/v1/credentials").method("POST");
    refused(post.body(none()).unwrap(), peer(), Refusal::Method);
    let body = request("/v1/credentials");
    let body = body.body(Full::new(Bytes::from_static(b"x"))).unwrap();
    refused(body, peer(), Refusal::Body);
}

fn text(answer: Response<Full<Bytes>>) -> (StatusCode, String) {
    use http_body_util::BodyExt;
    let status = answer.status();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let body = runtime.block_on(answer.into_body().collect()).unwrap();
    (status, String::from_utf8(body.to_bytes().to_vec()).unwrap())
}

#[test]
fn every_refusal_is_the_protocols_own_json() {
    let all = [
        Refusal::Peer,
        Refusal::Host,
        Refusal::PassedOn,
        Refusal::Method,
        Refusal::Path,
        Refusal::Token,
        Refusal::Body,
    ];
    let shown = all.map(|refusal| {
        let (status, text) = text(refusal.answer());
        format!("{} {text}\n", status.as_u16())
    });
    expect![[r#"
        403 {"code":"AccessDenied","message":"only clients on loopback are answered"}
        403 {"code":"AccessDenied","message":"the Host header is not a loopback address"}
        403 {"code":"AccessDenied","message":"requests from a browser page or through a proxy are refused"}
        405 {"code":"AccessDenied","message":"only GET is supported"}
        404 {"code":"AccessDenied","message":"no such path; $AWS_CONTAINER_CREDENTIALS_FULL_URI has the right one"}
        401 {"code":"AccessDenied","message":"the Authorization header is not the token of $AWS_CONTAINER_AUTHORIZATION_TOKEN"}
        400 {"code":"AccessDenied","message":"a request body is not supported"}
    "#]].assert_eq(&shown.concat());
}

#[test]
fn missing_credentials_are_reported_with_the_cause() {
    for (unavailable, status, code, message) in [
        (
            Unavailable::Unknown,
            404,
            "NotFound",
            "no role of that name; the setting credentials.roles declares them",
        ),
        (
            Unavailable::Loading,
            503,
            "CredentialsNotReady",
            "the credential source has not answered yet",
        ),
        (
            Unavailable::Failed(Cause::TimedOut),
            503,
            "CredentialsUnavailable",
            "its endpoint did not answer in time",
        ),
        (
            Unavailable::Expired(None),
            503,
            "CredentialsExpired",
            "credentials expired",
        ),
        (
            Unavailable::Expired(Some(Cause::Refused)),
            503,
            "CredentialsExpired",
            "credentials expired and cannot be refreshed: connection to its endpoint refused",
        ),
    ] {
        let (found, said, words) = in_words(&unavailable);
        assert_eq!(
            (found.as_u16(), said, words.as_str()),
            (status, code, message)
        );
    }
}

proptest! {
    #[test]
    fn nothing_but_the_token_opens(
        path in "/[ -~]{0,40}",
        token in proptest::option::of("[ -~]{0,40}"),
        host in "[ -~]{0,40}",
    ) {
        let uri: Result<hyper::Uri, _> = path.replace(' ', "").parse();
        prop_assume!(uri.is_ok());
        let mut request = Request::get(uri.unwrap()).header("host", host);
        if let Some(token) = &token {
            request = request.header("authorization", token);
        }
        if let Ok(request) = request.body(none()) {
            let admitted = endpoint().admit(&request, peer()).is_ok();
            prop_assert!(!admitted || token.as_deref() == Some(TOKEN));
        }
    }
}
