//! PID 1 makes the region: its place before there is a program, its pages while that starts.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use rustix::fs::{FallocateFlags, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use super::layout::{self, header};
use super::words::Words;
use crate::contract::{delivered, linux};
use crate::facts::Facts;
use crate::held::Directory;

/// A smaller region is useless: this has room for some hundred series.
pub(super) const LEAST_BYTES: u64 = 64 << 10;
const TMPFS: u64 = 0x0102_1994;
/// As /proc shows a region that has no path.
#[cfg(all(feature = "agent", feature = "cli"))]
const SPARSE_NAME: &str = "lyftlearn-metrics";

/// A region's place. Dropping it removes what lies outside of the run directory.
#[derive(Debug)]
pub struct Place {
    run: Directory,
    /// Its name in `/dev/shm`, if it is there.
    outside: Option<String>,
    /// Until it is published.
    file: Option<File>,
    /// Open as long as the region is in use, if it is outside: that locks it.
    lock: Option<File>,
    bytes: u64,
}

impl Place {
    /// How large it is: less than was asked for where there is no room.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The descriptor that has to stay open while the program runs.
    #[cfg(feature = "cli")]
    pub(crate) fn lock(&self) -> Option<&File> {
        self.lock.as_ref()
    }

    /// Allocates all of it, so that no process is killed later by a page that cannot be allocated,
    /// and then marks it as ready. A process that opens it before waits for the mark.
    ///
    /// # Errors
    ///
    /// When the room has gone meanwhile: then it is not there.
    pub fn publish(&mut self) -> io::Result<()> {
        let Some(file) = self.file.take() else {
            return Ok(());
        };
        let published = allocated(&file, self.bytes).and_then(|()| say(&file, self.bytes));
        if published.is_err() {
            let _ = self.run.remove(delivered::METRICS_REGION);
            let _ = file.set_len(0);
        }
        published
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(name) = &self.outside
            && let Ok(shm) = Directory::open(Path::new(linux::SHM), None)
        {
            // The container takes it along at the latest.
            let _ = shm.remove(name);
        }
    }
}

/// Makes the place of a region of `bytes` bytes in the directory `run`; `None` for 0 bytes. One
/// that an earlier start left there is removed. [`Place::publish`] makes it a region.
///
/// # Errors
///
/// When not even the least of it can be had.
pub fn create(run: &Path, bytes: u64) -> io::Result<Option<Place>> {
    create_in(&Directory::open(&std::path::absolute(run)?, None)?, bytes)
}

/// The same in a directory that is open.
pub(crate) fn create_in(run: &Directory, bytes: u64) -> io::Result<Option<Place>> {
    run.remove_all(delivered::METRICS_REGION)?;
    if bytes == 0 {
        return Ok(None);
    }
    let shm = Path::new(linux::SHM);
    let elsewhere = || {
        let shm = Directory::open(shm, run.owner()).ok()?;
        let file = || shm.new_shared_file(delivered::METRICS_REGION_PREFIX).ok();
        in_memory(&shm).then(file)?
    };
    let here = || run.new_file_once(delivered::METRICS_REGION, Mode::RUSR | Mode::WUSR);
    let (file, outside) = match (!in_memory(run)).then(elsewhere).flatten() {
        Some((file, name)) => (file, Some(name)),
        None => (here()?, None),
    };
    let mut place = Place {
        run: run.clone(),
        outside,
        file: None,
        lock: None,
        bytes: 0,
    };
    let made = room(&file, bytes).and_then(|bytes| {
        place.bytes = bytes;
        file.set_len(bytes)?;
        place.lock = place
            .outside
            .as_ref()
            .map(|_| file.try_clone())
            .transpose()?;
        place.outside.as_ref().map_or(Ok(()), |name| {
            run.link(&shm.join(name), delivered::METRICS_REGION)
        })
    });
    if let Err(err) = made {
        let _ = run.remove(delivered::METRICS_REGION);
        return Err(err);
    }
    place.file = Some(file);
    Ok(Some(place))
}

/// The file of the region in `run`: there, or where our link leads.
pub(super) fn opened(run: &Directory, access: OFlags) -> io::Result<File> {
    let Some(target) = run.link_target(delivered::METRICS_REGION) else {
        return run.open_with(Path::new(delivered::METRICS_REGION), access);
    };
    // Any other link was not made by this runtime.
    let name = target
        .strip_prefix(linux::SHM)
        .ok()
        .filter(|name| name.as_os_str().as_bytes().starts_with(PREFIX));
    let name = name.ok_or(io::ErrorKind::PermissionDenied)?;
    Directory::open(Path::new(linux::SHM), run.owner())?.open_with(name, access)
}

const PREFIX: &[u8] = delivered::METRICS_REGION_PREFIX.as_bytes();

/// Makes a region of `bytes` bytes that is in no file system, to be passed to another process. It
/// exists as long as a process has it open. It is sealed, so a process that maps it can rely on its
/// size, and sparse: a page is allocated when it is written.
///
/// # Errors
///
/// Where the kernel makes no such files.
#[cfg(all(feature = "agent", feature = "cli"))]
pub(crate) fn create_sparse(bytes: u64) -> io::Result<File> {
    use rustix::fs::{MemfdFlags, SealFlags};

    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = File::from(rustix::fs::memfd_create(SPARSE_NAME, flags)?);
    file.set_len(bytes)?;
    say(&file, bytes)?;
    let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals)?;
    Ok(file)
}

/// The header, what makes it a region last.
fn say(file: &File, bytes: u64) -> io::Result<()> {
    let words = std::iter::repeat_with(AtomicU64::default);
    let words: Box<[AtomicU64]> = words.take(header::LEN).collect();
    write_header(&words, &Facts::empty().with_root("/"));
    words.store(header::WORDS, bytes / 8, Relaxed);
    let magic = words.load(header::MAGIC, Relaxed);
    words.store(header::MAGIC, 0, Relaxed);
    let all = (0..header::LEN).flat_map(|at| words.load(at, Relaxed).to_le_bytes());
    file.write_all_at(&all.collect::<Vec<u8>>(), 0)?;
    file.write_all_at(&magic.to_le_bytes(), header::MAGIC as u64 * 8)
}

/// What tells a region from anything else, and from another boot's.
pub(super) fn write_header(words: &[AtomicU64], facts: &Facts) {
    let boot = facts.boot().unwrap_or_default();
    let namespace = facts.pid_namespace().unwrap_or_default();
    for (at, word) in [
        (header::MAGIC, layout::MAGIC),
        (header::VERSION, layout::VERSION),
        (header::WORDS, words.len() as u64),
        (header::BOOT, (boot >> 64) as u64),
        (header::BOOT + 1, boot as u64),
        (header::PID_NAMESPACE, namespace),
    ] {
        words.store(at, word, Relaxed);
    }
}

/// The size that can be allocated. Of a file system's free space at most half, because other
/// processes write there as well.
fn room(file: &File, bytes: u64) -> io::Result<u64> {
    // Over a limit of the process the kernel sends a signal.
    let most = getrlimit(Resource::Fsize).current.unwrap_or(u64::MAX);
    let free = rustix::fs::fstatfs(file).map_or(u64::MAX, |found| {
        // One that does not say how much it has takes what it can.
        match found.f_blocks {
            0 => u64::MAX,
            _ => found.f_bavail.saturating_mul(found.f_bsize.unsigned_abs()) / 2,
        }
    });
    let bytes = bytes.min(most).min(free) / 4096 * 4096;
    if bytes < LEAST_BYTES {
        return Err(io::ErrorKind::StorageFull.into());
    }
    Ok(bytes)
}

fn allocated(file: &File, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            // A file system or a sandbox without it takes zeros.
            let zeros = [0; 4096];
            (0..bytes / 4096).try_for_each(|page| file.write_all_at(&zeros, page * 4096))
        }
        done => done.map_err(io::Error::from),
    }
}

fn in_memory(directory: &Directory) -> bool {
    rustix::fs::fstatfs(directory).is_ok_and(|found| found.f_type as u64 == TMPFS)
}
