//! A region's words as a reader copies them: out of a file, which may be anything, or out of
//! memory that is being written to.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Acquire;

use super::directory;
use super::key::{TEXT_BYTES, Texts};
use super::layout::{self, Layout, header, slot};
use super::open::is_all_there;

/// Where words can be copied from.
pub(super) trait Source {
    fn words(&self) -> io::Result<usize>;
    fn copy(&self, from: usize, count: usize) -> io::Result<Vec<u64>>;
}

/// A file that the program may write to, lengthen and shorten. It is read and never mapped: one
/// that is made shorter meanwhile is an error then, and no signal.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) file: File,
    /// As long as PID 1 has made it, where that is known: what follows is not looked at.
    pub(super) bytes: Option<u64>,
}

impl Source for Written {
    fn words(&self) -> io::Result<usize> {
        let meta = self.file.metadata()?;
        Ok(match self.bytes {
            Some(bytes) if meta.len() >= bytes => (bytes / 8) as usize,
            None if is_all_there(&meta) => (meta.len() / 8) as usize,
            _ => 0,
        })
    }

    fn copy(&self, from: usize, count: usize) -> io::Result<Vec<u64>> {
        let mut bytes = vec![0; count * 8];
        self.file.read_exact_at(&mut bytes, from as u64 * 8)?;
        let (words, _) = bytes.as_chunks();
        Ok(words.iter().map(|word| u64::from_le_bytes(*word)).collect())
    }
}

impl Source for [AtomicU64] {
    fn words(&self) -> io::Result<usize> {
        Ok(self.len())
    }

    fn copy(&self, from: usize, count: usize) -> io::Result<Vec<u64>> {
        let words = self.get(from..from + count);
        let words = words.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(words.iter().map(|word| word.load(Acquire)).collect())
    }
}

/// A copy of the used part.
pub(super) struct Image {
    pub(super) layout: Layout,
    pub(super) header: Vec<u64>,
    directory: Vec<u64>,
    /// Which slots were published before the rest was copied.
    ready: Vec<Option<u8>>,
    /// In bytes, as texts are.
    keys: Vec<u8>,
    cells: Vec<u64>,
}

impl Image {
    /// `None` when it is no region of this version.
    pub(super) fn of<S: Source + ?Sized>(source: &S) -> io::Result<Option<Self>> {
        let words = source.words()?;
        if words < header::LEN {
            return Ok(None);
        }
        let first = source.copy(0, header::LEN)?;
        if first[header::MAGIC] != layout::MAGIC
            || first[header::VERSION] != layout::VERSION
            || first[header::WORDS] != words as u64
        {
            return Ok(None);
        }
        let layout = Layout::of(words);
        let directory = layout.directory();
        // Everything that is published here was written completely before, so it is read completely
        // after. The order within the copies does not matter.
        let states = source.copy(directory.start, directory.len())?;
        let ready: Vec<Option<u8>> = (states.chunks_exact(slot::LEN))
            .map(|slot| directory::published(slot[slot::STATE]))
            .collect();
        drop(states);
        let header = source.copy(0, header::LEN)?;
        let used = |at: usize, most: usize| (header[at].min(most as u64)) as usize;
        let keys = used(header::KEYS_USED, layout.keys.len());
        let cells = used(header::CELLS_USED, layout.cells.len());
        let keys = source.copy(layout.keys.start, keys)?;
        let mut encoded = Vec::with_capacity(keys.len() * 8);
        for word in &keys {
            encoded.extend_from_slice(&word.to_le_bytes());
        }
        drop(keys);
        Ok(Some(Self {
            directory: source.copy(directory.start, directory.len())?,
            ready,
            keys: encoded,
            cells: source.copy(layout.cells.start, cells)?,
            header,
            layout,
        }))
    }

    /// Every published slot: its kind, and where it is.
    pub(super) fn published(&self) -> impl Iterator<Item = (u8, &[u64])> {
        let slots = self.directory.chunks_exact(slot::LEN);
        let both = self.ready.iter().zip(slots);
        both.filter_map(|(kind, slot)| Some(((*kind)?, slot)))
    }

    /// How much the keys take, in bytes, and the cells, in words.
    pub(super) fn used(&self) -> (usize, usize) {
        (self.keys.len(), self.cells.len())
    }

    /// A slot's key, when it is one.
    pub(super) fn key(&self, kind: u8, slot: &[u64]) -> Option<Texts<'_>> {
        let place = slot[slot::KEY];
        let (from, bytes) = (place as u32 as usize * 8, (place >> 32) as usize);
        if bytes > TEXT_BYTES {
            return None;
        }
        let encoded = from..from.checked_add(bytes.next_multiple_of(8))?;
        let encoded = self.keys.get(encoded)?;
        let (words, _) = encoded.as_chunks();
        let words = words.iter().map(|word| u64::from_le_bytes(*word));
        if super::key::hash(kind, words) != slot[slot::HASH] {
            return None;
        }
        Texts::of(encoded, bytes)
    }

    /// A slot's cell, when all of it is there.
    pub(super) fn cell(&self, slot: &[u64], words: usize) -> Option<&[u64]> {
        let from = (slot[slot::CELL] as usize).checked_sub(self.layout.cells.start)?;
        self.cells.get(from..from.checked_add(words)?)
    }
}
