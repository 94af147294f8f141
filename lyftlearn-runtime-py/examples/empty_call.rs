//! A method that does nothing, with the signature of the counter's: what the benches hold
//! the metrics' cost against.

use pyo3::prelude::*;

/// Nothing but its calls.
#[pyclass(frozen)]
struct Empty;

#[pymethods]
impl Empty {
    #[new]
    fn new() -> Self {
        Self
    }

    #[pyo3(signature = (amount=1.0, /))]
    fn inc(&self, amount: f64) {
        let _ = amount;
    }

    #[pyo3(signature = (value, /))]
    fn set(&self, value: f64) {
        let _ = value;
    }

    fn __enter__(&self) {}

    fn __exit__(
        &self,
        _kind: &Bound<'_, PyAny>,
        _value: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) {
    }
}

#[pymodule]
mod empty_call {
    #[pymodule_export]
    use super::Empty;
}
