//! This binary, once more: stages that cannot be done in PID 1 are done by another start
//! of it.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The running binary, whatever has become of its file.
const SELF: &str = "/proc/self/exe";

/// A path by which this binary can be started again; `None` where nothing tells.
pub(crate) fn path() -> Option<PathBuf> {
    let known = Path::new(SELF);
    if rustix::fs::access(known, rustix::fs::Access::EXEC_OK).is_ok() {
        return Some(known.to_owned());
    }
    // Without /proc: as the kernel was told to execute it (AT_EXECFN).
    let started = std::ffi::OsStr::from_bytes(rustix::param::linux_execfn().to_bytes());
    let path = std::path::absolute(started).ok()?;
    rustix::fs::access(&path, rustix::fs::Access::EXEC_OK)
        .ok()
        .map(|()| path)
}
