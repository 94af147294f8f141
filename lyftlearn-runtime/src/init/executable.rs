//! This binary, once more: stages that cannot be done in PID 1 are done by another start
//! of it.
#![expect(
    unsafe_code,
    reason = "the safe form of getauxval reads /proc or wants Linux 6.4, and panics without either"
)]

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::libc;

/// The running binary, whatever has become of its file.
const SELF: &str = "/proc/self/exe";

/// A path by which this binary can be started again; `None` where nothing tells.
pub(crate) fn path() -> Option<PathBuf> {
    let known = Path::new(SELF);
    if rustix::fs::access(known, rustix::fs::Access::EXEC_OK).is_ok() {
        return Some(known.to_owned());
    }
    // Without /proc: as the kernel was told to execute it (AT_EXECFN).
    let path = std::path::absolute(executed()?).ok()?;
    rustix::fs::access(&path, rustix::fs::Access::EXEC_OK)
        .ok()
        .map(|()| path)
}

/// What the kernel was told to execute.
fn executed() -> Option<&'static OsStr> {
    // SAFETY: getauxval(3) answers with a pointer to a string at the end of this process's
    // stack, where it stays, or with 0.
    let path = unsafe {
        let path: *const libc::c_char =
            std::ptr::with_exposed_provenance(libc::getauxval(libc::AT_EXECFN) as usize);
        (!path.is_null()).then(|| CStr::from_ptr(path))
    };
    path.map(|path| OsStr::from_bytes(path.to_bytes()))
}
