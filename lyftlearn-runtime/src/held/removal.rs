//! Removes names. **Bounded**: a program may have made any number of files, and this process may have
//! a signal to forward.

use std::ffi::OsStr;
use std::io;

use rustix::fs::{self, AtFlags};
use rustix::io::Errno;

use super::{Directory, absent, name};

/// Directories below directories of ours are at most three; a program may make any number.
const DEPTH: usize = 16;

/// More names than this remain: a tenth of a second. This product makes some hundred.
const REMOVALS: usize = 1 << 14;

impl Directory {
    /// Takes a name away, whatever it names, unless that is a directory. One that is not there
    /// is no failure.
    pub(crate) fn remove(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        let name = self::name(name.as_ref())?;
        absent(fs::unlinkat(self, name, AtFlags::empty()).map_err(io::Error::from)).map(drop)
    }

    /// The same, and a directory with everything in it.
    pub(crate) fn remove_all(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        self.remove_below(name.as_ref(), DEPTH, &mut REMOVALS.clone())
    }

    /// Removes everything in it, as far as that can be done. If it has too much for one time, that is
    /// `DirectoryNotEmpty`.
    pub(crate) fn clear(&self) -> io::Result<()> {
        self.clear_to(DEPTH, &mut REMOVALS.clone())
    }

    fn remove_below(&self, name: &OsStr, depth: usize, most: &mut usize) -> io::Result<()> {
        if *most == 0 {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        *most -= 1;
        let removed = self.remove(name);
        let is_directory = |err: &io::Error| {
            [Errno::ISDIR, Errno::PERM]
                .map(|errno| Some(errno.raw_os_error()))
                .contains(&err.raw_os_error())
        };
        match removed {
            Err(err) if is_directory(&err) && depth > 0 => {
                let Ok(directory) = self.below(name) else {
                    return Err(err);
                };
                directory.clear_to(depth - 1, most)?;
                let removed = fs::unlinkat(self, name, AtFlags::REMOVEDIR);
                absent(removed.map_err(io::Error::from)).map(drop)
            }
            removed => removed,
        }
    }

    fn clear_to(&self, depth: usize, most: &mut usize) -> io::Result<()> {
        let mut done = Ok(());
        // One more than can be removed shows that there are more.
        for name in self.some_names(*most + 1)? {
            done = done.and(self.remove_below(&name, depth, most));
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::{Directory, REMOVALS};

    #[test]
    fn a_large_tree_is_removed_in_parts() {
        let place = tempfile::tempdir().unwrap();
        let tree = place.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        for number in 0..=REMOVALS {
            std::fs::File::create(tree.join(number.to_string())).unwrap();
        }
        let directory = Directory::open(place.path(), None).unwrap();
        let too_much = directory.clear().unwrap_err();
        assert_eq!(too_much.kind(), std::io::ErrorKind::DirectoryNotEmpty);
        assert_eq!(directory.below("tree").unwrap().names().unwrap().len(), 2);
        directory.remove_all("tree").unwrap();
        assert!(!tree.exists());
    }
}
