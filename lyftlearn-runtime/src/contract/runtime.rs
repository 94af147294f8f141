//! Our own knobs, as people write them.

/// The kill switch: `off` turns every door into a pass-through.
pub(crate) const SWITCH: &str = "LYFTLEARN_RUNTIME";
/// Every setting has a variable: this, then its key in upper case with `_` for `.`.
pub(crate) const SETTING_PREFIX: &str = "LYFTLEARN_RUNTIME_";
/// Settings baked into the image.
pub(crate) const IMAGE_SETTINGS: &str = "/etc/lyftlearn/runtime.toml";
/// The config directory on Kubernetes and anywhere but SageMaker: a ConfigMap, usually.
pub(crate) const CONFIG_DIR: &str = "/etc/lyftlearn/config";
/// The config directory on SageMaker: the input channel `lyftlearn`.
pub(crate) const CONFIG_CHANNEL_DIR: &str = "/opt/ml/input/data/lyftlearn";
/// The channel of that name is ours, not the program's.
pub(crate) const CONFIG_CHANNEL: &str = "lyftlearn";
/// In the config directory: settings of this deployment.
pub(crate) const SETTINGS_FILE: &str = "runtime.toml";
/// In the config directory: the staged hyperparameters.
pub(crate) const HYPERPARAMETERS_FILE: &str = "hyperparameters.json";
/// Where the run directory is made when it can be.
pub(crate) const RUN_DIR: &str = "/run/lyftlearn";
