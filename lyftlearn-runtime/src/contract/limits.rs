//! Sizes that belong to someone else, or that keep a bad file from filling PID 1.

/// Linux refuses one environment string (`NAME=value` and its NUL) of more than
/// 32 pages (MAX_ARG_STRLEN, execve(2)).
pub(crate) const ENVIRONMENT_STRING_BYTES: usize = 131_072;
/// However large the stack may grow, Linux takes three quarters of 8 MiB at most.
pub(crate) const ENVIRONMENT_BYTES: usize = 6 << 20;
/// A settings or platform document; the largest real one, a resourceconfig.json
/// of a thousand hosts, takes 60 kB.
pub(crate) const DOCUMENT_BYTES: u64 = 16 << 20;
/// Our own settings: a thousand secrets take a tenth of it.
pub(crate) const SETTINGS_BYTES: u64 = 1 << 20;
/// Stands for what a text has over its limit.
pub(crate) const LEFT_OUT: char = '\u{2026}';
/// Mistakes of a document that a report names; it counts the others.
pub(crate) const MISTAKES: usize = 20;
/// Secrets that can be declared, and keys of one of them.
pub(crate) const SECRETS: usize = 1_000;
pub(crate) const SECRET_KEYS: usize = 10_000;
/// All files of a directory of secrets; a Kubernetes Secret holds one mebibyte.
pub(crate) const SECRET_DIRECTORY_BYTES: usize = 16 << 20;
/// Replaced values of secrets that are still redacted, as a document. Of more, those of the start
/// and the present ones are.
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const REPLACED_BYTES: usize = 4 << 20;
/// Nodes of a job, and groups of them: ten times the largest job there is.
pub(crate) const NODES: usize = 10_000;
/// Channels of a job; SageMaker takes 20.
pub(crate) const CHANNELS: usize = 1_000;
/// Labels or annotations of a pod; all annotations together hold 256 KiB (Kubernetes).
pub(crate) const LABELS: usize = 10_000;
/// Supplementary groups of a user: they reach the second stage as one word, which Linux limits.
#[cfg(feature = "cli")]
pub(crate) const GROUPS: usize = 10_000;
/// Declared differences with a star in them. People write each of them.
#[cfg(feature = "cli")]
pub(crate) const WILDCARDS: usize = 1_000;
/// Hyperparameters travel as a file because they outgrow the platforms' limits.
pub(crate) const HYPERPARAMETERS_BYTES: u64 = 256 << 20;
/// One value of live configuration; a whole ConfigMap holds no more (Kubernetes' ConfigMaps).
pub(crate) const LIVE_VALUE_BYTES: u64 = 1 << 20;
/// A mount table or a cgroup file; a node with thousands of volumes stays below.
pub(crate) const KERNEL_FILE_BYTES: u64 = 4 << 20;
/// A note of an exception: two messages of 4,096 characters, each of which may take six bytes, and
/// their places.
#[cfg(feature = "cli")]
pub(crate) const EXCEPTION_BYTES: u64 = 128 << 10;
/// A progress: a message of 4,096 characters, each of which may take six bytes.
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) const PROGRESS_BYTES: u64 = 32 << 10;
/// An answer of the container-credentials protocol; a long session token takes some kB.
#[cfg(feature = "agent")]
pub(crate) const CREDENTIALS_BYTES: usize = 256 << 10;
/// A token in a file; a pod's own takes one or two kB.
#[cfg(feature = "agent")]
pub(crate) const TOKEN_BYTES: u64 = 64 << 10;
