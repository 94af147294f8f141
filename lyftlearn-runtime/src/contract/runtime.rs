//! Our own knobs, as people write them.

/// The kill switch: `off` turns every door into a pass-through.
pub(crate) const SWITCH: &str = "LYFTLEARN_RUNTIME";
/// Every setting has a variable: this, then its key in upper case with `_` for `.`.
pub(crate) const SETTING_PREFIX: &str = "LYFTLEARN_RUNTIME_";
/// Settings baked into the image.
pub(crate) const IMAGE_SETTINGS: &str = "/etc/lyftlearn/runtime.toml";
/// Moves the config directory.
#[cfg(feature = "cli")]
pub(crate) const CONFIG_DIR_VARIABLE: &str = "LYFTLEARN_RUNTIME_CONFIG_DIR";
/// The config directory on Kubernetes and anywhere but SageMaker: a ConfigMap, usually.
pub(crate) const CONFIG_DIR: &str = "/etc/lyftlearn/config";
/// The config directory on SageMaker: the input channel `lyftlearn`.
pub(crate) const CONFIG_CHANNEL_DIR: &str = "/opt/ml/input/data/lyftlearn";
/// The channel of that name is ours, not the program's.
pub(crate) const CONFIG_CHANNEL: &str = "lyftlearn";
/// Live configuration anywhere but on SageMaker: a ConfigMap's volume. Beside the config
/// directory, as nothing can be mounted inside of a ConfigMap's volume.
pub(crate) const LIVE_DIR: &str = "/etc/lyftlearn/live";
/// The same on SageMaker: this directory in the config directory.
pub(crate) const LIVE_NAME: &str = "live";
/// In the config directory: settings of this deployment.
pub(crate) const SETTINGS_FILE: &str = "runtime.toml";
/// In the config directory: the staged hyperparameters.
pub(crate) const HYPERPARAMETERS_FILE: &str = "hyperparameters.json";
/// Beside a document of the config directory: its checksum, as sha256sum prints it.
pub(crate) const CHECKSUM: &str = ".sha256";
/// In the config directory: variables for the program, as one JSON object.
pub(crate) const ENVIRONMENT_JSON: &str = "environment.json";
/// The same as lines of `NAME=VALUE`; over the JSON's.
pub(crate) const ENVIRONMENT_LINES: &str = "environment.env";
/// The image's own environment, from `env -0` when the image was built: a variable with the same
/// value was not set by the deployment.
pub(crate) const IMAGE_ENVIRONMENT: &str = "/etc/lyftlearn/image-environment";
/// Differences between snapshots that are meant: a path in each line, `*` for any characters.
#[cfg(feature = "cli")]
pub(crate) const DECLARED_DIFFERENCES: &str = "/etc/lyftlearn/declared-differences";
/// In a model's directory: what it was trained with.
#[cfg(feature = "cli")]
pub(crate) const MODEL_SNAPSHOT: &str = ".lyftlearn/snapshot.json";
/// Where the run directory is made when it can be.
pub(crate) const RUN_DIR: &str = "/run/lyftlearn";
/// What it is called elsewhere: followed by the user, and by a number where containers share a place.
pub(crate) const RUN_NAME: &str = "lyftlearn";
