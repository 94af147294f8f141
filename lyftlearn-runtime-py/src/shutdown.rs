//! What PID 1 tells of a stop, for `_shutdown.py`, which holds everything that is Python's:
//! handlers, callbacks, event loops.

use std::os::fd::{AsRawFd, IntoRawFd};
use std::sync::OnceLock;

use lyftlearn_runtime::Facts;
use lyftlearn_runtime::shutdown as rt;
use pyo3::prelude::*;

use crate::error::raise;

/// Signal, time, deadline and reason.
type Told = (String, f64, Option<f64>, &'static str);

/// What PID 1 tells this process of a stop.
#[pyclass(frozen, module = "lyftlearn_runtime._native")]
pub(crate) struct Shutdown {
    told: rt::Shutdown,
    /// The same with SIGTERM, once that is held.
    held: OnceLock<rt::Shutdown>,
}

#[pymethods]
impl Shutdown {
    #[new]
    fn new() -> Self {
        Self {
            told: rt::Shutdown::of(&Facts::capture(Vec::new())),
            held: OnceLock::new(),
        }
    }

    /// Whether a PID 1 of ours tells anything here.
    #[getter]
    fn supervised(&self) -> bool {
        self.told.supervised()
    }

    /// The component that begins new rounds, in a worker of an elastic job: the signal that
    /// announces a round, and the seconds until it, if they are known.
    #[getter]
    fn round(&self) -> Option<(i32, Option<f64>)> {
        let round = self.told.round()?;
        Some((round.signal, round.seconds))
    }

    /// Signal, time of the request, deadline (both in time.monotonic's seconds) and reason
    /// ("stop" or "resize"), once the process was asked to end.
    ///
    /// Raises ContractError or UnreadableError if the file with the request is broken.
    fn requested(&self) -> PyResult<Option<Told>> {
        let told = self.held.get().unwrap_or(&self.told);
        let request = told.requested().map_err(|error| raise(&error))?;
        Ok(request.map(|request| {
            let reason = request.reason.as_str();
            (request.signal, request.requested, request.deadline, reason)
        }))
    }

    /// A new descriptor, the caller's to close, that becomes readable when PID 1 may have
    /// told of a stop; None where no PID 1 of ours does.
    ///
    /// Raises LyftlearnRuntimeError when the kernel has none left.
    fn watch(&self) -> PyResult<Option<i32>> {
        let watch = self.told.watch().map_err(|error| raise(&error))?;
        Ok(watch.map(IntoRawFd::into_raw_fd))
    }

    /// Keeps SIGTERM from ending this process, from any thread, until somebody installs a
    /// handler; returns a descriptor that becomes readable, for good, with the signal.
    ///
    /// Raises LyftlearnRuntimeError when the kernel has none left.
    fn hold(&self) -> PyResult<i32> {
        if self.held.get().is_none() {
            let held = self.told.clone().listen();
            // Of two threads at once one is enough.
            let _ = self.held.set(held.map_err(|error| raise(&error))?);
        }
        let descriptor = self.held.get().and_then(rt::Shutdown::signalled);
        Ok(descriptor.map_or(-1, |descriptor| descriptor.as_raw_fd()))
    }
}
