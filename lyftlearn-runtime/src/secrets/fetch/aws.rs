//! Secrets Manager and KMS, and the call that Parameter Store shares with them.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_types::body::SdkBody;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::super::content::{Content, Value};
use super::super::fault::{Server, Why, first_line};
use super::Request;
use crate::contract::aws as words;
use crate::credentials;
use crate::requests::{
    Answered, Call, Http, Patience, Service, Signer, Unanswered, code, is_passing, may_pass,
};
use crate::settings::secrets::Source;

/// The client, and the servers that it calls.
pub(super) struct Aws {
    http: Http,
    patience: Patience,
    credentials: Credentials,
    region: Option<String>,
    endpoints: std::collections::BTreeMap<String, String>,
}

const SECRETS_MANAGER: Service = service("secretsmanager", words::SECRETS_MANAGER_ENDPOINT);
const PARAMETER_STORE: Service = service("ssm", words::SSM_ENDPOINT);
const KMS: Service = service("kms", words::KMS_ENDPOINT);

const fn service(name: &'static str, endpoint: &'static str) -> Service {
    Service {
        name,
        endpoint,
        content_type: words::JSON_1_1,
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
            http: Http::new(request.credential_plan.roots.clone()),
            patience: Patience {
                deadline,
                last: None,
            },
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
        let signer = Signer {
            credentials: &self.credentials,
            endpoints: &self.endpoints,
            clock_ahead: 0,
        };
        let call = Call {
            service: match server {
                Server::ParameterStore => &PARAMETER_STORE,
                Server::Kms => &KMS,
                _ => &SECRETS_MANAGER,
            },
            target,
            region,
            origin: None,
            body: &body,
        };
        let answered = self.ask(server, || signer.sign(&call), may_pass).await?;
        if answered.status == 200 {
            return serde_json::from_slice(&answered.body).map_err(|_| Why::Malformed { server });
        }
        Err(refused(server, &answered))
    }

    /// Asks until the deadline, where asking again may help.
    pub(super) async fn ask(
        &self,
        server: Server,
        request: impl Fn() -> Result<http::Request<SdkBody>, Unanswered>,
        passes: impl Fn(&Answered) -> bool,
    ) -> Result<Answered, Why> {
        let again = |answered: &Answered| passes(answered).then_some(Duration::ZERO);
        let asked = self.http.ask(self.patience, request, again).await;
        asked.map_err(|unanswered| match unanswered {
            Unanswered::Timeout => Why::Timeout { server },
            Unanswered::Unreachable => Why::Unreachable { server },
            Unanswered::Untrusted => Why::Untrusted { server },
            Unanswered::NoRoots { report } => Why::NoRoots { report },
            Unanswered::Malformed => Why::Malformed { server },
            Unanswered::TooLarge => Why::TooLarge { server },
        })
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

/// The clock, for signatures.
#[expect(
    clippy::disallowed_methods,
    reason = "a signature is of its second, and a fetch may last several"
)]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

fn refused(server: Server, answered: &Answered) -> Why {
    let code = code(answered);
    match code.as_str() {
        "AccessDeniedException" | "AccessDenied" | "403" => Why::Denied { server, code },
        "ResourceNotFoundException"
        | "NotFoundException"
        | "ParameterNotFound"
        | "ParameterVersionNotFound" => Why::NotThere { server, code },
        _ if answered.status >= 500 || is_passing(&code) => Why::Failed { server, code },
        _ => Why::Refused { server, code },
    }
}
