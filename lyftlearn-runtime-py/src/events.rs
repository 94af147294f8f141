//! How far the program is, for whoever the runtime tells of its job.

use lyftlearn_runtime::events;
use pyo3::prelude::*;

/// Says how far the program is: fraction is from 0 to 1, message is for people.
///
///     for epoch in range(10):
///         rt.progress(epoch / 10, f"epoch {epoch} of 10")
///
/// Writes one small file, starts no thread and waits for nobody. The runtime sends what was said
/// last, at most every 10 seconds, where the setting events.to names a destination: of the message
/// the first 256 characters, without the values of secrets. A fraction outside of 0 to 1 counts as
/// the nearer end. Where no runtime started this program nothing happens, and nothing is raised.
#[pyfunction]
#[pyo3(signature = (fraction, message = ""))]
pub(crate) fn progress(py: Python<'_>, fraction: f64, message: &str) {
    // A file system may take its time.
    py.detach(|| events::progress(fraction, message));
}
