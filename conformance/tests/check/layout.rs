//! Writes an OCI layout: an image of a few files, made in milliseconds.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The content of a path.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    File(Vec<u8>),
    Directory,
    Link(String),
    /// Another name for a file.
    HardLink(String),
    /// A device or a pipe.
    Special(tar::EntryType),
}

/// An image to write.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    /// Layers, lowest first: path, mode and content.
    pub(crate) layers: Vec<Vec<(String, u32, Item)>>,
    pub(crate) config: Value,
    pub(crate) gzip: bool,
}

/// As much of an executable as tells that it is a static one.
pub(crate) fn executable(machine: u16, interpreter: bool) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    bytes[32] = 64;
    bytes[54] = 56;
    if interpreter {
        bytes[56] = 1;
        let mut header = vec![0; 56];
        header[0] = 3;
        header[8] = 120;
        header[32] = 27;
        bytes.extend(header);
        bytes.extend(b"/lib64/ld-linux-x86-64.so.2");
    }
    bytes.extend(b"\0lyftlearn-runtime 0.1.0\n and whatever else is in a program");
    bytes
}

impl Image {
    /// One that passes every check.
    pub(crate) fn good() -> Self {
        let mut image = Self {
            layers: vec![Vec::new()],
            config: json!({
                "architecture": "amd64",
                "os": "linux",
                "config": {
                    "Entrypoint": ["lyftlearn-runtime", "run", "--"],
                    "Env": ["PATH=/usr/local/bin:/usr/bin", "PYTHONUNBUFFERED=1"],
                    "WorkingDir": "/opt/program",
                },
                "history": [{"created_by": "COPY train.py /opt/program/"}],
            }),
            gzip: true,
        };
        let settings = "[commands]\ntrain = [\"python3\", \"/opt/program/train.py\"]\nserve = [\"python3\", \"/opt/program/train.py\"]\n";
        image.file(
            "usr/local/bin/lyftlearn-runtime",
            0o755,
            executable(62, false),
        );
        image.file("usr/bin/python3.11", 0o755, "python");
        image.link("usr/bin/python3", "python3.11");
        image.file("etc/lyftlearn/runtime.toml", 0o644, settings);
        image.put("opt/program", 0o755, Item::Directory);
        image.file("opt/program/train.py", 0o644, "print(1)\n");
        image.file(
            "opt/program/__pycache__/train.cpython-311.pyc",
            0o644,
            "pyc",
        );
        let metadata = "usr/lib/python3/dist-packages/lyftlearn_runtime-0.1.0.dist-info/METADATA";
        image.file(
            metadata,
            0o644,
            "Metadata-Version: 2.4\nName: lyftlearn-runtime\nVersion: 0.1.0\n",
        );
        image
    }

    pub(crate) fn put(&mut self, path: &str, mode: u32, item: Item) {
        let layer = self.layers.last_mut().unwrap();
        layer.retain(|(known, _, _)| known != path);
        layer.push((path.to_owned(), mode, item));
    }

    pub(crate) fn file(&mut self, path: &str, mode: u32, bytes: impl AsRef<[u8]>) {
        self.put(path, mode, Item::File(bytes.as_ref().to_vec()));
    }

    pub(crate) fn link(&mut self, path: &str, target: &str) {
        self.put(path, 0o777, Item::Link(target.to_owned()));
    }

    /// Sets a field of the configuration.
    pub(crate) fn set(&mut self, field: &str, value: Value) {
        self.config["config"][field] = value;
    }

    /// Writes it below `directory`; the layout's path.
    pub(crate) fn write(&self, directory: &Path) -> PathBuf {
        let layers: Vec<Value> = self
            .layers
            .iter()
            .map(|layer| {
                let plain = tarred(layer);
                let bytes = if self.gzip { gzipped(&plain) } else { plain };
                let kind = if self.gzip { "tar+gzip" } else { "tar" };
                blob(
                    directory,
                    &bytes,
                    &format!("application/vnd.oci.image.layer.v1.{kind}"),
                )
            })
            .collect();
        self.write_with(directory, &layers)
    }

    /// The same, with layers that were written before.
    pub(crate) fn write_with(&self, directory: &Path, layers: &[Value]) -> PathBuf {
        let manifest = manifest_of(directory, self, layers);
        let manifest = blob(
            directory,
            manifest.to_string().as_bytes(),
            "application/vnd.oci.image.manifest.v1+json",
        );
        let index = json!({"schemaVersion": 2, "manifests": [manifest]});
        std::fs::write(directory.join("index.json"), index.to_string()).unwrap();
        std::fs::write(
            directory.join("oci-layout"),
            r#"{"imageLayoutVersion": "1.0.0"}"#,
        )
        .unwrap();
        directory.to_owned()
    }
}

/// The manifest of an image whose layers are written already.
pub(crate) fn manifest_of(directory: &Path, image: &Image, layers: &[Value]) -> Value {
    let config = blob(
        directory,
        image.config.to_string().as_bytes(),
        "application/vnd.oci.image.config.v1+json",
    );
    json!({"schemaVersion": 2, "config": config, "layers": layers})
}

pub(crate) fn gzipped(plain: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// A tar with the names as given, also those that lead outside.
pub(crate) fn tarred(items: &[(String, u32, Item)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, mode, item) in items {
        let mut header = tar::Header::new_gnu();
        header.set_mode(*mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        let name = path.as_bytes();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        let bytes: &[u8] = match item {
            Item::File(bytes) => bytes,
            Item::Directory => {
                header.set_entry_type(tar::EntryType::Directory);
                &[]
            }
            Item::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_link_name_literal(target).unwrap();
                &[]
            }
            Item::HardLink(target) => {
                header.set_entry_type(tar::EntryType::Link);
                header.set_link_name_literal(target).unwrap();
                &[]
            }
            Item::Special(kind) => {
                header.set_entry_type(*kind);
                header.set_device_major(1).unwrap();
                header.set_device_minor(5).unwrap();
                &[]
            }
        };
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        builder.append(&header, bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Writes a blob; what refers to it.
pub(crate) fn blob(directory: &Path, bytes: &[u8], kind: &str) -> Value {
    let digest: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let blobs = directory.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    std::fs::write(blobs.join(&digest), bytes).unwrap();
    json!({"mediaType": kind, "digest": format!("sha256:{digest}"), "size": bytes.len()})
}
