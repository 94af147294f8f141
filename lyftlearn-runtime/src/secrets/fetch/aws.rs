//! Calls to AWS services that speak JSON 1.1, signed by aws-sigv4. Not by their SDK crates:
//! that of Parameter Store alone doubles what this workspace takes to compile.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_types::body::SdkBody;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::super::content::{Content, Value};
use super::super::fault::{Server, Why, first_line};
use super::Request;
use super::http::{Answered, Http};
use crate::contract::secrets as words;
use crate::credentials;
use crate::settings::secrets::Source;

/// What a service says when it may say otherwise later.
const PASSING: &[&str] = &[
    "InternalFailure",
    "InternalServerError",
    "InternalServiceError",
    "KMSInternalException",
    "DependencyTimeoutException",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Whoever asks, and whom.
pub(super) struct Aws {
    pub(super) http: Http,
    credentials: Credentials,
    region: Option<String>,
    endpoints: std::collections::BTreeMap<String, String>,
}

impl Server {
    /// The name in its address and in signatures, and the variable that moves it.
    fn service(self) -> (&'static str, &'static str) {
        match self {
            Self::ParameterStore => ("ssm", words::SSM_ENDPOINT),
            Self::Kms => ("kms", words::KMS_ENDPOINT),
            _ => ("secretsmanager", words::SECRETS_MANAGER_ENDPOINT),
        }
    }
}

impl Aws {
    pub(super) async fn new(request: &Request, deadline: Instant) -> Result<Self, Why> {
        let source = credentials::source(&request.credentials, &request.credential_plan);
        let source = source.map_err(|err| Why::NoIdentity {
            report: first_line(&err),
        })?;
        let found = source.fetch().await.map_err(|cause| {
            let error = credentials::unavailable(request.credentials.source, &cause);
            Why::NoIdentity {
                report: first_line(&error),
            }
        })?;
        Ok(Self {
            http: Http::new(deadline, request.credential_plan.roots.clone()),
            credentials: found.credentials,
            region: request.region.clone(),
            endpoints: request.endpoints.clone(),
        })
    }

    pub(super) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// One version of a secret of Secrets Manager.
    pub(super) async fn secret(&self, source: &Source) -> Result<Content, Why> {
        let Source::SecretsManager {
            id,
            stage,
            version,
            key,
        } = source
        else {
            return Err(Why::NotFetched);
        };
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Secret {
            secret_string: Option<Value>,
            secret_binary: Option<String>,
        }
        let mut body = json!({"SecretId": id});
        if let Some(stage) = stage {
            body["VersionStage"] = stage.as_str().into();
        }
        if let Some(version) = version {
            body["VersionId"] = version.as_str().into();
        }
        let server = Server::SecretsManager;
        let secret: Secret = self
            .call(server, "secretsmanager.GetSecretValue", None, &body)
            .await?;
        let text = match (secret.secret_string, secret.secret_binary) {
            (Some(text), _) => text,
            (None, Some(bytes)) => {
                let bytes = BASE64.decode(bytes);
                Value::new(bytes.map_err(|_| Why::Malformed { server })?)
            }
            (None, None) => return Err(Why::Malformed { server }),
        };
        chosen(text, key.as_deref())
    }

    /// Encrypts by a KMS key, in a context.
    pub(super) async fn encrypt(
        &self,
        region: Option<&str>,
        key: &str,
        plain: &[u8],
        context: &Json,
    ) -> Result<String, Why> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Encrypted {
            ciphertext_blob: String,
        }
        let body = json!({
            "KeyId": key, "Plaintext": BASE64.encode(plain), "EncryptionContext": context,
        });
        let encrypted: Encrypted = self
            .call(Server::Kms, "TrentService.Encrypt", region, &body)
            .await?;
        Ok(encrypted.ciphertext_blob)
    }

    /// Decrypts what a KMS key encrypted in that context.
    pub(super) async fn decrypt(
        &self,
        region: &str,
        blob: &str,
        context: &Json,
    ) -> Result<Value, Why> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Decrypted {
            plaintext: Value,
        }
        let body = json!({"CiphertextBlob": blob, "EncryptionContext": context});
        let decrypted: Decrypted = self
            .call(Server::Kms, "TrentService.Decrypt", Some(region), &body)
            .await?;
        let plain = BASE64.decode(decrypted.plaintext.bytes());
        plain.map(Value::new).map_err(|_| Why::Malformed {
            server: Server::Kms,
        })
    }

    /// One call, as often as it takes.
    pub(super) async fn call<T: for<'de> Deserialize<'de>>(
        &self,
        server: Server,
        target: &str,
        region: Option<&str>,
        body: &Json,
    ) -> Result<T, Why> {
        let region = region.or(self.region.as_deref()).ok_or(Why::NoRegion)?;
        let body = body.to_string();
        let request = || self.signed(server, target, region, &body);
        let passes = |answered: &Answered| {
            answered.status >= 500
                || answered.status == 429
                || PASSING.contains(&code(answered).as_str())
        };
        let answered = self.http.ask(server, request, passes).await?;
        if answered.status == 200 {
            return serde_json::from_slice(answered.body.bytes())
                .map_err(|_| Why::Malformed { server });
        }
        Err(refused(server, &answered))
    }

    fn signed(
        &self,
        server: Server,
        target: &str,
        region: &str,
        body: &str,
    ) -> Result<http::Request<SdkBody>, Why> {
        let malformed = || Why::Malformed { server };
        let (service, variable) = server.service();
        let moved = self.endpoints.get(variable);
        let moved = moved.or_else(|| self.endpoints.get(words::ENDPOINT));
        let endpoint = match moved {
            Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
            None if region.starts_with("cn-") => {
                format!("https://{service}.{region}.amazonaws.com.cn/")
            }
            None => format!("https://{service}.{region}.amazonaws.com/"),
        };
        let headers = [
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", target),
        ];
        let mut request = http::Request::post(&endpoint);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(SdkBody::from(body)).map_err(|_| malformed())?;
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service)
            .time(now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| malformed())?
            .into();
        let signable = SignableRequest::new(
            "POST",
            &endpoint,
            headers.into_iter(),
            SignableBody::Bytes(body.as_bytes()),
        )
        .map_err(|_| malformed())?;
        let signed = sign(signable, &parameters).map_err(|_| malformed())?;
        let (instructions, _) = signed.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

/// A text, or one key of the JSON object that it is.
pub(super) fn chosen(text: Value, key: Option<&str>) -> Result<Content, Why> {
    let content = Content::one(text.bytes());
    let Some(key) = key else {
        return Ok(content);
    };
    content.keys().ok_or(Why::NoKeys)?;
    let text = content.key(key).ok_or_else(|| Why::NoKey {
        key: key.to_owned(),
    })?;
    Ok(Content::one(text.bytes()))
}

/// The clock, for what is signed by it.
#[expect(
    clippy::disallowed_methods,
    reason = "a signature is of its second, and a fetch may last several"
)]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

/// What the service calls its error, if that is a name and no sentence.
fn code(answered: &Answered) -> String {
    #[derive(Deserialize)]
    struct Named {
        #[serde(rename = "__type")]
        name: String,
    }
    let named: Option<Named> = serde_json::from_slice(answered.body.bytes()).ok();
    let name = named.map(|named| named.name).unwrap_or_default();
    let name = name.rsplit('#').next().unwrap_or_default();
    let plain =
        (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if plain {
        name.to_owned()
    } else {
        answered.status.to_string()
    }
}

fn refused(server: Server, answered: &Answered) -> Why {
    let code = code(answered);
    match code.as_str() {
        "AccessDeniedException" | "AccessDenied" | "403" => Why::Denied { server, code },
        "ResourceNotFoundException"
        | "NotFoundException"
        | "ParameterNotFound"
        | "ParameterVersionNotFound" => Why::NotThere { server, code },
        _ if answered.status >= 500 || PASSING.contains(&code.as_str()) => {
            Why::Failed { server, code }
        }
        _ => Why::Refused { server, code },
    }
}
