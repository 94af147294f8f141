//! The program's progress, which the runtime sends as a job event.

use lyftlearn_runtime::events;
use pyo3::prelude::*;

/// Says how far the program is: fraction is from 0 to 1, message is for people.
///
///     for epoch in range(10):
///         rt.progress(epoch / 10, f"epoch {epoch} of 10")
///
/// Writes one small file, starts no thread and does not block. The runtime sends the last value, at
/// most every 10 seconds, if the setting events.to names a destination. It sends the first 256
/// characters of the message, without the values of secrets. A fraction outside of 0 to 1 counts as
/// the nearer end. If no runtime started this program, nothing happens and nothing is raised.
#[pyfunction]
#[pyo3(signature = (fraction, message = ""))]
pub(crate) fn progress(py: Python<'_>, fraction: f64, message: &str) {
    // A file system may take its time.
    py.detach(|| events::progress(fraction, message));
}
