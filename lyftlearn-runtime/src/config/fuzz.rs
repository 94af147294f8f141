//! A volume that is replaced while it is read, at every step of the kubelet's.
#![expect(clippy::disallowed_methods, reason = "the kubelet's part")]

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::Config;
use crate::facts::Facts;
use crate::fuzz::{Draw, check_report, target};

const KEYS: &[&str] = &["a", "b.c", "b/c", "deep/er/key", "\u{e9}"];

type Texts = BTreeMap<String, String>;

struct Volume {
    live: PathBuf,
    config: Config,
    generation: usize,
    /// What holds: with `None`, a key that cannot be.
    now: Option<Texts>,
}

impl Volume {
    /// A read returns one complete version.
    fn look(&self) {
        match self.config.snapshot() {
            Ok(found) => {
                assert_eq!(Some(found.texts()), self.now.as_ref());
            }
            Err(error) => {
                check_report(&error);
                assert!(self.now.is_none(), "{}", error.report());
            }
        }
    }

    /// As the kubelet's AtomicWriter, with a look after each of its steps.
    fn swap(&mut self, files: &BTreeMap<&str, Vec<u8>>, draw: &mut Draw<'_>) {
        let new = meaning(files);
        self.generation += 1;
        let name = format!("..2026_01_31.{}", self.generation);
        let data = self.live.join("..data");
        let old = std::fs::read_link(&data).ok();
        std::fs::create_dir_all(self.live.join(&name)).expect("there is room");
        for (key, value) in files {
            let file = self.live.join(&name).join(key);
            std::fs::create_dir_all(file.parent().expect("a directory")).expect("there is room");
            std::fs::write(file, value).expect("there is room");
            if draw.once_in(2) {
                self.look();
            }
        }
        symlink(&name, self.live.join("..data_tmp")).expect("it is not there");
        self.look();
        std::fs::rename(self.live.join("..data_tmp"), &data).expect("it was just made");
        self.now = new;
        self.look();
        if let Some(old) = old {
            let entries = std::fs::read_dir(self.live.join(&old)).expect("it was read before");
            for entry in entries {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    std::fs::remove_dir_all(path).expect("it is there");
                } else {
                    std::fs::remove_file(path).expect("it is there");
                }
                self.look();
            }
            std::fs::remove_dir(self.live.join(old)).expect("it is empty");
        }
        self.look();
    }
}

/// What files mean, said simply.
fn meaning(files: &BTreeMap<&str, Vec<u8>>) -> Option<Texts> {
    let mut texts = Texts::new();
    for (path, bytes) in files {
        let text = String::from_utf8(bytes.clone()).ok()?;
        let text = text.strip_suffix('\n').map_or(text.as_str(), |text| {
            text.strip_suffix('\r').unwrap_or(text)
        });
        if texts
            .insert(path.replace('/', "."), text.to_owned())
            .is_some()
        {
            return None;
        }
    }
    Some(texts)
}

fn swaps(draw: &mut Draw<'_>) {
    let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let root = root.expect("a temporary directory");
    let live = root.path().join("etc/lyftlearn/live");
    let config = Config::of(&Facts::empty().with_root(root.path())).expect("nothing is set");
    let mut volume = Volume {
        live: live.clone(),
        config,
        generation: 0,
        now: Some(Texts::new()),
    };
    volume.look();
    for _ in 0..1 + draw.below(5) {
        if draw.once_in(5) {
            // The volume goes, and comes again in another form.
            match std::fs::remove_dir_all(&live) {
                Ok(()) => volume.now = Some(Texts::new()),
                Err(err) => assert_eq!(err.kind(), std::io::ErrorKind::NotFound),
            }
            volume.look();
        }
        let mut files: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
        for _ in 0..draw.below(5) {
            let value = match draw.below(4) {
                0 => draw.bytes(6),
                1 => b"canary7391qzx\xff".to_vec(),
                _ => draw.pick(&["1", "1\n", "1\r\n", "", "\n", "true"]).into(),
            };
            files.insert(draw.pick(KEYS), value);
        }
        let plain = !Path::new(&live).join("..data").exists() && draw.once_in(3);
        if plain {
            plainly(&mut volume, files);
        } else if !volume.live.exists() || volume.live.join("..data").exists() {
            volume.swap(&files, draw);
        }
    }
}

/// A directory that somebody writes, anew each time.
fn plainly(volume: &mut Volume, files: BTreeMap<&str, Vec<u8>>) {
    let _ = std::fs::remove_dir_all(&volume.live);
    for (key, value) in &files {
        let file = volume.live.join(key);
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("there is room");
        std::fs::write(file, value).expect("there is room");
    }
    volume.now = meaning(&files);
    volume.look();
}

#[test]
fn fuzz_swaps() {
    target!(300, swaps);
}
