//! The helper: it holds the network of a container, and reads and writes its volumes.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A volume that holds more files is listed in part.
const LISTED: usize = 100_000;

/// A file that is read whole, at most so much of it.
const READ: u64 = 1 << 20;

/// A file as [`list`] shows it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Listed {
    /// Its size in bytes; of a directory 0.
    pub bytes: u64,
    /// Its permission bits.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
}

pub(super) fn install(path: &str) -> Result<(), String> {
    let copied = std::fs::copy("/proc/self/exe", path);
    copied.map_err(|err| format!("cannot write {path}: {err}"))?;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, mode)
        .map_err(|err| format!("cannot make {path} executable: {err}"))
}

/// Waits for SIGTERM. PID 1 would ignore it without a handler.
pub(super) fn hold() -> Result<(), String> {
    let over = Arc::new(AtomicBool::new(false));
    let flag =
        signal_hook::flag::register(nix::sys::signal::Signal::SIGTERM as i32, Arc::clone(&over));
    flag.map_err(|err| format!("cannot handle SIGTERM: {err}"))?;
    while !over.load(Ordering::Relaxed) {
        // A signal does not unpark; a tenth of a second late is soon enough.
        std::thread::park_timeout(Duration::from_millis(100));
    }
    Ok(())
}

pub(super) fn stdin() -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = std::io::stdin()
        .lock()
        .take(256 << 20)
        .read_to_end(&mut bytes);
    read.map_err(|err| format!("cannot read stdin: {err}"))?;
    Ok(bytes)
}

/// Unpacks a tar of the checker's own making.
pub(super) fn unpack(directory: &str) -> Result<(), String> {
    let mut archive = tar::Archive::new(std::io::stdin().lock());
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(false);
    archive
        .unpack(directory)
        .map_err(|err| format!("cannot unpack into {directory}: {err}"))
}

/// Copies files and directories. Links are left out: a volume's links are its program's.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let failed =
        |path: &Path, err: std::io::Error| format!("cannot copy {}: {err}", path.display());
    let about = std::fs::symlink_metadata(from).map_err(|err| failed(from, err))?;
    if about.is_dir() {
        if !to.is_dir() {
            std::fs::create_dir(to).map_err(|err| failed(to, err))?;
        }
        for entry in std::fs::read_dir(from).map_err(|err| failed(from, err))? {
            let entry = entry.map_err(|err| failed(from, err))?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else if about.is_file() {
        std::fs::copy(from, to).map_err(|err| failed(from, err))?;
    } else {
        return Ok(());
    }
    // As SageMaker unpacks a model: readable for any user.
    let mode = std::fs::Permissions::from_mode(
        about.mode() & 0o777 | if about.is_dir() { 0o555 } else { 0o444 },
    );
    std::fs::set_permissions(to, mode).map_err(|err| failed(to, err))
}

/// Files and directories below a directory, by their paths.
pub(super) fn list(directory: &Path) -> Result<BTreeMap<String, Listed>, String> {
    let mut found = BTreeMap::new();
    let mut ahead = vec![directory.to_owned()];
    while let Some(next) = ahead.pop() {
        let entries = std::fs::read_dir(&next)
            .map_err(|err| format!("cannot read {}: {err}", next.display()))?;
        for entry in entries.filter_map(Result::ok) {
            let Ok(about) = entry.path().symlink_metadata() else {
                continue;
            };
            if about.is_dir() {
                ahead.push(entry.path());
            }
            let path = entry.path();
            let path = path
                .strip_prefix(directory)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            let listed = Listed {
                bytes: if about.is_dir() { 0 } else { about.len() },
                mode: about.mode() & 0o7777,
                uid: about.uid(),
            };
            found.insert(path, listed);
            if found.len() >= LISTED {
                return Ok(found);
            }
        }
    }
    Ok(found)
}

pub(super) fn read(path: &str) -> Result<(), String> {
    let failed = |err: std::io::Error| format!("cannot read {path}: {err}");
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(READ).read_to_end(&mut bytes).map_err(failed)?;
    std::io::stdout().write_all(&bytes).map_err(failed)
}
