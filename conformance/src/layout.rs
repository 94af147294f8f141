//! An image without its engine: its configuration and its files, from an OCI layout, an archive or
//! what an engine saves. Nothing is unpacked to disk.

pub mod archive;
pub mod config;
pub mod elf;
mod manifest;
pub mod soci;
pub mod tree;

use std::path::{Path, PathBuf};

use crate::trouble::{Result, cannot};
use config::Config;
use tree::Tree;

/// An image that was read.
#[derive(Debug)]
pub struct Image {
    /// The digest of its configuration, `sha256:…`.
    pub digest: String,
    /// Its configuration.
    pub config: Config,
    /// Its files.
    pub tree: Tree,
    /// Its layers, lowest first.
    pub layers: Vec<Layer>,
    /// What an index for lazy loading would be found by; `None` where there can be none: an engine's
    /// own archives have no manifest.
    pub soci: Option<soci::Look>,
}

/// A layer's size and form.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Its digest; empty where an archive has none.
    pub digest: String,
    /// Bytes as they are in the layout or archive.
    pub bytes: u64,
    /// Files in it.
    pub files: usize,
    /// Bytes of its tar.
    pub unpacked: u64,
    /// How the tar is packed.
    pub packing: Packing,
}

/// How a layer's tar is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// It is not.
    None,
    /// gzip
    Gzip,
    /// zstd
    Zstd,
}

/// What IMAGE on the command line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// An engine has it, or can pull it.
    Engine(String),
    /// `oci:DIR`
    Layout(PathBuf),
    /// `oci-archive:FILE` or `docker-archive:FILE`; either form is recognised by its content.
    Archive(PathBuf),
}

impl Reference {
    /// Reads the prefix.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let path = |rest: &str| PathBuf::from(rest);
        if let Some(rest) = text.strip_prefix("oci:") {
            Self::Layout(path(rest))
        } else if let Some(rest) = text.strip_prefix("oci-archive:") {
            Self::Archive(path(rest))
        } else if let Some(rest) = text.strip_prefix("docker-archive:") {
            Self::Archive(path(rest))
        } else {
            Self::Engine(text.to_owned())
        }
    }
}

/// Reads an OCI layout.
///
/// # Errors
///
/// If it is not an OCI layout, or is damaged.
pub fn of_directory(directory: &Path, architecture: &str) -> Result<Image> {
    if !directory.join("index.json").is_file() {
        return cannot(format!(
            "{} is not an OCI layout: it has no index.json",
            directory.display()
        ));
    }
    archive::image(
        &archive::Store::Directory(directory.to_owned()),
        architecture,
        archive::Limits::default(),
    )
}

/// Reads an archive of either form.
///
/// # Errors
///
/// If it is not an archive of an image, or is damaged.
pub fn of_archive(file: &Path, architecture: &str) -> Result<Image> {
    let store = archive::Store::archive(file)?;
    archive::image(&store, architecture, archive::Limits::default())
}
