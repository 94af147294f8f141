//! The settings of the OTLP server.

use figment::value::Value;

use crate::contract::otlp::METRICS_PATH;
use crate::layers::{Form, Key, Parsed, Reader, Unset, text_of};
use crate::metrics::routes::{INTERVAL, interval};

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "metrics.otlp.endpoint",
        form: Form::new(ENDPOINT),
        default: Unset::Text(
            "none; if `metrics.routes` has `otlp`, the value of OpenTelemetry's variables",
        ),
        doc: "URL of the OpenTelemetry collector that metrics are sent to. The runtime \
              appends `/v1/metrics`. Setting it turns the route `otlp` on, unless \
              `metrics.routes` leaves it out.",
        example: "\"http://collector:4318\"",
    },
    Key {
        name: "metrics.otlp.headers_variable",
        form: VARIABLE_FORM,
        default: Unset::Text(
            "none; if OpenTelemetry's variables name the collector, their headers",
        ),
        doc: "Name of the variable with the headers for the collector, spelled as in \
              `OTEL_EXPORTER_OTLP_HEADERS`. A secret may set it; later values of the secret \
              are ignored.",
        example: "\"COLLECTOR_HEADERS\"",
    },
    Key {
        name: "metrics.otlp.seconds",
        form: INTERVAL,
        // As SDKs export by default (OpenTelemetry's specification).
        default: Unset::Value("60"),
        doc: "Seconds between two exports to the collector.",
        example: "30",
    },
];

const ENDPOINT: &str = "a URL without a name or password, and without /v1/metrics at its end, such as http://collector:4318";
const VARIABLE: &str = "the name of a variable";
pub(crate) const VARIABLE_FORM: Form = Form::new(VARIABLE);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(super) endpoint: Option<String>,
    pub(super) headers_variable: Option<String>,
    /// Between two exports.
    pub(super) seconds: u32,
}

impl Settings {
    pub(crate) fn read(from: &mut Reader) -> Self {
        Self {
            endpoint: from.optional("metrics.otlp.endpoint", |value| {
                let given = endpoint(&text_of(value, ENDPOINT)?);
                let base = given.filter(|given| !given.ends_with(METRICS_PATH));
                base.ok_or(ENDPOINT)
            }),
            headers_variable: from.optional("metrics.otlp.headers_variable", variable_name),
            seconds: from.value("metrics.otlp.seconds", interval),
        }
    }
}

/// An OTLP server, as the setting, and the variables that SDKs read, spell it; without a slash
/// at its end. A name and a password in it would be a secret among settings.
pub(super) fn endpoint(text: &str) -> Option<String> {
    let place = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?;
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"@?#\\".contains(&byte);
    let host = place.split('/').next().unwrap_or_default();
    (!host.is_empty() && place.bytes().all(plain)).then(|| text.trim_end_matches('/').to_owned())
}

/// A value in a name's place would be a secret among settings.
pub(crate) fn variable_name(value: &Value) -> Parsed<String> {
    let text = text_of(value, VARIABLE)?;
    let taken = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if text.bytes().all(taken) {
        Ok(text)
    } else {
        Err(VARIABLE)
    }
}
