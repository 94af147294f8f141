//! The one place where a kind becomes an exception.

use lyftlearn_runtime::{Error, ErrorKind};
use pyo3::exceptions::{PyException, PyKeyError, PyValueError};
use pyo3::{PyErr, create_exception};

create_exception!(
    lyftlearn_runtime,
    LyftlearnRuntimeError,
    PyException,
    "Every error of this package but a missing hyperparameter or configuration, which is a\nKeyError, and a metric that cannot be, which is a ValueError. The text is a\nreport: what could not be done and where, its causes, a hint. Never a value."
);
create_exception!(
    lyftlearn_runtime,
    SettingsError,
    LyftlearnRuntimeError,
    "A runtime.toml or a LYFTLEARN_RUNTIME_ variable is wrong. Every mistake is in the text."
);
create_exception!(
    lyftlearn_runtime,
    ContractError,
    LyftlearnRuntimeError,
    "A file or variable of SageMaker or Kubernetes breaks its contract."
);
create_exception!(
    lyftlearn_runtime,
    UnreadableError,
    LyftlearnRuntimeError,
    "Something exists and cannot be read."
);
create_exception!(
    lyftlearn_runtime,
    HyperparameterError,
    LyftlearnRuntimeError,
    "A hyperparameter is not what its caller declared it to be."
);
create_exception!(
    lyftlearn_runtime,
    ConfigError,
    LyftlearnRuntimeError,
    "A value of live configuration is not what its caller declared it to be, or no text."
);
create_exception!(
    lyftlearn_runtime,
    SecretsError,
    LyftlearnRuntimeError,
    "A required secret is missing, or a delivered secret file is broken."
);
create_exception!(
    lyftlearn_runtime,
    DeliveryError,
    LyftlearnRuntimeError,
    "Something cannot be delivered to the program: a limit or the file system stands\nagainst it."
);

create_exception!(
    lyftlearn_runtime,
    CredentialsError,
    LyftlearnRuntimeError,
    "No AWS credentials: withheld by a setting, absent, or the source failed."
);

pub(crate) fn raise(error: &Error) -> PyErr {
    let report = error.report();
    let text = report
        .strip_prefix("lyftlearn-runtime: ")
        .unwrap_or(&report)
        .trim_end()
        .to_owned();
    match error.kind() {
        ErrorKind::Settings => SettingsError::new_err(text),
        ErrorKind::Contract => ContractError::new_err(text),
        ErrorKind::Unreadable => UnreadableError::new_err(text),
        ErrorKind::Hyperparameter => HyperparameterError::new_err(text),
        ErrorKind::Config => ConfigError::new_err(text),
        ErrorKind::ConfigMissing => PyKeyError::new_err(text),
        ErrorKind::Secrets => SecretsError::new_err(text),
        ErrorKind::SecretMissing => PyKeyError::new_err(text),
        ErrorKind::HyperparameterMissing => PyKeyError::new_err(text),
        ErrorKind::Credentials => CredentialsError::new_err(text),
        ErrorKind::Metric => PyValueError::new_err(text),
        ErrorKind::Delivery => DeliveryError::new_err(text),
        _ => LyftlearnRuntimeError::new_err(text),
    }
}
