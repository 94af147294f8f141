//! CloudEvents 1.0 in structured mode, to a sink that speaks HTTP (HTTP 1.1 Web Hooks for Event
//! Delivery).

use aws_smithy_types::body::SdkBody;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Request, Uri};

use super::{Sender, Undelivered};
use crate::contract::events as words;
use crate::requests::{Answered, Patience, Unanswered};

impl Sender {
    pub(super) async fn post(
        &self,
        url: &str,
        body: &str,
        patience: Patience,
    ) -> Result<(), Undelivered> {
        if self.gone.borrow().contains(url) {
            return Err(Undelivered::Gone);
        }
        let to: Uri = url.parse().map_err(|_| Undelivered::Malformed)?;
        let request = || {
            let mut request = Request::post(&to)
                .header(CONTENT_TYPE, words::CLOUD_EVENTS)
                .header(
                    USER_AGENT,
                    concat!("lyftlearn-runtime/", env!("CARGO_PKG_VERSION")),
                );
            for (name, value) in &self.headers {
                let value = HeaderValue::from_str(value.reveal());
                let mut value = value.map_err(|_| Unanswered::Malformed)?;
                value.set_sensitive(true);
                request = request.header(name, value);
            }
            let request = request.body(SdkBody::from(body));
            request.map(closing).map_err(|_| Unanswered::Malformed)
        };
        let again = |answered: &Answered| {
            matches!(answered.status, 408 | 429 | 500..)
                .then(|| answered.retry_after.unwrap_or_default())
        };
        let answered = self.http.ask(patience, request, again).await?;
        let status = answered.status;
        let code = status.to_string();
        match status {
            200..=299 => Ok(()),
            300..=399 => Err(Undelivered::Redirected { status }),
            401 | 403 => Err(Undelivered::Unauthorized { status }),
            410 => {
                self.gone.borrow_mut().insert(url.to_owned());
                Err(Undelivered::Gone)
            }
            429 => Err(Undelivered::Throttled { code }),
            500.. => Err(Undelivered::Failing { code }),
            _ => Err(Undelivered::Refused { code }),
        }
    }
}

/// From one state to the next a connection that was kept is one that the other side has closed,
/// or is about to.
pub(super) fn closing(mut request: Request<SdkBody>) -> Request<SdkBody> {
    let headers = request.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    request
}
