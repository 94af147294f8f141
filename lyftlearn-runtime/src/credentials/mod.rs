//! The one identity that the model names, by the AWS SDK's own providers.
//!
//! The SDKs' default chain tries one source after another; here the source is known,
//! so that what `inspect` says is what is used, and nothing is asked that cannot answer.

mod fault;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::{
    EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider,
};
use aws_config::meta::region::{ProvideRegion, RegionProviderChain};
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use fault::CredentialsFault;
#[cfg(feature = "cli")]
pub(crate) use fault::unavailable;

use crate::error::Error;
use crate::workload::{CredentialSource, Credentials};

/// A provider of exactly the source that `credentials` names, for any AWS SDK client.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use lyftlearn_runtime::{Facts, credentials, resolve};
///
/// let facts = Facts::empty()
///     .with_var("AWS_ACCESS_KEY_ID", "id")
///     .with_var("AWS_SECRET_ACCESS_KEY", "key");
/// let workload = resolve(&facts)?.workload;
/// let provider = credentials::provider(&workload.credentials).await?;
/// # Ok::<(), lyftlearn_runtime::Error>(())
/// # }).unwrap();
/// ```
///
/// # Errors
///
/// When there is no source: network isolation, or nothing configured.
pub async fn provider(credentials: &Credentials) -> Result<SharedCredentialsProvider, Error> {
    let https = Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https();
    let config = ProviderConfig::without_region().with_http_client(https);
    Ok(match credentials.source {
        CredentialSource::Static => {
            SharedCredentialsProvider::new(EnvironmentVariableCredentialsProvider::new())
        }
        CredentialSource::Container | CredentialSource::PodIdentity => {
            SharedCredentialsProvider::new(
                EcsCredentialsProvider::builder().configure(&config).build(),
            )
        }
        // STS is regional. The region is the one that the environment or the profile names:
        // the SDK's default chain would go on to ask IMDS, which no container should.
        CredentialSource::WebIdentity => {
            let region = EnvironmentVariableRegionProvider::new().region().await;
            let config = config.with_region(region);
            let provider = WebIdentityTokenCredentialsProvider::builder();
            SharedCredentialsProvider::new(provider.configure(&config).build())
        }
        CredentialSource::Profile => {
            let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                .or_else(ProfileFileRegionProvider::new());
            let config = config.with_region(region.region().await);
            let provider = ProfileFileCredentialsProvider::builder();
            SharedCredentialsProvider::new(provider.configure(&config).build())
        }
        CredentialSource::None if credentials.isolated => {
            return Err(CredentialsFault::Isolated.into());
        }
        CredentialSource::None => return Err(CredentialsFault::NoSource.into()),
    })
}
