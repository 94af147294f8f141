//! Credentials of a shared profile, which leads anywhere that SDKs know: to keys, a role, a token, or
//! a command that prints them (`credential_process`).
//!
//! With the setting `user`, root neither reads a profile that another user can change nor starts its
//! command: a process that has become the program's user does. The agent and the process that reports
//! the end always use a separate process, because a command inherits the environment.

#[cfg(feature = "cli")]
mod apart;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;

use super::fault::Cause;
use super::internet;
#[cfg(feature = "cli")]
use crate::facts::Facts;
use crate::workload::{CredentialPlan, Roots};

#[cfg(feature = "cli")]
pub(crate) use apart::{ARGUMENT, answer};

/// What fetching from a profile takes.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    /// `None` where it is the SDK's to choose.
    name: Option<String>,
    roots: Option<Roots>,
    #[cfg(feature = "cli")]
    user: Option<String>,
}

impl Profile {
    pub(super) fn new(name: Option<String>, plan: &CredentialPlan) -> Self {
        Self {
            name,
            roots: plan.roots.clone(),
            #[cfg(feature = "cli")]
            user: plan.user.clone(),
        }
    }

    pub(super) async fn fetch(&self) -> Result<Credentials, Cause> {
        #[cfg(feature = "cli")]
        {
            let facts = Facts::capture(Vec::new());
            let user = apart::reader(&facts, self.user.as_deref());
            if user.is_some() || facts.is_of_a_helper() {
                return apart::fetch(self.name.clone(), self.roots.clone(), user).await;
            }
        }
        here(self.name.as_deref(), self.roots.clone()).await
    }
}

/// In this process, with its rights.
async fn here(name: Option<&str>, roots: Option<Roots>) -> Result<Credentials, Cause> {
    // The region is the one that the environment or the profile names: the SDK's default chain would
    // go on to ask IMDS, which no container should.
    let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new());
    let config = ProviderConfig::without_region()
        .with_http_client(internet(roots))
        .with_region(region.region().await);
    // Built anew: it reads its files once.
    let mut provider = ProfileFileCredentialsProvider::builder().configure(&config);
    // The SDK reads one of the two variables that may choose it.
    if let Some(name) = name {
        provider = provider.profile_name(name);
    }
    let answer = provider.build().provide_credentials().await;
    answer.map_err(|err| Cause::of_sdk(&err))
}
