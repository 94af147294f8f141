//! `snapshot`: what a program sees here, as canonical JSON: names, hashes and versions, in a
//! stable order, and never a secret.

mod compare;
mod declared;
mod machine;
mod python;

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

pub(crate) use compare::{Difference, Kind, compare};
pub(crate) use declared::{declared, read};
use digest_io::IoWrapper;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::environment::Gathered;
use crate::deliver::layered;
use crate::error::Error;
use crate::facts::Facts;
use crate::outcome::named_secret;
use crate::resolve::{Resolved, resolve};
use crate::workload::Texts;

/// What a snapshot says in place of the value of a secret: not even a hash, which a short
/// secret would not survive.
const SECRET: &str = "secret";

/// Everything that may make a program compute something else here than there.
pub(crate) fn take(facts: &Facts) -> Result<Value, Error> {
    of(facts, &resolve(facts)?)
}

/// The same from facts that are resolved already.
pub(crate) fn of(facts: &Facts, resolved: &Resolved) -> Result<Value, Error> {
    Ok(observed(facts, delivered(facts, resolved)?))
}

/// The part that a start decides.
pub(crate) fn delivered(facts: &Facts, resolved: &Resolved) -> Result<Value, Error> {
    let variables = variables(facts, resolved)?;
    Ok(json!({
        "format": 1,
        "version": env!("CARGO_PKG_VERSION"),
        "platform": resolved.workload.platform,
        "flavor": resolved.workload.flavor,
        "role": resolved.workload.role,
        "job": resolved.workload.job,
        "channels": resolved.workload.channels,
        "topology": resolved.workload.topology,
        "resources": resolved.workload.resources,
        "lifecycle": resolved.workload.lifecycle,
        "credentials": resolved.workload.credentials,
        "hyperparameters": {
            "count": resolved.workload.hyperparameters.count,
            "sha256": digest(&resolved.values),
        },
        "paths": resolved.workload.paths,
        "variables": variables,
    }))
}

/// All of it: the other part is what the files of the container show at present.
pub(crate) fn observed(facts: &Facts, mut delivered: Value) -> Value {
    delivered["paths"] = paths(facts, delivered["paths"].take());
    delivered["machine"] = machine::machine(facts);
    delivered["python"] = python::python(facts);
    delivered["image"] = image(facts);
    delivered
}

fn variables(facts: &Facts, resolved: &Resolved) -> Result<BTreeMap<String, Value>, Error> {
    let settings = &resolved.settings;
    let gathered = Gathered::planned(facts, resolved)?;
    let layered = layered(&gathered.layers(facts));
    Ok(layered
        .into_iter()
        .map(|variable| {
            let name = variable.name.to_string_lossy().into_owned();
            let secret = named_secret(&name) || settings.holds_secret(&name);
            let shown = if secret {
                SECRET.to_owned()
            } else {
                sha256(variable.value.1.as_bytes())
            };
            (name, shown.into())
        })
        .collect())
}

fn paths(facts: &Facts, named: Value) -> Value {
    let named = named.as_object().cloned().unwrap_or_default();
    named
        .into_iter()
        .map(|(name, path)| {
            let described = path
                .as_str()
                .map_or(Value::Null, |path| describe(facts, path));
            (name, described)
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn describe(facts: &Facts, path: &str) -> Value {
    let Some((mode, user, group)) = facts.ownership(path) else {
        return json!({"path": path, "exists": false});
    };
    json!({
        "path": path,
        "exists": true,
        "mode": format!("{mode:04o}"),
        "user": user,
        "group": group,
        "writable": facts.may_write(path),
    })
}

/// The image, as far as its own files describe it.
fn image(facts: &Facts) -> Value {
    let release = facts.file("/etc/os-release", crate::contract::limits::DOCUMENT_BYTES);
    let release = release.ok().flatten().unwrap_or_default();
    let release = String::from_utf8_lossy(&release).into_owned();
    let field = |name: &str| {
        let line = release.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim_matches(['"', '=', '\'']).to_owned())
    };
    json!({"system": field("ID"), "system_version": field("VERSION_ID")})
}

/// Of the document that is delivered, which may be too large to have it once more.
fn digest(values: &Texts) -> String {
    let mut digest = IoWrapper(Sha256::new());
    values
        .write_document(&mut digest)
        .expect("a digest has no failure to report");
    hex(&digest.0.finalize())
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(facts: &Facts, path: impl AsRef<Path>) -> Option<String> {
    let bytes = facts.file(path, crate::contract::limits::DOCUMENT_BYTES);
    Some(String::from_utf8_lossy(&bytes.ok()??).into_owned())
}
