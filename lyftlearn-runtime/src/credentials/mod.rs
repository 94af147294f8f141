//! The one identity that the model names: its sources, and the broker that keeps it fresh.
//!
//! The SDKs' default chain tries one source after another. Here the source is known, so `inspect`
//! shows the source that is used, and no other source is queried.

#[cfg(feature = "cli")]
mod broker;
mod container;
mod fault;
#[cfg(feature = "cli")]
mod handed;
mod profile;
#[cfg(feature = "cli")]
mod schedule;
mod source;
#[cfg(feature = "cli")]
mod startup;
mod sts;
mod trust;

#[cfg(feature = "cli")]
pub(crate) use broker::{Broker, Report, Summary, Unavailable, timestamp};
#[cfg(feature = "cli")]
pub(crate) use container::clock_ahead;
#[cfg(feature = "cli")]
pub(crate) use fault::{Cause, unavailable};
#[cfg(feature = "cli")]
pub(crate) use handed::{hand_over, take_over};
#[cfg(feature = "cli")]
pub(crate) use profile::{ARGUMENT as PROFILE_ARGUMENT, answer};
#[cfg(feature = "cli")]
pub(crate) use source::Fetched;
pub(crate) use source::Source;
#[cfg(feature = "cli")]
pub(crate) use startup::first;
#[cfg(feature = "cli")]
pub(crate) use sts::caller;
#[cfg(feature = "cli")]
pub(crate) use trust::{RootsFault, connector, is_untrusted, roots};

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{SharedHttpClient, http_client_fn};

use crate::delivered::Endpoint;
use crate::error::Error;
use crate::facts::Facts;
use crate::resolve::credentials;
use crate::workload::{CredentialMode, CredentialPlan, CredentialSource, Credentials, Roots};
use fault::CredentialsFault;

/// The container's identity, for any AWS SDK client: what the runtime serves, or, where
/// nothing does (a bypassed ENTRYPOINT), the platform's own source, with the same settings.
///
/// It fetches at each call; the SDK's own cache is in front of it.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use lyftlearn_runtime::credentials;
///
/// let config = aws_config::from_env()
///     .credentials_provider(credentials::provider()?)
///     .load()
///     .await;
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// When there is no source: network isolation, or nothing configured. When settings or a
/// platform's files are broken.
pub fn provider() -> Result<SharedCredentialsProvider, Error> {
    let (credentials, plan) = found(&Facts::capture(Vec::new()))?;
    // A program has only its own rights.
    let plan = CredentialPlan { user: None, ..plan };
    Ok(SharedCredentialsProvider::new(source(&credentials, &plan)?))
}

/// The same for the command line, with the cause if there are no credentials.
#[cfg(feature = "cli")]
pub(crate) fn source_here(facts: &Facts) -> Result<(Credentials, Source), Error> {
    let (credentials, plan) = found(facts)?;
    let source = source(&credentials, &plan)?;
    Ok((credentials, source))
}

fn found(facts: &Facts) -> Result<(Credentials, CredentialPlan), Error> {
    match Endpoint::here(facts) {
        Some(endpoint) => {
            let credentials = Credentials {
                source: CredentialSource::Container,
                mode: CredentialMode::Broker,
                isolated: false,
            };
            Ok((credentials, endpoint.credential_plan()))
        }
        None => credentials(facts),
    }
}

/// The source of an identity that was resolved.
pub(crate) fn source(credentials: &Credentials, plan: &CredentialPlan) -> Result<Source, Error> {
    Source::new(plan).ok_or_else(|| {
        if credentials.isolated {
            CredentialsFault::Isolated.into()
        } else {
            CredentialsFault::NoSource.into()
        }
    })
}

/// For servers on the internet: through a proxy if the environment names one.
fn internet(roots: Option<Roots>) -> SharedHttpClient {
    http_client_fn(move |settings, components| {
        trust::connector(roots.as_ref(), |context| {
            let mut connector = Connector::builder()
                .tls_provider(Provider::Rustls(CryptoMode::Ring))
                .tls_context(context)
                .proxy_config(ProxyConfig::from_env());
            connector.set_connector_settings(Some(settings.clone()));
            connector.set_sleep_impl(components.sleep_impl());
            connector.build()
        })
    })
}
