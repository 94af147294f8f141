//! Requests and answers: through a proxy where the environment names one, asked again where that
//! may help. **A redirect is an answer, and is not followed.**

use std::sync::OnceLock;
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnector, SharedHttpConnector};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use http::header::{DATE, RETRY_AFTER};
use http::{Request, Uri};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::credentials::{self, RootsFault, is_untrusted};
use crate::workload::Roots;

/// No service answers with more.
const ANSWER_BYTES: usize = 4 << 20;
/// The first wait before asking again, doubled each time.
const SOON: Duration = Duration::from_millis(100);
const LATEST: Duration = Duration::from_secs(2);
/// No attempt is given up sooner, except at the deadline.
const SHORTEST_ATTEMPT: Duration = Duration::from_secs(1);

/// Keeps its connections, and a reader of the roots of trust, for as long as it lives.
pub(crate) struct Http {
    /// Made when it is needed: the roots of trust take milliseconds to read.
    internet: OnceLock<SharedHttpConnector>,
    /// For servers in this container or on its node: requests to them must not go through a proxy.
    near: OnceLock<SharedHttpConnector>,
    roots: Option<Roots>,
}

/// A status with its headers and body.
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// May be a secret: it is wiped.
    pub(crate) body: Zeroizing<Vec<u8>>,
    /// How long the server asks its clients to wait.
    pub(crate) retry_after: Option<Duration>,
    /// The server's clock, as it is written in its answer.
    pub(crate) date: Option<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    Timeout,
    Unreachable,
    /// By no root of trust that is known here.
    Untrusted,
    /// In the words of the roots' own report.
    NoRoots {
        report: String,
    },
    /// The request cannot be sent, or the answer is not HTTP.
    Malformed,
    TooLarge,
}

/// How long to ask, and what to do at the end of it.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) deadline: Instant,
    /// Where the next wait would miss the deadline, whether to ask a last time before it: so long
    /// at the most, and half of that at least.
    pub(crate) last: Option<Duration>,
}

impl Patience {
    /// When to give up an attempt that begins `now`: one that hangs leaves time for another, and
    /// ends with the deadline, so that the answer before it is not lost.
    fn attempt(self, now: Instant) -> Instant {
        let left = self.deadline.saturating_duration_since(now);
        (now + (left / 2).max(SHORTEST_ATTEMPT)).min(self.deadline)
    }

    /// How long to wait before the next attempt, if there is one. `wait` has no jitter yet, which
    /// is from 0.5 to 1.5; the server wants to be left alone for `least`.
    fn pause(self, now: Instant, wait: Duration, least: Duration, jitter: f64) -> Option<Duration> {
        let left = self.deadline.saturating_duration_since(now);
        let pause = wait.mul_f64(jitter).max(least);
        if pause < left {
            return Some(pause);
        }
        let last = self.last?.mul_f64(0.25 + jitter / 2.0);
        let pause = left.checked_sub(last)?;
        (!pause.is_zero() && pause >= least).then_some(pause)
    }
}

impl Http {
    pub(crate) fn new(roots: Option<Roots>) -> Self {
        Self {
            internet: OnceLock::new(),
            near: OnceLock::new(),
            roots,
        }
    }

    /// Asks until there is an answer that will not change by asking again, or no time is left. An
    /// attempt that the time ended has the result of the one before it, which says more.
    /// `request` makes it anew each time: a signature is of its second. `again` says how long to
    /// wait at least before the next attempt, where that may have another answer.
    pub(crate) async fn ask(
        &self,
        patience: Patience,
        request: impl Fn() -> Result<Request<SdkBody>, Unanswered>,
        again: impl Fn(&Answered) -> Option<Duration>,
    ) -> Result<Answered, Unanswered> {
        let mut wait = SOON;
        let mut before = Err(Unanswered::Timeout);
        loop {
            let until = patience.attempt(Instant::now());
            let asked = tokio::time::timeout_at(until, self.once(request()?));
            let asked = asked.await.unwrap_or(Err(Unanswered::Timeout));
            let least = match &asked {
                Ok(answered) => again(answered),
                Err(Unanswered::Timeout | Unanswered::Unreachable) => Some(Duration::ZERO),
                Err(_) => None,
            };
            let Some(least) = least else {
                return asked;
            };
            let asked = match asked {
                Err(Unanswered::Timeout) => before,
                asked => asked,
            };
            let jitter = 0.5 + fastrand::f64();
            let Some(pause) = patience.pause(Instant::now(), wait, least, jitter) else {
                return asked;
            };
            before = asked;
            tokio::time::sleep(pause).await;
            wait = (wait * 2).min(LATEST);
        }
    }

    async fn once(&self, request: Request<SdkBody>) -> Result<Answered, Unanswered> {
        let connector = if is_near(request.uri()) {
            self.near
                .get_or_init(|| self.connector(ProxyConfig::disabled()))
        } else {
            self.internet
                .get_or_init(|| self.connector(ProxyConfig::from_env()))
        };
        let request = request.try_into().map_err(|_| Unanswered::Malformed)?;
        let answer = connector.call(request).await.map_err(|err| {
            if let Some(fault) = RootsFault::of(&err) {
                let report = fault.to_string();
                Unanswered::NoRoots { report }
            } else if err.is_timeout() {
                Unanswered::Timeout
            } else if is_untrusted(&err) {
                Unanswered::Untrusted
            } else {
                Unanswered::Unreachable
            }
        })?;
        let status = answer.status().as_u16();
        let header = |name: http::HeaderName| answer.headers().get(name.as_str());
        // A date is not read: servers that throttle send seconds.
        let retry_after = header(RETRY_AFTER).and_then(|text| text.trim().parse().ok());
        let retry_after = retry_after.map(Duration::from_secs);
        let date = header(DATE).map(str::to_owned);
        let mut stream = ByteStream::new(answer.into_body());
        let mut body = Zeroizing::new(Vec::new());
        while let Some(part) = stream.next().await {
            // An answer that ends before its end may be whole the next time.
            let part = part.map_err(|_| Unanswered::Unreachable)?;
            if body.len() + part.len() > ANSWER_BYTES {
                return Err(Unanswered::TooLarge);
            }
            body.extend_from_slice(&part);
        }
        Ok(Answered {
            status,
            body,
            retry_after,
            date,
        })
    }

    fn connector(&self, proxy: ProxyConfig) -> SharedHttpConnector {
        credentials::connector(self.roots.as_ref(), |context| {
            Connector::builder()
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .tls_context(context)
                .proxy_config(proxy)
                .build()
        })
    }
}

/// This container's own addresses, and its node's.
pub(super) fn is_near(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let address: Option<std::net::IpAddr> = host.parse().ok();
    host == "localhost"
        || address.is_some_and(|address| match address {
            std::net::IpAddr::V4(address) => address.is_loopback() || address.is_link_local(),
            std::net::IpAddr::V6(address) => address.is_loopback(),
        })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    proptest! {
        #[test]
        fn no_attempt_begins_too_late_or_sooner_than_is_wanted(
            left in 0_u64..30_000,
            wait in 100_u64..2_000,
            least in prop_oneof![Just(0_u64), 0_u64..40_000],
            last in prop_oneof![Just(None), Just(Some(150_u64))],
            jitter in 0.5..1.5,
        ) {
            let [wait, least] = [wait, least].map(Duration::from_millis);
            let now = Instant::now();
            let patience = Patience {
                deadline: now + Duration::from_millis(left),
                last: last.map(Duration::from_millis),
            };
            let left = Duration::from_millis(left);
            let usual = wait.mul_f64(jitter).max(least);
            match patience.pause(now, wait, least, jitter) {
                Some(pause) if usual < left => prop_assert_eq!(pause, usual),
                Some(pause) => {
                    prop_assert!(pause >= least && !pause.is_zero());
                    let last = patience.last.unwrap();
                    prop_assert!(left - pause <= last && left - pause >= last / 2);
                }
                None => {
                    let no_last = patience.last.is_none_or(|last| left <= last || left < least + last);
                    prop_assert!(usual >= left && no_last);
                }
            }
            let until = patience.attempt(now);
            prop_assert!(until > now || left.is_zero());
            prop_assert!(until <= patience.deadline);
        }
    }

    /// Asks one that says `words` when it is greeted; how often it was greeted.
    fn greeted(words: &'static [u8]) -> usize {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let greeted = Arc::new(AtomicUsize::new(0));
            let counted = greeted.clone();
            tokio::spawn(async move {
                while let Ok((mut client, _)) = listener.accept().await {
                    counted.fetch_add(1, Ordering::Relaxed);
                    let _ = client.read(&mut [0; 1024]).await;
                    let _ = client.write_all(words).await;
                    let _ = client.shutdown().await;
                }
            });
            let patience = Patience {
                deadline: Instant::now() + Duration::from_secs(2),
                last: None,
            };
            let request = || {
                let request = Request::get(format!("https://{address}/"));
                Ok(request.body(SdkBody::empty()).unwrap())
            };
            let asked = Http::new(None).ask(patience, request, |_| None).await;
            assert_eq!(asked.err(), Some(Unanswered::Unreachable));
            greeted.load(Ordering::Relaxed)
        })
    }

    #[test]
    fn an_alert_and_plain_words_are_asked_again() {
        // internal_error, which is fatal.
        assert!(greeted(&[21, 3, 3, 0, 2, 2, 80]) > 1);
        assert!(greeted(b"HTTP/1.1 400 Bad Request\r\n\r\n") > 1);
    }
}
