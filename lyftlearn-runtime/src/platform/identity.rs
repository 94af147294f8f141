//! Which source of identity the AWS SDKs would pick here, by name.

use super::{Detection, Evidence, World};
use crate::contract::{aws, kubernetes, limits, linux, sagemaker};
use crate::facts::Facts;
use crate::workload::{CredentialSource, Credentials, Flavor, Platform};

/// In the order of botocore's chain. Nothing is asked and no value is kept.
pub(super) fn read(world: &World<'_>, detection: &Detection) -> Credentials {
    let set = |name| world.facts.text(name).is_some();
    let source = match () {
        () if set(aws::ACCESS_KEY_ID) && set(aws::SECRET_ACCESS_KEY) => CredentialSource::Static,
        () if set(aws::ROLE_ARN) && set(aws::WEB_IDENTITY_TOKEN_FILE) => {
            CredentialSource::WebIdentity
        }
        () if profile(world) => CredentialSource::Profile,
        () if set(aws::RELATIVE_URI) => CredentialSource::Container,
        () if pod_identity(world) => CredentialSource::PodIdentity,
        () if set(aws::FULL_URI) => CredentialSource::Container,
        () => CredentialSource::None,
    };
    // A job of SageMaker's own always has an identity unless it was asked to have
    // none (network isolation); local mode and a bare pod may simply lack one.
    let given = matches!(
        detection.flavor,
        Flavor::Training | Flavor::Processing | Flavor::Hosting | Flavor::Transform
    );
    // Every engine sets HOSTNAME; where it is gone, a wrapper emptied the environment
    // and took the identity along.
    let told = set(linux::HOSTNAME) || set(sagemaker::TRAINING_JOB_ARN);
    let isolated = detection.platform == Platform::SageMaker
        && given
        && told
        && source == CredentialSource::None;
    Credentials { source, isolated }
}

/// Where services are called, by whichever variable says so, or by the job's ARN
/// (`arn:aws:sagemaker:REGION:ACCOUNT:…`).
pub(crate) fn region(facts: &Facts, arn: Option<&str>) -> Option<String> {
    [aws::REGION, aws::DEFAULT_REGION]
        .into_iter()
        .find_map(|name| facts.text(name).map(std::borrow::Cow::into_owned))
        .or_else(|| {
            let region = arn?.split(':').nth(3)?;
            (!region.is_empty()).then(|| region.to_owned())
        })
}

/// Whether EKS Pod Identity's agent is the container endpoint.
fn pod_identity(world: &World<'_>) -> bool {
    let Some(uri) = world.facts.text(aws::FULL_URI) else {
        return false;
    };
    let Some(rest) = uri.strip_prefix("http://") else {
        return false;
    };
    kubernetes::POD_IDENTITY_HOSTS.iter().any(|host| {
        rest.strip_prefix(host)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':']))
    })
}

/// What EKS Pod Identity left in the environment: only EKS has it, even where it is
/// half of what a client needs.
pub(super) fn pod_identity_evidence(world: &World<'_>) -> Option<Evidence> {
    let means = "EKS Pod Identity";
    if pod_identity(world) {
        return world.variable(aws::FULL_URI, means);
    }
    let token = world.facts.text(aws::AUTHORIZATION_TOKEN_FILE)?;
    token
        .starts_with(kubernetes::POD_IDENTITY_TOKEN_DIR)
        .then(|| Evidence::new(format!("variable {}", aws::AUTHORIZATION_TOKEN_FILE), means))
}

/// Whether the chosen profile holds, or leads to, an identity. A file that is there and
/// may not be read counts: the SDK that opens it says so.
fn profile(world: &World<'_>) -> bool {
    let place = |variable: &str, usual: &str| match world.facts.text(variable) {
        Some(path) => Some(path.into_owned()),
        None => world
            .facts
            .text(aws::HOME)
            .map(|home| format!("{}/{usual}", home.trim_end_matches('/'))),
    };
    let profile = world
        .facts
        .text(aws::PROFILE)
        .map_or("default".to_owned(), |name| name.into_owned());
    let in_config = if profile == "default" {
        profile.clone()
    } else {
        format!("profile {profile}")
    };
    let files = [
        (
            place(aws::SHARED_CREDENTIALS_FILE, aws::CREDENTIALS_FILE),
            profile,
        ),
        (place(aws::CONFIG_FILE, aws::USUAL_CONFIG_FILE), in_config),
    ];
    files.into_iter().any(|(path, section)| {
        let Some(path) = path else { return false };
        match world.facts.file(&path, limits::DOCUMENT_BYTES) {
            Ok(bytes) => bytes.is_some_and(|bytes| leads_to_an_identity(&bytes, &section)),
            Err(_) => true,
        }
    })
}

/// Only the names of keys are looked at.
fn leads_to_an_identity(file: &[u8], section: &str) -> bool {
    let text = String::from_utf8_lossy(file);
    let mut inside = false;
    text.lines().map(str::trim).any(|line| {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|line| line.split(']').next())
        {
            inside = name.split_whitespace().eq(section.split_whitespace());
        }
        let key = line.split('=').next().unwrap_or_default().trim();
        inside && aws::IDENTITY_KEYS.contains(&key)
    })
}
