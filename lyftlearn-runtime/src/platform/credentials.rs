//! Which source of credentials the AWS SDKs would use here, and all that fetching from it takes.

use std::borrow::Cow;

use super::{Detection, Evidence, World, conventions, profile};
use crate::contract::{aws, kubernetes, linux, sagemaker};
use crate::facts::Facts;
use crate::problems::Problems;
use crate::settings::{self, AssumeRole};
use crate::workload::{
    Assumption, CredentialMode, CredentialPlan, CredentialSource, Credentials, Flavor, Job, Origin,
    Roots, Secret,
};

/// What the model says of the identity, and how it is obtained.
pub(super) fn read(
    world: &World<'_>,
    detection: &Detection,
    job: &Job,
    problems: &mut Problems,
) -> (Credentials, CredentialPlan) {
    let settings = &world.settings.credentials;
    let found = found(world);
    let source = settings.source.unwrap_or(found);
    // A job of SageMaker's own always has an identity unless it was asked to have
    // none (network isolation); local mode and a bare pod may simply lack one.
    let given = matches!(
        detection.flavor,
        Flavor::Training | Flavor::Processing | Flavor::Hosting | Flavor::Transform
    );
    // Every engine sets HOSTNAME; where it is gone, a wrapper emptied the environment
    // and took the identity along.
    let in_a_sagemaker_container =
        set(world, linux::HOSTNAME) || set(world, sagemaker::TRAINING_JOB_ARN);
    let isolated = conventions(detection.platform).always_has_credentials
        && given
        && in_a_sagemaker_container
        && source == CredentialSource::None;
    if source == CredentialSource::None {
        problems.extend(half_configured(world));
    }
    let token = [aws::AUTHORIZATION_TOKEN_FILE, aws::AUTHORIZATION_TOKEN];
    if source == CredentialSource::PodIdentity && !token.iter().any(|name| set(world, name)) {
        problems.push(format!(
            "the EKS Pod Identity agent will reject requests: {} is not set; an association sets it together with {}",
            aws::AUTHORIZATION_TOKEN_FILE,
            aws::FULL_URI
        ));
    }
    let credentials = Credentials {
        source,
        mode: mode(settings, source),
        isolated,
    };
    let credential_plan = CredentialPlan {
        origin: origin(world, source),
        region: region(world.facts, job.arn.as_deref()),
        sts_endpoint: [aws::ENDPOINT_URL_STS, aws::ENDPOINT_URL]
            .into_iter()
            .find_map(|name| text(world, name)),
        assume: settings.assume_role.as_ref().map(|role| Assumption {
            role: role.arn.clone(),
            duration_seconds: role.duration_seconds,
            external_id: role.external_id.clone(),
            source_identity: role.source_identity.clone(),
            tags: role.tags.clone(),
        }),
        roles: settings.roles.clone(),
        session_name: session_name(settings.assume_role.as_ref(), world, detection, job),
        required: settings.required,
        startup_seconds: settings.startup_seconds,
        user: world.settings.user.clone(),
        roots: [aws::SSL_CERT_FILE, aws::CA_BUNDLE]
            .into_iter()
            .find_map(|name| {
                Some(Roots {
                    variable: name.to_owned(),
                    file: text(world, name)?.into(),
                })
            }),
    };
    (credentials, credential_plan)
}

/// The user's own keys and profile are left alone unless a setting says what to make of
/// them.
fn mode(settings: &settings::Credentials, source: CredentialSource) -> CredentialMode {
    let asked =
        settings.source.is_some() || settings.assume_role.is_some() || !settings.roles.is_empty();
    match settings.mode {
        Some(mode @ (CredentialMode::Off | CredentialMode::Native)) => mode,
        Some(CredentialMode::Broker) | None => match source {
            CredentialSource::None => CredentialMode::Native,
            CredentialSource::Static | CredentialSource::Profile if !asked => {
                CredentialMode::Native
            }
            _ => CredentialMode::Broker,
        },
    }
}

fn set(world: &World<'_>, name: &str) -> bool {
    world.facts.text(name).is_some()
}

fn text(world: &World<'_>, name: &str) -> Option<String> {
    world.facts.text(name).map(Cow::into_owned)
}

/// In the order of botocore's chain. Nothing is asked and no value is kept.
fn found(world: &World<'_>) -> CredentialSource {
    let set = |name| set(world, name);
    match () {
        () if set(aws::ACCESS_KEY_ID) && set(aws::SECRET_ACCESS_KEY) => CredentialSource::Static,
        () if set(aws::ROLE_ARN) && set(aws::WEB_IDENTITY_TOKEN_FILE) => {
            CredentialSource::WebIdentity
        }
        () if profile::leading(world.facts).is_some() => CredentialSource::Profile,
        () if set(aws::RELATIVE_URI) => CredentialSource::Container,
        () if pod_identity(world) => CredentialSource::PodIdentity,
        () if set(aws::FULL_URI) => CredentialSource::Container,
        () => CredentialSource::None,
    }
}

/// What every problem begins with that leaves a container without an identity.
pub(crate) const NO_IDENTITY: &str = "no identity: ";

/// Half of what a means of identity needs, in a sentence each.
fn half_configured(world: &World<'_>) -> Vec<String> {
    let pairs = [
        (
            aws::ROLE_ARN,
            aws::WEB_IDENTITY_TOKEN_FILE,
            "check that the pod's service account is annotated, and that the pod was created after that",
        ),
        (
            aws::WEB_IDENTITY_TOKEN_FILE,
            aws::ROLE_ARN,
            "annotate the service account with eks.amazonaws.com/role-arn",
        ),
        (
            aws::ACCESS_KEY_ID,
            aws::SECRET_ACCESS_KEY,
            "set both, or neither",
        ),
        (
            aws::SECRET_ACCESS_KEY,
            aws::ACCESS_KEY_ID,
            "set both, or neither",
        ),
        (
            aws::AUTHORIZATION_TOKEN_FILE,
            aws::FULL_URI,
            "an association of EKS Pod Identity sets both",
        ),
    ];
    pairs
        .into_iter()
        .filter(|(one, other, _)| set(world, one) && !set(world, other))
        .map(|(one, other, what)| format!("{NO_IDENTITY}{one} is set, {other} is not; {what}"))
        .collect()
}

/// All that asking `source` takes.
fn origin(world: &World<'_>, source: CredentialSource) -> Origin {
    let token = || text(world, aws::AUTHORIZATION_TOKEN).map(Secret::new);
    let token_file = || world.facts.path(aws::AUTHORIZATION_TOKEN_FILE);
    let full = || {
        text(world, aws::FULL_URI).map_or(Origin::None, |uri| Origin::Container {
            uri: Secret::new(uri),
            token: token(),
            token_file: token_file(),
        })
    };
    match source {
        CredentialSource::Static => Origin::Environment,
        CredentialSource::Profile => Origin::Profile {
            name: profile::leading(world.facts),
        },
        CredentialSource::Imds => Origin::Imds,
        CredentialSource::WebIdentity => {
            let role = text(world, aws::ROLE_ARN);
            let token_file = world.facts.path(aws::WEB_IDENTITY_TOKEN_FILE);
            role.zip(token_file)
                .map_or(Origin::None, |(role, token_file)| Origin::WebIdentity {
                    role,
                    token_file,
                })
        }
        // The relative one is the platform's, and comes first in SDKs, too.
        CredentialSource::Container => match text(world, aws::RELATIVE_URI) {
            Some(path) => Origin::Container {
                uri: Secret::new(format!("{}{path}", aws::CONTAINER_HOST)),
                token: token(),
                token_file: token_file(),
            },
            None => full(),
        },
        CredentialSource::PodIdentity => full(),
        CredentialSource::None => Origin::None,
    }
}

/// What CloudTrail will show: the place and the job, in what STS takes (2 to 64 characters).
fn session_name(
    role: Option<&AssumeRole>,
    world: &World<'_>,
    detection: &Detection,
    job: &Job,
) -> String {
    const LONGEST: usize = 64;
    let given = role.and_then(|role| role.session_name.clone());
    if let Some(name) = given.or_else(|| text(world, aws::ROLE_SESSION_NAME)) {
        return name;
    }
    let job = job.name.as_deref().unwrap_or("job");
    let name = format!("{}.{job}", detection.platform.as_str());
    let safe = name.chars().map(|letter| match letter {
        letter if letter.is_ascii_alphanumeric() || "_=,.@-".contains(letter) => letter,
        _ => '-',
    });
    safe.take(LONGEST).collect()
}

/// The region of AWS services, from any of its variables or from the job's ARN
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
