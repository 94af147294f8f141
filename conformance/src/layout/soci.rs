//! Looks for a SOCI index, offline: the table of contents by which a snapshotter loads an image's
//! layers while the container already runs.

use serde_json::Value;

use super::archive::Store;
use super::manifest::{Manifest, blob};
use crate::trouble::Result;

/// An image manifest's annotation that names its index.
const INDEX: &str = "com.amazon.soci.index-digest";
/// An index's annotation that names its image, beside it in the image index.
const IMAGE: &str = "com.amazon.soci.image-manifest-digest";
/// A table of contents' annotations.
const LAYER: &str = "com.amazon.soci.image-layer-digest";
const SPAN: &str = "com.amazon.soci.span-size";
const VERSION_1: &str = "application/vnd.amazon.soci.index.v1+json";
const VERSION_2: &str = "application/vnd.amazon.soci.index.v2+json";
/// Beside tables of contents, an index may name spans to load first.
const PREFETCH: &str = "application/vnd.amazon.soci.prefetch.v1+json";

/// `soci` makes no table of contents for a layer that is smaller.
pub const MINIMUM: u64 = 10 << 20;

/// The result of the search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// No index.
    Absent,
    /// A version 1 index only, which snapshotters from 0.10 ignore by default.
    Version1,
    /// A version 2 index, and its mistakes.
    Version2 {
        /// Tables of contents.
        tables: usize,
        /// Bytes of a span.
        span: u64,
        /// Empty: it is whole.
        wrong: Vec<String>,
    },
}

pub(super) fn look(store: &Store, manifest: &Manifest) -> Result<Option<Look>> {
    let Some(image) = &manifest.oci else {
        return Ok(None);
    };
    let kind = |document: &Value| {
        // Registries without artifact types have it as the configuration's type.
        [&document["artifactType"], &document["config"]["mediaType"]]
            .into_iter()
            .find_map(|kind| kind.as_str().filter(|kind| kind.contains(".soci.index.")))
            .map(str::to_owned)
    };
    let named = &image.document["annotations"][INDEX];
    if named.is_null() {
        for one in &image.beside {
            // An older one refers to the image, and the image does not know of it.
            let document = match blob(&one["digest"]) {
                Ok(name) if store.has(&name) => store.document(&name)?,
                _ => continue,
            };
            if kind(&document).as_deref() == Some(VERSION_1)
                && document["subject"]["digest"] == *image.digest
            {
                return Ok(Some(Look::Version1));
            }
        }
        return Ok(Some(Look::Absent));
    }
    let mut wrong = Vec::new();
    let mut found = Look::Version2 {
        tables: 0,
        span: 0,
        wrong: Vec::new(),
    };
    let name = blob(named)?;
    if !store.has(&name) {
        wrong.push("the index that the manifest names is missing".to_owned());
    } else {
        let document = store.document(&name)?;
        if kind(&document).as_deref() != Some(VERSION_2) {
            wrong.push("the file that the manifest names is not an index of version 2".to_owned());
        }
        let back = image.beside.iter().find(|one| one["digest"] == *named);
        match back.map(|one| &one["annotations"][IMAGE]) {
            None => wrong.push("the index is not in the same image index as the image".to_owned()),
            Some(back) if *back != *image.digest => {
                wrong.push("the index does not refer to this image".to_owned());
            }
            Some(_) => {}
        }
        let (tables, span) = tables(store, manifest, &document, &mut wrong)?;
        found = Look::Version2 {
            tables,
            span,
            wrong: Vec::new(),
        };
    }
    if let Look::Version2 { wrong: all, .. } = &mut found {
        *all = wrong;
    }
    Ok(Some(found))
}

/// How many tables of contents there are, and their span.
fn tables(
    store: &Store,
    manifest: &Manifest,
    index: &Value,
    wrong: &mut Vec<String>,
) -> Result<(usize, u64)> {
    let none = Vec::new();
    let all = index["layers"]
        .as_array()
        .or(index["blobs"].as_array())
        .unwrap_or(&none);
    let tables: Vec<&Value> = all
        .iter()
        .filter(|one| one["mediaType"] != PREFETCH)
        .collect();
    let mut spans: Vec<u64> = Vec::new();
    for table in &tables {
        let name = blob(&table["digest"])?;
        if store.size(&name) == 0 || Some(store.size(&name)) != table["size"].as_u64() {
            wrong.push("a table of contents is missing or has the wrong size".to_owned());
        }
        let span = table["annotations"][SPAN].as_str();
        spans.extend(span.and_then(|span| span.parse::<u64>().ok()));
    }
    if spans.len() != tables.len() || spans.iter().any(|span| *span == 0 || *span != spans[0]) {
        wrong.push("its tables of contents have different span sizes".to_owned());
    }
    for (number, layer) in manifest.layers.iter().enumerate() {
        let digest = super::manifest::digest_of(layer);
        let has = tables
            .iter()
            .any(|table| table["annotations"][LAYER] == *digest);
        if store.size(layer) >= MINIMUM && !has {
            wrong.push(format!("layer {} has no table of contents", number + 1));
        }
    }
    Ok((tables.len(), spans.first().copied().unwrap_or(0)))
}
