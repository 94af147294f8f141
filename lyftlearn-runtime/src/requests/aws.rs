//! Calls to AWS services that speak JSON, signed by aws-sigv4. Not by their SDK crates: that of
//! Parameter Store alone doubles what this workspace takes to compile.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_types::body::SdkBody;
use serde::Deserialize;

use super::http::{Answered, Unanswered};
use crate::contract::aws;

/// What a service says when it may say otherwise later.
const PASSING: &[&str] = &[
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServiceError",
    "KMSInternalException",
    "DependencyTimeoutException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// One that is called.
pub(crate) struct Service {
    /// In its address and in signatures.
    pub(crate) name: &'static str,
    /// The variable that moves it.
    pub(crate) endpoint: &'static str,
    pub(crate) content_type: &'static str,
}

/// One call.
pub(crate) struct Call<'a> {
    pub(crate) service: &'a Service,
    pub(crate) target: &'a str,
    pub(crate) region: &'a str,
    /// Where it is asked unless a variable moves it: scheme and authority. `None` is the service's
    /// own address.
    pub(crate) origin: Option<&'a str>,
    pub(crate) body: &'a str,
}

/// Signs calls by one set of credentials.
pub(crate) struct Signer<'a> {
    pub(crate) credentials: &'a Credentials,
    /// Endpoints that replace the services' own, by the variable that sets them.
    pub(crate) endpoints: &'a BTreeMap<String, String>,
    /// How far this machine's clock is ahead of AWS's, in seconds.
    pub(crate) clock_ahead: i64,
}

impl Call<'_> {
    /// Where it goes, to the last slash.
    pub(crate) fn endpoint(&self, endpoints: &BTreeMap<String, String>) -> String {
        let (service, region) = (self.service.name, self.region);
        let moved = endpoints.get(self.service.endpoint);
        let moved = moved.or_else(|| endpoints.get(aws::ENDPOINT_URL));
        match moved.map(String::as_str).or(self.origin) {
            Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
            None if region.starts_with("cn-") => {
                format!("https://{service}.{region}.amazonaws.com.cn/")
            }
            None => format!("https://{service}.{region}.amazonaws.com/"),
        }
    }
}

impl Signer<'_> {
    /// The request, signed for this second.
    pub(crate) fn sign(&self, call: &Call<'_>) -> Result<http::Request<SdkBody>, Unanswered> {
        let endpoint = call.endpoint(self.endpoints);
        let headers = [
            ("content-type", call.service.content_type),
            ("x-amz-target", call.target),
        ];
        let mut request = http::Request::post(&endpoint);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let malformed = || Unanswered::Malformed;
        let body = SdkBody::from(call.body);
        let mut request = request.body(body).map_err(|_| malformed())?;
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(call.region)
            .name(call.service.name)
            .time(self.now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| malformed())?
            .into();
        let signable = SignableRequest::new(
            "POST",
            &endpoint,
            headers.into_iter(),
            SignableBody::Bytes(call.body.as_bytes()),
        )
        .map_err(|_| malformed())?;
        let signed = sign(signable, &parameters).map_err(|_| malformed())?;
        let (instructions, _) = signed.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }

    /// AWS's clock, as far as it is known.
    #[expect(
        clippy::disallowed_methods,
        reason = "a signature is of its second, and an attempt may last several"
    )]
    fn now(&self) -> SystemTime {
        let ahead = Duration::from_secs(self.clock_ahead.unsigned_abs());
        if self.clock_ahead > 0 {
            SystemTime::now() - ahead
        } else {
            SystemTime::now() + ahead
        }
    }
}

/// Whether another attempt may have another answer.
pub(crate) fn may_pass(answered: &Answered) -> bool {
    answered.status >= 500 || answered.status == 429 || is_passing(&code(answered))
}

/// The same by the name of the error alone.
pub(crate) fn is_passing(code: &str) -> bool {
    PASSING.contains(&code)
}

/// What the service calls its error, if that is a name and no sentence; else the status.
pub(crate) fn code(answered: &Answered) -> String {
    plain(in_json(answered), answered)
}

/// The same for services whose front ends may answer in XML to a request in JSON.
pub(crate) fn code_in_any_form(answered: &Answered) -> String {
    plain(in_json(answered).or_else(|| in_xml(answered)), answered)
}

fn plain(name: Option<String>, answered: &Answered) -> String {
    let name = name.unwrap_or_default();
    let name = name.rsplit('#').next().unwrap_or_default();
    let plain =
        (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if plain {
        name.to_owned()
    } else {
        answered.status.to_string()
    }
}

fn in_json(answered: &Answered) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "__type")]
        name: String,
    }
    let named: Option<Named> = serde_json::from_slice(&answered.body).ok();
    named.map(|named| named.name)
}

fn in_xml(answered: &Answered) -> Option<String> {
    let text = std::str::from_utf8(&answered.body).ok()?;
    let (_, after) = text.split_once("<Code>")?;
    let (name, _) = after.split_once("</Code>")?;
    Some(name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: u16, body: &str, expected: &str, passes: bool) {
        let answered = Answered {
            status,
            body: body.as_bytes().to_vec().into(),
            retry_after: None,
            date: None,
        };
        assert_eq!(code_in_any_form(&answered), expected, "{body}");
        assert_eq!(may_pass(&answered), passes, "{body}");
    }

    #[test]
    fn an_error_has_its_name_in_json_and_in_xml() {
        let xml = "<?xml version=\"1.0\"?><ErrorResponse><Error><Type>Sender</Type>\
                   <Code>AccessDenied</Code><Message>canary</Message></Error></ErrorResponse>";
        check(403, xml, "AccessDenied", false);
        let prefixed = r#"{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "canary"}"#;
        check(400, prefixed, "QueueDoesNotExist", false);
        check(
            400,
            r#"{"__type": "ThrottlingException"}"#,
            "ThrottlingException",
            true,
        );
        // Text that is not an error name is not quoted.
        check(400, r#"{"__type": "canary canary"}"#, "400", false);
        check(403, "<Code>canary, canary</Code>", "403", false);
        check(403, "<Code>canary", "403", false);
        check(400, "", "400", false);
        check(503, "", "503", true);
        check(429, "slow down", "429", true);
    }

    #[test]
    fn the_endpoint_comes_from_a_variable_then_the_origin_then_the_service() {
        let service = Service {
            name: "sqs",
            endpoint: "AWS_ENDPOINT_URL_SQS",
            content_type: "application/x-amz-json-1.0",
        };
        let to = |region: &str, origin: Option<&str>, endpoints: &[(&str, &str)]| {
            let endpoints = endpoints.iter().copied();
            let endpoints = endpoints.map(|(name, url)| (name.to_owned(), url.to_owned()));
            let call = Call {
                service: &service,
                target: "",
                region,
                origin,
                body: "",
            };
            call.endpoint(&endpoints.collect())
        };
        let own = ("AWS_ENDPOINT_URL_SQS", "http://own:1/");
        let all = ("AWS_ENDPOINT_URL", "http://all:2");
        let other = ("AWS_ENDPOINT_URL_SSM", "http://other:3");
        let origin = Some("https://queue.example:4");
        assert_eq!(to("eu-west-1", origin, &[all, own, other]), "http://own:1/");
        assert_eq!(to("eu-west-1", origin, &[all, other]), "http://all:2/");
        assert_eq!(
            to("eu-west-1", origin, &[other]),
            "https://queue.example:4/"
        );
        assert_eq!(
            to("eu-west-1", None, &[]),
            "https://sqs.eu-west-1.amazonaws.com/"
        );
        assert_eq!(
            to("cn-north-1", None, &[]),
            "https://sqs.cn-north-1.amazonaws.com.cn/"
        );
    }

    #[test]
    fn a_call_is_signed_by_the_clock_of_aws() {
        let credentials = Credentials::new("AKIDEXAMPLE", "canary", None, None, "test");
        let service = Service {
            name: "events",
            endpoint: "AWS_ENDPOINT_URL_EVENTBRIDGE",
            content_type: "application/x-amz-json-1.1",
        };
        let at = |clock_ahead| {
            let signer = Signer {
                credentials: &credentials,
                endpoints: &BTreeMap::new(),
                clock_ahead,
            };
            let call = Call {
                service: &service,
                target: "AWSEvents.PutEvents",
                region: "eu-west-1",
                origin: None,
                body: "{}",
            };
            let request = signer.sign(&call).unwrap();
            let date = request.headers()["x-amz-date"].to_str().unwrap();
            let digits: String = date.chars().filter(char::is_ascii_digit).collect();
            digits.parse::<u64>().unwrap()
        };
        assert!(at(3600) < at(0) && at(0) < at(-3600));
    }
}
