//! Secrets, for `_secrets.py`, which holds callbacks. No value is shown by anything but the one
//! attribute or key that was asked for.

use std::collections::HashSet;
use std::os::fd::{AsFd, AsRawFd};

use lyftlearn_runtime::Facts;
use lyftlearn_runtime::secrets as rt;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyList};

use crate::error::raise;
use crate::hyperparameters::part;

/// One secret: a read-only mapping of its keys, and all of it as one text.
///
/// Keys are those of a Confidant service, of a path or a directory, or of the JSON object in the
/// text; otherwise there are no keys. repr, str and format show its name only, and it cannot be
/// pickled.
#[pyclass(frozen, mapping, module = "lyftlearn_runtime")]
pub(crate) struct Secret {
    snapshot: rt::Snapshot,
    name: String,
}

impl Secret {
    fn inner(&self) -> PyResult<rt::Secret<'_>> {
        self.snapshot.get(&self.name).map_err(|error| raise(&error))
    }
}

#[pymethods]
impl Secret {
    /// The name under which it was declared.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// All of it as its source has it; of several keys a JSON object.
    ///
    /// Raises SecretsError when it is no text.
    #[getter]
    fn text(&self) -> PyResult<&str> {
        self.inner()?.text().map_err(|error| raise(&error))
    }

    /// The same as bytes.
    #[getter]
    fn bytes(&self) -> PyResult<&[u8]> {
        Ok(self.inner()?.bytes())
    }

    fn __getitem__(&self, key: &str) -> PyResult<String> {
        self.inner()?.key(key).map_err(|error| raise(&error))
    }

    fn __len__(&self) -> PyResult<usize> {
        Ok(self.inner()?.keys().len())
    }

    fn __contains__(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let keys = self.inner()?.keys();
        Ok(key.extract::<String>().is_ok_and(|key| keys.contains(&key)))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.inner()?.keys())?.try_iter()
    }

    /// The names of its keys, sorted.
    fn keys<'py>(mapping: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        part("KeysView", mapping.as_any())
    }

    /// Their values, in the order of the keys.
    fn values<'py>(mapping: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        part("ValuesView", mapping.as_any())
    }

    /// Keys and values, in the order of the keys.
    fn items<'py>(mapping: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        part("ItemsView", mapping.as_any())
    }

    /// The value of a key, or `default` if no key has this name.
    #[pyo3(signature = (key, default=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if self.inner()?.keys().contains(key) {
            return Ok(Some(self.__getitem__(key)?.into_pyobject(py)?.into_any()));
        }
        Ok(default)
    }

    fn __repr__(&self) -> String {
        format!("Secret({})", self.name)
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("a secret is not pickled"))
    }
}

/// All secrets of one moment, by name.
///
/// A read-only mapping that never changes. repr, str and format show names only, and it is not
/// pickled.
#[pyclass(frozen, mapping, eq, module = "lyftlearn_runtime")]
#[derive(PartialEq)]
pub(crate) struct SecretsSnapshot(rt::Snapshot);

#[pymethods]
impl SecretsSnapshot {
    fn __getitem__(&self, name: &str) -> PyResult<Secret> {
        self.0.get(name).map_err(|error| raise(&error))?;
        Ok(Secret {
            snapshot: self.0.clone(),
            name: name.to_owned(),
        })
    }

    fn __len__(&self) -> usize {
        self.0.names().count()
    }

    fn __contains__(&self, name: &Bound<'_, PyAny>) -> bool {
        name.extract::<String>()
            .is_ok_and(|name| self.0.names().any(|known| known == name))
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.0.names().collect::<Vec<_>>())?.try_iter()
    }

    /// The names, sorted.
    fn keys<'py>(mapping: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        part("KeysView", mapping.as_any())
    }

    /// The secrets, in the order of the names.
    fn values<'py>(mapping: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        part("ValuesView", mapping.as_any())
    }

    /// Names and secrets, in the order of the names.
    fn items<'py>(mapping: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        part("ItemsView", mapping.as_any())
    }

    /// The secret, or `default` if no secret has this name.
    #[pyo3(signature = (name, default=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if self.0.names().any(|known| known == name) {
            return Ok(Some(self.__getitem__(name)?.into_pyobject(py)?.into_any()));
        }
        Ok(default)
    }

    /// The names of secrets that differ from `other`.
    fn differences(&self, other: &Self) -> HashSet<String> {
        self.0.differences(&other.0).into_iter().collect()
    }

    fn __repr__(&self) -> String {
        format!(
            "SecretsSnapshot({})",
            self.0.names().collect::<Vec<_>>().join(", ")
        )
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err("secrets are not pickled"))
    }
}

/// Where secrets lie.
#[pyclass(frozen, module = "lyftlearn_runtime._native")]
pub(crate) struct Secrets(rt::Secrets);

#[pymethods]
impl Secrets {
    #[new]
    fn new() -> PyResult<Self> {
        rt::Secrets::of(&Facts::capture(Vec::new()))
            .map(Self)
            .map_err(|error| raise(&error))
    }

    /// What holds now.
    ///
    /// Raises SecretsError or UnreadableError if a secret cannot be read; if nothing was delivered,
    /// SettingsError, ContractError or UnreadableError as resolve() does.
    fn snapshot(&self) -> PyResult<SecretsSnapshot> {
        let snapshot = self.0.snapshot().map_err(|error| raise(&error))?;
        Ok(SecretsSnapshot(snapshot))
    }

    /// Tells of changes.
    ///
    /// Raises SecretsError when the kernel has no descriptor left.
    fn watch(&self) -> PyResult<SecretsWatch> {
        let watch = self.0.watch().map_err(|error| raise(&error))?;
        Ok(SecretsWatch(watch))
    }
}

/// Tells of changes of secrets.
#[pyclass(frozen, module = "lyftlearn_runtime._native")]
pub(crate) struct SecretsWatch(rt::Watch);

#[pymethods]
impl SecretsWatch {
    /// A descriptor that becomes readable when something may have changed. Closed with this.
    fn fileno(&self) -> i32 {
        self.0.as_fd().as_raw_fd()
    }

    /// What holds now; from here on the descriptor is readable when that may have changed.
    ///
    /// Raises SecretsError or UnreadableError if a secret cannot be read.
    fn look(&self) -> PyResult<SecretsSnapshot> {
        let snapshot = self.0.look().map_err(|error| raise(&error))?;
        Ok(SecretsSnapshot(snapshot))
    }
}
