//! The stores of secrets: Confidant's wire names (lyft/confidant 7.0.0), the AWS services, and the
//! layout of the delivered files.

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
