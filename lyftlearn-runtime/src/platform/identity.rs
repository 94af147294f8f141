//! Which source of identity the AWS SDKs would pick here, by name.

use super::{Detection, World};
use crate::contract::{aws, kubernetes};
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
    Credentials {
        source,
        isolated: detection.platform == Platform::SageMaker
            && given
            && source == CredentialSource::None,
    }
}

/// Whether EKS Pod Identity answers for this container.
pub(super) fn pod_identity(world: &World<'_>) -> bool {
    let uri = world.facts.text(aws::FULL_URI);
    let at_agent = uri.is_some_and(|uri| {
        kubernetes::POD_IDENTITY_HOSTS.iter().any(|host| {
            uri.strip_prefix("http://")
                .is_some_and(|rest| rest.starts_with(host))
        })
    });
    let token = world.facts.text(aws::AUTHORIZATION_TOKEN_FILE);
    at_agent || token.is_some_and(|file| file.starts_with(kubernetes::POD_IDENTITY_TOKEN_DIR))
}

fn profile(world: &World<'_>) -> bool {
    let file = match world.facts.text(aws::SHARED_CREDENTIALS_FILE) {
        Some(path) => Some(path.into_owned()),
        None => world
            .facts
            .text(aws::HOME)
            .map(|home| format!("{}/{}", home.trim_end_matches('/'), aws::CREDENTIALS_FILE)),
    };
    world.facts.text(aws::PROFILE).is_some() || file.is_some_and(|file| world.facts.exists(file))
}
