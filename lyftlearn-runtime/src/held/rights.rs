//! Reads by paths that the program may have changed.

use std::io;

use nix::unistd::{Gid, Uid, setfsgid, setfsuid, setgroups};

use super::Owner;

/// Calls `read` with the rights of `owner` over files (setfsuid(2)): links lead it only where the
/// program's user may read. This process's supplementary groups are given up for good.
pub(crate) fn with_rights_of<T>(owner: Owner, read: impl FnOnce() -> T) -> io::Result<T> {
    setgroups(&[])?;
    let group = setfsgid(Gid::from_raw(owner.gid));
    let user = setfsuid(Uid::from_raw(owner.uid));
    // Neither call reports a failure. An invalid number changes nothing and returns the present one.
    let present = (
        setfsuid(Uid::from_raw(u32::MAX)).as_raw(),
        setfsgid(Gid::from_raw(u32::MAX)).as_raw(),
    );
    let result = if present == (owner.uid, owner.gid) {
        Ok(read())
    } else {
        Err(io::ErrorKind::PermissionDenied.into())
    };
    setfsuid(user);
    setfsgid(group);
    result
}
