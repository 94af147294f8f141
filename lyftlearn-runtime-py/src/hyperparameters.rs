//! Hyperparameters as a mapping of texts with declared types.

use lyftlearn_runtime::{Error, ErrorKind, Texts};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList, PyMapping, PyNotImplemented};

use crate::error::raise;

/// Hyperparameters by name, every value a text exactly as it was given: "02139" stays
/// "02139". Types are what the caller declares, never guessed.
///
/// A read-only mapping. A value may be a secret, so repr and errors show names only.
///
/// Sources: SageMaker's hyperparameters.json (Developer Guide, "How Amazon SageMaker AI
/// Provides Training Information"), and on both platforms hyperparameters.json in the
/// config directory, which SageMaker's own overrides name by name.
#[pyclass(frozen, mapping, module = "lyftlearn_runtime")]
pub(crate) struct Hyperparameters(pub(crate) Texts);

#[pymethods]
impl Hyperparameters {
    fn __getitem__(&self, name: &str) -> PyResult<&str> {
        self.0.text(name).map_err(|error| raise(&error))
    }

    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __contains__(&self, name: &Bound<'_, PyAny>) -> bool {
        name.extract::<String>()
            .is_ok_and(|name| self.0.get(&name).is_some())
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        PyList::new(py, self.0.names())?.try_iter()
    }

    fn __repr__(&self) -> String {
        format!(
            "Hyperparameters({})",
            self.0.names().collect::<Vec<_>>().join(", ")
        )
    }

    fn __eq__<'py>(&self, py: Python<'py>, other: &Bound<'py, PyAny>) -> PyResult<Py<PyAny>> {
        if let Ok(other) = other.cast::<Self>() {
            return (self.0 == other.get().0).into_py_any(py);
        }
        let Ok(other) = other.cast::<PyMapping>() else {
            return PyNotImplemented::get(py).into_py_any(py);
        };
        let own = PyDict::new(py);
        for (name, text) in self.0.iter() {
            own.set_item(name, text)?;
        }
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

    /// The text, or `default` if no hyperparameter has this name.
    #[pyo3(signature = (name, default=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        name: &str,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(match self.0.get(name) {
            Some(text) => Some(text.into_pyobject(py)?.into_any()),
            None => default,
        })
    }

    /// A whole number of at most 64 bits in decimal digits: "10", "-3".
    ///
    /// The default replaces a missing value, never an invalid one. Raises KeyError if no
    /// hyperparameter has this name and there is no default, HyperparameterError if the value is
    /// not an integer.
    #[pyo3(signature = (name, default=None))]
    fn int(&self, name: &str, default: Option<i64>) -> PyResult<i64> {
        or_default(self.0.int(name), default)
    }

    /// A decimal number: "0.1", "1e-5", "10", "inf", "NaN".
    ///
    /// The default replaces a missing value, never an invalid one. Raises KeyError if no
    /// hyperparameter has this name and there is no default, HyperparameterError if the value is
    /// not a number.
    #[pyo3(signature = (name, default=None))]
    fn float(&self, name: &str, default: Option<f64>) -> PyResult<f64> {
        or_default(self.0.float(name), default)
    }

    /// True or false, in JSON's spelling or Python's: "true", "False".
    ///
    /// The default replaces a missing value, never an invalid one. Raises KeyError if no
    /// hyperparameter has this name and there is no default, HyperparameterError if the value is
    /// not a boolean ("yes" and "1" are not).
    #[pyo3(signature = (name, default=None))]
    fn bool(&self, name: &str, default: Option<bool>) -> PyResult<bool> {
        or_default(self.0.bool(name), default)
    }

    /// Any JSON document, as json.loads makes it.
    ///
    /// A default other than None replaces a missing value, never an invalid one. Raises KeyError if
    /// no hyperparameter has this name and there is no default, HyperparameterError if the value is
    /// not JSON (NaN is not).
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
            (Err(error), Some(default)) if error.kind() == ErrorKind::HyperparameterMissing => {
                Ok(default)
            }
            (Err(error), _) => Err(raise(&error)),
        }
    }

    /// All hyperparameters at once, with the types that `model` declares: a dataclass, or a
    /// pydantic v2 model. Names must be the fields' names. A hyperparameter without a field is
    /// ignored, or rejected with `strict`. A missing one has the field's default.
    ///
    /// In a dataclass, int, float and bool are read as by the methods of these names, and str is
    /// the text. Literal and Enum are written as their values, an Enum also by name. A list, tuple,
    /// set, dict or another dataclass is JSON, in which 3 is a number and "3" is not. In Optional,
    /// "null" and "None" are None, unless the other type is str. A pydantic model gets strings and
    /// converts them leniently ("yes" is true there), and JSON if a field has structure.
    ///
    /// Raises HyperparameterError with every mistake at once: which hyperparameter, what
    /// was expected, never the value. TypeError when `model` is neither, or has a field of
    /// a type that no text could give.
    #[pyo3(signature = (model, *, strict=false))]
    fn load<'py>(
        mapping: &Bound<'py, Self>,
        model: &Bound<'py, PyAny>,
        strict: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        mapping
            .py()
            .import("lyftlearn_runtime._load")?
            .call_method1("load", (mapping, model, strict))
    }
}

/// Python's own view of a mapping's part; it shows the mapping's repr, and so no value.
pub(crate) fn part<'py>(class: &str, mapping: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    mapping
        .py()
        .import("collections.abc")?
        .call_method1(class, (mapping,))
}

/// The default replaces a missing value, never an invalid one.
pub(crate) fn or_default<T>(read: Result<T, Error>, default: Option<T>) -> PyResult<T> {
    match (read, default) {
        (Ok(value), _) => Ok(value),
        (Err(error), Some(default)) if is_missing(&error) => Ok(default),
        (Err(error), _) => Err(raise(&error)),
    }
}

fn is_missing(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::HyperparameterMissing | ErrorKind::ConfigMissing
    )
}
