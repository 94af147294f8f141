//! Memory that processes share, as words that are read and written atomically.
#![expect(
    unsafe_code,
    reason = "what all processes of a container count in is a mapping; increments that \
              survive any ending earn it"
)]

use std::fs::File;
use std::sync::atomic::AtomicU64;

use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags};

/// A page that holds one word.
const PAGE: usize = 4096;

/// A file's first `words` words, for as long as this process lives. The file is as long as
/// that, and its pages are allocated: that is for the caller to have made sure of.
pub(super) fn map(file: &File, words: usize) -> Result<&'static [AtomicU64], Errno> {
    // SAFETY: a new mapping at an address that the kernel chooses touches no other memory.
    let start = unsafe {
        rustix::mm::mmap(
            std::ptr::null_mut(),
            words * size_of::<AtomicU64>(),
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::SHARED,
            file,
            0,
        )?
    };
    // SAFETY: `start` is page-aligned and leads to `words` words, which are never unmapped.
    // Everything that this process does to them is atomic, and so is what others do; any
    // bits make an AtomicU64.
    Ok(unsafe { std::slice::from_raw_parts(start.cast::<AtomicU64>(), words) })
}

/// `words` words that are 0, shared with children that are forked from now on.
pub(super) fn anonymous(words: usize) -> Result<&'static [AtomicU64], Errno> {
    reserve(words, MapFlags::SHARED)
}

/// A word that a forked child finds to be 0, whatever its parent wrote there: how a process
/// knows that it is another one, at the cost of a load. `None` where the kernel does not do
/// that (before 4.14, and some sandboxes).
pub(super) fn forgotten_by_forks() -> Option<&'static AtomicU64> {
    let page = reserve(PAGE / size_of::<AtomicU64>(), MapFlags::PRIVATE).ok()?;
    let start = page.as_ptr().cast_mut().cast();
    // SAFETY: the page is ours alone, private and anonymous. In this process it stays as it
    // is; in a child it is 0 before the child reads it, which is a value like any other.
    let advised = unsafe { rustix::mm::madvise(start, PAGE, Advice::LinuxWipeOnFork) };
    advised.ok()?;
    page.first()
}

fn reserve(words: usize, flags: MapFlags) -> Result<&'static [AtomicU64], Errno> {
    // SAFETY: as for a file's mapping.
    let start = unsafe {
        rustix::mm::mmap_anonymous(
            std::ptr::null_mut(),
            words * size_of::<AtomicU64>(),
            ProtFlags::READ | ProtFlags::WRITE,
            flags,
        )?
    };
    // SAFETY: as for a file's mapping.
    Ok(unsafe { std::slice::from_raw_parts(start.cast::<AtomicU64>(), words) })
}
