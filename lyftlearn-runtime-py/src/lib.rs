//! The Python door: the same Rust code, as Python objects. What a platform, a setting or a secret means is decided in
//! the crate; what only Python can do (handlers, callbacks, dataclasses) is in the package.
//! Starts no thread and holds no event loop, so that data loaders may fork.

mod config;
mod error;
mod events;
mod hyperparameters;
mod metrics;
mod secrets;
mod shutdown;
mod view;

use pyo3::prelude::*;

/// The native half of `lyftlearn_runtime`. It does not need the GIL: all of its classes are frozen, and what changes
/// inside of them is behind a lock or an atomic. `tests/test_threads.py` holds that.
#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use super::config::{Config, ConfigSnapshot, ConfigWatch};
    #[pymodule_export]
    use super::error::{
        ConfigError, ContractError, CredentialsError, DeliveryError, HyperparameterError,
        LyftlearnRuntimeError, SecretsError, SettingsError, UnreadableError,
    };
    #[pymodule_export]
    use super::events::progress;
    #[pymodule_export]
    use super::hyperparameters::Hyperparameters;
    #[pymodule_export]
    use super::metrics::{
        Buckets, Counter, ExceptionCounter, Gauge, Histogram, InProgress, Series, Timer,
        metrics_check, metrics_counter, metrics_degraded, metrics_describe, metrics_gauge,
        metrics_histogram, metrics_snapshot,
    };
    #[pymodule_export]
    use super::secrets::{Secret, Secrets, SecretsSnapshot, SecretsWatch};
    #[pymodule_export]
    use super::shutdown::Shutdown;
    #[pymodule_export]
    use super::view::{Channel, Group, Job, Paths, Resources, Topology, View, current, resolve};

    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
