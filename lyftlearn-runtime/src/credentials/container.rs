//! The container-credentials protocol, as a client (AWS SDKs and Tools reference guide,
//! "Container credential provider").

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use http_body_util::{BodyExt, Limited};
use serde::Deserialize;

use super::fault::Cause;
use super::trust::connector;
use crate::contract::limits;
use crate::facts::Facts;
use crate::workload::{CredentialPlan, Secret};

/// It is on this machine, or on its node.
const CONNECT: Duration = Duration::from_secs(1);
const READ: Duration = Duration::from_secs(2);
const WHOLE: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) struct Container {
    uri: Secret,
    token: Option<Secret>,
    token_file: Option<PathBuf>,
    user: Option<String>,
    connector: SharedHttpConnector,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    access_key_id: String,
    secret_access_key: String,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    expiration: Option<String>,
    #[serde(default)]
    account_id: Option<String>,
}

impl Container {
    pub(super) fn new(
        uri: Secret,
        token: Option<Secret>,
        token_file: Option<PathBuf>,
        plan: &CredentialPlan,
    ) -> Self {
        // Most speak plainly, and a bundle takes its time.
        let is_plain = uri.reveal().starts_with("http:");
        let roots = plan.roots.as_ref().filter(|_| !is_plain);
        // Never by a proxy: the token would go there, too.
        let connector = connector(roots, |context| {
            Connector::builder()
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .tls_context(context)
                .enable_tcp_nodelay(true)
                .sleep_impl(TokioSleep::new())
                .connector_settings(
                    HttpConnectorSettings::builder()
                        .connect_timeout(CONNECT)
                        .read_timeout(READ)
                        .build(),
                )
                .build()
        });
        Self {
            uri,
            token,
            token_file,
            user: plan.user.clone(),
            connector,
        }
    }

    /// The credentials, and how far this machine's clock is from the endpoint's.
    pub(super) async fn fetch(&self) -> Result<(Credentials, Option<Skew>), Cause> {
        tokio::time::timeout(WHOLE, self.ask())
            .await
            .map_err(|_| Cause::TimedOut)?
    }

    async fn ask(&self) -> Result<(Credentials, Option<Skew>), Cause> {
        let mut request = HttpRequest::get(self.uri.reveal()).map_err(|_| Cause::NotAnAddress)?;
        if let Some(token) = self.token()? {
            let headers = request.headers_mut();
            headers
                .try_insert("authorization", token)
                .map_err(|_| Cause::BadToken)?;
        }
        request
            .headers_mut()
            .try_insert("accept", "application/json")
            .map_err(|_| Cause::BadToken)?;
        // Asked twice an hour, or by a program that was busy meanwhile: a connection that was kept
        // is one that the other side has closed.
        request
            .headers_mut()
            .try_insert("connection", "close")
            .map_err(|_| Cause::BadToken)?;
        let response = self
            .connector
            .call(request)
            .await
            .map_err(|err| Cause::of_connector(&err))?;
        let status = response.status().as_u16();
        if !(200..300).contains(&status) {
            return Err(Cause::Status(status));
        }
        let skew = response.headers().get("date").and_then(clock_ahead);
        let body = Limited::new(response.into_body(), limits::CREDENTIALS_BYTES);
        let body = body.collect().await.map_err(|_| Cause::Malformed)?;
        let document: Document =
            serde_json::from_slice(&body.to_bytes()).map_err(|_| Cause::Malformed)?;
        let mut credentials = Credentials::builder()
            .access_key_id(document.access_key_id)
            .secret_access_key(document.secret_access_key)
            .provider_name("container");
        credentials.set_session_token(document.token);
        credentials.set_expiry(document.expiration.map(|text| expiry(&text)).transpose()?);
        credentials.set_account_id(document.account_id.map(Into::into));
        Ok((credentials.build(), skew))
    }

    /// The file is read anew each time: a kubelet replaces it.
    fn token(&self) -> Result<Option<String>, Cause> {
        match (&self.token_file, &self.token) {
            (Some(path), _) => read_token(path, self.user.as_deref()).map(Some),
            (None, token) => Ok(token.as_ref().map(|token| token.reveal().to_owned())),
        }
    }
}

/// A token without the newline that an editor leaves. With a `user`, that one may own the directory.
pub(super) fn read_token(path: &Path, user: Option<&str>) -> Result<String, Cause> {
    let facts = Facts::empty().with_root("/");
    let facts = facts.wary_of_links(user.is_some());
    let found = facts.file(path, limits::TOKEN_BYTES);
    let found = found.map_err(|error| Cause::TokenFile(error.in_one_line()))?;
    let bytes = found.ok_or_else(|| Cause::NoTokenFile(path.to_owned()))?;
    let text = String::from_utf8(bytes).map_err(|_| Cause::BadToken)?;
    let token = text.trim_end_matches(['\r', '\n']);
    if token.is_empty() {
        return Err(Cause::EmptyTokenFile(path.to_owned()));
    }
    Ok(token.to_owned())
}

fn expiry(text: &str) -> Result<SystemTime, Cause> {
    let time = DateTime::from_str(text, Format::DateTimeWithOffset);
    let time = time.map_err(|_| Cause::Malformed)?;
    SystemTime::try_from(time).map_err(|_| Cause::Malformed)
}

/// How far this machine's clock is ahead of another's, in seconds.
pub(crate) type Skew = i64;

/// Whole seconds are what a Date header has.
#[expect(
    clippy::disallowed_methods,
    reason = "compared with what the endpoint's clock says now"
)]
pub(crate) fn clock_ahead(date: &str) -> Option<Skew> {
    let theirs = DateTime::from_str(date, Format::HttpDate).ok()?;
    Some(DateTime::from(SystemTime::now()).secs() - theirs.secs())
}
