//! Reads image archives and OCI layouts, with bounds: an archive is somebody else's.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Take};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use super::config::Config;
use super::tree::{Kind, Node, Tree};
use super::{Image, Layer};
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
/// A file whose content a check may read.
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

fn broken(what: impl std::fmt::Display, why: impl std::fmt::Display) -> Trouble {
    Trouble::Cannot(format!("cannot read {what}: {why}"))
}

impl Store {
    /// Finds the members of an archive.
    ///
    /// # Errors
    ///
    /// When it is not a tar.
    pub fn archive(path: &Path) -> Result<Self> {
        let fail = |err: std::io::Error| broken(path.display(), err);
        let file = File::open(path).map_err(fail)?;
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

    fn has(&self, name: &str) -> bool {
        match self {
            Self::Directory(directory) => directory.join(name).is_file(),
            Self::Archive { members, .. } => members.contains_key(name),
        }
    }

    fn open(&self, name: &str) -> Result<Take<File>> {
        match self {
            Self::Directory(directory) => {
                let path = directory.join(name);
                let file = File::open(&path).map_err(|err| broken(path.display(), err))?;
                Ok(file.take(u64::MAX))
            }
            Self::Archive { path, members } => {
                let (at, length) = members
                    .get(name)
                    .ok_or_else(|| broken(path.display(), format!("{name} is missing")))?;
                let mut file = File::open(path).map_err(|err| broken(path.display(), err))?;
                file.seek(SeekFrom::Start(*at))
                    .map_err(|err| broken(path.display(), err))?;
                Ok(file.take(*length))
            }
        }
    }

    fn document(&self, name: &str) -> Result<Value> {
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

/// The name of a blob; a digest becomes a path, so nothing else may be in it.
fn blob(digest: &Value) -> Result<String> {
    let digest = digest.as_str().unwrap_or_default();
    let (algorithm, hash) = digest.split_once(':').unwrap_or_default();
    if !["sha256", "sha512"].contains(&algorithm)
        || hash.len() < 64
        || !hash.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return Err(broken("the image", "a digest is malformed"));
    }
    Ok(format!("blobs/{algorithm}/{hash}"))
}

/// Reads an image.
///
/// # Errors
///
/// When something is missing or damaged.
pub fn image(store: &Store, architecture: &str) -> Result<Image> {
    let (config, layers) = if store.has("manifest.json") {
        of_docker(store)?
    } else if store.has("index.json") {
        of_oci(store, architecture)?
    } else {
        return cannot("neither manifest.json nor index.json is in it: not an image");
    };
    let digest = config
        .rsplit('/')
        .next()
        .unwrap_or(&config)
        .trim_end_matches(".json");
    let digest = format!("sha256:{digest}");
    let config: Config = serde_json::from_value(store.document(&config)?)
        .map_err(|_| broken("the image's configuration", "a field is of another type"))?;
    let mut image = Image {
        digest,
        config,
        tree: Tree::default(),
        layers: Vec::new(),
    };
    let mut kept = 0;
    for layer in &layers {
        let file = store.open(layer)?;
        let bytes = match store {
            Store::Archive { members, .. } => members.get(layer).map_or(0, |(_, length)| *length),
            Store::Directory(_) => file.get_ref().metadata().map_or(0, |about| about.len()),
        };
        let files = apply(file, &mut image.tree, &mut kept)?;
        image.layers.push(Layer { bytes, files });
    }
    Ok(image)
}

fn of_docker(store: &Store) -> Result<(String, Vec<String>)> {
    let manifest = store.document("manifest.json")?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let first = &manifest[0];
    let layers: Option<Vec<String>> = first["Layers"]
        .as_array()
        .and_then(|all| all.iter().map(text).collect());
    match (text(&first["Config"]), layers) {
        (Some(config), Some(layers)) => Ok((config, layers)),
        _ => cannot("manifest.json names no configuration or no layers"),
    }
}

fn of_oci(store: &Store, architecture: &str) -> Result<(String, Vec<String>)> {
    let mut document = store.document("index.json")?;
    // An index may lead to an index, for several architectures.
    for _ in 0..4 {
        let Some(manifests) = document["manifests"].as_array() else {
            break;
        };
        let fits = |one: &&Value| {
            let platform = &one["platform"]["architecture"];
            platform.is_null() || platform == architecture
        };
        let image = |one: &&Value| one["artifactType"].is_null();
        let Some(next) = manifests.iter().filter(image).find(fits) else {
            return cannot(format!(
                "it has no image for {architecture}; --platform names another"
            ));
        };
        document = store.document(&blob(&next["digest"])?)?;
    }
    let layers = document["layers"]
        .as_array()
        .ok_or_else(|| broken("the manifest", "it has no layers"))?;
    let layers = layers
        .iter()
        .map(|layer| blob(&layer["digest"]))
        .collect::<Result<_>>()?;
    Ok((blob(&document["config"]["digest"])?, layers))
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

/// Puts a layer over the tree; how many files are in it.
fn apply(mut file: Take<File>, tree: &mut Tree, kept: &mut usize) -> Result<usize> {
    let fail = |err: std::io::Error| broken("a layer", err);
    let packed: Box<dyn Read> = match magic(&mut file).map_err(fail)? {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(BufReader::with_capacity(
            256 << 10,
            file,
        ))),
        [0x28, 0xb5, 0x2f, 0xfd] => {
            let decoder =
                ruzstd::decoding::StreamingDecoder::new(BufReader::with_capacity(256 << 10, file));
            Box::new(decoder.map_err(|err| broken("a layer", err))?)
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
                tree,
                kept,
            );
        }
    };
    let mut archive = tar::Archive::new(packed.take(LAYER));
    merge(archive.entries().map_err(fail)?.raw(true), tree, kept)
}

/// A part of a file as a file of its own.
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
    tree: &mut Tree,
    kept: &mut usize,
) -> Result<usize> {
    let fail = |err: std::io::Error| broken("a layer", err);
    let (mut long_name, mut long_link, mut size_of_next) = (None, None, None);
    let mut files = 0;
    for entry in entries {
        let mut entry = entry.map_err(fail)?;
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
            if tree.outside.len() < 20 {
                tree.outside.push(name);
            }
            continue;
        };
        if path.is_empty() {
            continue;
        }
        files += 1;
        if tree.len() > PATHS {
            return Err(broken("a layer", "the image has too many files"));
        }
        let (directory, last) = path.rsplit_once('/').unwrap_or(("", &path));
        if last == ".wh..wh..opq" {
            tree.remove_below(directory);
            continue;
        }
        if let Some(removed) = last.strip_prefix(".wh.") {
            let removed = if directory.is_empty() {
                removed.to_owned()
            } else {
                format!("{directory}/{removed}")
            };
            tree.remove(&removed);
            continue;
        }
        if kind.is_hard_link() {
            if let Some(target) = inside(&target.unwrap_or_default()) {
                tree.hard_link(path, &target);
            }
            continue;
        }
        let node = node(&mut entry, &path, target, kept).map_err(fail)?;
        tree.insert(path, node);
    }
    Ok(files)
}

fn node<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    path: &str,
    target: Option<String>,
    kept: &mut usize,
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
    let wanted = kind == Kind::File && bytes <= read_of(path) && *kept < KEPT;
    let content = if wanted {
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        *kept += content.len();
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
