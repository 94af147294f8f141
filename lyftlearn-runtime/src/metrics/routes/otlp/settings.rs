//! The settings of the OTLP server.

use figment::value::Value;

use crate::layers::{Form, Key, Parsed, Reader, text};
use crate::metrics::routes::interval;

pub(super) const KEYS: &[Key] = &[
    Key {
        name: "metrics.otlp.endpoint",
        form: Form::Other,
    },
    Key {
        name: "metrics.otlp.headers_variable",
        form: Form::Other,
    },
    Key {
        name: "metrics.otlp.seconds",
        form: Form::Other,
    },
];

const ENDPOINT: &str = "a URL without a name or password, such as http://collector:4318";
const VARIABLE: &str = "the name of a variable";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(super) endpoint: Option<String>,
    pub(super) headers_variable: Option<String>,
    /// Between two exports.
    pub(super) seconds: Option<u32>,
}

impl Settings {
    pub(crate) fn read(from: &mut Reader) -> Self {
        Self {
            endpoint: from.optional("metrics.otlp.endpoint", |value| {
                endpoint(&text(value)?).ok_or(ENDPOINT)
            }),
            headers_variable: from.optional("metrics.otlp.headers_variable", variable_name),
            seconds: from.optional("metrics.otlp.seconds", interval),
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
fn variable_name(value: &Value) -> Parsed<String> {
    let text = text(value)?;
    let taken = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if text.bytes().all(taken) {
        Ok(text)
    } else {
        Err(VARIABLE)
    }
}
