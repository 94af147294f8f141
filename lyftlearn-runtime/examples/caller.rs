//! Calls STS GetCallerIdentity with the official Rust SDK: `caller [ENDPOINT [provider] [each]]`,
//! with the SDK's own chain or with this crate's provider; once, or once for each line of standard
//! input.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a program of its own"
)]

use aws_config::{AppName, BehaviorVersion, Region};
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use lyftlearn_runtime::credentials;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    // As the SDK's own default client: by a proxy, where the environment names one.
    let client = http_client_fn(|settings, components| {
        let mut connector = Connector::builder()
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .proxy_config(ProxyConfig::from_env());
        connector.set_connector_settings(Some(settings.clone()));
        connector.set_sleep_impl(components.sleep_impl());
        SharedHttpConnector::new(connector.build())
    });
    let mut config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .http_client(client);
    if let Some(endpoint) = words.next() {
        config = config.endpoint_url(endpoint);
    }
    let words: Vec<String> = words.collect();
    let told = |word: &str| words.iter().any(|told| told == word);
    let mut name = "rust";
    if told("provider") {
        config = config.credentials_provider(credentials::provider()?);
        name = "rust-provider";
    }
    config = config.app_name(AppName::new(name)?);
    let client = aws_sdk_sts::Client::new(&config.load().await);
    let each = told("each");
    let mut lines = std::io::stdin().lines();
    while !each || lines.next().transpose()?.is_some() {
        let caller = client.get_caller_identity().send().await?;
        println!("{}", caller.arn().unwrap_or_default());
        if !each {
            break;
        }
    }
    Ok(())
}
