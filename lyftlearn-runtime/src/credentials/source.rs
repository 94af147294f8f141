//! One source of credentials, asked anew each time.

use std::time::SystemTime;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};

use super::container::{Container, Skew};
use super::fault::Cause;
use super::internet;
use super::profile::Profile;
use super::sts::Sts;
use crate::workload::{Assumption, CredentialPlan, Origin};

/// Source of credentials, with the client that calls it.
#[derive(Debug)]
pub(crate) struct Source {
    base: Base,
    sts: Option<Sts>,
    assume: Option<Assumption>,
    session: String,
}

#[derive(Debug)]
enum Base {
    Environment(EnvironmentVariableCredentialsProvider),
    Profile(Profile),
    Imds(Box<ImdsCredentialsProvider>),
    WebIdentity {
        role: String,
        token_file: std::path::PathBuf,
    },
    Container(Box<Container>),
}

/// What a source gave.
pub(crate) struct Fetched {
    pub(crate) credentials: Credentials,
    /// How far this machine's clock is ahead of the source's.
    pub(crate) skew: Option<Skew>,
}

impl Source {
    /// `None` where there is no source.
    pub(crate) fn new(plan: &CredentialPlan) -> Option<Self> {
        let base = match &plan.origin {
            Origin::Environment => Base::Environment(EnvironmentVariableCredentialsProvider::new()),
            Origin::Profile { name } => Base::Profile(Profile::new(name.clone(), plan)),
            Origin::Imds => Base::Imds(Box::new(
                ImdsCredentialsProvider::builder()
                    .configure(
                        &ProviderConfig::without_region()
                            .with_http_client(internet(plan.roots.clone())),
                    )
                    .build(),
            )),
            Origin::WebIdentity { role, token_file } => Base::WebIdentity {
                role: role.clone(),
                token_file: token_file.clone(),
            },
            Origin::Container {
                uri,
                token,
                token_file,
            } => Base::Container(Box::new(Container::new(
                uri.clone(),
                token.clone(),
                token_file.clone(),
                plan,
            ))),
            Origin::None => return None,
        };
        Some(Self {
            base,
            sts: Sts::new(plan),
            assume: plan.assume.clone(),
            session: plan.session_name.clone(),
        })
    }

    /// Another role, assumed with the same origin's credentials.
    #[cfg(feature = "cli")]
    pub(crate) fn role(plan: &CredentialPlan, role: &str) -> Option<Self> {
        let assume = Some(Assumption {
            role: role.to_owned(),
            ..Assumption::default()
        });
        Self::new(&CredentialPlan {
            assume,
            ..plan.clone()
        })
    }

    /// Fetches credentials. Expired ones are a failure.
    pub(crate) async fn fetch(&self) -> Result<Fetched, Cause> {
        let Fetched { credentials, skew } = self.origin().await?;
        let credentials = match &self.assume {
            None => credentials,
            Some(wanted) => {
                let sts = self.sts.as_ref().ok_or(Cause::NoRegion)?;
                sts.assume(credentials, wanted, &self.session).await?
            }
        };
        if credentials.expiry().is_some_and(|expiry| expiry <= now()) {
            return Err(Cause::Expired);
        }
        Ok(Fetched { credentials, skew })
    }

    async fn origin(&self) -> Result<Fetched, Cause> {
        let credentials = match &self.base {
            Base::Container(container) => {
                let (credentials, skew) = container.fetch().await?;
                return Ok(Fetched { credentials, skew });
            }
            Base::WebIdentity { role, token_file } => {
                let sts = self.sts.as_ref().ok_or(Cause::NoRegion)?;
                sts.web_identity(role, token_file, &self.session).await?
            }
            Base::Environment(provider) => given(provider.provide_credentials().await)?,
            Base::Imds(provider) => given(provider.provide_credentials().await)?,
            Base::Profile(profile) => profile.fetch().await?,
        };
        Ok(Fetched {
            credentials,
            skew: None,
        })
    }
}

fn given(answer: Result<Credentials, CredentialsError>) -> Result<Credentials, Cause> {
    answer.map_err(|err| Cause::of_sdk(&err))
}

#[expect(
    clippy::disallowed_methods,
    reason = "credentials end at a time of the wall clock"
)]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

impl ProvideCredentials for Source {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let fetched = self.fetch().await;
            fetched
                .map(|fetched| fetched.credentials)
                .map_err(|cause| CredentialsError::provider_error(Said(cause)))
        })
    }
}

/// Wraps a cause as an error.
#[derive(Debug)]
struct Said(Cause);

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Said {}
