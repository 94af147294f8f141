//! Any bytes through the real parser: nothing but the token opens, and no answer shows it.

use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::task::LocalSet;

use super::{Endpoint, HEAD_BYTES, Places};
use crate::credentials::Broker;
use crate::fuzz::{CANARY, Draw, target};
use crate::workload::{CredentialPlan, Secret};

const METHODS: &[&str] = &["GET", "GET", "GET", "HEAD", "POST", "CONNECT", "get", "X"];
const PATHS: &[&str] = &[
    "/v1/credentials",
    "/v1/credentials",
    "/v1/credentials/data",
    "/v1/credentials/a/b",
    "/",
    "*",
    "http://127.0.0.1/v1/credentials",
    "/v1/%63redentials",
    "/v1/credentials?x",
];
const HEADERS: &[&str] = &[
    "Host: 127.0.0.1",
    "Host: 127.0.0.1:80",
    "Host: localhost",
    "Host: example.com",
    "Host: [::1]",
    "Authorization: canary7391qzx",
    "Authorization: canary7391qzx",
    "Authorization: Bearer canary7391qzx",
    "Authorization: canary7391qz",
    "Origin: http://x",
    "Content-Length: 1",
    "Content-Length: 99999999999",
    "Transfer-Encoding: chunked",
    "Connection: close",
    "Expect: 100-continue",
    "X-Forwarded-For: 1.2.3.4",
    "A:\tb",
    ": b",
    "A: \u{e9}",
];

/// Requests one after the other, nearly as clients write them.
pub(in crate::agent) fn requests(draw: &mut Draw<'_>, paths: &[&str], headers: &[&str]) -> Vec<u8> {
    let mut text = String::new();
    for _ in 0..=draw.below(3) {
        let (method, path) = (draw.pick(METHODS), draw.pick(paths));
        let version = draw.pick(&["HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/2.0"]);
        text.push_str(&format!("{method} {path} {version}\r\n"));
        for _ in 0..draw.below(6) {
            text.push_str(draw.pick(headers));
            text.push_str("\r\n");
        }
        if draw.once_in(24) {
            text.push_str(&format!("X: {}\r\n", "x".repeat(draw.below(20_000))));
        }
        text.push_str(draw.pick(&["\r\n", "\r\n", "\r\n", "", "\n", "\r\nx"]));
    }
    draw.damaged(text)
}

/// What a server answers to pieces of a stream, to the end of both.
pub(in crate::agent) fn answers(
    stream: &[u8],
    draw: &mut Draw<'_>,
    serve: impl AsyncFnOnce(tokio::io::DuplexStream),
) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let (ours, theirs) = duplex(1 << 20);
    let cut = draw.below(stream.len() + 1);
    LocalSet::new().block_on(&runtime.expect("a runtime"), async {
        let (mut from, mut to) = tokio::io::split(ours);
        let peer = async {
            for piece in [&stream[..cut], &stream[cut..]] {
                // A server that has closed takes nothing more.
                let _ = to.write_all(piece).await;
                tokio::task::yield_now().await;
            }
            let _ = to.shutdown().await;
            let mut found = Vec::new();
            let _ = from.read_to_end(&mut found).await;
            found
        };
        tokio::join!(peer, serve(theirs)).0
    })
}

fn requests_of_anybody(draw: &mut Draw<'_>) {
    let stream = requests(draw, PATHS, HEADERS);
    let endpoint = Endpoint {
        broker: Broker::new(&CredentialPlan::default()),
        token: Rc::new(Secret::new(CANARY.to_owned())),
        refusals: Rc::default(),
    };
    let loopback = !draw.once_in(6);
    let peer = if loopback {
        "127.0.0.1:50000"
    } else {
        "10.0.0.1:50000"
    };
    let peer = peer.parse().expect("an address");
    let refusals = Rc::clone(&endpoint.refusals);
    let found = answers(&stream, draw, async |theirs| {
        let place = Places::new(1, 1).take().await;
        endpoint.connection(theirs, peer, &place).await;
    });
    let found = String::from_utf8(found).expect("answers are text");
    assert!(!found.contains(CANARY), "{found}");
    assert!(found.len() <= 4 * 1_024 + HEAD_BYTES, "{}", found.len());
    assert!(found.is_empty() || found.starts_with("HTTP/1."), "{found}");
    // Without credentials, an admitted request gets 404.
    let admitted = found.matches("\"code\":\"NotFound\"").count();
    let given = String::from_utf8_lossy(&stream).matches(CANARY).count();
    assert!(admitted <= given && (admitted == 0 || loopback), "{found}");
    assert!(!found.contains(" 200 "), "{found}");
    let refused: u64 = refusals.borrow().values().sum();
    let denied = found.matches("\"code\":\"AccessDenied\"").count() as u64;
    // An answer to HEAD has no body, and a client that is gone gets no answer.
    assert!(denied <= refused, "{found}");
}

#[test]
fn fuzz_requests() {
    target!(1_000, requests_of_anybody);
}
