//! OpenTelemetry's protocol: protobuf by HTTP to a collector. **What is sent are totals**, so that
//! a request that comes twice, or never, does no harm once the next one is there.

use std::cell::{Cell, OnceCell};
use std::io::Write as _;
use std::rc::Rc;
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message;

use super::request::{Common, Requests, is_shown};
use super::{LOSS, Plan};
use crate::contract::{aws, otlp as words};
use crate::metrics::region::Snapshot;
use crate::metrics::routes::interval;
use crate::metrics::routes::means::Begun;
use crate::metrics::routes::{Means, Running, Selection};

/// The wait before the first attempt after one that may be repeated, doubled each time.
pub(super) const SOON: Duration = Duration::from_millis(200);
const LATEST: Duration = Duration::from_secs(5);
/// Bytes that are read of a response; collectors send little.
const ANSWER_BYTES: usize = 64 << 10;

pub(super) fn start(plan: &Plan, means: &Means) -> Running {
    let sender = Sender::new(plan.clone(), means);
    interval::start(sender, means.counted(Selection::All))
}

pub(super) struct Sender {
    plan: Plan,
    labels: Vec<(String, String)>,
    begun: Begun,
    /// Points that a collector would not take, whenever it was.
    pub(super) refused: Rc<Cell<u64>>,
    /// Made when it is needed: the roots of trust take milliseconds to read.
    connector: OnceCell<Connector>,
}

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// But for so many points.
    Taken { rejected: u64 },
    /// Not now; perhaps after so long.
    Later { wait: Option<Duration> },
    /// Neither now nor when asked again.
    Refused,
    /// No response.
    Nobody,
}

impl Sender {
    pub(super) fn new(plan: Plan, means: &Means) -> Self {
        Self {
            plan,
            labels: means.labels.clone(),
            begun: Rc::clone(&means.begun),
            refused: means.lost(LOSS),
            connector: OnceCell::new(),
        }
    }

    fn every(&self) -> Duration {
        Duration::from_secs(self.plan.seconds.into())
    }

    /// Sends a request after the other. It may be given up at any point: the next time everything
    /// is sent anew.
    pub(in crate::metrics::routes) async fn export(
        &self,
        snapshot: &Snapshot,
        now: Duration,
        left: &Cell<u64>,
    ) {
        let shown = snapshot.series.iter().filter(|series| is_shown(series));
        left.set(shown.count() as u64);
        let until = tokio::time::Instant::now() + self.every();
        let common = Common {
            resource: &self.plan.resource,
            labels: &self.labels,
            begun: &*self.begun,
            now,
        };
        for request in Requests::new(snapshot, common) {
            match self.delivered(&packed(&request.bytes), until).await {
                Answer::Taken { rejected } => {
                    let rejected = rejected.min(request.points);
                    left.set(left.get().saturating_sub(request.points - rejected));
                    self.refused.set(self.refused.get() + rejected);
                }
                Answer::Refused => self.refused.set(self.refused.get() + request.points),
                // Nor would it take the next one.
                Answer::Later { .. } | Answer::Nobody => return,
            }
        }
    }

    /// Asks until there is an answer that will not change, or no time is left.
    pub(super) async fn delivered(&self, body: &[u8], until: tokio::time::Instant) -> Answer {
        let patience = Duration::from_millis(self.plan.timeout_milliseconds.into());
        let mut usual = SOON;
        loop {
            let attempt = tokio::time::timeout(patience, self.once(body));
            let answer = attempt.await.unwrap_or(Answer::Nobody);
            let Answer::Later { wait } = &answer else {
                return answer;
            };
            // What it says makes the wait longer, never shorter; and it may say anything.
            let pause = usual.mul_f64(0.5 + fastrand::f64());
            let pause = wait.unwrap_or_default().max(pause);
            if pause >= until.saturating_duration_since(tokio::time::Instant::now()) {
                return answer;
            }
            tokio::time::sleep(pause).await;
            usual = (usual * 2).min(LATEST);
        }
    }

    async fn once(&self, body: &[u8]) -> Answer {
        let Some(request) = self.request(body) else {
            return Answer::Refused;
        };
        let connector = (self.connector).get_or_init(|| connector(&self.plan.url));
        let Ok(answer) = connector.call(request).await else {
            return Answer::Nobody;
        };
        let status = answer.status().as_u16();
        let wait = answer.headers().get(RETRY_AFTER.as_str());
        let wait = wait.and_then(|text| Some(Duration::from_secs(text.parse().ok()?)));
        if status == 200 {
            let said = whole(ByteStream::new(answer.into_body())).await;
            return Answer::Taken {
                rejected: said.map_or(0, |said| rejected(&said)),
            };
        }
        of_status(status, wait)
    }

    fn request(
        &self,
        body: &[u8],
    ) -> Option<aws_smithy_runtime_api::client::orchestrator::HttpRequest> {
        let mut request = http::Request::post(&self.plan.url)
            .header(CONTENT_TYPE, words::PROTOBUF)
            .header(CONTENT_ENCODING, "gzip")
            // From one minute to the next: a connection that was kept is one that the other side
            // has closed, or is about to.
            .header(CONNECTION, "close")
            .header(
                USER_AGENT,
                concat!("lyftlearn-runtime/", env!("CARGO_PKG_VERSION")),
            );
        for (name, value) in &self.plan.headers {
            let mut value = http::HeaderValue::from_str(value.reveal()).ok()?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let request = request.body(SdkBody::from(body.to_owned())).ok()?;
        request.try_into().ok()
    }
}

impl interval::Sender for Sender {
    const REPEATS: bool = true;

    fn every(&self) -> Duration {
        self.every()
    }

    async fn send(&mut self, snapshot: &Snapshot, now: Duration, left: &Cell<u64>) {
        self.export(snapshot, now, left).await;
    }
}

/// As the protocol tells them apart.
pub(super) fn of_status(status: u16, wait: Option<Duration>) -> Answer {
    match status {
        429 | 502 | 503 | 504 => Answer::Later { wait },
        200..=299 => Answer::Taken { rejected: 0 },
        _ => Answer::Refused,
    }
}

/// How many points of a request that was taken were not.
fn rejected(answer: &[u8]) -> u64 {
    let answer = ExportMetricsServiceResponse::decode(answer).ok();
    let partly = answer.and_then(|answer| answer.partial_success);
    partly.map_or(0, |partly| {
        u64::try_from(partly.rejected_data_points).unwrap_or_default()
    })
}

/// `None` if it is not a collector's response.
async fn whole(mut stream: ByteStream) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(part) = stream.next().await {
        body.extend_from_slice(&part.ok()?);
        if body.len() > ANSWER_BYTES {
            return None;
        }
    }
    Some(body)
}

/// For this container and its node a proxy is no way.
fn connector(url: &str) -> Connector {
    let uri: Option<http::Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(http::Uri::host);
    let near =
        host.is_some_and(|host| aws::NEVER_BY_PROXY.contains(&host.trim_matches(['[', ']'])));
    Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .proxy_config(if near {
            ProxyConfig::disabled()
        } else {
            ProxyConfig::from_env()
        })
        .build()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packing = GzEncoder::new(Vec::new(), Compression::fast());
    // A vector takes everything.
    let _ = packing.write_all(bytes);
    packing.finish().unwrap_or_default()
}
