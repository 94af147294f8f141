//! What PID 1 tells of a stop, for `_shutdown.py`, which holds everything that is Python's:
//! handlers, callbacks, event loops.

use std::os::fd::IntoRawFd;

use lyftlearn_runtime::Facts;
use lyftlearn_runtime::shutdown as rt;
use pyo3::prelude::*;

use crate::error::raise;

/// What PID 1 tells this process of a stop.
#[pyclass(frozen, module = "lyftlearn_runtime._native")]
pub(crate) struct Shutdown(rt::Shutdown);

#[pymethods]
impl Shutdown {
    #[new]
    fn new() -> Self {
        Self(rt::Shutdown::of(&Facts::capture(Vec::new())))
    }

    /// Whether a PID 1 of ours tells anything here.
    #[getter]
    fn supervised(&self) -> bool {
        self.0.supervised()
    }

    /// Signal, time of the request and deadline (both in time.monotonic's seconds), once a
    /// stop was asked for.
    ///
    /// Raises ContractError or UnreadableError when the file that says so is broken.
    fn requested(&self) -> PyResult<Option<(String, f64, Option<f64>)>> {
        let request = self.0.requested().map_err(|error| raise(&error))?;
        Ok(request.map(|request| (request.signal, request.requested, request.deadline)))
    }

    /// A new descriptor, the caller's to close, that becomes readable when PID 1 may have
    /// told of a stop; None where no PID 1 of ours does.
    ///
    /// Raises LyftlearnRuntimeError when the kernel has none left.
    fn watch(&self) -> PyResult<Option<i32>> {
        let watch = self.0.watch().map_err(|error| raise(&error))?;
        Ok(watch.map(IntoRawFd::into_raw_fd))
    }
}
