//! What a start has touched and waiting does not need, given back.
//!
//! Reading settings and platforms touches most of the binary's code once. Its pages stay
//! mapped, and a process that sleeps for days would be charged for them all: measured,
//! 2.6 MB of them against the 0.4 MB that PID 1's loop touches.
#![expect(
    unsafe_code,
    reason = "madvise takes addresses; giving 2 MB back for the life of a container earns it"
)]

use std::io::Read;

use rustix::fs::{Mode, OFlags};

/// Unmaps the pages of this binary's code and constants. Those that are needed again come
/// back from the file by themselves.
pub(super) fn give_back() {
    let Some(text) = mappings() else { return };
    let mut binary = None;
    let mut mapping = None;
    for line in text.lines() {
        if let Some(found) = Mapping::read(line) {
            mapping = found.of(&mut binary);
        } else if anonymous(line) == Some("0")
            && let Some(mapping) = mapping.take()
        {
            mapping.drop_pages();
        }
    }
}

/// A part of the binary that nobody may write to.
#[derive(Clone, Copy)]
struct Mapping<'a> {
    start: usize,
    end: usize,
    writable: bool,
    inode: &'a str,
}

impl<'a> Mapping<'a> {
    /// `7f573a82b000-7f573ab5f000 r-xp 0002b000 fe:00 5317491 …` (proc_pid_maps(5)).
    fn read(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let (start, end) = words.next()?.split_once('-')?;
        let address = |text| usize::from_str_radix(text, 16).ok();
        Some(Self {
            start: address(start)?,
            end: address(end)?,
            writable: words.next()?.contains('w'),
            inode: words.nth(2)?,
        })
    }

    /// The first file that is mapped is the binary: it is linked statically.
    fn of(self, binary: &mut Option<&'a str>) -> Option<Self> {
        if self.inode == "0" || self.writable {
            return None;
        }
        (*binary.get_or_insert(self.inode) == self.inode).then_some(self)
    }

    fn drop_pages(self) {
        let start = std::ptr::with_exposed_provenance_mut(self.start);
        // SAFETY: a private mapping of a file, of which no page differs from the file (none
        // is anonymous) and none can any more (it is not writable): a page that is dropped
        // is read again, with the same content, when it is touched.
        let _ = unsafe {
            rustix::mm::madvise(
                start,
                self.end - self.start,
                rustix::mm::Advice::LinuxDontNeed,
            )
        };
    }
}

/// How much of a mapping differs from its file, in kB.
fn anonymous(line: &str) -> Option<&str> {
    line.strip_prefix("Anonymous:")?
        .split_ascii_whitespace()
        .next()
}

fn mappings() -> Option<String> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open("/proc/self/smaps", flags, Mode::empty()).ok()?;
    let mut text = String::with_capacity(16 << 10);
    std::fs::File::from(file).read_to_string(&mut text).ok()?;
    Some(text)
}
