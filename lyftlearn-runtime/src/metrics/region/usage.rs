//! How full a region is, for the runtime's own metrics and `doctor`.

use super::image::Image;
use super::layout::header;
use super::snapshot::Reader;
use super::{fault::RegionFault, kind};
use crate::error::Error;

/// What of a region is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) bytes: u64,
    /// Places for series that are taken; a gauge has one for each process.
    pub(crate) series: u64,
    /// How many there are.
    pub(crate) places: u64,
    /// Of the part that is fullest: places, names and labels, or numbers.
    pub(crate) percent: u64,
    /// How often there was no room for a series.
    pub(crate) dropped: u64,
}

impl Reader {
    /// How full it is.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is no region.
    pub(crate) fn usage(&self) -> Result<Usage, Error> {
        let image = Image::of(self.file()).map_err(|err| self.unreadable(&err))?;
        let path = self.path().to_owned();
        let image = image.ok_or(RegionFault::NotOne { path })?;
        Ok(Usage::of(&image))
    }
}

impl Usage {
    fn of(image: &Image) -> Self {
        let layout = &image.layout;
        let published = image.published();
        let (about, series): (Vec<u8>, Vec<u8>) = published
            .map(|(kind, _)| kind)
            .partition(|kind| *kind == kind::ABOUT);
        let percent = |used: u64, of: usize| {
            let of = (of as u64).max(1);
            // A place less than all of it is not all of it.
            used.min(of) * 100 / of
        };
        let parts = [
            percent((about.len() + series.len()) as u64, layout.slots),
            percent(image.header[header::KEYS_USED], layout.keys.len()),
            percent(image.header[header::CELLS_USED], layout.cells.len()),
        ];
        Self {
            bytes: image.header[header::WORDS] * 8,
            series: series.len() as u64,
            places: layout.slots as u64,
            percent: parts.into_iter().max().unwrap_or_default(),
            dropped: image.header[header::DROPPED_SERIES],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Key, Place, Reader, Region, create};
    use crate::contract::delivered;
    use crate::facts::Facts;

    #[test]
    fn a_region_reports_its_usage() {
        let run = tempfile::tempdir().unwrap();
        let mut place = create(run.path(), 65_536).unwrap();
        place.as_mut().map_or(Ok(()), Place::publish).unwrap();
        let reader = Reader::open(run.path()).unwrap().unwrap();
        let before = reader.usage().unwrap();
        assert_eq!(
            (before.bytes, before.series, before.percent),
            (65_536, 0, 0)
        );
        let facts = Facts::empty()
            .with_root("/")
            .with_var(delivered::RUN_DIR, run.path());
        let region = Region::of(&facts);
        region.describe("rows", "", "Rows.").unwrap();
        for n in 0..3 {
            region
                .counter(&Key::new(&format!("rows_{n}"), []).unwrap())
                .add(1);
        }
        let some = reader.usage().unwrap();
        assert_eq!((some.series, some.dropped), (3, 0));
        assert!(some.series < some.places && some.percent < 50, "{some:?}");
        for n in 0..500 {
            region
                .histogram(&Key::new(&format!("t_{n}"), []).unwrap())
                .observe(1.0);
        }
        let full = reader.usage().unwrap();
        assert!(full.percent >= 80 && full.dropped > 0, "{full:?}");
    }
}
