//! Where secrets are kept: Confidant's wire names (lyft/confidant 7.0.0), the services of AWS
//! that are asked, and the layout of what is delivered.

/// What the variables of a bundle begin with (confidant-format's default).
pub(crate) const PREFIX: &str = "CREDENTIALS_";
/// In the run directory: a volume as a kubelet lays it out, swapped as a whole.
pub(crate) const DIRECTORY: &str = "secrets";
/// In that directory: the link to the set that counts, as in a kubelet's volume.
pub(crate) const CURRENT: &str = "..data";
/// In `/dev/shm`, followed by letters: the same where the run directory is not in memory.
#[cfg(feature = "cli")]
pub(crate) const ELSEWHERE: &str = "lyftlearn-secrets-";
/// In the set: everything that was delivered, as one document.
pub(crate) const ALL: &str = ".all.json";
/// The whole of one secret; Secrets Manager holds no more than 64 KiB, a Kubernetes Secret
/// no more than 1 MiB.
pub(crate) const SECRET_BYTES: u64 = 1 << 20;

/// Where AWS services are called instead of at their own addresses (SDKs and Tools reference
/// guide, "Service-specific endpoints").
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const ENDPOINT: &str = "AWS_ENDPOINT_URL";
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const SECRETS_MANAGER_ENDPOINT: &str = "AWS_ENDPOINT_URL_SECRETS_MANAGER";
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const SSM_ENDPOINT: &str = "AWS_ENDPOINT_URL_SSM";
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const KMS_ENDPOINT: &str = "AWS_ENDPOINT_URL_KMS";
