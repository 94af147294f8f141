//! Finds an image's documents in a layout or an archive of either form.

use serde_json::Value;

use super::archive::{Store, broken};
use crate::trouble::{Result, cannot};

/// What describes an image.
#[derive(Debug)]
pub(super) struct Manifest {
    /// The configuration's name in the store.
    pub(super) config: String,
    /// The layers' names, lowest first.
    pub(super) layers: Vec<String>,
    /// What an OCI image has besides.
    pub(super) oci: Option<Oci>,
}

/// The documents of an OCI image.
#[derive(Debug)]
pub(super) struct Oci {
    /// The manifest.
    pub(super) document: Value,
    /// Its digest.
    pub(super) digest: String,
    /// Descriptors beside it in the indexes that led to it.
    pub(super) beside: Vec<Value>,
}

/// The name of a blob; a digest becomes a path, so nothing else may be in it.
pub(super) fn blob(digest: &Value) -> Result<String> {
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

/// The digest of a blob by its name; empty for the files of Docker's older archives.
pub(super) fn digest_of(name: &str) -> String {
    let digest = name.strip_prefix("blobs/");
    digest.map_or_else(String::new, |digest| digest.replace('/', ":"))
}

pub(super) fn find(store: &Store, architecture: &str) -> Result<Manifest> {
    if store.has("manifest.json") {
        of_docker(store)
    } else if store.has("index.json") {
        of_oci(store, architecture)
    } else {
        cannot("not an image archive: it has neither manifest.json nor index.json")
    }
}

fn of_docker(store: &Store) -> Result<Manifest> {
    let manifest = store.document("manifest.json")?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let first = &manifest[0];
    let layers: Option<Vec<String>> = first["Layers"]
        .as_array()
        .and_then(|all| all.iter().map(text).collect());
    match (text(&first["Config"]), layers) {
        (Some(config), Some(layers)) => Ok(Manifest {
            config,
            layers,
            oci: None,
        }),
        _ => cannot("manifest.json does not name a configuration and layers"),
    }
}

fn of_oci(store: &Store, architecture: &str) -> Result<Manifest> {
    let mut document = store.document("index.json")?;
    let mut beside = Vec::new();
    let mut digest = String::new();
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
                "it has no image for {architecture}; choose another with --platform"
            ));
        };
        digest = next["digest"].as_str().unwrap_or_default().to_owned();
        let name = blob(&next["digest"])?;
        beside.extend(manifests.iter().cloned());
        document = store.document(&name)?;
    }
    let layers = document["layers"]
        .as_array()
        .ok_or_else(|| broken("the manifest", "it has no layers"))?;
    let layers = layers
        .iter()
        .map(|layer| blob(&layer["digest"]))
        .collect::<Result<_>>()?;
    Ok(Manifest {
        config: blob(&document["config"]["digest"])?,
        layers,
        oci: Some(Oci {
            document,
            digest,
            beside,
        }),
    })
}
