//! Live configuration, for `_config.py`, which holds callbacks and their thread.

use std::os::fd::{AsFd, AsRawFd};

use lyftlearn_runtime::config as rt;
use lyftlearn_runtime::{ErrorKind, Facts};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList, PyMapping, PyNotImplemented};

use crate::error::raise;
use crate::hyperparameters::{or_default, part};

/// All keys and values of live configuration of one moment, every value a text: a file's
/// content but for one line end at its end. Types are what the caller declares, never guessed.
///
/// A read-only mapping that never changes. A value may be a secret, so repr and errors show
/// names only.
#[pyclass(frozen, mapping, module = "lyftlearn_runtime")]
pub(crate) struct ConfigSnapshot(rt::Snapshot);

#[pymethods]
impl ConfigSnapshot {
    fn __getitem__(&self, name: &str) -> PyResult<&str> {
        self.0.text(name).map_err(|error| raise(&error))
    }

    fn __len__(&self) -> usize {
        self.0.texts().len()
    }

    fn __contains__(&self, name: &Bound<'_, PyAny>) -> bool {
        name.extract::<String>()
            .is_ok_and(|name| self.0.texts().contains_key(&name))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.0.texts().keys())?.try_iter()
    }

    fn __repr__(&self) -> String {
        format!(
            "ConfigSnapshot({})",
            self.0
                .texts()
                .keys()
                .cloned()
                .collect::<Vec<_>>()
                .join(", ")
        )
    }

    fn __eq__<'py>(&self, py: Python<'py>, other: &Bound<'py, PyAny>) -> PyResult<Py<PyAny>> {
        if let Ok(other) = other.cast::<Self>() {
            return (self.0 == other.get().0).into_py_any(py);
        }
        let Ok(other) = other.cast::<PyMapping>() else {
            return PyNotImplemented::get(py).into_py_any(py);
        };
        let own = self.0.texts().clone().into_pyobject(py)?;
        let other = py.get_type::<PyDict>().call1((other,))?;
        own.eq(other)?.into_py_any(py)
    }

    /// The names, sorted.
    fn keys<'py>(mapping: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        part("KeysView", mapping.as_any())
    }

    /// The texts, in the order of the names.
    fn values<'py>(mapping: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        part("ValuesView", mapping.as_any())
    }

    /// Names and texts, in the order of the names.
    fn items<'py>(mapping: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        part("ItemsView", mapping.as_any())
    }

    /// The text, or `default` if no file has this name.
    #[pyo3(signature = (name, default=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(match self.0.texts().get(name) {
            Some(text) => Some(text.into_pyobject(py)?.into_any()),
            None => default,
        })
    }

    /// The names whose values differ, including names that only one of the two has.
    fn differences(&self, other: &Self) -> std::collections::HashSet<String> {
        self.0.differences(&other.0).into_iter().collect()
    }

    /// A whole number of at most 64 bits in decimal digits: "10", "-3".
    ///
    /// The default replaces a missing value, never an invalid one. Raises KeyError if no file has
    /// this name and there is no default, ConfigError if the value is not an integer.
    #[pyo3(signature = (name, default=None))]
    fn int(&self, name: &str, default: Option<i64>) -> PyResult<i64> {
        or_default(self.0.int(name), default)
    }

    /// A decimal number: "0.1", "1e-5", "10", "inf", "NaN".
    ///
    /// The default replaces a missing value, never an invalid one. Raises KeyError if no file has
    /// this name and there is no default, ConfigError if the value is not a number.
    #[pyo3(signature = (name, default=None))]
    fn float(&self, name: &str, default: Option<f64>) -> PyResult<f64> {
        or_default(self.0.float(name), default)
    }

    /// True or false, in JSON's spelling or Python's: "true", "False".
    ///
    /// The default replaces a missing value, never an invalid one. Raises KeyError if no file has
    /// this name and there is no default, ConfigError if the value is not a boolean ("yes" and "1"
    /// are not).
    #[pyo3(signature = (name, default=None))]
    fn bool(&self, name: &str, default: Option<bool>) -> PyResult<bool> {
        or_default(self.0.bool(name), default)
    }

    /// Any JSON document, as json.loads makes it.
    ///
    /// A default other than None replaces a missing value, never an invalid one. Raises KeyError if
    /// no file has this name and there is no default, ConfigError if the value is not JSON (NaN is
    /// not).
    #[pyo3(signature = (name, default=None))]
    fn json<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        // Checked by the Rust that every door shares, made into objects by Python's own.
        match (self.0.json::<serde_json::Value>(name), default) {
            (Ok(_), _) => py
                .import("json")?
                .call_method1("loads", (self.__getitem__(name)?,)),
            (Err(error), Some(default)) if error.kind() == ErrorKind::ConfigMissing => Ok(default),
            (Err(error), _) => Err(raise(&error)),
        }
    }
}

/// The live configuration, with a cache of the last read.
#[pyclass(frozen, module = "lyftlearn_runtime._native")]
pub(crate) struct Config(rt::Config);

#[pymethods]
impl Config {
    /// Raises SettingsError, ContractError or UnreadableError as resolve() does: settings say
    /// where it lies.
    #[new]
    fn new() -> PyResult<Self> {
        rt::Config::of(&Facts::capture(Vec::new()))
            .map(Self)
            .map_err(|error| raise(&error))
    }

    /// A sentence for each thing that will not follow its source.
    #[getter]
    fn problems(&self) -> Vec<String> {
        self.0.problems().to_vec()
    }

    /// What holds now.
    ///
    /// Raises ConfigError or UnreadableError if a file cannot be read.
    fn snapshot(&self) -> PyResult<ConfigSnapshot> {
        // Without letting other threads in: a fork meanwhile would find a lock held.
        let snapshot = self.0.snapshot().map_err(|error| raise(&error))?;
        Ok(ConfigSnapshot(snapshot))
    }

    /// Tells of changes.
    ///
    /// Raises LyftlearnRuntimeError when the kernel has no descriptor left.
    fn watch(&self) -> PyResult<ConfigWatch> {
        let watch = self.0.watch().map_err(|error| raise(&error))?;
        Ok(ConfigWatch(watch))
    }
}

/// Tells of changes of live configuration.
#[pyclass(frozen, module = "lyftlearn_runtime._native")]
pub(crate) struct ConfigWatch(rt::Watch);

#[pymethods]
impl ConfigWatch {
    /// A descriptor that becomes readable when something may have changed. Closed with this.
    fn fileno(&self) -> i32 {
        self.0.as_fd().as_raw_fd()
    }

    /// What holds now; from here on the descriptor is readable when that may have changed.
    ///
    /// Raises ConfigError or UnreadableError if a file cannot be read.
    fn look(&self) -> PyResult<ConfigSnapshot> {
        let snapshot = self.0.look().map_err(|error| raise(&error))?;
        Ok(ConfigSnapshot(snapshot))
    }
}
