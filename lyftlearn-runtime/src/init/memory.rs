//! What a start has touched and waiting does not need, given back.
//!
//! Reading settings and platforms touches most of the binary's code once. Its pages stay
//! mapped, and a process that sleeps for days would be charged for them all: measured,
//! 2.6 MB of them against the 0.4 MB that PID 1's loop touches.
#![expect(
    unsafe_code,
    reason = "madvise takes addresses, and so does whoever tells where the binary is; giving 2 MB \
              back for the life of a container earns it"
)]

use std::ffi::{c_int, c_void};
use std::ops::Range;

use nix::libc;
use nix::unistd::{SysconfVar, sysconf};

/// Unmaps the pages of this binary's code and constants. Those that are needed again come
/// back from the file by themselves.
pub(super) fn give_back() {
    for range in unchanging().into_iter().flatten() {
        let start = std::ptr::with_exposed_provenance_mut(range.start);
        // SAFETY: pages of a private mapping of the binary's file that cannot be written, and could
        // not be written since it was loaded, so all of them equal the file. A dropped page is read
        // again with the same content when it is accessed.
        let _ =
            unsafe { rustix::mm::madvise(start, range.len(), rustix::mm::Advice::LinuxDontNeed) };
    }
}

/// Largest number of read-only parts of a binary: headers, code, constants.
const PARTS: usize = 4;
type Parts = [Option<Range<usize>>; PARTS];

/// The whole pages of the binary's parts that were loaded without being writable. Relocations
/// are in those that were, whatever became of them afterwards (RELRO); and a whole page of one
/// part has nothing of another.
fn unchanging() -> Parts {
    let mut parts = Parts::default();
    // SAFETY: the C library calls `first` with what it knows of each loaded object, and
    // with `parts`, which outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(first), (&raw mut parts).cast()) };
    parts
}

/// The first object is the binary.
unsafe extern "C" fn first(
    object: *mut libc::dl_phdr_info,
    _size: libc::size_t,
    parts: *mut c_void,
) -> c_int {
    // SAFETY: both pointers are as `unchanging` says; the headers are as many as the object says
    // and stay where they are.
    let (base, headers, parts) = unsafe {
        let object = &*object;
        let count = usize::from(object.dlpi_phnum);
        let headers = std::slice::from_raw_parts(object.dlpi_phdr, count);
        (object.dlpi_addr, headers, &mut *parts.cast::<Parts>())
    };
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    let Some(page) = page.and_then(|page| usize::try_from(page).ok()) else {
        return 1;
    };
    let of_kind = |kind| headers.iter().filter(move |header| header.p_type == kind);
    for dynamic in of_kind(libc::PT_DYNAMIC) {
        // SAFETY: the dynamic section is loaded, and its last entry marks its end.
        if unsafe { relocates_code((base + dynamic.p_vaddr) as usize) } {
            return 1;
        }
    }
    let loaded = of_kind(libc::PT_LOAD).filter(|header| header.p_flags & libc::PF_W == 0);
    for (part, header) in parts.iter_mut().zip(loaded) {
        let start = (base + header.p_vaddr) as usize;
        let end = start + header.p_filesz as usize;
        let range = start.next_multiple_of(page)..end / page * page;
        *part = (!range.is_empty()).then_some(range);
    }
    1
}

/// Whether code was writable while the binary was loaded. No linker makes such a binary of
/// Rust, but some only warn.
unsafe fn relocates_code(dynamic: usize) -> bool {
    const END: usize = 0;
    const TEXTREL: usize = 22;
    const FLAGS: usize = 30;
    const FLAG_TEXTREL: usize = 4;

    let mut entry: *const [usize; 2] = std::ptr::with_exposed_provenance(dynamic);
    loop {
        // SAFETY: as the caller promises; the end has not been reached.
        let [tag, value] = unsafe { entry.read() };
        match tag {
            END => return false,
            TEXTREL => return true,
            FLAGS if value & FLAG_TEXTREL != 0 => return true,
            // SAFETY: as above.
            _ => entry = unsafe { entry.add(1) },
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the kernel's word is asked")]
mod tests {
    use super::{give_back, unchanging};

    /// The kernel's own accounts of the mapping that `address` is in: its permissions, and how much
    /// of it differs from its file.
    fn mapping(smaps: &str, address: usize) -> (String, String) {
        let mut found = None;
        for line in smaps.lines() {
            let mut words = line.split_ascii_whitespace();
            let first = words.next().unwrap();
            let number = |text| usize::from_str_radix(text, 16);
            if let Some((start, end)) = first.split_once('-')
                && let (Ok(start), Ok(end)) = (number(start), number(end))
            {
                let here = (start..end).contains(&address);
                found = here.then(|| words.next().unwrap().to_owned());
            } else if first == "Anonymous:"
                && let Some(permissions) = &found
            {
                return (permissions.clone(), words.next().unwrap().to_owned());
            }
        }
        panic!("{address:x} is not mapped");
    }

    #[test]
    fn nothing_is_given_back_that_differs_from_the_file() {
        let parts: Vec<_> = unchanging().into_iter().flatten().collect();
        assert!(parts.len() >= 2, "{parts:?}");
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        for part in &parts {
            for page in part.clone().step_by(4096) {
                let (permissions, anonymous) = mapping(&smaps, page);
                assert!(!permissions.contains('w'), "{permissions}");
                assert_eq!(anonymous, "0");
            }
        }
        let here = give_back as fn() as usize;
        assert!(parts.iter().any(|part| part.contains(&here)));
        give_back();
        assert_eq!(
            unchanging().into_iter().flatten().collect::<Vec<_>>(),
            parts
        );
    }
}
