//! Calls STS: credentials for a token, a role for credentials, and the caller's identity (STS API
//! reference).

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::timeout::TimeoutConfig;
use aws_sdk_sts::config::{BehaviorVersion, Region};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::types::Tag;
use aws_sdk_sts::{Client, Config};
use aws_smithy_async::rt::sleep::TokioSleep;

use super::container::read_token;
use super::fault::{Cause, kernels_word};
use super::internet;
use super::trust::{RootsFault, is_untrusted};
use crate::workload::{Assumption, CredentialPlan};

/// One attempt, and all of them; the broker tries again by itself.
const ATTEMPT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(10);
const ATTEMPTS: u32 = 2;

/// What STS gives for a chained role at most (IAM user guide, "Role chaining").
const CHAINED_SECONDS: i32 = 3600;

#[derive(Clone, Debug)]
pub(super) struct Sts {
    config: Config,
    user: Option<String>,
}

impl Sts {
    /// `None` without a region: the global endpoint is one more thing to fail, and some
    /// regions it does not serve.
    pub(super) fn new(plan: &CredentialPlan) -> Option<Self> {
        let region = plan.region.clone()?;
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .http_client(internet(plan.roots.clone()))
            .sleep_impl(TokioSleep::new())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(2))
                    .operation_attempt_timeout(ATTEMPT)
                    .operation_timeout(WHOLE)
                    .build(),
            );
        config.set_endpoint_url(plan.sts_endpoint.clone());
        Some(Self {
            config: config.build(),
            user: plan.user.clone(),
        })
    }

    /// The role of a web identity: nothing is signed.
    pub(super) async fn web_identity(
        &self,
        role: &str,
        token_file: &std::path::Path,
        session: &str,
    ) -> Result<Credentials, Cause> {
        let token = read_token(token_file, self.user.as_deref())?;
        let answer = Client::from_conf(self.config.clone())
            .assume_role_with_web_identity()
            .role_arn(role)
            .role_session_name(session)
            .web_identity_token(token)
            .send()
            .await
            .map_err(|err| cause("AssumeRoleWithWebIdentity", &err))?;
        given(answer.credentials, "web-identity")
    }

    /// A role, with the credentials of another.
    pub(super) async fn assume(
        &self,
        base: Credentials,
        wanted: &Assumption,
        session: &str,
    ) -> Result<Credentials, Cause> {
        let tags = wanted.tags.iter().map(|(key, value)| {
            let tag = Tag::builder().key(key).value(value).build();
            tag.expect("both were given")
        });
        let seconds = wanted.duration_seconds;
        let seconds = seconds.and_then(|seconds| i32::try_from(seconds).ok());
        let answer = self
            .as_(base)
            .assume_role()
            .role_arn(&wanted.role)
            .role_session_name(session)
            .duration_seconds(seconds.unwrap_or(CHAINED_SECONDS))
            .set_external_id(wanted.external_id.clone())
            .set_source_identity(wanted.source_identity.clone())
            .set_tags(Some(tags.collect()).filter(|tags: &Vec<Tag>| !tags.is_empty()))
            .send()
            .await
            .map_err(|err| cause("AssumeRole", &err))?;
        given(answer.credentials, "assume-role")
    }

    fn as_(&self, credentials: Credentials) -> Client {
        let config = self.config.to_builder().credentials_provider(credentials);
        Client::from_conf(config.build())
    }
}

/// The ARN of the credentials' owner. This call needs no permission.
#[cfg(feature = "cli")]
pub(crate) async fn caller(
    plan: &CredentialPlan,
    credentials: Credentials,
) -> Result<String, Cause> {
    let sts = Sts::new(plan).ok_or(Cause::NoRegion)?;
    let answer = sts.as_(credentials).get_caller_identity().send().await;
    let answer = answer.map_err(|err| cause("GetCallerIdentity", &err))?;
    answer.arn.ok_or(Cause::Malformed)
}

fn given(
    credentials: Option<aws_sdk_sts::types::Credentials>,
    provider: &'static str,
) -> Result<Credentials, Cause> {
    let given = credentials.ok_or(Cause::Malformed)?;
    let expiry = SystemTime::try_from(given.expiration).map_err(|_| Cause::Malformed)?;
    Ok(Credentials::new(
        given.access_key_id,
        given.secret_access_key,
        Some(given.session_token),
        Some(expiry),
        provider,
    ))
}

/// STS's own code is a word of its documentation; its message quotes names and tokens.
fn cause<E>(
    action: &'static str,
    err: &SdkError<E, aws_smithy_runtime_api::client::orchestrator::HttpResponse>,
) -> Cause
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let Some(fault) = RootsFault::of(err) {
        return Cause::Roots(fault.clone());
    }
    let status = err.raw_response().map(|answer| answer.status().as_u16());
    if let Some(code) = err.code() {
        let code = code.chars().filter(char::is_ascii_alphanumeric).take(64);
        let code = code.collect();
        // The only retryable error with status 400 (STS API reference, AssumeRoleWithWebIdentity).
        return if status >= Some(500) || code == "IDPCommunicationError" {
            Cause::StsFailed { action, code }
        } else {
            Cause::Sts { action, code }
        };
    }
    let cause = match err {
        SdkError::TimeoutError(_) => Cause::TimedOut,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => Cause::TimedOut,
        SdkError::DispatchFailure(_) => match kernels_word(err) {
            Some(std::io::ErrorKind::ConnectionRefused) => Cause::Refused,
            _ if is_untrusted(err) => Cause::Untrusted,
            _ => Cause::Unreachable,
        },
        _ => match status {
            Some(status) if !(200..300).contains(&status) => Cause::Status(status),
            _ => Cause::Malformed,
        },
    };
    Cause::NoSts {
        action,
        cause: Box::new(cause),
    }
}
