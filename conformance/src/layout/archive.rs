//! Reads image archives and OCI layouts, with bounds: an archive is somebody else's.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::config::Config;
use super::tree::{Kind, Node, Tree};
use super::{Image, Layer, Packing, manifest, soci};
use crate::trouble::{Result, Trouble, cannot};

/// A document is at most so long.
const DOCUMENT: u64 = 4 << 20;
/// A layer is read no further, however far it says to decompress.
const LAYER: u64 = 64 << 30;
/// More paths than any image has.
const PATHS: usize = 4_000_000;
/// A name or a link's target in an extended header.
const NAME: u64 = 64 << 10;
/// Contents that are kept, altogether.
const KEPT: usize = 256 << 20;

/// What an image may cost at most. Its layers may be named many times, so these are sums.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of all layers, unpacked.
    pub unpacked: u64,
    /// Bytes of all names and links.
    pub names: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            unpacked: LAYER,
            names: 512 << 20,
        }
    }
}
/// Largest file whose content a check reads.
const SMALL: u64 = 64 << 10;
/// The runtime's binary.
const BINARY: u64 = 64 << 20;

/// Where blobs are.
#[derive(Debug)]
pub enum Store {
    /// An OCI layout.
    Directory(PathBuf),
    /// An archive, and where each of its files is.
    Archive {
        /// The archive.
        path: PathBuf,
        /// Offset and length by name.
        members: BTreeMap<String, (u64, u64)>,
    },
}

pub(super) fn broken(what: impl std::fmt::Display, why: impl std::fmt::Display) -> Trouble {
    Trouble::Cannot(format!("cannot read {what}: {why}"))
}

/// Why a tar cannot be read. The parser's own message quotes bytes of it.
fn damaged(what: impl std::fmt::Display, err: &std::io::Error) -> Trouble {
    if err.kind() == std::io::ErrorKind::UnexpectedEof {
        broken(what, "it is cut off")
    } else if err.raw_os_error().is_some() {
        broken(what, err)
    } else {
        broken(what, "it is damaged")
    }
}

/// Opens a file that is read from begin to end: a pipe would be waited for, and a device may have no end.
fn opened(path: &Path) -> Result<File> {
    let fail = |err: std::io::Error| broken(path.display(), err);
    if !std::fs::metadata(path).map_err(fail)?.is_file() {
        return Err(broken(path.display(), "it is not a regular file"));
    }
    File::open(path).map_err(fail)
}

impl Store {
    /// Finds the members of an archive.
    ///
    /// # Errors
    ///
    /// When it is not a tar.
    pub fn archive(path: &Path) -> Result<Self> {
        let fail = |err: std::io::Error| damaged(path.display(), &err);
        let file = opened(path)?;
        let mut archive = tar::Archive::new(BufReader::new(file));
        let mut members = BTreeMap::new();
        for entry in archive.entries_with_seek().map_err(fail)?.raw(true) {
            let entry = entry.map_err(fail)?;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let name = name.trim_start_matches("./").to_owned();
            let target = entry
                .link_name_bytes()
                .map(|name| String::from_utf8_lossy(&name).into_owned());
            let at = (entry.raw_file_position(), entry.size());
            match entry.header().entry_type() {
                kind if kind.is_file() => drop(members.insert(name, at)),
                // podman writes layers that are equal once.
                kind if kind.is_hard_link() || kind.is_symlink() => {
                    let target = target.unwrap_or_default();
                    let target = target.trim_start_matches("../").trim_start_matches("./");
                    if let Some(at) = members.get(target).copied() {
                        members.insert(name, at);
                    }
                }
                _ => {}
            }
            if members.len() > 10_000 {
                return cannot(format!(
                    "{} is not an image archive: it has too many members",
                    path.display()
                ));
            }
        }
        Ok(Self::Archive {
            path: path.to_owned(),
            members,
        })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::Directory(directory) => directory.join(name).is_file(),
            Self::Archive { members, .. } => members.contains_key(name),
        }
    }

    fn open(&self, name: &str) -> Result<Take<File>> {
        match self {
            Self::Directory(directory) => {
                // A link in a layout may lead anywhere, as Nix makes them; a name in a document may not.
                if inside(name).as_deref() != Some(name) {
                    return Err(broken("the image", "a name leads outside of the layout"));
                }
                Ok(opened(&directory.join(name))?.take(u64::MAX))
            }
            Self::Archive { path, members } => {
                let (at, length) = members
                    .get(name)
                    .ok_or_else(|| broken(path.display(), format!("{name:?} is missing")))?;
                let mut file = opened(path)?;
                file.seek(SeekFrom::Start(*at))
                    .map_err(|err| broken(path.display(), err))?;
                Ok(file.take(*length))
            }
        }
    }

    /// How long it is; 0 when it is missing.
    pub(super) fn size(&self, name: &str) -> u64 {
        match self {
            Self::Directory(directory) => {
                std::fs::metadata(directory.join(name)).map_or(0, |about| about.len())
            }
            Self::Archive { members, .. } => members.get(name).map_or(0, |(_, length)| *length),
        }
    }

    pub(super) fn document(&self, name: &str) -> Result<Value> {
        let mut bytes = Vec::new();
        let read = self.open(name)?.take(DOCUMENT + 1).read_to_end(&mut bytes);
        read.map_err(|err| broken(name, err))?;
        if bytes.len() as u64 > DOCUMENT {
            return Err(broken(name, "it is too long"));
        }
        // The parser's own message may quote what it choked on.
        serde_json::from_slice(&bytes).map_err(|err| {
            broken(
                name,
                format!("not JSON at line {}, column {}", err.line(), err.column()),
            )
        })
    }
}

/// Reads an image.
///
/// # Errors
///
/// When something is missing or damaged, or a limit is exceeded.
pub fn image(store: &Store, architecture: &str, limits: Limits) -> Result<Image> {
    let manifest = manifest::find(store, architecture)?;
    let digest = manifest
        .config
        .rsplit('/')
        .next()
        .unwrap_or(&manifest.config)
        .trim_end_matches(".json");
    let digest = format!("sha256:{digest}");
    let config: Config = serde_json::from_value(store.document(&manifest.config)?)
        .map_err(|_| broken("the image's configuration", "a field has the wrong type"))?;
    let mut image = Image {
        digest,
        config,
        tree: Tree::default(),
        layers: Vec::new(),
        soci: soci::look(store, &manifest)?,
    };
    let mut into = Into {
        tree: Tree::default(),
        kept: 0,
        number: 0,
        left: limits,
    };
    for name in &manifest.layers {
        let mut layer = apply(store.open(name)?, &mut into)?;
        into.left.unpacked = into.left.unpacked.saturating_sub(layer.unpacked);
        layer.bytes = store.size(name);
        layer.digest = manifest::digest_of(name);
        image.layers.push(layer);
        into.number += 1;
    }
    image.tree = into.tree;
    Ok(image)
}

/// The tree that layers are put over, and which one is next.
struct Into {
    tree: Tree,
    /// Bytes of contents that were kept.
    kept: usize,
    number: usize,
    /// What the next layers may cost.
    left: Limits,
}

/// The first bytes of a layer, which stay unread.
fn magic(file: &mut Take<File>) -> std::io::Result<[u8; 4]> {
    let (mut magic, limit) = ([0; 4], file.limit());
    let read = file.read(&mut magic)?;
    let back = i64::try_from(read).unwrap_or(0);
    file.get_mut().seek(SeekFrom::Current(-back))?;
    file.set_limit(limit);
    Ok(magic)
}

/// Puts a layer over the tree.
fn apply(mut file: Take<File>, into: &mut Into) -> Result<Layer> {
    let fail = |err: std::io::Error| damaged("a layer", &err);
    let (packing, packed): (Packing, Box<dyn Read>) = match magic(&mut file).map_err(fail)? {
        [0x1f, 0x8b, ..] => (
            Packing::Gzip,
            Box::new(MultiGzDecoder::new(BufReader::with_capacity(
                256 << 10,
                file,
            ))),
        ),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            let decoder =
                ruzstd::decoding::StreamingDecoder::new(BufReader::with_capacity(256 << 10, file));
            let decoder = decoder.map_err(|_| broken("a layer", "it is damaged"))?;
            (Packing::Zstd, Box::new(decoder))
        }
        _ => {
            // A plain tar is skipped through and not read.
            let start = file.get_mut().stream_position().map_err(fail)?;
            let window = Window {
                start,
                at: 0,
                length: file.limit(),
                file: file.into_inner(),
            };
            let mut archive = tar::Archive::new(BufReader::new(window));
            return merge(
                archive.entries_with_seek().map_err(fail)?.raw(true),
                Packing::None,
                into,
            );
        }
    };
    let mut archive = tar::Archive::new(packed.take(LAYER));
    merge(archive.entries().map_err(fail)?.raw(true), packing, into)
}

/// A part of a file, read as a file.
struct Window {
    file: File,
    start: u64,
    at: u64,
    length: u64,
}

impl Read for Window {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let room = into.len().min(left);
        self.file.seek(SeekFrom::Start(self.start + self.at))?;
        let read = self.file.read(&mut into[..room])?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
        };
        self.at = target.ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// A path of the image without `.` and doubled slashes; `None` when it leads outside.
fn inside(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => return None,
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn merge<'a, R: Read + 'a>(
    entries: impl Iterator<Item = std::io::Result<tar::Entry<'a, R>>>,
    packing: Packing,
    into: &mut Into,
) -> Result<Layer> {
    let fail = |err: std::io::Error| damaged("a layer", &err);
    let (mut long_name, mut long_link, mut size_of_next) = (None, None, None);
    let (mut files, mut unpacked) = (0, 0);
    for entry in entries {
        let mut entry = entry.map_err(fail)?;
        unpacked = entry.raw_file_position().saturating_add(entry.size());
        if unpacked > into.left.unpacked {
            return Err(broken("a layer", "the image is too large"));
        }
        let kind = entry.header().entry_type();
        // Extended headers are read here and not by the crate, which would keep as much as they say.
        if kind.is_gnu_longname() || kind.is_gnu_longlink() || kind.is_pax_local_extensions() {
            if entry.size() > NAME {
                return Err(broken("a layer", "an extended header is too long"));
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(fail)?;
            let text = |bytes: &[u8]| {
                String::from_utf8_lossy(bytes)
                    .trim_end_matches('\0')
                    .to_owned()
            };
            if kind.is_gnu_longname() {
                long_name = Some(text(&bytes));
            } else if kind.is_gnu_longlink() {
                long_link = Some(text(&bytes));
            } else {
                for extension in tar::PaxExtensions::new(&bytes).filter_map(std::result::Result::ok)
                {
                    match extension.key_bytes() {
                        b"path" => long_name = Some(text(extension.value_bytes())),
                        b"linkpath" => long_link = Some(text(extension.value_bytes())),
                        b"size" => {
                            size_of_next = extension
                                .value()
                                .ok()
                                .and_then(|size| size.parse::<u64>().ok())
                        }
                        _ => {}
                    }
                }
            }
            continue;
        }
        if kind.is_pax_global_extensions() {
            continue;
        }
        // The crate would have to know of it to find the next header.
        if size_of_next.take().is_some_and(|size| size != entry.size()) {
            return Err(broken("a layer", "a file of 8 GiB or more"));
        }
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let name = long_name
            .take()
            .unwrap_or_else(|| lossy(&entry.path_bytes()));
        let target = long_link
            .take()
            .or_else(|| entry.link_name_bytes().map(|name| lossy(&name)));
        let Some(path) = inside(&name) else {
            if into.tree.outside.len() < 20 {
                into.tree.outside.push(name);
            }
            continue;
        };
        if path.is_empty() {
            continue;
        }
        files += 1;
        let length = path.len() + target.as_ref().map_or(0, String::len);
        into.left.names = into.left.names.saturating_sub(length);
        if into.tree.len() > PATHS || into.left.names == 0 {
            return Err(broken("a layer", "the image has too many files"));
        }
        let (directory, last) = path.rsplit_once('/').unwrap_or(("", &path));
        if last == ".wh..wh..opq" {
            into.tree.remove_below(directory, into.number);
            continue;
        }
        if let Some(removed) = last.strip_prefix(".wh.") {
            let removed = if directory.is_empty() {
                removed.to_owned()
            } else {
                format!("{directory}/{removed}")
            };
            into.tree.remove(&removed, into.number);
            continue;
        }
        if kind.is_hard_link() {
            if let Some(target) = inside(&target.unwrap_or_default()) {
                into.tree.hard_link(path, &target, into.number);
            }
            continue;
        }
        let node = node(&mut entry, &path, target, into).map_err(fail)?;
        into.tree.insert(path, node);
    }
    Ok(Layer {
        digest: String::new(),
        bytes: 0,
        files,
        unpacked,
        packing,
    })
}

fn node<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    path: &str,
    target: Option<String>,
    into: &mut Into,
) -> std::io::Result<Node> {
    let header = entry.header();
    let kind = match header.entry_type() {
        kind if kind.is_dir() => Kind::Directory,
        kind if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() => Kind::File,
        kind if kind.is_symlink() => Kind::Link(target.unwrap_or_default()),
        _ => Kind::Other,
    };
    let (mode, uid, gid) = (
        header.mode().unwrap_or(0) & 0o7777,
        header.uid().unwrap_or(0),
        header.gid().unwrap_or(0),
    );
    let bytes = entry.size();
    let wanted = kind == Kind::File && bytes <= read_of(path) && into.kept < KEPT;
    let content = if wanted {
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        into.kept += content.len();
        Some(content)
    } else {
        None
    };
    Ok(Node {
        kind,
        mode,
        uid,
        gid,
        bytes,
        content,
        layer: into.number,
        at: entry.raw_file_position(),
        linked: false,
    })
}

/// How large a file may be for its content to be read, by its path.
fn read_of(path: &str) -> u64 {
    let name = path.rsplit('/').next().unwrap_or(path);
    let directory = path.rsplit('/').nth(1).unwrap_or_default();
    if name == "lyftlearn-runtime" {
        BINARY
    } else if path.starts_with("etc/lyftlearn/")
        || path == "etc/passwd"
        || (name == "METADATA" && directory.starts_with("lyftlearn_runtime-"))
        || may_be_secret(path)
    {
        SMALL
    } else {
        0
    }
}

/// Whether a file's name makes it worth a look for secrets.
#[must_use]
pub fn may_be_secret(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let key = name.ends_with(".pem") || name.ends_with(".key") || name.starts_with("id_");
    let named = [
        ".netrc",
        "_netrc",
        ".pypirc",
        ".npmrc",
        ".git-credentials",
        ".dockercfg",
        ".env",
    ];
    let below = path.ends_with(".aws/credentials") || path.ends_with(".docker/config.json");
    key || named.contains(&name) || below || path == "HEAD" || path.ends_with(".git/HEAD")
}

#[cfg(test)]
mod tests {
    use super::inside;

    #[test]
    fn a_path_that_leads_outside_is_none() {
        assert_eq!(inside("./a//b/"), Some("a/b".to_owned()));
        assert_eq!(inside("/a"), Some("a".to_owned()));
        assert_eq!(inside("a/../../etc/passwd"), None);
    }
}
