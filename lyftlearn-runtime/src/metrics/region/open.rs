//! The container's region, as a process of the program finds it.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::create;
use super::layout::{self, header};
use super::memory;
use crate::contract::delivered;
use crate::facts::Facts;
use crate::held::Directory;

/// A region of one's own: a mebibyte of address space.
pub(super) const PRIVATE_WORDS: usize = (1 << 20) / size_of::<AtomicU64>();

/// Why a process counts for itself and the children that it forks alone.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Degraded {
    /// `lyftlearn-runtime run` did not start it.
    Unsupervised,
    /// There is no region in the run directory: it is switched off, or nothing could be
    /// made, which PID 1 said.
    Absent,
    /// There is one, and this user may not open it.
    Denied(PathBuf),
    /// The file is not a region, or a region of another boot.
    Broken(PathBuf),
}

impl Degraded {
    /// Whether somebody may wonder where their metrics are: a region is there, and was to
    /// be used.
    #[must_use]
    pub fn is_surprising(&self) -> bool {
        matches!(self, Self::Denied(_) | Self::Broken(_))
    }
}

impl fmt::Display for Degraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupervised => write!(f, "lyftlearn-runtime run did not start this process"),
            Self::Absent => write!(f, "there is no metrics.region in the run directory"),
            Self::Denied(path) => write!(f, "this user cannot open {}", path.display()),
            Self::Broken(path) => {
                write!(
                    f,
                    "{} is not a region of this version and boot",
                    path.display()
                )
            }
        }
    }
}

/// The words of a region, and its PID namespace.
type Shared = (&'static [AtomicU64], u64);

/// Those of the region in the run directory of `facts`.
pub(super) fn shared(facts: &Facts) -> Result<Shared, Degraded> {
    let run = facts.run_dir().ok_or(Degraded::Unsupervised)?;
    let opened = std::path::absolute(&run).and_then(|run| Directory::open(&run, None));
    let refused = |err: &io::Error| refused(err, run.join(delivered::METRICS_REGION));
    shared_in(&opened.map_err(|err| refused(&err))?)
}

/// Those of the region in a directory that is open.
pub(super) fn shared_in(run: &Directory) -> Result<Shared, Degraded> {
    let path = run.path().join(delivered::METRICS_REGION);
    let file = create::opened(run, OFlags::RDWR);
    let file = file.map_err(|err| refused(&err, path.clone()))?;
    let broken = || Degraded::Broken(path.clone());
    wait_until_made(&file);
    let (words, namespace) = checked(&file).ok_or_else(broken)?;
    let words = memory::map(&file, words).map_err(|_| broken())?;
    Ok((words, namespace))
}

/// The words of a region that was handed over, and its PID namespace.
#[cfg(all(feature = "agent", feature = "cli"))]
pub(super) fn handed_over(file: &File) -> Option<(&'static [AtomicU64], u64)> {
    use rustix::fs::SealFlags;

    // Sparse, but it cannot shrink, and no file system can refuse a page.
    let seals = rustix::fs::fcntl_get_seals(file).ok()?;
    if !seals.contains(SealFlags::SHRINK) {
        return None;
    }
    let (words, namespace) = header_of(file, &file.metadata().ok()?)?;
    Some((memory::map(file, words).ok()?, namespace))
}

/// PID 1 makes its pages while the program starts: a fraction of a millisecond, unless the
/// machine has none to spare.
const BEING_MADE: Duration = Duration::from_millis(200);
const STEP: Duration = Duration::from_micros(100);

fn refused(err: &io::Error, path: PathBuf) -> Degraded {
    match err.kind() {
        io::ErrorKind::NotFound => Degraded::Absent,
        _ => Degraded::Denied(path),
    }
}

/// Waits while PID 1 makes it.
pub(super) fn wait_until_made(file: &File) {
    let until = Instant::now() + BEING_MADE;
    while is_being_made(file) && Instant::now() < until {
        std::thread::sleep(STEP);
    }
}

/// Whether its maker has not marked it yet.
fn is_being_made(file: &File) -> bool {
    let mut magic = [0xff; 8];
    let read = file.read_exact_at(&mut magic, header::MAGIC as u64 * 8);
    read.is_ok() && magic == [0; 8]
}

/// How many words it has, and its PID namespace; `None` when it is not for us.
fn checked(file: &File) -> Option<(usize, u64)> {
    let meta = file.metadata().ok()?;
    // A page that is not allocated could be refused when it is touched, with SIGBUS.
    if !meta.is_file() || !is_all_there(&meta) {
        return None;
    }
    header_of(file, &meta)
}

/// Whether every page is allocated, as PID 1 does it, and no more than there may be: a file
/// that was made longer since is not.
pub(super) fn is_all_there(meta: &std::fs::Metadata) -> bool {
    meta.len() <= layout::MOST_BYTES && meta.blocks() * 512 >= meta.len()
}

fn header_of(file: &File, meta: &std::fs::Metadata) -> Option<(usize, u64)> {
    let mut bytes = [0; header::LEN * 8];
    file.read_exact_at(&mut bytes, 0).ok()?;
    let (words, []) = bytes.as_chunks() else {
        return None;
    };
    let word = |at: usize| u64::from_le_bytes(words[at]);
    let count = word(header::WORDS);
    let here = Facts::empty().with_root("/");
    let ours = word(header::MAGIC) == layout::MAGIC
        && word(header::VERSION) == layout::VERSION
        && count == meta.len() / 8
        && here.boot() == Some(boot(word(header::BOOT), word(header::BOOT + 1)));
    ours.then_some((count as usize, word(header::PID_NAMESPACE)))
}

/// The boot's identifier, of its two words.
fn boot(high: u64, low: u64) -> u128 {
    u128::from(high) << 64 | u128::from(low)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::Degraded;
    use crate::error::sentences;

    #[test]
    fn every_reason_to_count_alone_has_its_sentence() {
        let path = || "/run/lyftlearn/metrics.region".into();
        expect![[r#"
            lyftlearn-runtime run did not start this process
            there is no metrics.region in the run directory
            this user cannot open /run/lyftlearn/metrics.region
            /run/lyftlearn/metrics.region is not a region of this version and boot
        "#]]
        .assert_eq(&sentences([
            Degraded::Unsupervised,
            Degraded::Absent,
            Degraded::Denied(path()),
            Degraded::Broken(path()),
        ]));
    }
}
